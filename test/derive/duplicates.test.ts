import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DuplicateWindows } from '../../gateway/derive/duplicates.ts';
import { Sequence, type DeviceId, type Frame } from '../../gateway/reading.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { bind, derive, EMPTY_STATE, fold, message, pulse, START, tick } from './story.ts';

/** How many of the frames count as repetitions. */
function duplicatesIn(...frames: readonly Frame[]): number {
  return derive([bind('w'), bind('x'), ...frames, tick()]).at(-1)?.totals.duplicates ?? 0;
}

const REMEMBERED = 2048;
const numbered = (seq: number): Frame => message('w', pulse(70, { seq, time: START + seq }));

describe('recognising repetitions', () => {
  const cases: readonly [name: string, frames: readonly Frame[], duplicates: number][] = [
    ['is the same counter and time in the same bytes', [numbered(1), numbered(1)], 1],
    [
      'is the same counter and time, however it is written down',
      [numbered(1), message('w', `{"time": ${START + 1}.0, "seq": 1e0, "measurement":"heart_rate", "value":70, "unit":"/min", "x":1}`)], 1,
    ],
    ['is the same counter and time with other readings', [numbered(1), message('w', pulse(99, { seq: 1, time: START + 1 }))], 1],
    ['is every further copy', [numbered(1), numbered(1), numbered(1)], 2],
    ['is the same bytes with a counter alone', [message('w', pulse(70, { seq: 1 })), message('w', pulse(70, { seq: 1 }))], 1],
    ['is the same bytes with a time alone', [message('w', pulse(70, { time: START })), message('w', pulse(70, { time: START }))], 1],
    ['is the same bytes that the sender marked with DUP', [message('w', pulse(70)), message('w', pulse(70), { dup: true })], 1],
    ['is garbage that the sender marked with DUP', [message('w', 'garbage'), message('w', 'garbage', { dup: true })], 1],
    ['is recognised across closed windows', [numbered(1), tick(), tick(), numbered(1)], 1],
    ['is not a counter that began again at another time', [numbered(1), message('w', pulse(70, { seq: 1, time: START + 60_000 }))], 0],
    ['is not another counter at the same time', [numbered(1), message('w', pulse(70, { seq: 2, time: START + 1 }))], 0],
    ['is the same bytes that a broker had kept', [message('w', pulse(70)), message('w', pulse(70), { retained: true })], 1],
    ['is not the first message that a broker had kept', [message('w', pulse(70), { retained: true })], 0],
    ['is not the same value without counter and time', [message('w', pulse(70)), message('w', pulse(70))], 0],
    ['is not the same message of another device', [numbered(1), message('x', pulse(70, { seq: 1, time: START + 1 }))], 0],
    ['is not other bytes with DUP', [message('w', pulse(70)), message('w', pulse(71), { dup: true })], 0],
    ['is not a first message with DUP', [message('w', pulse(70), { dup: true })], 0],
    ['is not the same garbage sent again as new', [message('w', 'garbage'), message('w', 'garbage')], 0],
    [
      'is not the same bytes on another topic',
      [message('w', 'x', { topic: 'a', dup: true }), message('w', 'x', { topic: 'b', dup: true })], 0,
    ],
  ];
  for (const [name, frames, duplicates] of cases) {
    it(`a repetition ${name}`, () => {
      expect(duplicatesIn(...frames)).toBe(duplicates);
    });
  }

  it('a repetition adds no reading, no quarantine and no event', () => {
    const [once, twice] = [[numbered(1)], [numbered(1), numbered(1)]].map(
      (frames) => derive([bind('w'), ...frames, tick()]).at(-1)?.totals
    );
    expect(twice).toEqual({ ...once, duplicates: 1 });
  });

  it('a repetition is recognised after a restart, also when its window lies far back in time', async () => {
    const frames = [bind('w'), numbered(1), message('w', 'garbage'), tick()];
    const store = new StoredDerivation(openMemoryStore());
    await store.commit(derive(frames));
    const again = derive([numbered(1), message('w', 'garbage', { dup: true }), numbered(2), tick()], (await store.load()).state);
    expect(again.at(-1)?.totals).toMatchObject({ duplicates: 2, readings: 2 });
  });
});

describe('the duplicate window', () => {
  it('reaches back 2,048 messages of the device at least, through restarts, and is let go beyond', () => {
    const windows = 10;
    const size = 300;
    let state = EMPTY_STATE;
    const take = (...frames: Frame[]): void => void (state = fold(derive([...frames, tick()], state), state));
    take(bind('w'));
    for (let window = 0; window < windows; window++) take(...Array.from({ length: size }, (_, i) => numbered(window * size + i)));
    expect(state.totals.duplicates).toBe(0);
    const kept = [...state.seen.values()].flat().reduce((sum, { identities }) => sum + identities.length / 8, 0);
    expect(kept).toBeGreaterThanOrEqual(REMEMBERED);
    expect(kept).toBeLessThan(REMEMBERED + size);
    const total = windows * size;
    take(...Array.from({ length: 100 }, (_, i) => numbered(total - REMEMBERED + i)));
    expect(state.totals.duplicates).toBe(100);
    take(numbered(0));
    expect(state.totals).toMatchObject({ duplicates: 100, readings: total + 1 });
  });

  it('is one device\'s own: others never push its messages out', () => {
    let state = fold(derive([bind('w'), bind('x'), numbered(1), tick()]));
    const crowd = Array.from({ length: 3000 }, (_, i) => message('x', pulse(70, { seq: i, time: START })));
    state = fold(derive([...crowd, tick()], state), state);
    expect(derive([numbered(1), tick()], state).at(-1)?.totals.duplicates).toBe(1);
  });

  it('remembers what an array of the last chunks would, whatever comes in whatever windows', () => {
    const device = 'w' as DeviceId;
    const identity = fc.nat(400).map((n) => String(n).padStart(8, '0'));
    const chunks = fc.array(fc.array(identity, { maxLength: 900 }), { maxLength: 8 });
    fc.assert(fc.property(chunks, fc.array(identity, { maxLength: 20 }), (windows, asked) => {
      let tested = new DuplicateWindows(new Map());
      let kept: { window: number; identities: string[] }[] = [];
      for (const [i, identities] of windows.entries()) {
        for (const each of identities) tested.add(device, each);
        const { seen, forgotten } = tested.close(Sequence(i + 1));
        if (identities.length > 0) kept.push({ window: i + 1, identities });
        const sizeFrom = (at: number): number => kept.slice(at).reduce((sum, chunk) => sum + chunk.identities.length, 0);
        const dropped = identities.length === 0 ? 0 : kept.findLastIndex((_, at) => sizeFrom(at) >= REMEMBERED);
        expect(forgotten.map(({ window }) => window)).toEqual(kept.slice(0, Math.max(0, dropped)).map(({ window }) => window));
        kept = kept.slice(Math.max(0, dropped));
        expect(Buffer.from(seen.get(device) ?? []).toString()).toBe(identities.join(''));
        const stored = kept.map((chunk) => ({ window: Sequence(chunk.window), identities: Buffer.from(chunk.identities.join('')) }));
        if (i % 2 === 1) tested = new DuplicateWindows(new Map([[device, stored]]));
        for (const each of asked) expect(tested.has(device, each)).toBe(kept.some((chunk) => chunk.identities.includes(each)));
      }
    }), { numRuns: 60 });
  });
});
