import { describe, expect, it } from 'vitest';
import type { SetAside } from '../../gateway/hl7/set-aside.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredRefusedMessages } from '../../gateway/store/refused-message-store.ts';
import { ENGINES } from './engines.ts';

const message = (number: number, reason = 'AE 207'): SetAside => ({ number, chain: 'c'.repeat(32), entry: number + 5, kind: 'observations', controlId: `ID${number}`, at: UnixMillis(1_800_000_000_000), reason });

describe.each(ENGINES)('messages that were set aside, $name', ({ open }) => {
  it('are kept by destination and record, in order, after the store was opened again', async () => {
    await using engine = await open();
    const store = new StoredRefusedMessages(engine.store);
    for (const number of [300, 7, 70_000]) await store.put('engine', message(number));
    await store.put('engine-2', message(8));
    await store.put('engine', message(7, 'AR 200'));
    const again = new StoredRefusedMessages(await engine.reopen());
    expect(await again.after('engine', 0, 10)).toEqual([message(7, 'AR 200'), message(300), message(70_000)]);
    expect(await again.after('engine', 7, 1)).toEqual([message(300)]);
    expect([await again.count('engine'), await again.count('engine-2'), await again.count('other')]).toEqual([3, 1, 0]);
    await again.remove('engine', 300);
    expect([await again.count('engine'), await again.after('engine', 7, 10)]).toEqual([2, [message(70_000)]]);
  });

  it('are tried again when somebody asks, the first one first, until they are gone or set aside once more', async () => {
    await using engine = await open();
    const store = new StoredRefusedMessages(engine.store);
    for (const number of [1, 2, 3]) await store.put('engine', message(number));
    expect(await store.nextAgain('engine')).toBeUndefined();
    expect([await store.askAgain('engine', 3), await store.askAgain('engine', 4), await store.askAgain('other')]).toEqual([1, 0, 0]);
    expect(await store.nextAgain('engine')).toEqual(message(3));
    expect(await store.askAgain('engine')).toBe(3);
    expect(await store.nextAgain('engine')).toEqual(message(1));
    await store.remove('engine', 1);
    await store.put('engine', message(2, 'AE'));
    expect(await store.nextAgain('engine')).toEqual(message(3));
    await store.remove('engine', 3);
    expect([await store.nextAgain('engine'), await store.count('engine')]).toEqual([undefined, 1]);
  });
});
