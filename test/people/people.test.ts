import { beforeEach, describe, expect, it } from 'vitest';
import { accessFor, ACCESSES, mayDo, type Person } from '../../gateway/people/access.ts';
import { People, type Identity } from '../../gateway/people/people.ts';
import type { KeptToken } from '../../gateway/people/tokens.ts';
import { Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredTokens } from '../../gateway/store/token-store.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { counting } from '../web/care-site.ts';

const ANN: Person = { name: 'ann', access: 'caregiver' };
const CHO: Person = { name: 'cho', access: 'clinician' };
const DAY = Minutes(24 * 60);

describe('what people may do', () => {
  it('is seen by all, and prescribed by clinicians alone', () => {
    expect(ACCESSES.map((access) => [access, mayDo(access, 'see'), mayDo(access, 'answer'), mayDo(access, 'prescribe'), mayDo(access, 'activate')])).toEqual([
      ['viewer', true, false, false, false],
      ['caregiver', true, true, false, false],
      ['clinician', true, true, true, false],
      ['administrator', true, true, false, true],
    ]);
    expect([accessFor('answer'), accessFor('prescribe')]).toEqual(['caregiver, clinician or administrator', 'clinician']);
  });
});

describe('a token', () => {
  let now: number;
  let engine: FaultyStore;
  const random = counting();
  const open = async (people: readonly Person[] = [ANN, CHO]): Promise<People> =>
    await People.open({ store: new StoredTokens(engine), people, random, now: () => UnixMillis(now) });

  beforeEach(() => {
    now = Date.parse('2026-11-23T09:00:00Z');
    engine = new FaultyStore(openMemoryStore());
  });

  it('of a program of the gateway itself lasts until it is taken back, and stands in no store', async () => {
    const people = await open();
    const { secret, takeBack } = people.takeIn({ name: 'flows', access: 'caregiver' });
    expect(people.identify(secret)).toMatchObject({ person: 'flows', access: 'caregiver', kind: 'token' });
    expect([people.tokens(), (await open()).identify(secret)]).toEqual([[], undefined]);
    people.configure([{ name: 'flows', access: 'viewer', patients: ['bert'] }]);
    expect(people.identify(secret)).toMatchObject({ access: 'viewer', patients: ['bert'] });
    takeBack();
    expect(people.identify(secret)).toBeUndefined();
  });

  it('tells who it is, also after a restart, and nothing else does', async () => {
    const before = await open();
    const { secret, id } = await before.makeToken('ann');
    expect(secret).toMatch(/^vgt_[A-Za-z0-9_-]{43}$/);
    for (const people of [before, await open()]) {
      expect(people.identify(secret)).toEqual({ person: 'ann', access: 'caregiver', token: id, kind: 'token' });
      for (const wrong of ['', 'vgt_', secret.slice(0, -1), `${secret}A`, secret.replace('vgt', 'vgs'), secret.toUpperCase(), ` ${secret}`, id]) expect(people.identify(wrong)).toBeUndefined();
    }
  });

  it('is kept nowhere', async () => {
    const { secret } = await (await open()).makeToken('ann');
    const kept = await Array.fromAsync(engine.range({ gte: Buffer.alloc(1), lt: Buffer.alloc(64, 0xff) }));
    expect(kept).toHaveLength(1);
    for (const part of kept.flat()) {
      expect(Buffer.from(part).includes(secret.slice(4, 20))).toBe(false);
      expect(Buffer.from(part).includes(Buffer.from(secret.slice(4), 'base64url'))).toBe(false);
    }
  });

  it('is for people of the configuration only, and worth nothing when they are gone from it', async () => {
    const people = await open();
    await expect(people.makeToken('eve')).rejects.toThrow('"eve" is nobody in alarms.people of the configuration: there are ann, cho');
    const { secret } = await people.makeToken('ann');
    let told = 0;
    people.onChange(() => (told += 1));
    people.configure([CHO]);
    expect([people.identify(secret), told]).toEqual([undefined, 1]);
    expect(people.tokens()).toMatchObject([{ person: 'ann', access: null }]);
    expect((await open([CHO])).identify(secret)).toBeUndefined();
    people.configure([{ ...ANN, access: 'viewer' }]);
    expect(people.identify(secret)).toMatchObject({ access: 'viewer' });
  });

  it('expires, and makes room when another one is made', async () => {
    const people = await open();
    const { secret, expires } = await people.makeToken('ann', DAY);
    expect(expires).toBe(now + DAY);
    now += DAY - 1;
    expect(people.identify(secret)).toBeDefined();
    now += 1;
    expect(people.identify(secret)).toBeUndefined();
    expect(people.tokens()).toMatchObject([{ person: 'ann', expired: true }]);
    await people.makeToken('cho');
    expect(people.tokens()).toMatchObject([{ person: 'cho' }]);
    expect((await open()).tokens()).toHaveLength(1);
  });

  it('stays expired when the clock boots in 1970', async () => {
    const people = await open();
    const { secret } = await people.makeToken('ann', DAY);
    now += 2 * DAY;
    const { secret: later } = await people.makeToken('cho', DAY);
    now = 0;
    for (const each of [people, await open()]) {
      expect(each.identify(secret)).toBeUndefined();
      expect(each.identify(later)).toBeDefined();
    }
  });

  it('is revoked by its id, or with all others of its person', async () => {
    const people = await open();
    const [one, two, three, of] = [await people.makeToken('ann'), await people.makeToken('ann'), await people.makeToken('ann'), await people.makeToken('cho')];
    const valid = (): boolean[] => [one, two, three, of].map(({ secret }) => people.identify(secret) !== undefined);
    await people.revoke(two.id);
    expect(valid()).toEqual([true, false, true, true]);
    expect(await people.revoke('ann')).toHaveLength(2);
    expect(valid()).toEqual([false, false, false, true]);
    await expect(people.revoke('ann')).rejects.toMatchObject({ code: 'VG_USAGE' });
    expect((await open()).tokens()).toMatchObject([{ person: 'cho' }]);
  });

  it('is not told when the disk does not take it, and worth nothing when the disk does not forget it', async () => {
    const people = await open();
    engine.writeFaults.push('nothing written');
    await expect(people.makeToken('ann')).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(people.tokens()).toEqual([]);
    const { secret } = await people.makeToken('ann');
    engine.writeFaults.push('nothing written');
    await expect(people.revoke('ann')).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(people.identify(secret)).toBeUndefined();
    await people.revoke('ann');
    expect((await open()).tokens()).toEqual([]);
  });

  it('cannot be made without end', async () => {
    const people = await open();
    for (let made = 0; made < 1000; made++) await people.makeToken('ann');
    await expect(people.makeToken('ann')).rejects.toThrow('revoke those nobody needs');
  });

  describe('begins the session of a browser', () => {
    const begun = async (people: People, expiresAfter?: typeof DAY): Promise<{ secret: string; id: string; session: Awaited<ReturnType<People['beginSession']>> }> => {
      const { secret, id } = await people.makeToken('ann', expiresAfter);
      return { secret, id, session: await people.beginSession(people.identify(secret) as Identity) };
    };

    it('which is somebody, survives a restart, and ends with the token', async () => {
      const people = await open();
      const { id, session } = await begun(people);
      expect(session.expires).toBe(now + 30 * DAY);
      expect(people.identify(session.secret)).toMatchObject({ person: 'ann', kind: 'session' });
      expect((await open()).identify(session.secret)).toMatchObject({ person: 'ann' });
      expect(people.tokens()).toMatchObject([{ id, sessions: 1 }]);
      await people.revoke(id);
      expect(people.identify(session.secret)).toBeUndefined();
      expect((await open()).identify(session.secret)).toBeUndefined();
    });

    it('which lasts no longer than the token, and can be ended alone', async () => {
      const people = await open();
      const { secret, session } = await begun(people, DAY);
      expect(session.expires).toBe(now + DAY);
      await people.endSession(session.secret);
      expect([people.identify(session.secret), people.identify(secret)]).toMatchObject([undefined, { person: 'ann' }]);
      await people.endSession(secret);
      expect(people.identify(secret)).toBeDefined();
    });

    it('of which the oldest ends when there are too many', async () => {
      const people = await open();
      const { secret, session: first } = await begun(people);
      const others: string[] = [];
      for (let i = 0; i < 20; i++) {
        now += 1;
        others.push((await people.beginSession(people.identify(secret) as Identity)).secret);
      }
      expect(people.identify(first.secret)).toBeUndefined();
      expect(others.every((each) => people.identify(each) !== undefined)).toBe(true);
      expect(people.tokens()).toMatchObject([{ sessions: 20 }]);
    });
  });
});

