/**
 * `vitalgate <command>`: the table of commands, and the only place that chooses a store.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JOURNAL_FOLDER, STORE_FOLDER } from './commands/chain-source.ts';
import type { Row } from './backup.ts';
import { helpOf, parseArguments, type Command, type Environment, type Restoring } from './commands/command.ts';
import { UnixMillis } from './quantity.ts';
import { UnreadableError, UsageError, VitalgateError, messageOf } from './errors.ts';
import type { GatewayStores } from './gateway.ts';
import type { HospitalStores } from './hospital.ts';
import { StoredAuditTrail } from './store/audit-store.ts';
import { StoredBlocks, StoredPendingEntries } from './store/block-store.ts';
import { StoredConsumers } from './store/consumer-store.ts';
import { StoredCredentials } from './store/credential-store.ts';
import { StoredCursors } from './store/cursor-store.ts';
import { probeKey } from './store/keys.ts';
import { ExpendableBlocks } from './store/expendable-blocks.ts';
import { ExpendablePayloads } from './store/expendable-payloads.ts';
import { StoredLinks } from './store/link-store.ts';
import { StoredWritten } from './store/written-store.ts';
import type { TidyStore } from './gateway-disk.ts';
import { StoredReleaseCursors } from './store/release-cursor-store.ts';
import { StoredReleases } from './store/release-store.ts';
import { StoredNotes } from './store/note-store.ts';
import { StoredTold } from './store/told-store.ts';
import { StoredDerivation } from './store/derive-store.ts';
import { openJournal } from './store/journal-store.ts';
import type { KeyValueStore } from './store/key-value.ts';
import { StoredRefusedMessages } from './store/refused-message-store.ts';
import { openRocksStore } from './store/rocks-store.ts';
import { StoredIdentities } from './store/identity-store.ts';
import { StoredLeases } from './store/lease-store.ts';
import { StoredOutputs, StoredRecords } from './store/record-store.ts';
import { StoredErasures } from './store/erasure-store.ts';
import { StoredSetAsides } from './store/set-aside-store.ts';
import { SealedStore } from './store/sealed-store.ts';
import { snapshotOf } from './store/snapshot.ts';
import { StoredTokens } from './store/token-store.ts';
import { KeyringFile } from './vault/keyring-file.ts';
import { Keyring, NoShelf } from './vault/keyring.ts';
import { keyFilesIn } from './key-files.ts';
import { rootKeyIn } from './vault/root-key.ts';

/** Loaded when called: a gateway that runs for months does not keep the simulator in memory. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  gateway: async () => (await import('./commands/gateway.ts')).gatewayCommand,
  upstream: async () => (await import('./commands/upstream.ts')).upstreamCommand,
  device: async () => (await import('./commands/device.ts')).deviceCommand,
  person: async () => (await import('./commands/person.ts')).personCommand,
  quarantine: async () => (await import('./commands/quarantine.ts')).quarantineCommand,
  contract: async () => (await import('./commands/contract.ts')).contractCommand,
  reload: async () => (await import('./commands/reload.ts')).reloadCommand,
  consent: async () => (await import('./commands/consent.ts')).consentCommand,
  approval: async () => (await import('./commands/approval.ts')).approvalCommand,
  'break-glass': async () => (await import('./commands/break-glass.ts')).breakGlassCommand,
  flows: async () => (await import('./commands/flows.ts')).flowsCommand,
  disclosures: async () => (await import('./commands/disclosures.ts')).disclosuresCommand,
  key: async () => (await import('./commands/key.ts')).keyCommand,
  authority: async () => (await import('./commands/authority.ts')).authorityCommand,
  patient: async () => (await import('./commands/patient.ts')).patientCommand,
  pseudonym: async () => (await import('./commands/pseudonym.ts')).pseudonymCommand,
  released: async () => (await import('./commands/released.ts')).releasedCommand,
  backup: async () => (await import('./commands/backup.ts')).backupCommand,
  restore: async () => (await import('./commands/restore.ts')).restoreCommand,
  erase: async () => (await import('./commands/erase.ts')).eraseCommand,
  trace: async () => (await import('./commands/trace.ts')).traceCommand,
  fhir: async () => (await import('./commands/fhir.ts')).fhirCommand,
  hl7: async () => (await import('./commands/hl7.ts')).hl7Command,
  links: async () => (await import('./commands/links.ts')).linksCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  prove: async () => (await import('./commands/prove.ts')).proveCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  sim: async () => (await import('./commands/sim.ts')).simCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
};

const random = (size: number): Uint8Array => randomBytes(size);

const keyringIn = (folder: string, { readOnly }: Readonly<{ readOnly: boolean }>): Keyring => new Keyring(new KeyringFile({ folder, root: rootKeyIn(keyFilesIn(folder, { sealsPlain: !readOnly })), random, readOnly }), random);

/** The journal has an engine of its own (store/README.md says why). */
async function openGatewayStores(folder: string, bootId: Uint8Array): Promise<GatewayStores> {
  await using opening = new AsyncDisposableStack();
  const open = async (name: string): Promise<KeyValueStore> => opening.adopt(await openRocksStore(join(folder, name)), (store) => store.close());
  const keyring = keyringIn(folder, { readOnly: false });
  const [derived, frames] = [await open(STORE_FOLDER), await open(JOURNAL_FOLDER)];
  const records = recordsIn(new SealedStore(derived, { keyring, random }));
  const journal = await openJournal(frames, { bootId, keys: keyring, random });
  const opened = opening.move();
  return { ...records, journal, keyring, tidy: (chain) => tidyOver(derived, records, chain), snapshot: () => snapshotOf({ [STORE_FOLDER]: derived, [JOURNAL_FOLDER]: frames }), close: () => opened.disposeAsync() };
}

