import { describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import { unpackFrames, packFrames, decodeFrame } from '../../gateway/frame-codec.ts';
import { Acceptor, type AcceptorOptions } from '../../gateway/ingest/accept.ts';
import type { Journal } from '../../gateway/ingest/journal.ts';
import { Bytes, Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId, type Frame, type FrameRun } from '../../gateway/reading.ts';
import { countingBytes } from '../vault/known-keys.ts';

type Append = Readonly<{ frames: readonly Uint8Array[]; resolve: () => void; reject: (error: Error) => void }>;

/** A journal whose every append waits for the test. */
class HeldJournal implements Journal {
  readonly appends: Append[] = [];
  readonly probes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  next = Sequence(1);
  #watchers: (() => void)[] = [];

  append(frames: readonly Uint8Array[]): Promise<Sequence> {
    return new Promise((resolve, reject) => {
      const first = this.next;
      this.appends.push({
        frames,
        resolve: () => {
          this.next = Sequence(first + frames.length);
          resolve(first);
        },
        reject,
      });
      this.#tell();
    });
  }

  probe(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.probes.push({ resolve, reject });
      this.#tell();
    });
  }

  read(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** The nth append, from 0, when it is asked for. */
  async appendNumber(n: number): Promise<Append> {
    while (this.appends.length <= n) await new Promise<void>((resolve) => this.#watchers.push(resolve));
    return this.appends[n] as Append;
  }

  async probeNumber(n: number): Promise<{ resolve: () => void; reject: (error: Error) => void }> {
    while (this.probes.length <= n) await new Promise<void>((resolve) => this.#watchers.push(resolve));
    return this.probes[n] as HeldJournal['probes'][number];
  }

  #tell(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

function frame(payload: string, device = 'clip'): Frame {
  const [source, qos] = device === '' ? (['timer', 0] as const) : (['mqtt', 1] as const);
  return {
    source,
    device: device as DeviceId,
    topic: '',
    qos,
    dup: false,
    payload: Buffer.from(payload),
    receivedAt: UnixMillis(1_800_000_000_000),
    uptime: Millis(5),
    clockTrust: 'synchronised',
  };
}

type Setup = Readonly<{ journal: HeldJournal; acceptor: Acceptor; runs: [FrameRun, number][]; faults: (string | undefined)[] }>;

function setUp(options: Partial<AcceptorOptions> = {}): Setup {
  const journal = new HeldJournal();
  const runs: [FrameRun, number][] = [];
  const faults: (string | undefined)[] = [];
  const acceptor = new Acceptor({
    journal,
    onAccepted: (run, messages) => runs.push([run, messages]),
    onFault: (fault) => faults.push(fault?.code),
    probeEvery: Millis(1),
    random: countingBytes(),
    keyOf: ({ device }) => `key of ${device}`,
    ...options,
  });
  return { journal, acceptor, runs, faults };
}

const payloadsOf = (frames: readonly Uint8Array[]): string[] =>
  unpackFrames(packFrames(frames)).map((bytes) => Buffer.from(decodeFrame(bytes).payload).toString());

/** Whether the promise has settled, one turn of the event loop from now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  await new Promise(setImmediate);
  return settled;
}

const full = (): StoreError => new StoreError('VG_STORE_WRITE', 'the disk is full');

describe('group commit', () => {
  it('writes everything that waits as one record, in order', async () => {
    const { journal, acceptor, runs } = setUp();
    const accepted = ['a', 'b', 'c'].map((payload) => acceptor.accept(frame(payload)));
    const first = await journal.appendNumber(0);
    expect(payloadsOf(first.frames)).toEqual(['a', 'b', 'c']);
    const later = ['d', 'e'].map((payload) => acceptor.accept(frame(payload)));
    expect(acceptor.waiting).toBe(2);
    first.resolve();
    expect(await Promise.all(accepted)).toEqual([1, 2, 3]);
    const second = await journal.appendNumber(1);
    expect(payloadsOf(second.frames)).toEqual(['d', 'e']);
    second.resolve();
    expect(await Promise.all(later)).toEqual([4, 5]);
    expect(runs.map(([run, messages]) => [run.first, run.frames.length, messages])).toEqual([[1, 3, 3], [4, 2, 2]]);
    expect(journal.appends).toHaveLength(2);
  });

  it('answers nobody before the append resolved', async () => {
    const { journal, acceptor, runs } = setUp();
    const accepted = acceptor.accept(frame('a'));
    const append = await journal.appendNumber(0);
    expect(await isSettled(accepted)).toBe(false);
    expect(runs).toEqual([]);
    append.resolve();
    expect(await accepted).toBe(1);
    expect(runs).toHaveLength(1);
  });

  it('never has two appends under way', async () => {
    const { journal, acceptor } = setUp();
    const all = [acceptor.accept(frame('a'))];
    for (let i = 0; i < 20; i++) {
      const append = await journal.appendNumber(i);
      all.push(acceptor.accept(frame(`later ${i}`)));
      await new Promise(setImmediate);
      expect(journal.appends).toHaveLength(i + 1);
      append.resolve();
    }
    (await journal.appendNumber(20)).resolve();
    expect(await Promise.all(all)).toEqual(all.map((_, i) => i + 1));
  });

  it('splits what is larger than a record may be', async () => {
    const { journal, acceptor } = setUp({ maxGroup: Bytes(250) });
    const all = ['a', 'b', 'c'].map((letter) => acceptor.accept(frame(letter.repeat(200))));
    for (let i = 0; i < 3; i++) {
      const append = await journal.appendNumber(i);
      expect(append.frames).toHaveLength(1);
      append.resolve();
    }
    expect(await Promise.all(all)).toEqual([1, 2, 3]);
  });

  it('keeps frames that came together in one record, and resolves with the sequence of the first', async () => {
    const { journal, acceptor } = setUp({ maxGroup: Bytes(250) });
    const single = acceptor.accept(frame('a'));
    const together = acceptor.acceptAll(['b', 'c', 'd'].map((letter) => frame(letter.repeat(100))));
    const behind = acceptor.acceptAll([frame('e'), frame('f')]);
    expect(acceptor.waiting).toBe(6);
    for (const [i, letters] of ['a', 'bcd', 'ef'].entries()) {
      const append = await journal.appendNumber(i);
      expect(payloadsOf(append.frames).map((payload) => payload[0]).join('')).toBe(letters);
      append.resolve();
    }
    expect(await Promise.all([single, together, behind])).toEqual([1, 2, 5]);
    expect(acceptor.waiting).toBe(0);
  });

  it('counts what came from devices apart from ticks and decisions', async () => {
    const { journal, acceptor, runs } = setUp();
    const all = [acceptor.accept(frame('', '')), acceptor.accept(frame('a')), acceptor.accept(frame('', ''))];
    (await journal.appendNumber(0)).resolve();
    await Promise.all(all);
    expect(runs[0]?.[1]).toBe(1);
  });
});

describe('a store that fails', () => {
  it('refuses all that wait and all that come, and is told of once', async () => {
    const { journal, acceptor, faults, runs } = setUp({ probeEvery: Millis(60_000) });
    const inTheRecord = acceptor.accept(frame('a'));
    const append = await journal.appendNumber(0);
    const behindIt = acceptor.accept(frame('b'));
    append.reject(full());
    await expect(inTheRecord).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(behindIt).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(acceptor.accept(frame('c'))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(acceptor.offer(frame('d'))).toBe(false);
    expect(acceptor.waiting).toBe(0);
    expect(acceptor.fault?.code).toBe('VG_STORE_WRITE');
    expect([journal.appends.length, runs.length, faults]).toEqual([1, 0, ['VG_STORE_WRITE']]);
    await acceptor.close();
  });

  it('refuses frames that came together all at once', async () => {
    const { journal, acceptor } = setUp({ probeEvery: Millis(60_000) });
    const inTheRecord = acceptor.acceptAll([frame('a'), frame('b')]);
    const append = await journal.appendNumber(0);
    const behindIt = acceptor.acceptAll([frame('c'), frame('d')]);
    append.reject(full());
    await expect(inTheRecord).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(behindIt).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect([acceptor.waiting, journal.appends.length]).toEqual([0, 1]);
    await acceptor.close();
  });

  it('is trusted again only after a probe succeeded, and both transitions are told once', async () => {
    const { journal, acceptor, faults } = setUp();
    const refused = acceptor.accept(frame('a'));
    (await journal.appendNumber(0)).reject(new Error('EIO'));
    await expect(refused).rejects.toMatchObject({ code: 'VG_STORE_WRITE', message: 'EIO' });
    for (let i = 0; i < 3; i++) {
      (await journal.probeNumber(i)).reject(full());
      await expect(acceptor.accept(frame('b'))).rejects.toBeInstanceOf(StoreError);
    }
    expect(faults).toEqual(['VG_STORE_WRITE']);
    (await journal.probeNumber(3)).resolve();
    await vi.waitUntil(() => acceptor.fault === undefined);
    expect(faults).toEqual(['VG_STORE_WRITE', undefined]);
    const accepted = acceptor.accept(frame('c'));
    (await journal.appendNumber(1)).resolve();
    expect(await accepted).toBe(1);
  });

  it('that must be opened anew is not tried again', async () => {
    const { journal, acceptor, faults } = setUp();
    const refused = acceptor.accept(frame('a'));
    (await journal.appendNumber(0)).reject(full());
    await expect(refused).rejects.toBeInstanceOf(StoreError);
    (await journal.probeNumber(0)).reject(new StoreError('VG_STORE_CLOSED', 'open it anew'));
    await vi.waitUntil(() => faults.length === 2);
    expect(faults).toEqual(['VG_STORE_WRITE', 'VG_STORE_CLOSED']);
    await expect(acceptor.accept(frame('b'))).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
    await acceptor.close();
    expect(journal.probes).toHaveLength(1);
  });
});

describe('offering without an answer', () => {
  it('is taken while there is room, and refused beyond the limit', async () => {
    const { journal, acceptor } = setUp({ maxWaiting: Bytes(300) });
    expect(acceptor.offer(frame('x'.repeat(200)))).toBe(true);
    expect(acceptor.offer(frame('y'.repeat(200)))).toBe(true);
    expect(acceptor.offer(frame('z'))).toBe(false);
    const waitsForAnAnswer = acceptor.accept(frame('w'));
    (await journal.appendNumber(0)).resolve();
    expect(await waitsForAnAnswer).toBe(3);
    expect(acceptor.offer(frame('z'))).toBe(true);
    (await journal.appendNumber(1)).resolve();
    await acceptor.close();
    expect(journal.next).toBe(5);
  });

  it('leaves no unhandled rejection when the store fails', async () => {
    const { journal, acceptor } = setUp({ probeEvery: Millis(60_000) });
    expect(acceptor.offer(frame('x'))).toBe(true);
    (await journal.appendNumber(0)).reject(full());
    await vi.waitUntil(() => acceptor.fault !== undefined);
    await acceptor.close();
  });
});

describe('closing', () => {
  it('refuses what comes, and waits for what is under way', async () => {
    const { journal, acceptor } = setUp();
    const first = acceptor.accept(frame('a'));
    const append = await journal.appendNumber(0);
    const second = acceptor.accept(frame('b'));
    const closed = acceptor.close();
    await expect(acceptor.accept(frame('c'))).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
    expect(acceptor.offer(frame('d'))).toBe(false);
    expect(await isSettled(closed)).toBe(false);
    append.resolve();
    (await journal.appendNumber(1)).resolve();
    await closed;
    expect(await Promise.all([first, second])).toEqual([1, 2]);
  });

  it('ends the probing of a store that fails', async () => {
    const { journal, acceptor } = setUp();
    const refused = acceptor.accept(frame('a'));
    (await journal.appendNumber(0)).reject(full());
    await expect(refused).rejects.toBeInstanceOf(StoreError);
    const probe = await journal.probeNumber(0);
    await acceptor.close();
    probe.reject(full());
    await new Promise(setImmediate);
    expect(journal.probes).toHaveLength(1);
  });
});
