import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Checkpoint, DerivedState, Resumption } from '../../gateway/derive/derive-store.ts';
import { DeriveThread } from '../../gateway/derive/derive-thread.ts';
import { sha256, toHex } from '../../gateway/ledger/bytes.ts';
import { Seconds } from '../../gateway/quantity.ts';
import { Sequence, type Frame, type FrameRun } from '../../gateway/reading.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import {
  bind, derive, deriverFrom, EMPTY_STATE, fold, HIGH_PULSE, journal, message, plain, plainState, pulse, rules, runOf, START,
  tick,
} from './story.ts';
import { knownKeys } from '../vault/known-keys.ts';
import type { Derived } from '../../gateway/derive/deriver.ts';

/** The same frames in pieces of the given sizes, over and over. */
function cut(frames: readonly Frame[], sizes: readonly number[]): FrameRun[] {
  const whole = runOf(frames);
  const runs: FrameRun[] = [];
  for (let at = 0, i = 0; at < frames.length; i++) {
    const size = sizes[i % sizes.length] as number;
    runs.push({ first: Sequence(at + 1), frames: whole.frames.slice(at, at + size) });
    at += size;
  }
  return runs;
}

/** Everything up to `state`'s cursor is known; derives the rest of the frames. */
const deriveRest = (frames: readonly Frame[], state: DerivedState): Checkpoint[] => derive(frames.slice(state.cursor), state);

async function throughStore(checkpoints: readonly Checkpoint[]): Promise<DerivedState> {
  const store = new StoredDerivation(openMemoryStore());
  await store.commit(checkpoints);
  return (await store.load()).state;
}

const resumptionOf = (state: DerivedState): Resumption => ({ state, committed: { cursor: state.cursor, entrySequence: state.entrySequence } });

const closed = journal.map((frames) => [...frames, tick()]);

describe('deriving a journal', () => {
  it('never fails, whatever devices and people sent', () => {
    fc.assert(fc.property(closed, (frames) => {
      const last = derive(frames).at(-1);
      expect(last?.cursor).toBe(frames.length);
    }), { numRuns: 400 });
  });

  it('again gives the same bytes, whatever batches the frames come in', () => {
    fc.assert(fc.property(closed, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), (frames, sizes) => {
      const once = plain(derive(frames));
      expect(plain(derive(frames))).toEqual(once);
      const deriver = deriverFrom();
      const inPieces = cut(frames, sizes).flatMap((run) => [...deriver.deriveNow(run).checkpoints]);
      expect(plain(inPieces)).toEqual(once);
    }), { numRuns: 100 });
  });

  it('goes on after a restart at any checkpoint as if there had been none', async () => {
    await fc.assert(fc.asyncProperty(closed, async (frames) => {
      const whole = derive(frames);
      for (let kept = 0; kept <= whole.length; kept++) {
        const state = await throughStore(whole.slice(0, kept));
        expect(plainState(state)).toEqual(plainState(fold(whole.slice(0, kept))));
        expect(plain(deriveRest(frames, state))).toEqual(plain(whole.slice(kept)));
      }
    }), { numRuns: 60 });
  });

  it('goes on after a restart at every checkpoint', async () => {
    await fc.assert(fc.asyncProperty(closed, async (frames) => {
      const whole = derive(frames);
      const store = new StoredDerivation(openMemoryStore());
      const restarted: Checkpoint[] = [];
      for (let { state } = await store.load(); state.cursor < frames.length; { state } = await store.load()) {
        const next = deriveRest(frames, state).slice(0, 1);
        await store.commit(next);
        restarted.push(...next);
      }
      expect(plain(restarted)).toEqual(plain(whole));
      expect((await store.load()).state.totals).toEqual(whole.at(-1)?.totals ?? EMPTY_STATE.totals);
    }), { numRuns: 60 });
  });

  it('goes on as if there had been no restart where what is remembered was written a while before', async () => {
    const every = { rememberEvery: Seconds(600) };
    await fc.assert(fc.asyncProperty(closed, fc.integer({ min: 1, max: 3 }), async (frames, size) => {
      const whole = [...deriverFrom(EMPTY_STATE, every).deriveNow(runOf(frames)).checkpoints];
      const engine = openMemoryStore();
      const said: Checkpoint[] = [];
      for (let at = 0; at < whole.length; at += size) {
        // Opened anew each time: what had not been written is derived again.
        const store = new StoredDerivation(engine);
        const { state, committed } = await store.load();
        expect(committed.cursor).toBe(said.at(-1)?.cursor ?? 0);
        const again = [...deriverFrom(state, { ...every, committed }).deriveNow(runOf(frames.slice(state.cursor), state.cursor + 1)).checkpoints];
        const known = again.filter(({ cursor }) => cursor <= committed.cursor).length;
        await store.commit(again.slice(0, known + size));
        said.push(...again.slice(known, known + size));
      }
      expect(plain(said.map(({ remembered: _, ...rest }) => rest))).toEqual(plain(whole.map(({ remembered: _, ...rest }) => rest)));
    }), { numRuns: 60 });
  });

  it('goes on behind the entries that are there when another version made more of the same frames', () => {
    const frames = [bind('w'), message('w', pulse(70)), tick()];
    const [first, second] = deriverFrom(EMPTY_STATE, { committed: { cursor: 1, entrySequence: 40 } }).deriveNow(runOf(frames)).checkpoints;
    expect([first?.entrySequence, second?.entries.map(({ sequence }) => sequence)]).toEqual([40, [41]]);
  });

  it('gives the bytes it always gave: another digest means that a journal cannot be replayed by a later version', () => {
    const frames = [
      rules(HIGH_PULSE), bind('watch-1'), message('watch-1', pulse(140, { seq: 1, time: START })), message('watch-1', 'garbage'), tick(),
    ];
    const bytes = derive(frames).flatMap(({ entries }) => entries.map((entry) => entry.bytes));
    expect(toHex(sha256(Buffer.concat(bytes)))).toBe('63f0f01cb72a295d5c29ea896df8a60ba85206ed3cda81ef8c4f9d519664812e');
  });
});

