/** A small chain with both lanes, the same bytes on every run. For tests only. */

import { UnixMillis } from '../../gateway/quantity.ts';
import type { Lane } from '../../gateway/reading.ts';
import { encodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { type SignatureCheck, signingKeyFrom, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import type { GenesisParameters } from '../../gateway/ledger/genesis.ts';
import { sealBlock, sealGenesis, type SealedBlock } from '../../gateway/ledger/sealer.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';

export const gatewayKey = signingKeyFrom(new Uint8Array(32).fill(1));
export const hospitalKey = signingKeyFrom(new Uint8Array(32).fill(2));
export const strangerKey = signingKeyFrom(new Uint8Array(32).fill(3));
export const NOW = UnixMillis(1_790_000_000_000);

export const parameters: GenesisParameters = {
  gateway: gatewayKey.publicKey,
  hospitals: [{ name: 'St. Anna', key: hospitalKey.publicKey }],
  quorum: 1,
  work: 0,
  created: NOW,
  nonce: new Uint8Array(16).fill(9),
};

/** An entry with that sequence; `change` overrides any part of it. */
export function entryOf(sequence: number, change: Partial<Entry> = {}): Uint8Array {
  return encodeEntry({ kind: 'event', sequence, time: NOW, fields: new Map([['n', sequence]]), ...change });
}

export async function genesisOf(lane: Lane, change: Partial<GenesisParameters> = {}): Promise<SealedBlock> {
  return sealGenesis({ lane, parameters: { ...parameters, ...change }, time: NOW, key: gatewayKey });
}

export async function blockAfter(previous: SealedBlock, sequences: readonly number[]): Promise<SealedBlock> {
  const entries = sequences.map((sequence) => entryOf(sequence));
  return sealBlock({ state: previous.newState, entries, time: NOW, key: gatewayKey, contracts: [] });
}

export type SampleBlock = Readonly<{ lane: Lane; sealed: SealedBlock }>;

/** Genesis and two blocks in each lane, interleaved: alarm 0, record 0, record 1, alarm 1, record 2, alarm 2. */
export async function sampleChain(change: Partial<GenesisParameters> = {}): Promise<SampleBlock[]> {
  const [a0, r0] = [await genesisOf('alarm', change), await genesisOf('record', change)];
  const r1 = await blockAfter(r0, [1, 2]);
  const a1 = await blockAfter(a0, [3]);
  const r2 = await blockAfter(r1, [4, 6]);
  const a2 = await blockAfter(a1, [5]);
  return [a0, r0, r1, a1, r2, a2].map((sealed) => ({ lane: sealed.newState.lane, sealed }));
}

export function fileOf(blocks: readonly SampleBlock[]): Uint8Array {
  return Buffer.concat(blocks.map(({ sealed }) => sealed.bytes));
}

/** `node:crypto`, but each distinct question is asked once: the verdict depends on nothing but the three inputs. */
export function rememberingCheck(): SignatureCheck {
  const verdicts = new Map<string, boolean>();
  return (message, signature, publicKey) => {
    const question = `${toHex(message)}/${toHex(signature)}/${toHex(publicKey)}`;
    const verdict = verdicts.get(question) ?? verifyWithNodeCrypto(message, signature, publicKey);
    verdicts.set(question, verdict);
    return verdict;
  };
}
