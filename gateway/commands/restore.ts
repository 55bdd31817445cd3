import { createReadStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { readBackup, type BackupRecord } from '../backup.ts';
import { decryptBackup, identitiesIn, type OpenedBy } from '../backup-cipher.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { ConfigError, UnreadableError, UsageError } from '../errors.ts';
import { startGateway } from '../gateway.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { createLog } from '../operations/log.ts';
import { FolderFiles, openDataFolder } from '../operations/data-folder.ts';
import type { UnixMillis } from '../quantity.ts';
import { continueChain, endRestoration, markRestoration, restorationIn, type AskedHospital, type BackupReach, type Continued, type Restoration } from '../restoration.ts';
import { counted, listOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';
import { passphraseIn, textIn } from './text-files.ts';

const PROGRESS_EVERY = 250_000;

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Makes a data folder of a backup, and goes on where the chain has come to at the hospitals.',
  usage: ['restore FILE (--identity FILE | --passphrase-file FILE) [--without NAME,…]', 'restore FILE (--identity FILE | --passphrase-file FILE) --check', 'restore --finish [--without NAME,…]'],
  details: `Into the data folder of the configuration, which must not be there. Then every hospital of the chain is asked how far it has come: blocks that were sealed
after the backup are copied from there and checked, and the gateway goes on behind them, so that no chain forks. What was erased after the
backup is erased again. Messages that devices sent in between are lost, and what was decided then has to be decided again: the chain says so (an entry of
kind "gap"), and an alarm does. A hospital that does not answer is asked again with --finish; until then the gateway does not start. NEVER
start the gateway that the backup was made of again: two with one key make a fork.`,
  options: {
    ...CONFIG_OPTIONS,
    identity: { type: 'string', value: 'FILE', help: 'The key that "vitalgate backup keygen" made' },
    'passphrase-file': { type: 'string', value: 'FILE', help: 'A file with the passphrase, mode 0600' },
    check: { type: 'boolean', help: 'Only read it to its end and say what is in it' },
    finish: { type: 'boolean', help: 'Ask the hospitals again' },
    without: { type: 'string', value: 'NAME,…', help: 'Leave these hospitals out: blocks that they alone have are lost, and they will see a fork' },
  },
  run: async (args, environment) => {
    const [path, ...more] = args.positionals;
    if (args.values['finish'] === true && path === undefined) return await finish(args, environment);
    if (path === undefined || more.length > 0) throw new UsageError('expected: restore FILE, or restore --finish');
    const key = openedBy(args);
    if (!existsSync(path)) throw new UsageError(`${path} cannot be read: there is no such file`);
    const backup = readBackup(decryptBackup(createReadStream(path), key));
    if (args.values['check'] === true) return await check(path, reading(path, backup), environment);
    await unpack(gatewayConfig(args).data, reading(path, backup), environment);
    return await finish(args, environment);
  },
};

function openedBy(args: Arguments): OpenedBy {
  const [identity, passphrase] = [textOf(args, 'identity'), textOf(args, 'passphrase-file')];
  if ((identity === undefined) === (passphrase === undefined)) throw new UsageError('what opens it? Give --identity FILE or --passphrase-file FILE');
  return identity === undefined ? { passphrase: passphraseIn(passphrase as string) } : { identities: identitiesIn(textIn(identity)) };
}

/** What the disk says becomes an error with the path. */
async function* reading(path: string, records: AsyncIterable<BackupRecord>): AsyncGenerator<BackupRecord, void, undefined> {
  try {
    yield* records;
  } catch (cause) {
    if (cause instanceof UnreadableError) throw new UnreadableError(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

async function check(path: string, records: AsyncIterable<BackupRecord>, { out }: Environment): Promise<number> {
  let begin: Extract<BackupRecord, { is: 'begin' }> | undefined;
  for await (const record of records) {
    if (record.is === 'begin') begin = record;
    if (record.is === 'end') out(`${path}: whole; chain ${toHex(begin?.chain ?? new Uint8Array())}, taken ${new Date(begin?.taken ?? 0).toISOString()}, ${counted(record.rows, 'record')}, ${counted(record.files, 'file')}`);
  }
  return 0;
}

/** Nothing starts on the folder before all of it is there. */
async function unpack(folder: string, records: AsyncIterable<BackupRecord>, environment: Environment): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new UsageError(`${folder} is not empty: a backup is restored into a folder of its own`);
  let restoration: Extract<Restoration, { stage: 'unpacking' }> | undefined;
  const engines = await environment.openRestoring(folder);
  try {
    const files = new FolderFiles(folder);
    let rows = 0;
    for await (const record of records) {
      if (record.is === 'begin') {
        if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
        openDataFolder(folder);
        restoration = { stage: 'unpacking', chain: toHex(record.chain), taken: record.taken };
        markRestoration(folder, restoration);
      }
      if (record.is === 'file') {
        mkdirSync(dirname(files.pathOf(record.name)), { recursive: true, mode: 0o700 });
        files.writeBytes(record.name, record.bytes);
      }
      if (record.is !== 'rows') continue;
      await engines.put(record.store, record.rows);
      if (Math.floor((rows + record.rows.length) / PROGRESS_EVERY) > Math.floor(rows / PROGRESS_EVERY)) environment.err(`${rows + record.rows.length} records so far`);
      rows += record.rows.length;
    }
  } finally {
    await engines.close();
  }
  if (restoration === undefined) throw new UnreadableError('the backup is empty');
  markRestoration(folder, { ...restoration, stage: 'unpacked', heights: await heightsIn(folder, restoration, environment), frames: await environment.countJournal(folder) });
  environment.err(`unpacked the backup of ${new Date(restoration.taken).toISOString()} into ${folder}`);
}

async function heightsIn(folder: string, { chain }: Restoration, { openBlocks }: Environment): Promise<BackupReach['heights']> {
  const { blocks, close } = await openBlocks(folder, { readOnly: true });
  try {
    const id = Buffer.from(chain, 'hex');
    const [alarm, record] = await Promise.all((['alarm', 'record'] as const).map((lane) => blocks.head({ chain: id, lane })));
    return { alarm: alarm?.height ?? -1, record: record?.height ?? -1 };
  } finally {
    await close();
  }
}

async function finish(args: Arguments, environment: Environment): Promise<number> {
  const config = gatewayConfig(args);
  const restoration = existsSync(config.data) ? restorationIn(config.data) : undefined;
  if (restoration?.stage !== 'unpacked') throw new UsageError(`${config.data} is no folder that a backup was just restored into`);
  const continued = await ask(config, restoration, listOf(args, 'without'), environment);
  await complete(config, restoration.taken, continued, environment);
  endRestoration(config.data);
  for (const line of inWords(restoration.taken, continued)) environment.out(line);
  return 0;
}

async function ask(config: GatewayConfig, { chain: hex, ...reach }: Extract<Restoration, { stage: 'unpacked' }>, without: readonly string[], { openGatewayStores, err }: Environment): Promise<Continued> {
  const chain = Buffer.from(hex, 'hex');
  const stores = await openGatewayStores(config.data, randomBytes(16));
  try {
    const members = (await stores.blocks.head({ chain, lane: 'record' }))?.authority.hospitals ?? [];
    const hospitals = hospitalsToAsk(config, members, without);
    return await continueChain({ stores, chain, reach, hospitals, deadline: config.relay.timeout, random: (size) => randomBytes(size), tell: err });
  } finally {
    await stores.close();
  }
}

/** Every hospital of the chain, and those of the configuration: what one of them has that nobody asked for would be a fork. */
function hospitalsToAsk({ hospitals }: GatewayConfig, members: readonly Readonly<{ name: string; key: Uint8Array }>[], without: readonly string[]): readonly AskedHospital[] {
  const configured = hospitals.map(({ name, url, key }) => ({ name, url, key: Buffer.from(key, 'hex') }));
  const unknown = without.find((name) => ![...members, ...configured].some((each) => each.name === name));
  if (unknown !== undefined) throw new UsageError(`--without: there is no hospital ${unknown}`);
  const missing = members.find(({ name, key }) => !without.includes(name) && !configured.some((each) => equalBytes(each.key, key)));
  if (missing !== undefined) throw new ConfigError(`hospital ${missing.name} of the chain is not in the configuration: give the one the gateway had (--config), with its address, and then "vitalgate restore --finish"`);
  return configured.filter(({ name }) => !without.includes(name));
}

async function complete(config: GatewayConfig, taken: UnixMillis, continued: Continued, { openGatewayStores }: Environment): Promise<void> {
  const gateway = await startGateway({ config, openStores: openGatewayStores, log: createLog('warn', 'vitalgate'), serve: false, restoring: true });
  try {
    await gateway.administration.completeRestoration(taken, continued);
  } finally {
    await gateway.stop();
  }
}

function inWords(taken: UnixMillis, { blocks, entries, lost, erasures }: Continued): readonly string[] {
  const said = [...entries].filter(([kind]) => kind !== 'evidence').map(([kind, count]) => `${count} ${kind}`);
  return [
    `restored from the backup of ${new Date(taken).toISOString()}`,
    ...(blocks === 0 ? ['no hospital has more of the chain than the backup'] : [`copied ${counted(blocks, 'block')} from the hospitals; what lay beside them is lost (${said.join(', ')})`]),
    ...(lost === undefined ? [] : [`frames ${lost.first} to ${lost.last} of the journal are lost`]),
    ...(erasures.length === 0 ? [] : [`did ${counted(erasures.length, 'erasure')} again`]),
    ...((entries.get('consent') ?? 0) > 0 ? [`patients have said something about consent ${entries.get('consent')} times since then, and it is not known here what: ASK THEM AGAIN before hospitals get anything`] : []),
    'start the gateway now ("vitalgate gateway"), and never again the one the backup was made of',
  ];
}