function tidyOver(store: KeyValueStore, { blocks, deriveStore }: Pick<ReturnType<typeof recordsIn>, 'blocks' | 'deriveStore'>, chain: Uint8Array): TidyStore {
  return {
    payloads: (what, through, keep) => new ExpendablePayloads({ what, store, blocks, chain, through, ...(keep && { keep }) }),
    blocks: (through, keep) => new ExpendableBlocks({ blocks, chain, through, keep }),
    resumesAfter: () => deriveStore.resumesAfter(),
    sync: () => store.write([{ key: probeKey(), value: Uint8Array.of(1) }], { sync: true }),
    written: new StoredWritten(store),
  };
}

function recordsIn(store: SealedStore): Omit<GatewayStores, 'journal' | 'keyring' | 'snapshot' | 'close' | 'tidy' | 'deriveStore' | 'blocks'> & Readonly<{ deriveStore: StoredDerivation; blocks: StoredBlocks }> {
  return {
    deriveStore: new StoredDerivation(store),
    blocks: new StoredBlocks(store, { removePending: true }),
    pending: new StoredPendingEntries(store),
    credentials: new StoredCredentials(store),
    tokens: new StoredTokens(store),
    consumers: new StoredConsumers(store),
    erasures: new StoredErasures(store),
    cursors: new StoredCursors(store),
    releaseCursors: new StoredReleaseCursors(store),
    links: new StoredLinks(store),
  };
}

async function openForReading(folder: string): Promise<Pick<GatewayStores, 'journal' | 'blocks' | 'keyring' | 'close'>> {
  await using opening = new AsyncDisposableStack();
  const open = async (name: string): Promise<KeyValueStore> => opening.adopt(await openRocksStore(join(folder, name), { readOnly: true }), (store) => store.close());
  const blocks = new StoredBlocks(await open(STORE_FOLDER), { removePending: false });
  const keyring = keyringIn(folder, { readOnly: true });
  const journal = await openJournal(await open(JOURNAL_FOLDER), { bootId: new Uint8Array(16), keys: keyring, random });
  const opened = opening.move();
  return { blocks, journal, keyring, close: () => opened.disposeAsync() };
}

async function openRestoring(folder: string): Promise<Restoring> {
  const engines = new Map<string, { store: KeyValueStore; last: Row }>();
  return {
    put: async (name, rows) => {
      const last = rows.at(-1);
      if (last === undefined) return;
      if (name !== STORE_FOLDER && name !== JOURNAL_FOLDER) throw new UnreadableError(`the backup holds an engine ${JSON.stringify(name)}, which this version of Vitalgate does not have`);
      const store = engines.get(name)?.store ?? (await openRocksStore(join(folder, name)));
      engines.set(name, { store, last });
      await store.write(rows.map(([key, value]) => ({ key, value })), { sync: false });
    },
    close: async () => {
      for (const { store, last: [key, value] } of engines.values()) {
        // A synced write makes those before it durable, too.
        await store.write([{ key, value }], { sync: true });
        await store.close();
      }
    },
  };
}

