import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DeriveLoop, type DeriveLoopOptions } from '../../gateway/derive/derive-loop.ts';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { MiB, Millis, type Bytes } from '../../gateway/quantity.ts';
import { Sequence, type Frame, type FrameRun } from '../../gateway/reading.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { bind, derive, deriverFrom, journal as anyJournal, message, plain, plainState, pulse, tick } from './story.ts';
import { FRAME_SALT } from '../vault/known-keys.ts';

/** A journal in an array that counts how often it is read. */
class ArrayJournal {
  readonly frames: Uint8Array[] = [];
  reads = 0;
  /** Called when a read found nothing, as its answer leaves. */
  onNothing: () => void = () => undefined;

  get next(): Sequence {
    return Sequence(this.frames.length + 1);
  }

  append(frames: readonly Frame[]): FrameRun {
    const run = { first: this.next, frames: frames.map((each) => encodeFrame(each, FRAME_SALT)) };
    this.frames.push(...run.frames);
    return run;
  }

  async read(from: Sequence, limit: Bytes): Promise<FrameRun | undefined> {
    this.reads += 1;
    if (from >= this.next) {
      this.onNothing();
      return undefined;
    }
    const frames: Uint8Array[] = [];
    for (let size = 0, at = from - 1; at < this.frames.length && size < limit; at++) {
      frames.push(this.frames[at] as Uint8Array);
      size += (this.frames[at] as Uint8Array).length;
    }
    return { first: from, frames };
  }
}

class Bench implements AsyncDisposable {
  readonly journal = new ArrayJournal();
  readonly disk = new FaultyStore(openMemoryStore());
  readonly store = new StoredDerivation(this.disk);
  readonly committed: Checkpoint[] = [];
  readonly faults: string[] = [];
  ticks = 0;
  loop: DeriveLoop | undefined;

  async start(part: Partial<DeriveLoopOptions> = {}): Promise<DeriveLoop> {
    const { state } = await this.store.load();
    const loop = new DeriveLoop({
      journal: this.journal,
      store: this.store,
      deriver: deriverFrom(state),
      cursor: state.cursor,
      windowAge: Millis(3_600_000),
      requestTick: () => void (this.ticks += 1),
      onCommitted: (checkpoints) => void this.committed.push(...checkpoints),
      onFault: (fault) => {
        this.faults.push(fault.code);
        // What a store that recovered does; the loop's own patience is a second.
        setImmediate(() => loop.wake());
      },
      ...part,
    });
    this.loop = loop;
    loop.start();
    return loop;
  }

  accept(...frames: Frame[]): void {
    this.loop?.offer(this.journal.append(frames));
  }

  /** Waits, in turns of the event loop and never by the clock, until it holds. */
  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 5000; turn++) {
      if (holds()) return;
      await new Promise(setImmediate);
    }
    throw new Error('it never came');
  }

  untilDerived(cursor: number): Promise<void> {
    return this.until(() => this.committed.at(-1)?.cursor === cursor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop?.stop();
  }
}

afterEach(() => {
  vi.useRealTimers();
});

const MESSAGES = Array.from({ length: 30 }, (_, i) => message('w', pulse(60 + i, { seq: i, time: 1_790_000_000_000 })));
const STORY = [bind('w'), ...MESSAGES, tick()];

