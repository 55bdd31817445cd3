import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { rewriteOnDisk, withFolder } from '../contract/engines.ts';

const KEY = Buffer.from('key');
const VALUE = Buffer.from('value');
const KEEP_WRITING = fileURLToPath(new URL('keep-writing.ts', import.meta.url));

async function withStore(work: (store: KeyValueStore, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const store = await openRocksStore(folder);
    try {
      await work(store, folder);
    } finally {
      await store.close();
    }
  });
}

/** A folder with one sound record and nobody who has it open. */
async function closedFolder(folder: string): Promise<void> {
  const store = await openRocksStore(folder);
  await store.write([{ key: KEY, value: VALUE }], { sync: true });
  await store.close();
}

/** Another process that writes to the folder, while `work` goes on with the number it has come to; then it is killed. */
async function whileWriting(folder: string, kind: 'synced' | 'plain', work: (child: ChildProcess) => Promise<void>): Promise<number> {
  const child = spawn(process.execPath, [KEEP_WRITING, folder, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  let safe = 0;
  lines.on('line', (line) => void (safe = Number(line)));
  try {
    while (safe < 50) await once(lines, 'line');
    await work(child);
  } finally {
    const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
    child.kill('SIGKILL');
    await ended;
  }
  return safe;
}

async function countRecords(store: KeyValueStore): Promise<number> {
  let n = 0;
  for await (const [key, value] of store.range({ gte: Buffer.of(0), lt: Buffer.of(0xff) })) {
    n += 1;
    expect(Buffer.from(key).toString()).toBe(String(n).padStart(8, '0'));
    expect(Buffer.from(value).toString()).toBe(`value ${n}`);
  }
  return n;
}

describe('a RocksDB folder', () => {
  it('belongs to one store at a time, also within one process', async () => {
    await withStore(async (store, folder) => {
      await expect(openRocksStore(folder)).rejects.toMatchObject(
        { code: 'VG_STORE_LOCKED', message: expect.stringContaining(folder) as string }
      );
      await store.write([{ key: KEY, value: VALUE }], { sync: true });
      expect(await store.get(KEY)).toEqual(VALUE);
    });
  });

  it('is locked and can be read while another process writes, and keeps what that had synced when it is killed', async () => {
    await withFolder(async (folder) => {
      const safe = await whileWriting(folder, 'synced', async () => {
        await expect(openRocksStore(folder)).rejects.toMatchObject({ code: 'VG_STORE_LOCKED' });
        const reader = await openRocksStore(folder, { readOnly: true });
        expect(await countRecords(reader)).toBeGreaterThanOrEqual(50);
        await expect(reader.write([{ key: KEY, value: VALUE }], { sync: true })).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
        await reader.close();
      });
      const store = await openRocksStore(folder);
      expect(await countRecords(store)).toBeGreaterThanOrEqual(safe);
      await store.close();
    });
  });

  it('keeps writes that were not synced when the process is killed', async () => {
    await withFolder(async (folder) => {
      const safe = await whileWriting(folder, 'plain', async () => undefined);
      const store = await openRocksStore(folder);
      expect(await countRecords(store)).toBeGreaterThanOrEqual(safe);
      await store.close();
    });
  });

  it('takes nothing more once a write has failed, and says that it must be opened anew when the disk is not to blame', async () => {
    await withFolder(async (folder) => {
      await closedFolder(folder);
      const store = await openRocksStore(folder, { readOnly: true });
      const write = (): Promise<void> => store.write([{ key: KEY, value: VALUE }], { sync: true });
      const both = await Promise.allSettled([write(), write()]);
      for (const outcome of both) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'VG_STORE_WRITE' } });
      await expect(write()).rejects.toMatchObject({ code: 'VG_STORE_CLOSED', message: expect.stringContaining('opened anew') as string });
      expect(await store.get(KEY)).toEqual(VALUE);
      await store.close();
    });
  });

  it('is not made by a reader', async () => {
    await withFolder(async (folder) => {
      await expect(openRocksStore(join(folder, 'nothing'), { readOnly: true })).rejects.toMatchObject({ code: 'VG_STORE_READ' });
    });
  });

  it('whose lock file cannot be opened is not taken for one that another process has', async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, 'LOCK'));
      await expect(openRocksStore(folder)).rejects.toMatchObject({ code: 'VG_STORE_READ' });
    });
  });

  it('cannot be a file, and a damaged one is refused, never replaced', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'file');
      await writeFile(file, 'not a store');
      await expect(openRocksStore(file)).rejects.toMatchObject({ code: 'VG_STORE_READ' });
      // A name with "lock" in it: the reason is told from what RocksDB says, not from where.
      const damaged = join(folder, 'blocks');
      await mkdir(damaged);
      await closedFolder(damaged);
      await writeFile(join(damaged, 'CURRENT'), 'MANIFEST-of-nobody\n');
      await expect(openRocksStore(damaged)).rejects.toMatchObject({ code: 'VG_STORE_READ', cause: expect.any(Error) as Error });
    });
  });
});

describe('a record on disk', () => {
  const altered: readonly [name: string, rewrite: (record: Buffer) => { key: Buffer; value: Buffer }, key: Buffer][] = [
    ['with a turned bit in its value', (record) => ({ key: KEY, value: withBitTurned(record, record.length - 1) }), KEY],
    ['with a turned bit in its checksum', (record) => ({ key: KEY, value: withBitTurned(record, 0) }), KEY],
    ['that lost its last byte', (record) => ({ key: KEY, value: record.subarray(0, -1) }), KEY],
    ['of fewer bytes than a checksum', (record) => ({ key: KEY, value: record.subarray(0, 3) }), KEY],
    ['without any bytes', () => ({ key: KEY, value: Buffer.alloc(0) }), KEY],
    ['under another key', (record) => ({ key: Buffer.from('other'), value: record }), Buffer.from('other')],
  ];
  for (const [name, rewrite, key] of altered) {
    it(`${name} is reported, not returned`, async () => {
      await withFolder(async (folder) => {
        await closedFolder(folder);
        await rewriteOnDisk(folder, KEY, rewrite);
        const store = await openRocksStore(folder);
        await expect(store.get(key)).rejects.toMatchObject(
          { code: 'VG_STORE_CORRUPT', message: expect.stringContaining(key.toString('hex')) as string }
        );
        await store.close();
      });
    });
  }
});

function withBitTurned(record: Buffer, at: number): Buffer {
  const turned = Buffer.from(record);
  turned[at] = (turned[at] as number) ^ 0x10;
  return turned;
}
