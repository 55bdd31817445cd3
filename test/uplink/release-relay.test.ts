import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../gateway/ledger/cbor.ts';
import { signPayloadKey } from '../../gateway/ledger/release.ts';
import { type Bytes, KiB, type Millis, Seconds } from '../../gateway/quantity.ts';
import type { Lane } from '../../gateway/reading.ts';
import type { Asked, Reply } from '../../gateway/uplink/channel.ts';
import { HospitalClient } from '../../gateway/uplink/hospital-client.ts';
import { TRAFFIC, type Traffic } from '../../gateway/uplink/link.ts';
import type { ReleaseCursor, ReleaseCursors, ReleasePart } from '../../gateway/uplink/release-cursors.ts';
import { ReleaseRelay, type BlockRange, type ConsentNews, type NoteTaker, type ReleasedBlocks, type ReleaseSource } from '../../gateway/uplink/release-relay.ts';
import { RetrySchedule } from '../../gateway/uplink/retry.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { LogBook } from '../upstream/hospital.ts';
import { EventLog } from './event-log.ts';
import { ManualTime } from './manual-time.ts';

const NORTH = keyOf('north');
const BLOCK = KiB(2);

type Taken = Readonly<{ part: ReleasePart; number: number; blocks: BlockRange }>;

/** Every block has one payload of 2 KiB for every part; what a release holds is told in it. */
class Blocks implements ReleaseSource {
  readonly news: ConsentNews[] = [];

  ofBlocks(part: ReleasePart, { first, last }: BlockRange, size: Bytes): Promise<ReleasedBlocks> {
    const through = Math.min(last, first + Math.max(1, Math.floor(size / BLOCK)) - 1);
    const payload = { key: new Uint8Array(), entry: first, sealed: encode(new Map<string, string | number | Uint8Array>([['part', part], ['first', first], ['last', through], ['fill', new Uint8Array((through - first + 1) * BLOCK)]])) };
    return Promise.resolve({ last: through, pieces: [{ keys: [], payloads: [payload] }] });
  }

  hasConsentNews = (): Promise<boolean> => Promise.resolve(this.news.length > 0);
  consentNews = (): Promise<ConsentNews | undefined> => Promise.resolve(this.news[0]);
  toldAgain = 0;
  tellAllAgain = (): Promise<void> => Promise.resolve(void this.toldAgain++);

  sign({ number, payloads: [payload], consents = [] }: Parameters<ReleaseSource['sign']>[0]): Uint8Array {
    if (consents.length > 0) return Buffer.concat([encode(number), encode(new Map([['consents', Buffer.from(consents[0]?.sealed ?? []).toString()]]))]);
    return Buffer.concat([encode(number), payload?.sealed ?? new Uint8Array()]);
  }
}

class Cursors implements ReleaseCursors {
  kept: ReleaseCursor | undefined;
  load = (): Promise<ReleaseCursor | undefined> => Promise.resolve(this.kept);
  save = (_hospital: Uint8Array, cursor: ReleaseCursor): Promise<void> => {
    this.kept = cursor;
    return Promise.resolve();
  };
  addErased = (): Promise<void> => Promise.resolve();
  erased = (): Promise<readonly Uint8Array[]> => Promise.resolve([]);
  removeErased = (): Promise<void> => Promise.resolve();
  told = (): Promise<undefined> => Promise.resolve(undefined);
  onTold: () => void = () => undefined;
  saveTold = (): Promise<void> => Promise.resolve(this.onTold());
  forgetTold = (): Promise<void> => Promise.resolve();
}

class Scene implements AsyncDisposable {
  readonly time = new ManualTime();
  readonly cursors = new Cursors();
  readonly blocks = new Blocks();
  readonly told: string[] = [];
  readonly taken = new EventLog<Taken>();
  readonly heights: Record<Lane, number> = { alarm: 0, record: 0 };
  readonly relay: ReleaseRelay;
  isReached = true;
  /** How long the hospital takes for one release. */
  takes: Millis = Seconds(0.1);

  /** Whether it asks what patients permit, and refuses what it is told of it. */
  takesConsents = false;
  refusesConsents = false;
  lostItsStore = false;
  /** Notes at the hospital, by number; what was taken of them. */
  readonly notes: number[] = [];
  readonly heard: number[] = [];

  /** What the links that are there carry. */
  carried: readonly Traffic[] = TRAFFIC;
  detailsAsked = false;