async function countJournal(folder: string): Promise<number> {
  if (!existsSync(join(folder, JOURNAL_FOLDER))) return 0;
  const frames = await openRocksStore(join(folder, JOURNAL_FOLDER), { readOnly: true });
  try {
    return (await openJournal(frames, { bootId: new Uint8Array(16), keys: new Keyring(new NoShelf(), random), random })).next - 1;
  } finally {
    await frames.close();
  }
}

const openBlocks: Environment['openBlocks'] = async (folder, options) => {
  const { store, blocks, kind, close } = await openHospitalEngine(folder, options);
  const now = (): UnixMillis => UnixMillis(Date.now());
  const records = new StoredRecords(store);
  return {
    blocks, releases: new StoredReleases(store, now), tokens: new StoredTokens(store),
    told: new StoredTold(store), notes: new StoredNotes(store), refusedMessages: new StoredRefusedMessages(store),
    records, outputs: new StoredOutputs(store), identities: new StoredIdentities(store, records), leases: new StoredLeases(store, now),
    audit: new StoredAuditTrail(store), refusedResources: new StoredSetAsides(store), kind, close,
  };
};

/** `store`: for everything but blocks. */
async function openHospitalEngine(folder: string, { readOnly, store = 'rocksdb', durability = 'replicated' }: Parameters<Environment['openBlocks']>[1]): Promise<Pick<HospitalStores, 'blocks' | 'kind' | 'close'> & Readonly<{ store: KeyValueStore }>> {
  // Loaded when it is asked for: a gateway does not carry the client of a database.
  const [url] = store === 'rocksdb' ? [] : store;
  if (url?.startsWith('postgres') === true) return { ...(await (await import('./store/postgres.ts')).openPostgres(store as readonly string[], { durability })), kind: 'PostgreSQL' };
  await using opening = new AsyncDisposableStack();
  const engine = opening.adopt(await openRocksStore(join(folder, STORE_FOLDER), { readOnly }), (opened) => opened.close());
  const shared = url === undefined ? undefined : opening.adopt(await (await import('./store/nats-blocks.ts')).openNatsBlocks(url, { durability }), (opened) => opened.close());
  const all = opening.move();
  return { blocks: shared?.blocks ?? new StoredBlocks(engine, { removePending: false }), store: engine, kind: shared === undefined ? 'RocksDB' : 'NATS JetStream', close: () => all.disposeAsync() };
}

function environment(): Environment {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  // Started by the demo or a test: when that process is gone, so is the reason to run.
  process.once('disconnect', () => stop.abort());
  return {
    openGatewayStores,
    openBlocks,
    openForReading,
    openRestoring,
    countJournal,
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    signal: stop.signal,
    self: { node: process.execPath, flags: process.execArgv, main: fileURLToPath(import.meta.url) },
  };
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['Vitalgate, a smart-health edge gateway. Not a certified medical device.', '', 'Usage: vitalgate <command> [options]', '', ...rows, '', '"vitalgate <command> --help" says more.'].join('\n');
}

/** Exit codes: 0 done, 1 done and the answer is bad, 2 called or configured wrongly, 70 our fault, 75 start again. */
async function main(words: readonly string[], env: Environment): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    env.out(await overview());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? await COMMANDS[name]?.() : undefined;
  if (command === undefined) throw new UsageError(`unknown command "${name}"; "vitalgate --help" lists them`);
  if (rest.includes('--help') || rest.includes('-h')) {
    env.out(helpOf(command));
    return 0;
  }
  return await command.run(parseArguments(command, rest), env);
}

try {
  process.exitCode = await main(process.argv.slice(2), environment());
} catch (error) {
  const known = error instanceof VitalgateError && error.code !== 'VG_INTERNAL';
  process.stderr.write(known ? `vitalgate: ${error.message}\n` : `vitalgate: internal error: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`);
  process.exitCode = known ? 2 : 70;
  // After a fault of our own something may still be open, and a supervisor waits for the end.
  if (!known) process.exit();
}
if (process.connected) process.disconnect();
