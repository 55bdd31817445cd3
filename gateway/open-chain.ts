import { join } from 'node:path';
import type { GatewayConfig } from './config/schema.ts';
import { authorityIn, type BegunChain, type SuccessionState } from './derive/succession-state.ts';
import { ConfigError } from './errors.ts';
import { GatewayKeys } from './gateway-keys.ts';
import type { Clock } from './ingest/clock.ts';
import { keyFilesIn } from './key-files.ts';
import { type Authority, firstAuthority } from './ledger/authority.ts';
import { beginChain } from './ledger/begin-chain.ts';
import type { BlockStore } from './ledger/block-store.ts';
import { equalBytes, toHex } from './ledger/bytes.ts';
import { GENESIS_NONCE_BYTES, type GenesisParameters } from './ledger/genesis.ts';
import { ChainTerms, hasLeft, type Term } from './ledger/terms.ts';
import { openDataFolder } from './operations/data-folder.ts';
import type { Logger } from './operations/log.ts';

export type OpenedChain = Readonly<{ chain: Uint8Array; parameters: GenesisParameters; begun: BegunChain; terms: ChainTerms }>;

/** Opens the data folder and the gateway's signing keys in it, and makes them on the first run. */
export function openKeys(data: string, random: (size: number) => Uint8Array, log: Logger): GatewayKeys {
  const folder = openDataFolder(data);
  const keys = new GatewayKeys(keyFilesIn(data), random);
  if (folder.created) log.info({ folder: data }, 'created the data folder');
  if (keys.created) log.info({ file: keys.path }, 'made a key; without this file the chain cannot be continued: keep a copy in a safe place');
  return keys;
}

export type OpenChainOptions = Readonly<{
  config: GatewayConfig;
  keys: GatewayKeys;
  blocks: BlockStore;
  /** As far as derivation has come. */
  succession: SuccessionState;
  clock: Clock;
  random: (size: number) => Uint8Array;
  log: Logger;
  /** Whether devices are served. Without it a folder whose key is lost may be opened, so that a replacement can be asked for. */
  serve: boolean;
}>;

/** Opens the chain, and begins one on the first run. Throws {@link ConfigError} when configuration or key are not those of the chain. */
export async function openChain({ config, keys, blocks, succession, clock, random, log, serve }: OpenChainOptions): Promise<OpenedChain> {
  const hospitals = config.hospitals.filter(({ joining }) => !joining).map(({ name, key }) => ({ name, key: Buffer.from(key, 'hex') }));
  const { quorum, work } = config.chain;
  const proposed = { gateway: keys.current.publicKey, hospitals, quorum, work, created: clock.now(), nonce: random(GENESIS_NONCE_BYTES) };
  const { chain, parameters, begun: isNew } = await beginChain({ blocks, key: keys.current, now: clock.now, propose: () => proposed });
  const begun = { chain, authority: firstAuthority(parameters) };
  const terms = await ChainTerms.open(blocks, chain);
  if (isNew) log.info({ chain: toHex(chain), gateway: toHex(keys.current.publicKey), data: config.data }, 'began a chain');
  else refuseContradictions({ config, keys, parameters, authority: authorityIn(succession, begun), terms: terms.of('record'), isAwaiting: succession.reserved !== undefined, serve });
  return { chain, parameters, begun, terms };
}

type InForce = Pick<OpenChainOptions, 'config' | 'keys' | 'serve'> & Readonly<{ parameters: GenesisParameters; authority: Authority; terms: readonly Term[]; isAwaiting: boolean }>;

/** A chain keeps what it was begun with, but for the changes in it: receipts of a hospital it does not name would mean nothing to an auditor. */
function refuseContradictions({ config, keys, parameters, authority, terms, isAwaiting, serve }: InForce): void {
  const keyIsLost = !isAwaiting && serve && keys.keyFor(authority.gateway) === undefined;
  const differences = [
    keyIsLost ? `the key ${join(config.data, 'gateway.key')} is not the one in force, ${toHex(authority.gateway)} (if it is lost: "vitalgate authority propose replacement")` : '',
    ...hospitalDifferences(config, authority, terms),
    authority.number > 0 || parameters.quorum === config.chain.quorum ? '' : `its quorum is ${parameters.quorum}, configured is ${config.chain.quorum} ("vitalgate authority propose membership --quorum" changes it)`,
    parameters.work === config.chain.work ? '' : `its work is ${parameters.work} bits, configured are ${config.chain.work}`,
  ].filter((difference) => difference !== '');
  if (differences.length === 0) return;
  throw new ConfigError(`the chain in ${config.data} contradicts the configuration: ${differences.join('; ')}. Restore what it was, or begin a new chain with another gateway.data folder`);
}

/** One that left may stay in the configuration; one that is to join says so there. */
function hospitalDifferences({ hospitals }: GatewayConfig, authority: Authority, terms: readonly Term[]): readonly string[] {
  const configured = hospitals.map((each) => ({ ...each, bytes: Buffer.from(each.key, 'hex') }));
  const isMember = (key: Uint8Array): boolean => authority.hospitals.some((each) => equalBytes(each.key, key));
  const missing = authority.hospitals.filter(({ key }) => !configured.some(({ bytes }) => equalBytes(bytes, key)));
  const strange = configured.filter(({ bytes, joining }) => !joining && !isMember(bytes) && !hasLeft(terms, bytes));
  return [
    ...missing.map(({ name, key }) => `its hospital ${name}, key ${toHex(key)}, is not configured ("vitalgate authority propose membership --leave ${name}" lets it go)`),
    ...strange.map(({ name }) => `${name} is none of its hospitals (give it joining: true and run "vitalgate authority propose membership --join")`),
  ];
}