describe('a store that several processes share', () => {
  const random = counting();
  const now = Date.parse('2026-11-23T09:00:00Z');

  it('tells each what the others made and ended, once it looks again', async () => {
    const engine = openMemoryStore();
    const open = (): Promise<People> => People.open({ store: new StoredTokens(engine), people: [ANN, CHO], random, now: () => UnixMillis(now) });
    const [one, other] = [await open(), await open()];
    const [ann, cho] = [await one.makeToken('ann'), await one.makeToken('cho')];
    expect(other.identify(ann.secret)).toBeUndefined();
    await other.reread();
    expect(other.identify(ann.secret)?.person).toBe('ann');
    const session = await other.beginSession(other.identify(ann.secret) as Identity);
    await one.reread();
    await one.revoke('ann');
    let told = 0;
    other.onChange(() => told++);
    await other.reread();
    await other.reread();
    expect([other.identify(ann.secret), other.identify(session.secret), other.identify(cho.secret)?.person, told]).toEqual([undefined, undefined, 'cho', 1]);
  });

  it('leaves in force what is known while it fails', async () => {
    const kept = new StoredTokens(openMemoryStore());
    let list = () => kept.list();
    const store = { put: (token: KeptToken) => kept.put(token), remove: (digests: readonly Uint8Array[]) => kept.remove(digests), list: () => list() };
    const people = await People.open({ store, people: [ANN], random, now: () => UnixMillis(now) });
    const { secret } = await people.makeToken('ann');
    list = () => Promise.reject(new Error('gone'));
    await expect(people.reread()).rejects.toThrow('gone');
    expect(people.identify(secret)?.person).toBe('ann');
  });
});