/** It was given the keys that deriving in place had to make. */
const withoutKeys = ({ checkpoints, ...rest }: Derived): unknown => plain({ ...rest, checkpoints: checkpoints.map(({ keys: _, ...each }) => each) });

const BEGUN = { chain: new Uint8Array(16), authority: { number: 0, gateway: new Uint8Array(33), hospitals: [], quorum: 0 } };

describe('deriving in a thread', () => {
  it('gives what deriving in place gives, from any state', async () => {
    const samples = fc.sample(fc.tuple(closed, closed), { numRuns: 4, seed: 7 });
    for (const [before, frames] of samples) {
      const state = fold(derive(before));
      const run = runOf(frames, state.cursor + 1);
      const expected = deriverFrom(state, {}).deriveNow(run);
      const thread = new DeriveThread({ keys: knownKeys(), resumption: resumptionOf(state), begun: BEGUN });
      try {
        expect(withoutKeys(await thread.derive(run))).toEqual(withoutKeys(expected));
      } finally {
        await thread.close();
      }
    }
  });

  it('says whether a window is open, and goes on from call to call', async () => {
    const thread = new DeriveThread({ keys: [], resumption: resumptionOf(EMPTY_STATE), begun: BEGUN });
    try {
      expect(await thread.derive(runOf([message('watch-1', pulse(70))]))).toEqual({ checkpoints: [], windowIsOpen: true });
      const { checkpoints, windowIsOpen } = await thread.derive(runOf([tick()], 2));
      expect(windowIsOpen).toBe(false);
      expect(checkpoints).toMatchObject([{ cursor: 2, evidence: { first: 1, last: 2 } }]);
    } finally {
      await thread.close();
    }
  });

  it('fails loudly on bytes that are no frame, and for ever after', async () => {
    const thread = new DeriveThread({ keys: [], resumption: resumptionOf(EMPTY_STATE), begun: BEGUN });
    const broken = { first: Sequence(1), frames: [Buffer.from('not a frame')] };
    await expect(thread.derive(broken)).rejects.toMatchObject({ code: 'VG_INTERNAL' });
    await expect(thread.derive(runOf([tick()]))).rejects.toMatchObject({ code: 'VG_INTERNAL' });
    await thread.close();
  });

  it('refuses to derive once it is closed, and answers what was under way', async () => {
    const thread = new DeriveThread({ keys: [], resumption: resumptionOf(EMPTY_STATE), begun: BEGUN });
    const [underWay] = await Promise.allSettled([thread.derive(runOf([tick()])), thread.close()]);
    expect(underWay).toMatchObject({ status: 'rejected', reason: { code: 'VG_INTERNAL' } });
    await expect(thread.derive(runOf([tick()]))).rejects.toMatchObject({ code: 'VG_INTERNAL' });
  });
});
