import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StoredCursors } from '../../gateway/store/cursor-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { cursorKey } from '../../gateway/store/keys.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';

const NORTH = new Uint8Array(16).fill(1);
const SOUTH = new Uint8Array(16).fill(2);
const cursor = (height: number): { height: number; hash: Uint8Array; receipt: Uint8Array } =>
  ({ height, hash: new Uint8Array(32).fill(height), receipt: Uint8Array.of(height, 2, 3) });

async function withStores(test: (store: KeyValueStore) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vitalgate-cursors-'));
  try {
    for (const store of [openMemoryStore(), await openRocksStore(folder)]) {
      await test(store);
      await store.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('stored cursors', () => {
  it('keep one cursor for each hospital and lane, the last one saved', async () => {
    await withStores(async (store) => {
      const cursors = new StoredCursors(store);
      expect(await cursors.load(NORTH, 'record')).toBeUndefined();
      await cursors.save(NORTH, 'record', cursor(3));
      await cursors.save(NORTH, 'record', cursor(4));
      await cursors.save(NORTH, 'alarm', cursor(5));
      await cursors.save(SOUTH, 'record', cursor(6));
      expect(await cursors.load(NORTH, 'record')).toEqual(cursor(4));
      expect(await cursors.load(NORTH, 'alarm')).toEqual(cursor(5));
      expect(await cursors.load(SOUTH, 'record')).toEqual(cursor(6));
      expect(await cursors.load(SOUTH, 'alarm')).toBeUndefined();
    });
  });

  it('are read back after the store was closed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vitalgate-cursors-'));
    try {
      const before = await openRocksStore(folder);
      await new StoredCursors(before).save(NORTH, 'alarm', cursor(7));
      await before.close();
      const after = await openRocksStore(folder);
      expect(await new StoredCursors(after).load(NORTH, 'alarm')).toEqual(cursor(7));
      await after.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuse bytes that are no cursor', async () => {
    await withStores(async (store) => {
      await store.write([{ key: cursorKey(NORTH, 'alarm'), value: Uint8Array.of(0xa1, 0x01, 0x02) }], { sync: false });
      await expect(new StoredCursors(store).load(NORTH, 'alarm')).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    });
  });
});
