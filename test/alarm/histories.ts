import fc from 'fast-check';
import { NO_ALARMS, type AlarmState } from '../../gateway/alarm/alarm.ts';
import { step } from '../../gateway/alarm/alarms.ts';
import { AlarmId, type Actor, type AlarmInput } from '../../gateway/alarm/condition.ts';
import type { AlarmPolicy, Course } from '../../gateway/alarm/policy.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import { raised } from './scenes.ts';
import type { Happening } from './twin.ts';

const seconds = (min: number, max: number): fc.Arbitrary<Millis> => fc.integer({ min, max }).map(Seconds);

/** Short times, so that they often fall together; nothing longer than the re-alarm time, as a policy promises. */
const course: fc.Arbitrary<Course> = fc.integer({ min: 1, max: 25 }).chain((longest) => fc.record({
  delay: fc.oneof(fc.constant(Seconds(0)), seconds(0, longest)),
  levels: fc.array(fc.record({ to: fc.subarray(['nurse', 'doctor', 'ann', 'everyone'], { minLength: 1 }), within: seconds(1, longest) }), { minLength: 1, maxLength: 3 }),
  realarm: fc.constant(Seconds(longest)),
  snooze: seconds(0, longest),
  episode: seconds(0, longest),
  latched: fc.boolean(),
}));
const courses = fc.record({ high: course, medium: course, low: course });

const policy: fc.Arbitrary<AlarmPolicy> = fc.record({
  people: fc.constant([{ name: 'ann', roles: ['nurse'] }, { name: 'ben', roles: ['nurse'] }, { name: 'cho', roles: ['doctor'] }]),
  physiological: courses,
  technical: courses,
  technicalHighest: fc.constantFrom('high' as const, 'medium' as const, 'low' as const),
  quiet: fc.record({ timeZone: fc.constant('UTC'), hours: fc.constant([]), mediumDelay: seconds(0, 20), watchLimit: seconds(0, 10) }),
  most: fc.constantFrom(1, 2, 3, 16),
});

/** What a person does is about one of the alarms there are: the list is known only when it comes to that. */
type Answer = Readonly<{ pick: number; revision: number; by: Actor } & ({ type: 'acknowledge' } | { type: 'snooze'; time: Millis })>;
type Move = Exclude<AlarmInput, { type: 'acknowledge' | 'snooze' }> | Answer;

const subject = fc.constantFrom({ kind: 'patient' as const, id: 'anna' }, { kind: 'patient' as const, id: 'anna' }, null);
// The kind belongs to the rule.
const what = fc.record({ subject, rule: fc.constantFrom('slow-pulse', 'no-data') })
  .map((key) => ({ ...key, kind: key.rule === 'no-data' ? ('technical' as const) : ('physiological' as const) }));
const priority = fc.constantFrom('high' as const, 'medium' as const, 'medium' as const, 'low' as const);
const answer = { pick: fc.nat(5), revision: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1), by: fc.constantFrom({ id: 'ann', role: 'nurse' }, { id: 'cho', role: 'doctor' }) };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(what, priority, fc.boolean()).map(([key, asked, watched]) => raised({ ...key, priority: asked, ...(watched ? { watched: true } : {}) })) },
  { weight: 4, arbitrary: fc.tuple(what, fc.nat(9)).map(([{ subject: who, rule }, gone]): Move => ({ type: 'cleared', key: { subject: who, rule }, ...(gone === 0 ? { withdrawn: true } : {}) })) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('acknowledge' as const), ...answer }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('snooze' as const), ...answer, time: seconds(-1, 40) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('quiet' as const), quiet: fc.boolean() }) },
  { weight: 3, arbitrary: fc.constant<Move>({ type: 'timer' }) },
) as fc.Arbitrary<Move>;

/** Mostly close together, at times far apart as after the gateway was away. */
const pause = fc.oneof({ weight: 19, arbitrary: fc.integer({ min: 0, max: 5 }) }, { weight: 1, arbitrary: fc.integer({ min: 20, max: 100 }) });

/** A policy, and what happened under it. */
export type Story = Readonly<{ rules: AlarmPolicy; all: readonly Happening[] }>;

export const story: fc.Arbitrary<Story> = fc
  .tuple(policy, fc.array(fc.tuple(pause, move), { maxLength: 60, size: 'max' }))
  .map(([rules, moves]) => ({ rules, all: happenings(moves, rules) }));

function happenings(moves: readonly (readonly [pause: number, move: Move])[], rules: AlarmPolicy): readonly Happening[] {
  let state = NO_ALARMS;
  let at = Millis(0);
  return moves.map(([wait, each]) => {
    at = Millis(at + 1000 * wait);
    const input = inputOf(each, state);
    state = step(state, input, at, rules).state;
    return [at, input];
  });
}

function inputOf(each: Move, { alarms }: AlarmState): AlarmInput {
  if (each.type !== 'acknowledge' && each.type !== 'snooze') return each;
  const { pick, revision, by } = each;
  const alarm = alarms[pick % Math.max(1, alarms.length)];
  const seen = { alarm: alarm?.id ?? AlarmId(pick), revision: (alarm?.revision ?? 1) + revision, by };
  return each.type === 'snooze' ? { type: each.type, ...seen, time: each.time } : { type: each.type, ...seen };
}
