import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { backupOf, readBackup, type BackupRecord, type Row } from '../../gateway/backup.ts';
import { decryptBackup, encryptionFor, newIdentity } from '../../gateway/backup-cipher.ts';
import { encode, type CborValue } from '../../gateway/ledger/cbor.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

const folder = mkdtempSync(join(tmpdir(), 'vitalgate-backup-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'vault.key'), 'secret');
writeFileSync(join(folder, 'keyring.1'), Buffer.of(0, 255, 1));
writeFileSync(join(folder, 'vault.key.new'), 'half');
mkdirSync(join(folder, 'store'));
mkdirSync(join(folder, 'nodered', 'context'), { recursive: true });
writeFileSync(join(folder, 'nodered', 'flows.json'), '[]');
writeFileSync(join(folder, 'nodered', 'flows_cred.json'), '{}');
writeFileSync(join(folder, 'nodered', 'context', 'global.json'), '{"anna":1}');

const chain = new Uint8Array(16).fill(7);
const TAKEN = UnixMillis(1_800_000_000_000);
type Stored = Readonly<{ store: string; row: Row }>;
const made = (rows: readonly Stored[]): AsyncIterable<Uint8Array> => backupOf({ chain, folder, now: () => TAKEN, snapshot: () => from(rows) });

async function* from<T>(values: Iterable<T>): AsyncGenerator<T> {
  yield* values;
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const bytesOf = async (source: AsyncIterable<Uint8Array>): Promise<Buffer> => Buffer.concat(await all(source));
const recordOf = (...values: readonly CborValue[]): Buffer => {
  const body = encode(values);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
};
const readError = async (bytes: Uint8Array): Promise<string> => await all(readBackup(cut(bytes, 100))).then(() => 'read', (error: Error) => error.message);

const stored: fc.Arbitrary<Stored> = fc.record({ store: fc.constantFrom('store', 'journal'), row: fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.uint8Array({ maxLength: 40 })) });

describe('a backup', () => {
  it('gives back every row of every engine, in order, and every file of the folder, however it is cut', async () => {
    await fc.assert(fc.asyncProperty(fc.array(stored, { maxLength: 30 }), fc.integer({ min: 1, max: 64 }), async (rows, size) => {
      const records = await all(readBackup(cut(await bytesOf(made(rows)), size)));
      expect(records[0]).toEqual({ is: 'begin', chain, taken: TAKEN });
      const back = records.flatMap((record) => (record.is === 'rows' ? record.rows.map((row) => ({ store: record.store, row: row.map((each) => Uint8Array.from(each)) })) : []));
      expect(back).toEqual(rows.map(({ store, row }) => ({ store, row: [...row] })));
      const files = records.filter((record): record is Extract<BackupRecord, { is: 'file' }> => record.is === 'file');
      expect(files.map(({ name }) => name)).toEqual(['keyring.1', 'vault.key', 'nodered/flows.json', 'nodered/flows_cred.json']);
      expect(records.at(-1)).toEqual({ is: 'end', rows: rows.length, files: 4 });
    }), { numRuns: 50 });
  });

  it('is not whole when anything of it is missing', async () => {
    const whole = await bytesOf(made([{ store: 'store', row: [Buffer.from('D'), Buffer.from('x')] }]));
    for (let length = 0; length < whole.length; length++) expect(await readError(whole.subarray(0, length))).toMatch(/it ends (before its end|inside a record)/);
    expect(await readError(whole)).toBe('read');
  });

  it('is refused with a reason when it is none, or of another time', async () => {
    const begin = recordOf('begin', 1, chain, TAKEN);
    const end = recordOf('end', 0, 0);
    const cases: readonly [Buffer, string][] = [
      [recordOf('begin', 2, chain, TAKEN), 'it is of format 2; this version of Vitalgate reads format 1'],
      [Buffer.concat([end]), 'record 0 is "end"'],
      [Buffer.concat([begin, begin]), 'record 1 is "begin"'],
      [Buffer.concat([begin, end, end]), 'record 2 is "end"'],
      [Buffer.concat([begin, recordOf('end', 1, 0)]), 'it holds 0 records and 0 files, and says that it held 1 and 0'],
      [Buffer.concat([begin, recordOf('file', '../../etc/passwd', Buffer.of(1)), end]), 'is no name of a file in a data folder'],
      [Buffer.concat([begin, recordOf('file', 'nodered/settings.js', Buffer.of(1)), end]), 'is no name of a file in a data folder'],
      [Buffer.concat([begin, recordOf('file', '.hidden', Buffer.of(1)), end]), 'is no name of a file'],
      [Buffer.concat([begin, recordOf('rows', 'store', [Buffer.of(1)]), end]), 'rows are pairs of bytes'],
      [Buffer.concat([begin, recordOf('song', 'x')]), 'no version of Vitalgate has written'],
      [Buffer.concat([begin, Buffer.of(0, 0, 0, 1, 0x17)]), 'a record is no CBOR array'],
      [Buffer.concat([begin, Buffer.of(0xff, 0xff, 0xff, 0xff)]), 'none is longer than'],
      [Buffer.from('PK\u0003\u0004 this is another kind of file'), 'none is longer than'],
    ];
    for (const [bytes, reason] of cases) expect(await readError(bytes)).toContain(reason);
  });
});

describe('its encryption', () => {
  const PLAIN = Buffer.alloc(200_000, 'a piece of somebody\u2019s life ');

  it('opens for each of those it was made for and for nobody else, in pieces of any size', async () => {
    const [one, two, other] = await Promise.all([newIdentity(new Date(0)), newIdentity(new Date(0)), newIdentity(new Date(0))]);
    const sealed = await bytesOf(await encryptionFor({ recipients: [one.recipient, two.recipient] })(cut(PLAIN, 999)));
    expect(sealed.includes('somebody')).toBe(false);
    const identityOf = ({ file }: { file: string }): string => file.trim().split('\n').at(-1) ?? '';
    for (const { file } of [one, two]) expect((await bytesOf(decryptBackup(cut(sealed, 77_777), { identities: [identityOf({ file })] }))).equals(PLAIN)).toBe(true);
    await expect(bytesOf(decryptBackup(cut(sealed, 5000), { identities: [identityOf(other)] }))).rejects.toThrow('does not open');
  });

  it('opens under its passphrase and under no other', async () => {
    const sealed = await bytesOf(await encryptionFor({ passphrase: 'correct horse battery' })(cut(PLAIN, 5000)));
    expect((await bytesOf(decryptBackup(cut(sealed, 5000), { passphrase: 'correct horse battery' }))).equals(PLAIN)).toBe(true);
    await expect(bytesOf(decryptBackup(cut(sealed, 5000), { passphrase: 'correct horse batterz' }))).rejects.toThrow('does not open');
  });

  it('shows every change and every end that comes too early', async () => {
    const { file, recipient } = await newIdentity(new Date(0));
    const identities = [file.trim().split('\n').at(-1) ?? ''];
    const sealed = await bytesOf(await encryptionFor({ recipients: [recipient] })(cut(PLAIN, 5000)));
    await fc.assert(fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      await expect(bytesOf(decryptBackup(cut(changed, 5000), { identities }))).rejects.toThrow('does not open');
      await expect(bytesOf(decryptBackup(cut(sealed.subarray(0, bit >> 3), 5000), { identities }))).rejects.toThrow('does not open');
    }), { numRuns: 25 });
  });
});
