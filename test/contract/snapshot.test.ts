import { describe, expect, it } from 'vitest';
import { snapshotOf } from '../../gateway/store/snapshot.ts';
import { ENGINES } from './engines.ts';

const put = (text: string): { key: Uint8Array; value: Uint8Array } => ({ key: Buffer.from(`J${text}`), value: Buffer.from(text) });

describe.each(ENGINES)('a snapshot over two engines, $name', ({ open }) => {
  it('is of one moment, whatever is written while it is read', async () => {
    await using first = await open();
    await using second = await open();
    await first.store.write(['a', 'b', 'c'].map(put), { sync: false });
    await second.store.write(['1', '2'].map(put), { sync: false });
    const seen: string[] = [];
    for await (const { store, row: [, value] } of snapshotOf({ derived: first.store, journal: second.store })) {
      if (seen.length === 0) {
        await first.store.write([put('bb'), { key: put('c').key }, put('d')], { sync: false });
        await second.store.write([put('3'), { key: put('1').key }], { sync: false });
      }
      seen.push(`${store} ${Buffer.from(value).toString()}`);
    }
    expect(seen).toEqual(['derived a', 'derived b', 'derived c', 'journal 1', 'journal 2']);
  });

  it('may be left, and an engine may be empty', async () => {
    await using engine = await open();
    await using empty = await open();
    await engine.store.write([put('a'), put('b')], { sync: false });
    for await (const { row: [, value] } of snapshotOf({ empty: empty.store, engine: engine.store })) {
      expect(Buffer.from(value).toString()).toBe('a');
      break;
    }
  });
});
