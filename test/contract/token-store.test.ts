import { describe, expect, it } from 'vitest';
import type { KeptToken } from '../../gateway/people/tokens.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredTokens } from '../../gateway/store/token-store.ts';
import { STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';

const tokenOf = (fill: number, given: Partial<KeptToken> = {}): KeptToken =>
  ({ digest: new Uint8Array(32).fill(fill), kind: 'token', person: 'Ånn', made: UnixMillis(1), expires: null, ...given });

describe.each(STORES)('a token store, $name', ({ open }) => {
  it('lists what was put, after it was opened again', async () => {
    await using engine = await open();
    const [token, session] = [tokenOf(255), tokenOf(0, { kind: 'session', parent: 'ffffffffffff', expires: UnixMillis(9) })];
    const before = new StoredTokens(engine.store);
    expect(await before.list()).toEqual([]);
    await before.put(token);
    await before.put(session);
    expect(await new StoredTokens(await engine.reopen()).list()).toEqual([session, token]);
  });

  it('removes several at once, and what is not there', async () => {
    await using engine = await open();
    const store = new StoredTokens(engine.store);
    for (const fill of [1, 2, 3]) await store.put(tokenOf(fill));
    await store.remove([1, 3, 9].map((fill) => tokenOf(fill).digest));
    await store.remove([]);
    expect(await new StoredTokens(await engine.reopen()).list()).toEqual([tokenOf(2)]);
  });

  it('says when the disk fails', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const store = new StoredTokens(faulty);
    faulty.writeFaults.push('nothing written');
    await expect(store.put(tokenOf(1))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await store.put(tokenOf(1));
    faulty.writeFaults.push('nothing written');
    await expect(store.remove([tokenOf(1).digest])).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await store.list()).toEqual([tokenOf(1)]);
  });
});
