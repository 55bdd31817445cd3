import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { fingerprint, fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import { signReceipt } from '../../gateway/ledger/receipt.ts';
import { GatewayBook, type GatewayOrder, type GatewayView } from '../../gateway/oversight/gateway-book.ts';
import { observedBlocks, type StoreObserver } from '../../gateway/oversight/observed-stores.ts';
import { Bytes, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { ChainWriter, GATEWAY, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { memoryBlocks } from '../upstream/hospital.ts';

const START = 1_790_000_100_000;
const HOSPITAL = keyOf('north');
const ALL = { order: 'chain', limit: 100 } as const;
const untilDone = new AbortController().signal;

let now: number;
let blocks: BlockStore;
let book: GatewayBook;

const observerOf = (told: GatewayBook): StoreObserver => ({
  took: (taken) => told.took(taken), countersigned: (id) => told.countersigned(id), forked: (fork) => told.forked(fork), released: (release) => told.released(release), appended: () => undefined, wrote: () => undefined,
});
const newBook = (): GatewayBook => new GatewayBook({ blocks, key: HOSPITAL.publicKey, now: () => UnixMillis(now) });
const watched = (): BlockStore => observedBlocks(blocks, observerOf(book), () => now);

beforeEach(() => {
  now = START;
  blocks = memoryBlocks();
  book = newBook();
});

async function countersign(store: BlockStore, writer: ChainWriter, height: number): Promise<void> {
  const { hash, newState: { tree } } = writer.at(height);
  const receipt = signReceipt({ ...writer.id, height, hash, treeSize: tree.size, treeRoot: new Uint8Array(32), time: UnixMillis(now) }, HOSPITAL);
  await store.putReceipt(writer.id, height, fingerprintBytes(HOSPITAL.publicKey), receipt);
}

/** A gateway that has sent one block every `every` ms, the last one now. */
async function sending(writer: ChainWriter, count: number, every: number): Promise<void> {
  const store = watched();
  for (let i = 0; i < count; i++) {
    if (i > 0) now += every;
    await writer.seal();
    await writer.keepIn(store);
    await countersign(store, writer, writer.blocks.length - 1);
  }
}

const viewOf = (writer: ChainWriter): GatewayView => {
  const view = book.view(toHex(writer.id.chain));
  if (view === undefined) throw new Error('the gateway is not known');
  return view;
};

describe('what is known of a gateway', () => {
  it('is its newest block, when that came and how old it was then, and what was countersigned', async () => {
    const writer = new ChainWriter();
    await sending(writer, 3, Minutes(1));
    now += Seconds(30);
    const time = writer.at(2).newState.height === 2 ? 1_790_000_000_000 : 0;
    expect(viewOf(writer)).toEqual({
      chain: toHex(writer.id.chain), name: null, fingerprint: fingerprint(GATEWAY.publicKey), state: 'current', lag: now - time, quiet: 30_000, expected: 300_000,
      lanes: [{ lane: 'record', height: 2, time, arrived: START + 120_000, delay: START + 120_000 - time, usual: 60_000, fork: null, blocks: 3, bytes: writer.blocks.reduce((sum, { bytes }) => sum + bytes.length, 0), receipts: 3, gaps: 0 }],
      gaps: 0, receipts: 3, releases: 0, payloads: 0, failures: {}, lastFailure: null,
    });
  });

  it('is what the configuration calls it, by the key with which it began', async () => {
    const names = new Map([[toHex(GATEWAY.publicKey), 'kit-17']]);
    book = new GatewayBook({ blocks, key: HOSPITAL.publicKey, names, now: () => UnixMillis(now) });
    const writer = new ChainWriter();
    await sending(writer, 1, 0);
    expect([viewOf(writer).name, book.list({ ...ALL, search: 'kit-' }).matching, book.list({ ...ALL, search: 'kit-2' }).matching]).toEqual(['kit-17', 1, 0]);
    book = new GatewayBook({ blocks, key: HOSPITAL.publicKey, names, now: () => UnixMillis(now) });
    await book.refresh(untilDone);
    expect(viewOf(writer).name).toBe('kit-17');
  });

  it('is silent when nothing came for three times what is usual, and not before five minutes', async () => {
    const [quick, slow] = [new ChainWriter(), new ChainWriter('record', parametersOf(['north'], keyOf('slow')), keyOf('slow'))];
    await sending(quick, 3, Seconds(10));
    await sending(slow, 3, Minutes(20));
    expect([viewOf(slow).expected, viewOf(slow).state]).toEqual([Minutes(60), 'current']);
    expect([viewOf(quick).expected, viewOf(quick).state]).toEqual([Minutes(5), 'silent']);
    now += Minutes(60);
    expect(viewOf(slow).state).toBe('current');
    now += 1;
    expect([viewOf(slow).state, book.totals()]).toEqual(['silent', { known: 2, forked: 0, silent: 2, current: 0 }]);
  });

  it('takes what came together for one arrival, so that catching up changes nothing of what is usual', async () => {
    const writer = new ChainWriter();
    await sending(writer, 3, Minutes(10));
    await sending(writer, 50, 5);
    expect(viewOf(writer).lanes[0]?.usual).toBe(Minutes(10));
  });

  it('is red for ever once two histories were seen', async () => {
    const writer = new ChainWriter();
    await sending(writer, 2, Minutes(1));
    await watched().putFork({ ...writer.id, height: 1, recorded: writer.at(1).bytes, offered: writer.at(0).bytes });
    expect([viewOf(writer).state, viewOf(writer).lanes[0]?.fork]).toEqual(['forked', 1]);
    now += Minutes(600);
    expect(viewOf(writer).state).toBe('forked');
  });

  it('counts what was refused, of gateways that are known, and remembers no stranger', async () => {
    const writer = new ChainWriter();
    await sending(writer, 1, 0);
    book.refused(writer.id, 'gap');
    book.refused(writer.id, 'bad_signature');
    now += 1;
    book.refused(writer.id, 'bad_signature');
    for (let i = 0; i < 100; i++) book.refused({ chain: new Uint8Array(16).fill(i), lane: 'record' }, 'unknown_chain');
    expect(viewOf(writer)).toMatchObject({ gaps: 1, failures: { bad_signature: 2 }, lastFailure: { reason: 'bad_signature', time: START + 1 } });
    expect(book.size).toBe(1);
  });

  it('counts what it gave beside its blocks', async () => {
    const writer = new ChainWriter();
    await sending(writer, 1, 0);
    for (const payloads of [3, 4]) book.released({ chain: writer.id.chain, payloads });
    expect(viewOf(writer)).toMatchObject({ releases: 2, payloads: 7 });
  });
});

describe('after a restart', () => {
  it('is read from the store: head, its time, and from the receipt when it came', async () => {
    const writer = new ChainWriter();
    await sending(writer, 4, Minutes(1));
    await blocks.putFork({ ...writer.id, height: 2, recorded: writer.at(2).bytes, offered: writer.at(1).bytes });
    const before = viewOf(writer);
    now += Minutes(2);
    book = newBook();
    expect([book.isRead, book.size]).toEqual([false, 0]);
    await book.refresh(untilDone);
    expect(book.isRead).toBe(true);
    expect(viewOf(writer)).toMatchObject({ fingerprint: before.fingerprint, state: 'forked', quiet: Minutes(2), lanes: [{ height: 3, arrived: START + 180_000, time: before.lanes[0]?.time, fork: 2, blocks: 0, usual: null }] });
  });

  it('is said to be unknown where no receipt was kept, and silent only after a while', async () => {
    const writer = await ChainWriter.of(1);
    await writer.keepIn(blocks);
    await book.refresh(untilDone);
    expect(viewOf(writer)).toMatchObject({ state: 'current', lanes: [{ arrived: null, delay: null }] });
    now += Minutes(31);
    expect(viewOf(writer).state).toBe('silent');
  });

  it('ends early when the node does', async () => {
    for (const name of ['a', 'b', 'c']) await (await ChainWriter.of(1, 'record', parametersOf(['north'], keyOf(name)), keyOf(name))).keepIn(blocks);
    await book.refresh(AbortSignal.abort());
    expect([book.isRead, book.size]).toEqual([false, 0]);
  });
});

describe('with another process over the same store', () => {
  it('takes over what came there before it calls a gateway silent', async () => {
    const writer = new ChainWriter();
    await sending(writer, 3, Minutes(1));
    now += Minutes(4);
    await writer.seal();
    await writer.keepIn(blocks);
    await countersign(blocks, writer, 3);
    now += Minutes(4);
    expect(viewOf(writer).state).toBe('silent');
    await book.refresh(untilDone);
    expect(viewOf(writer)).toMatchObject({ state: 'current', quiet: Minutes(4), lanes: [{ height: 3, blocks: 3 }] });
  });
});

describe('a page of many gateways', () => {
  const chainOf = (i: number): Uint8Array => Buffer.from(i.toString(16).padStart(32, '0'), 'hex');

  function fill(count: number): void {
    for (let i = 0; i < count; i++) {
      now = START + (i % 7) * 1000;
      book.took({ chain: chainOf(i), lane: 'record', height: i, time: UnixMillis(START - i * 1000), gateway: GATEWAY.publicKey, firstKey: GATEWAY.publicKey, blocks: 1, bytes: Bytes(100) });
      if (i % 3 === 0) book.refused({ chain: chainOf(i), lane: 'record' }, 'gap');
      if (i % 5 === 0) book.refused({ chain: chainOf(i), lane: 'record' }, 'bad_signature');
    }
  }

  it.each<GatewayOrder>(['chain', 'lag', 'quiet', 'failures', 'gaps'])('by %s holds each exactly once, while time goes on', (order) => {
    fill(250);
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page = book.list({ order, limit: 60, ...(after === null ? {} : { after }) });
      expect(page.matching).toBe(250);
      seen.push(...page.gateways.map(({ chain }) => chain));
      after = page.next;
      now += 17;
    } while (after !== null);
    expect([seen.length, new Set(seen).size]).toEqual([250, 250]);
    if (order === 'chain') expect(seen).toEqual([...seen].sort());
    if (order === 'lag') expect(seen[0]).toBe(toHex(chainOf(249)));
  });

  it('holds what is asked for: a state, or the beginning of a chain or key', () => {
    fill(40);
    book.forked({ chain: chainOf(7), lane: 'record', height: 3 });
    expect(book.list({ ...ALL, state: 'forked' }).gateways.map(({ chain }) => chain)).toEqual([toHex(chainOf(7))]);
    expect(book.list({ ...ALL, search: toHex(chainOf(16)).slice(0, 31) }).matching).toBe(16);
    expect(book.list({ ...ALL, search: fingerprint(GATEWAY.publicKey).slice(0, 8) }).matching).toBe(40);
    expect(book.list({ ...ALL, search: 'ffff' })).toEqual({ gateways: [], next: null, matching: 0 });
  });

  it('takes less than 2 KB of memory for a gateway', () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().heapUsed;
    const full = newBook();
    for (let i = 0; i < 10_000; i++) {
      for (const lane of ['alarm', 'record'] as const) {
        for (const at of [0, 2000, 5000]) {
          now = START + at + i / 3;
          full.took({ chain: chainOf(i), lane, height: 1_000_000 + i, time: UnixMillis(now - i), gateway: GATEWAY.publicKey, firstKey: GATEWAY.publicKey, blocks: 1, bytes: Bytes(100) });
        }
        full.countersigned({ chain: chainOf(i), lane });
        full.refused({ chain: chainOf(i), lane }, 'gap');
        full.refused({ chain: chainOf(i), lane }, 'bad_signature');
      }
      full.forked({ chain: chainOf(i), lane: 'alarm', height: i });
    }
    collect();
    expect(full.size).toBe(10_000);
    expect((process.memoryUsage().heapUsed - before) / 10_000).toBeLessThan(2048);
  });
});
