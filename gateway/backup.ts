/**
 * A backup: everything a gateway keeps, as of one moment, as a stream of records. It holds keys in clear and MUST be encrypted before it
 * lies anywhere (backup-cipher.ts). Each record is its length (4 bytes, big endian) and a CBOR array:
 *
 *     [ "begin", format 1, chain bstr 16, taken uint (ms since 1970) ]
 *     [ "rows", store text, [ key bstr, value bstr, … ] ]            records of an engine, in its order
 *     [ "file", name text, bstr ]                                   of the data folder, and the flows in its folder nodered
 *     [ "end", rows uint, files uint ]                              what came before; without it the backup is not whole
 *
 * The engines come first: the journal is read no earlier than what was derived from it, and keys no earlier than what lies under them.
 */

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnreadableError } from './errors.ts';
import { CborError, decode, encode, type CborValue } from './ledger/cbor.ts';
import { COPIED, NODE_RED_FOLDER } from './nodered/flow-files.ts';
import { formatBytes, KiB, MiB, UnixMillis } from './quantity.ts';

const FORMAT = 1;
/** Bytes of rows in one record, but for a row that is longer by itself. */
const PIECE = KiB(512);
/** A record is never longer: blocks and journal records are bounded far below. */
const LONGEST = MiB(256);

/** What people drew, and what nodes keep secret (under the key in flows.key): the one folder that is in a backup. */
const FLOWS = COPIED.map((name) => `${NODE_RED_FOLDER}/${name}`);

/** Marks a folder whose chain may go on at a hospital (restoration.ts). */
export const RESTORATION_FILE = 'restored.json';

export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** Every engine of a gateway as of one moment, each in its order. An engine MUST NOT come before one that refers to it. */
export type Snapshot = () => AsyncIterable<Readonly<{ store: string; row: Row }>>;

export type BackupRecord =
  | Readonly<{ is: 'begin'; chain: Uint8Array; taken: UnixMillis }>
  | Readonly<{ is: 'rows'; store: string; rows: readonly Row[] }>
  | Readonly<{ is: 'file'; name: string; bytes: Uint8Array }>
  | Readonly<{ is: 'end'; rows: number; files: number }>;

export type BackupOptions = Readonly<{ snapshot: Snapshot; folder: string; chain: Uint8Array; now: () => UnixMillis }>;

/** The records of a backup taken now, encoded. */
export async function* backupOf({ snapshot, folder, chain, now }: BackupOptions): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeRecord(['begin', FORMAT, chain, now()]);
  let rows = 0;
  let piece: Readonly<{ store: string; flat: Uint8Array[] }> | undefined;
  let size = 0;
  for await (const { store, row: [key, value] } of snapshot()) {
    if (piece !== undefined && (piece.store !== store || size > PIECE)) {
      yield encodeRecord(['rows', piece.store, piece.flat]);
      piece = undefined;
    }
    if (piece === undefined) [piece, size] = [{ store, flat: [] }, 0];
    piece.flat.push(key, value);
    size += key.length + value.length;
    rows += 1;
  }
  if (piece !== undefined) yield encodeRecord(['rows', piece.store, piece.flat]);
  const files = filesIn(folder);
  for (const [name, bytes] of files) yield encodeRecord(['file', name, bytes]);
  yield encodeRecord(['end', rows, files.length]);
}

/** Read in one go: the gateway writes key files in one go, too, so that root key and keyring belong together. */
function filesIn(folder: string): readonly (readonly [string, Uint8Array])[] {
  const names = readdirSync(folder).filter((name) => lstatSync(join(folder, name)).isFile() && !name.endsWith('.new') && name !== RESTORATION_FILE);
  return [...names.toSorted(), ...FLOWS.filter((name) => existsSync(join(folder, name)))].map((name) => [name, readFileSync(join(folder, name))]);
}

function encodeRecord(values: readonly CborValue[]): Uint8Array {
  const body = encode(values);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

const broken = (what: string): UnreadableError => new UnreadableError(`the backup cannot be read: ${what}`);

/** The records in a stream, cut anywhere. Throws {@link UnreadableError} for what is none, or ends too early; what the source throws passes through. */
export async function* readBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupRecord, void, undefined> {
  let [rows, files, position] = [0, 0, 0];
  let last: BackupRecord | undefined;
  for await (const bytes of piecesIn(source)) {
    const record = readRecord(bytes);
    if ((position === 0) !== (record.is === 'begin') || last?.is === 'end') throw broken(`record ${position} is "${record.is}", and has no place there`);
    if (record.is === 'rows') rows += record.rows.length;
    if (record.is === 'file') files += 1;
    if (record.is === 'end' && (record.rows !== rows || record.files !== files)) throw broken(`it holds ${rows} records and ${files} files, and says that it held ${record.rows} and ${record.files}`);
    yield record;
    last = record;
    position += 1;
  }
  if (last?.is !== 'end') throw broken('it ends before its end: the gateway stopped, or the disk was full, while it was made');
}

async function* piecesIn(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let kept: Buffer[] = [];
  let size = 0;
  let wanted: number | undefined;
  const take = (count: number): Buffer => {
    const all = kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
    [kept, size] = [[all.subarray(count)], size - count];
    return all.subarray(0, count);
  };
  for await (const piece of source) {
    kept.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    size += piece.length;
    for (;;) {
      if (wanted === undefined) {
        if (size < 4) break;
        wanted = take(4).readUInt32BE();
        if (wanted > LONGEST) throw broken(`a record of ${formatBytes(wanted as typeof LONGEST)}; none is longer than ${formatBytes(LONGEST)}`);
      }
      if (size < wanted) break;
      yield take(wanted);
      wanted = undefined;
    }
  }
  if (size > 0 || wanted !== undefined) throw broken('it ends inside a record');
}

function readRecord(bytes: Uint8Array): BackupRecord {
  const values = decoded(bytes);
  const [is, a, b, c] = values;
  if (is === 'begin' && a !== FORMAT) throw broken(`it is of format ${JSON.stringify(a)}; this version of Vitalgate reads format ${FORMAT}`);
  if (is === 'begin' && b instanceof Uint8Array && typeof c === 'number') return { is, chain: b, taken: UnixMillis(c) };
  if (is === 'rows' && typeof a === 'string' && Array.isArray(b)) return { is, store: a, rows: rowsOf(b as readonly CborValue[]) };
  if (is === 'file' && typeof a === 'string' && b instanceof Uint8Array) return { is, name: safeName(a), bytes: b };
  if (is === 'end' && typeof a === 'number' && typeof b === 'number') return { is, rows: a, files: b };
  throw broken('there is something in it that no version of Vitalgate has written');
}

function decoded(bytes: Uint8Array): readonly CborValue[] {
  try {
    const value = decode(bytes);
    if (Array.isArray(value)) return value as readonly CborValue[];
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
  }
  throw broken('a record is no CBOR array');
}

function rowsOf(flat: readonly CborValue[]): readonly Row[] {
  if (flat.length % 2 !== 0 || !flat.every((each) => each instanceof Uint8Array)) throw broken('rows are pairs of bytes');
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] as Uint8Array, flat[2 * index + 1] as Uint8Array]);
}

/** What is restored goes into the data folder and nowhere else. */
function safeName(name: string): string {
  if (!FLOWS.includes(name) && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) throw broken(`${JSON.stringify(name.slice(0, 40))} is no name of a file in a data folder`);
  return name;
}
