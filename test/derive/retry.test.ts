import { describe, expect, it } from 'vitest';
import { encodeOperatorAction } from '../../gateway/decode/operator.ts';
import type { Checkpoint, DerivedState } from '../../gateway/derive/derive-store.ts';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type Frame } from '../../gateway/reading.ts';
import { ANNA, bind, derive, fold, HIGH_PULSE, message, operator, profiles, pulse, rules, START, tick } from './story.ts';
import { FRAME_SALT, saidIn } from '../vault/known-keys.ts';

const OTTO = { kind: 'patient', id: 'otto' } as const;
const BAD = [{ measurement: 'heart_rate', value: 150, unit: '/min' }, { measurement: 'heart_rate', value: 150, unit: 'bpm' }];

const retry = (sequence: number, frame: Frame, taken: readonly string[] = []): Frame =>
  operator(encodeOperatorAction({ type: 'retry', sequence: Sequence(sequence), frame: encodeFrame(frame, FRAME_SALT), taken }));
const quarantineOf = (checkpoints: readonly Checkpoint[]): number[] => {
  const kept = new Set<number>();
  for (const { quarantined, released } of checkpoints) {
    for (const { sequence } of quarantined) kept.add(sequence);
    for (const sequence of released) kept.delete(sequence);
  }
  return [...kept];
};
const summaries = (checkpoints: readonly Checkpoint[]): Record<string, unknown>[] =>
  checkpoints.flatMap(({ entries }) => entries).filter(({ bytes }) => decodeEntry(bytes).kind === 'summary')
    .map((entry) => saidIn(entry));
const events = (checkpoints: readonly Checkpoint[]): number => checkpoints.at(-1)?.totals.events ?? 0;

describe('a message in quarantine that is tried again', () => {
  it('becomes readings of the time it came when a profile reads it now, on which no alarm rests', () => {
    const at = (minutes: number, frame: Frame): Frame => ({ ...frame, receivedAt: UnixMillis(START + minutes * 60_000), uptime: Millis(minutes * 60_000) });
    const lost = at(10, message('hub', 'heart_rate,150,/min', { topic: 'devices/hub/x' }));
    const before = derive([rules(HIGH_PULSE), bind('hub'), lost, at(11, tick())]);
    expect(quarantineOf(before)).toEqual([3]);
    const corrected = profiles({ name: 'x', decoder: 'csv-line', topic: 'devices/hub/x' });
    const after = derive([at(60, corrected), at(60, retry(3, lost)), at(60, tick())], fold(before));
    expect(quarantineOf([...before, ...after])).toEqual([]);
    expect(after.at(-1)?.totals).toMatchObject({ readings: 1, recovered: 1, events: 0 });
    expect(summaries(after)).toMatchObject([{ subject: 'patient/anna', from: START + 600_000 }]);
    expect(events(after)).toBe(0);
  });

  it('does not count its good readings twice, and stays while a part of it is not understood', () => {
    const half = message('w', BAD);
    const before = derive([bind('w'), half, tick()]);
    const [record] = before.flatMap(({ quarantined }) => quarantined);
    expect(record?.taken).toEqual(['heart_rate ']);
    const after = derive([retry(2, half, record?.taken), tick()], fold(before));
    expect(after.at(-1)?.totals).toMatchObject({ readings: 1, recovered: 0 });
    expect(after.flatMap(({ quarantined }) => quarantined)).toMatchObject([{ sequence: 2, taken: ['heart_rate '], rejections: [{ reason: 'wrong_unit' }] }]);
  });

  it('belongs to whoever had the device when it came', () => {
    const old = message('w', 'garbage', { uptime: Millis(0) });
    const good = message('w', pulse(70), { uptime: Millis(0) });
    const before = derive([bind('w'), old, tick()]);
    const later = { receivedAt: UnixMillis(START + 600_000), uptime: Millis(600_000) };
    const after = derive([{ ...bind('w', OTTO), ...later }, { ...retry(2, good), ...later }, { ...tick(), ...later }], fold(before));
    expect(summaries(after)).toMatchObject([{ subject: 'patient/anna' }]);
  });

  it('goes to nobody when it came before its device was bound, until somebody says whose it was then', () => {
    const early = message('w', pulse(70), { receivedAt: UnixMillis(START - 7_200_000) });
    const state: DerivedState = fold(derive([early, bind('w'), retry(1, early), tick()]));
    expect(state.totals.recovered).toBe(0);
    const said = operator(encodeOperatorAction({ type: 'bind', device: 'w' as never, subject: ANNA, from: UnixMillis(START - 10_000_000), until: UnixMillis(START) }));
    expect(fold(derive([said, retry(1, early), tick()], state), state).totals.recovered).toBe(1);
  });

  it('closes no window of its own: thousands may be tried at once', () => {
    const frames = Array.from({ length: 50 }, (_, i) => retry(i + 1, message('w', 'garbage')));
    expect(derive([...frames, tick()])).toHaveLength(1);
  });

  it('that is no frame at all is a decision that cannot be understood', () => {
    const broken = operator(Buffer.from(JSON.stringify({ type: 'retry', sequence: 1, frame: 'AAAA', taken: [] })));
    expect(derive([broken, tick()]).flatMap(({ quarantined }) => quarantined)).toMatchObject([{ sequence: 1, device: '', rejections: [{ reason: 'wrong_shape' }] }]);
  });
});