describe('the deriving loop', () => {
  it('follows what is accepted from memory, without reading the journal again', async () => {
    await using bench = new Bench();
    await bench.start();
    await bench.until(() => bench.journal.reads === 1);
    for (const frame of STORY) bench.accept(frame);
    await bench.untilDerived(STORY.length);
    expect(plain(bench.committed)).toEqual(plain(derive(STORY)));
    // Only when it looked for more and found nothing.
    expect(bench.journal.reads).toBeLessThanOrEqual(3);
    expect(bench.loop?.backlog).toBe(0);
  });

  it('catches up with a backlog, then with what came meanwhile', async () => {
    await using bench = new Bench();
    bench.journal.append(STORY);
    const loop = await bench.start();
    expect(loop.backlog).toBe(STORY.length);
    bench.accept(...MESSAGES);
    bench.accept(tick());
    await bench.untilDerived(STORY.length * 2 - 1);
    expect(plain(bench.committed)).toEqual(plain(derive([...STORY, ...MESSAGES, tick()])));
  });

  it('goes on where a run before it stopped', async () => {
    const first = new Bench();
    await first.start();
    first.accept(...STORY);
    await first.untilDerived(STORY.length);
    await first.loop?.stop();
    first.accept(...MESSAGES, tick());
    await first.start();
    await first.untilDerived(STORY.length * 2 - 1);
    await first.loop?.stop();
    expect(plain(first.committed)).toEqual(plain(derive([...STORY, ...MESSAGES, tick()])));
  });

  it('falls back to the journal for what memory did not take', async () => {
    await using bench = new Bench();
    const large = Array.from({ length: 60 }, (_, i) => message('w', new Uint8Array(200_000).fill(i)));
    await bench.start();
    // All in one turn: the loop cannot take any of it before 12 MB are offered, of which memory takes 4.
    for (const frame of large) bench.accept(frame);
    bench.accept(tick());
    await bench.untilDerived(61);
    expect(bench.journal.reads).toBeGreaterThan(2);
    expect(plain(bench.committed)).toEqual(plain(derive([...large, tick()])));
    bench.accept(...STORY);
    await bench.untilDerived(61 + STORY.length);
  });

  it('hears of frames at whatever moment they come', async () => {
    for (let hops = 0; hops < 12; hops++) {
      await using bench = new Bench();
      bench.journal.onNothing = () => {
        bench.journal.onNothing = () => undefined;
        void (async () => {
          for (let hop = 0; hop < hops; hop++) await Promise.resolve();
          bench.accept(tick());
        })();
      };
      await bench.start();
      await bench.untilDerived(1);
      expect(bench.committed).toHaveLength(1);
    }
  });

  it('tries a failing store again and goes on, with nothing lost and nothing twice', async () => {
    const fault = fc.constantFrom('nothing written' as const, 'written all the same' as const);
    const plan = fc.array(
      fc.record({ writes: fc.array(fault, { maxLength: 2 }), size: fc.integer({ min: 1, max: 12 }) }), { minLength: 1, maxLength: 6 },
    );
    await fc.assert(fc.asyncProperty(anyJournal, plan, async (frames, steps) => {
      await using bench = new Bench();
      const all = [...frames, tick()];
      await bench.start();
      for (let at = 0, i = 0; at < all.length; i++) {
        const step = steps[i % steps.length] as (typeof steps)[number];
        bench.disk.writeFaults.push(...step.writes);
        bench.accept(...all.slice(at, at + step.size));
        at += step.size;
        if (i % 2 === 0) await new Promise(setImmediate);
      }
      await bench.untilDerived(all.length);
      const expected = derive(all);
      expect(plain(bench.committed)).toEqual(plain(expected));
      const undisturbed = new StoredDerivation(openMemoryStore());
      await undisturbed.commit(expected);
      expect(plainState((await bench.store.load()).state)).toEqual(plainState((await undisturbed.load()).state));
    }), { numRuns: 40 });
  });

  it('tries a journal that cannot be read again, and says which frame it stands at', async () => {
    await using bench = new Bench();
    bench.journal.append(STORY);
    const { journal } = bench;
    let failures = 3;
    const { StoreError } = await import('../../gateway/errors.ts');
    const messages: string[] = [];
    const loop: DeriveLoop = await bench.start({
      journal: {
        get next() {
          return journal.next;
        },
        read: (from, limit) => (failures-- > 0 ? Promise.reject(new StoreError('VG_STORE_CORRUPT', 'a gap')) : journal.read(from, limit)),
      },
      onFault: (fault) => {
        messages.push(`${fault.code} ${fault.message}`);
        setImmediate(() => loop.wake());
      },
    });
    await bench.untilDerived(STORY.length);
    expect(messages).toEqual(Array.from({ length: 3 }, () => 'VG_STORE_CORRUPT deriving after frame 0: a gap'));
  });

  it('gives up at a stop while the store fails, and derives the same after the next start', async () => {
    await using bench = new Bench();
    bench.disk.writeFaults.push(...Array.from({ length: 1000 }, () => 'nothing written' as const));
    const loop = await bench.start({ onFault: (fault) => void bench.faults.push(fault.code) });
    bench.accept(...STORY);
    await bench.until(() => bench.faults.length > 0);
    await loop.stop();
    expect(bench.committed).toEqual([]);
    bench.disk.writeFaults.length = 0;
    await bench.start();
    await bench.untilDerived(STORY.length);
    expect(plain(bench.committed)).toEqual(plain(derive(STORY)));
  });

  it('asks for a timer frame once, when frames wait in an open window and everything is derived', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await using bench = new Bench();
    await bench.start({ windowAge: Millis(1000) });
    await bench.until(() => bench.journal.reads === 1);
    vi.advanceTimersByTime(60_000);
    expect(bench.ticks).toBe(0);
    bench.accept(...MESSAGES);
    await bench.until(() => bench.loop?.backlog === 0 && vi.getTimerCount() === 1);
    vi.advanceTimersByTime(999);
    expect(bench.ticks).toBe(0);
    vi.advanceTimersByTime(1);
    expect(bench.ticks).toBe(1);
    bench.accept(tick());
    await bench.untilDerived(MESSAGES.length + 1);
    vi.advanceTimersByTime(60_000);
    expect(bench.ticks).toBe(1);
  });

  it('asks for none when the window closed before it was due, and asks again when a request was in vain', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await using bench = new Bench();
    await bench.start({ windowAge: Millis(1000) });
    bench.accept(message('w', pulse(70)));
    await bench.until(() => vi.getTimerCount() === 1);
    bench.accept(tick());
    await bench.untilDerived(2);
    vi.advanceTimersByTime(5000);
    expect(bench.ticks).toBe(0);
    bench.accept(message('w', pulse(70)));
    await bench.until(() => vi.getTimerCount() === 1);
    vi.advanceTimersByTime(1000);
    expect(bench.ticks).toBe(1);
    // The frame could not be accepted; when the store recovered the loop is woken.
    bench.loop?.wake();
    await bench.until(() => vi.getTimerCount() === 1);
    vi.advanceTimersByTime(1000);
    expect(bench.ticks).toBe(2);
  });

  it('asks for none after it was stopped', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const bench = new Bench();
    await bench.start({ windowAge: Millis(1000) });
    bench.accept(message('w', pulse(70)));
    await bench.until(() => vi.getTimerCount() === 1);
    await bench.loop?.stop();
    vi.advanceTimersByTime(60_000);
    expect(bench.ticks).toBe(0);
  });
});

describe('what memory takes', () => {
  it('is bounded: beyond 4 MiB frames are left to the journal', async () => {
    await using bench = new Bench();
    await bench.start();
    const frame = message('w', new Uint8Array(MiB(1)));
    for (let i = 0; i < 10; i++) bench.accept(frame);
    await bench.until(() => bench.loop?.backlog === 0);
    expect(bench.journal.reads).toBeGreaterThan(1);
  });
});