  constructor(turn?: () => Promise<void>) {
    const clientFor = (traffic: Traffic): HospitalClient => new HospitalClient({ reach: (attempt) => attempt((asked) => Promise.resolve(this.#answer(asked, traffic))) });
    this.relay = new ReleaseRelay({
      chain: new Uint8Array(16), hospital: { name: 'north', key: NORTH.publicKey }, client: clientFor, carries: (traffic) => this.carried.includes(traffic), source: this.blocks, cursors: this.cursors,
      heightOf: (lane) => this.heights[lane], notes: this.#taker(), retry: new RetrySchedule({}, () => 0.5, this.time.now), time: this.time, log: new LogBook(), ...(turn && { turn }),
    });
  }

  #taker(): NoteTaker {
    const { heard } = this;
    return {
      get last(): number {
        return heard.at(-1) ?? 0;
      },
      ask: () => Uint8Array.of(heard.at(-1) ?? 0),
      take: (notes) => Promise.resolve(void heard.push(...notes.flatMap(([number = 0]) => number))),
    };
  }

  #answer({ path, body }: Asked, traffic: Traffic): Reply {
    const reply = (status: number, said: object): Reply => ({ status, type: 'application/json', body: Buffer.from(JSON.stringify(said)), retryAfter: undefined });
    if (path === '/v1/key') return reply(200, { payloadKey: Buffer.from(signPayloadKey(new Uint8Array(32).fill(1), NORTH)).toString('base64'), ...(this.takesConsents && { consents: true }) });
    if (path.endsWith('/notes')) return { ...reply(200, {}), type: 'application/cbor', body: encode(this.notes.filter((number) => number > (body?.[0] ?? 0)).slice(0, 2).map((number) => Uint8Array.of(number))) };
    if (!this.isReached) return reply(503, { error: 'busy', message: 'come back later' });
    if (!this.carried.includes(traffic)) throw new Error(`no link carries ${traffic}`);
    this.time.advance(this.takes);
    const [number, told] = split(body ?? new Uint8Array());
    const about = this.takesConsents ? { consents: true, told: !this.lostItsStore, notes: this.notes.at(-1) ?? 0 } : {};
    if (told.has('consents')) {
      if (this.refusesConsents) return reply(422, { error: 'unreadable_consents', message: 'another key' });
      this.told.push(told.get('consents') as string);
      return reply(200, { number, ...about });
    }
    this.taken.add({ part: told.get('part') as ReleasePart, number, blocks: { first: told.get('first') as number, last: told.get('last') as number } });
    return reply(200, { number, ...about, ...(this.detailsAsked && { detailsAsked: true }) });
  }

  /** Somebody says something about consent; the hospital knows it when this resolves. */
  say(word: string): Promise<void> {
    const { news } = this.blocks;
    news.push({ parts: { keys: [], payloads: [], consents: [{ key: new Uint8Array(8), sealed: Buffer.from(word) }] }, told: [] });
    return new Promise((resolve) => {
      this.cursors.onTold = () => {
        news.shift();
        if (news.length === 0) resolve();
      };
      this.relay.wake();
    });
  }

  sealed(lane: Lane, height: number): void {
    this.heights[lane] = height;
    this.relay.wake();
  }

  async until(part: ReleasePart, last: number): Promise<readonly Taken[]> {
    await this.taken.until((each) => each.part === part && each.blocks.last === last);
    return this.taken.events.filter((each) => each.part === part);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.relay.stop();
  }
}

/** A number below 2^16 as CBOR has at most three bytes. */
function split(bytes: Uint8Array): readonly [number, ReadonlyMap<string, unknown>] {
  const [first = 0] = bytes;
  const length = first < 24 ? 1 : first === 24 ? 2 : 3;
  return [decode(bytes.slice(0, length)) as number, decode(bytes.slice(length)) as ReadonlyMap<string, unknown>];
}

/** That they follow each other, from the first block to that one. */
function expectWhole(taken: readonly Taken[], last: number): void {
  expect(taken.map(({ blocks: { first } }) => first)).toEqual([1, ...taken.slice(0, -1).map(({ blocks }) => blocks.last + 1)]);
  expect(taken.at(-1)?.blocks.last).toBe(last);
}

describe('payloads for a hospital', () => {
  it('travel together as many as the link takes in a second, so that a day of them is not a day of round trips', async () => {
    await using scene = new Scene();
    scene.sealed('record', 1000);
    scene.relay.start();
    const records = await scene.until('record', 1000);
    expectWhole(records, 1000);
    expect(records.length).toBeLessThan(30);
    expectWhole(await scene.until('detail', 1000), 1000);
    expect(scene.cursors.kept?.heights).toMatchObject({ record: 1000 });
  });

  it('travel in small pieces where the link is slow', async () => {
    await using scene = new Scene();
    scene.takes = Seconds(4);
    scene.sealed('record', 100);
    scene.relay.start();
    const records = await scene.until('record', 100);
    expectWhole(records, 100);
    expect(Math.max(...records.slice(4).map(({ blocks: { first, last } }) => last - first + 1))).toBeLessThanOrEqual(4);
  });

  it('wait while blocks of alarms are on their way; those of alarms do not', async () => {
    const settled = Promise.withResolvers<void>();
    await using scene = new Scene(() => settled.promise);
    scene.sealed('alarm', 3);
    scene.sealed('record', 3);
    scene.relay.start();
    await scene.until('alarm', 3);
    expect(scene.taken.events.every(({ part }) => part === 'alarm')).toBe(true);
    settled.resolve();
    await scene.until('record', 3);
  });

  it('wait for a link that carries them, unless the hospital asks for them: then they go over one that costs', async () => {
    await using scene = new Scene();
    scene.carried = ['alarm', 'record'];
    scene.sealed('record', 5);
    scene.relay.start();
    await scene.until('record', 5);
    expect(scene.relay.status).toMatchObject({ behind: { detail: 5 }, held: ['detail'] });
    scene.detailsAsked = true;
    scene.sealed('record', 6);
    await scene.until('detail', 6);
    expect(scene.relay.status.held).toEqual([]);
    // With the next answer nobody asks any more.
    scene.detailsAsked = false;
    scene.sealed('record', 7);
    await scene.until('record', 7);
    expect(scene.taken.events.filter(({ part }) => part === 'detail').at(-1)?.blocks.last).toBe(6);
  });

  it('that nobody answered for go again, under another number and nothing left out', async () => {
    await using scene = new Scene();
    scene.isReached = false;
    scene.sealed('record', 20);
    scene.relay.start();
    for (let tries = 0; tries < 3; tries++) await scene.time.pass();
    await scene.time.asleep();
    expect(scene.relay.status.lastError).toContain('come back later');
    scene.isReached = true;
    await scene.time.pass();
    const records = await scene.until('record', 20);
    expectWhole(records, 20);
    expect(records[0]?.number).toBe(5);
  });
});

describe('what patients permit', () => {
  it('is told before any payload, and at once when nothing else is due', async () => {
    await using scene = new Scene();
    scene.takesConsents = true;
    scene.sealed('alarm', 1);
    const first = scene.say('anna denies');
    scene.relay.start();
    await first;
    expect([scene.told, scene.taken.events]).toEqual([['anna denies'], []]);
    await scene.until('alarm', 1);
    await scene.say('anna permits');
    expect(scene.told).toEqual(['anna denies', 'anna permits']);
  });

  it('is not told to a node that does not ask for it, until it does; and payloads wait for neither that nor a refusal', async () => {
    await using scene = new Scene();
    void scene.say('anna denies');
    scene.sealed('alarm', 1);
    scene.relay.start();
    await scene.until('alarm', 1);
    expect(scene.told).toEqual([]);
    [scene.takesConsents, scene.refusesConsents] = [true, true];
    scene.sealed('alarm', 2);
    await scene.until('alarm', 2);
    scene.sealed('alarm', 3);
    await scene.until('alarm', 3);
    expect(scene.told).toEqual([]);
    scene.refusesConsents = false;
    scene.time.advance(Seconds(61));
    await scene.say('anna permits');
    expect(scene.told).toEqual(['anna denies', 'anna permits']);
  });
});

it('what patients permit is told again to a hospital that knows nothing of it any more', async () => {
  await using scene = new Scene();
  scene.takesConsents = true;
  scene.relay.start();
  scene.sealed('alarm', 1);
  await scene.until('alarm', 1);
  scene.lostItsStore = true;
  scene.sealed('alarm', 2);
  await scene.until('alarm', 2);
  scene.sealed('alarm', 3);
  await scene.until('alarm', 3);
  expect(scene.blocks.toldAgain).toBeGreaterThan(0);
});

describe('notes of a hospital', () => {
  it('are fetched when an answer says that there are any, all of them', async () => {
    await using scene = new Scene();
    scene.takesConsents = true;
    scene.relay.start();
    scene.notes.push(1, 2, 3, 4, 5);
    scene.sealed('alarm', 1);
    await scene.until('alarm', 1);
    scene.sealed('alarm', 2);
    await scene.until('alarm', 2);
    expect(scene.heard).toEqual([1, 2, 3, 4, 5]);
  });
});
