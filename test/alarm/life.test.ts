import { describe, expect, it } from 'vitest';
import { dueIn, liveAlarms, NO_ALARMS } from '../../gateway/alarm/alarm.ts';
import { step } from '../../gateway/alarm/alarms.ts';
import { AlarmId, MOST_FRAMES, type AlarmInput } from '../../gateway/alarm/condition.ts';
import type { AlarmPolicy } from '../../gateway/alarm/policy.ts';
import { Seconds, type Millis } from '../../gateway/quantity.ts';
import { lines, play, POLICY, ack, ANN, BEN, cleared, condition, pause, quiet, raised, timer, withdrawn, alarmOf, type Scene } from './scenes.ts';

type Example = readonly [name: string, scene: Scene, steps: readonly string[]];

function expectSteps(_: string, scene: Scene, steps: readonly string[]): void {
  expect(lines(scene)).toEqual(steps);
}

const HIGH = { priority: 'high', rule: 'low-oxygen' } as const;
const LOW = { priority: 'low', rule: 'stale-air' } as const;
const RAISED = '0 #1 none>active raised → 1/2 ann+ben';

describe('a condition that is raised', () => {
  it.each<Example>([
    ['is active and told at once', [[0, raised()]], [RAISED]],
    ['waits for its notification delay', [[0, raised(LOW)], [9, timer], [10, timer]], [
      '0 #1 none>pending raised (delay)', '10 #1 pending>active delay_over → 1/1 ann+ben',
    ]],
    ['is not told when it is over before its delay', [[0, raised(LOW)], [9, cleared(LOW)], [50, timer]], [
      '0 #1 none>pending raised (delay)', '9 #1 pending>cleared cleared',
    ]],
    ['has one alarm, however often it is raised', [[0, raised()], [5, raised()], [6, raised()]], [
      RAISED, '5 #1 active>active repeated (already_told)', '6 #1 active>active repeated (already_told)',
    ]],
    ['is repeated while it is pending', [[0, raised(LOW)], [5, raised(LOW)]], [
      '0 #1 none>pending raised (delay)', '5 #1 pending>pending repeated (delay)',
    ]],
    ['is repeated while it is acknowledged', [[0, raised()], [5, ack()], [6, raised()]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '6 #1 acknowledged>acknowledged repeated (acknowledged)',
    ]],
    ['is repeated while it is paused', [[0, raised()], [5, pause(60)], [6, raised()]], [
      RAISED, '5 #1 active>active snoozed by ann', '6 #1 active>active repeated (snoozed)',
    ]],
    ['is one of its subject and rule: others have alarms of their own', [
      [0, raised()], [0, raised({ rule: 'fever' })], [0, raised({ subject: { kind: 'room', id: 'anna' } })], [0, raised({ subject: null })],
    ], [RAISED, '0 #2 none>active raised → 1/2 ann+ben', '0 #3 none>active raised → 1/2 ann+ben', '0 #4 none>active raised → 1/2 ann+ben']],
  ])('%s', expectSteps);

  it('keeps what was last said of it, and how often', () => {
    const evidence = { condition: 'heart_rate < 40', values: [{ measurement: 'heart_rate', value: 30, unit: '/min', limit: 40 }], frames: Array.from({ length: 50 }, (_, i) => i) };
    const { state } = play([[0, raised()], [5, raised({ message: 'Pulse is very slow', evidence })], [6, raised({ message: 'Pulse is very slow', evidence })]]);
    expect(alarmOf(state)).toMatchObject({ count: 3, message: 'Pulse is very slow', revision: 1, raisedAt: 0, evidence: { values: [{ value: 30 }], frames: evidence.frames.slice(-MOST_FRAMES) } });
  });

  it('says in its step what it is about', () => {
    const [first] = play([[0, raised()]]).steps;
    const { subject, rule, kind, priority, message, evidence } = condition();
    expect(first).toEqual({
      number: 1, at: 0, alarm: 1, about: { subject, rule, kind, priority, message, evidence, count: 1, raisedAt: 0 }, from: 'none', to: 'active', why: 'raised',
      revision: 1, next: 60_000, told: { level: 1, levels: 2, to: ['ann', 'ben'] },
    });
  });
});

describe('a priority', () => {
  it.each<Example>([
    ['may rise while the alarm lives, which is told at once from the first level on', [[0, raised()], [30, raised({ priority: 'high' })], [50, timer]], [
      RAISED, '30 #1 active>active priority_raised → 1/2 ann+ben', '50 #1 active>active escalated → 2/2 cho',
    ]],
    ['that rises ends what was acknowledged or paused at the lower one', [[0, raised()], [5, ack()], [6, raised({ priority: 'high' })]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '6 #1 acknowledged>active priority_raised → 1/2 ann+ben',
    ]],
    ['that rises ends its own pause', [[0, raised()], [5, pause(90)], [6, raised({ priority: 'high' })], [26, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '6 #1 active>active priority_raised → 1/2 ann+ben', '26 #1 active>active escalated → 2/2 cho',
    ]],
    ['that rises to one without delay ends the delay', [[0, raised(LOW)], [4, raised({ ...LOW, priority: 'medium' })]], [
      '0 #1 none>pending raised (delay)', '4 #1 pending>pending priority_raised (delay)', '4 #1 pending>active delay_over → 1/2 ann+ben',
    ]],
    ['never falls', [[0, raised({ priority: 'high' })], [10, raised({ priority: 'low' })], [20, timer]], [
      RAISED, '10 #1 active>active repeated (already_told)', '20 #1 active>active escalated → 2/2 cho',
    ]],
    ['rises in a relapse, too', [[0, raised()], [5, cleared()], [6, raised({ priority: 'high' })]], [
      RAISED, '5 #1 active>cleared cleared', '6 #1 cleared>active priority_raised → 1/2 ann+ben',
    ]],
  ])('%s', expectSteps);

  it('rises in an alarm that is latched', () => {
    const medium = { ...POLICY.physiological.medium, latched: true };
    expect(lines([[0, raised()], [1, cleared()], [2, raised({ priority: 'high' })]], { ...POLICY, physiological: { ...POLICY.physiological, medium } })).toEqual([
      RAISED, '1 #1 active>latched cleared', '2 #1 latched>active priority_raised → 1/2 ann+ben',
    ]);
  });

  it('that was asked for and not given is stated', () => {
    const { state, steps } = play([[0, raised({ priority: 'high' })], [1, raised({ priority: 'low' })]]);
    expect(steps.map(({ about, asked }) => [about?.priority, asked])).toEqual([['high', undefined], ['high', 'low']]);
    expect(alarmOf(state).priority).toBe('high');
  });
});

describe('a condition that is over', () => {
  it.each<Example>([
    ['leaves the list by itself', [[0, raised()], [5, cleared()], [500, timer]], [RAISED, '5 #1 active>cleared cleared']],
    ['leaves the list when it was acknowledged', [[0, raised()], [5, ack()], [6, cleared()]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '6 #1 acknowledged>cleared cleared',
    ]],
    ['stays until somebody acknowledges it where alarms are latched, and goes on telling', [[0, raised(HIGH)], [5, cleared(HIGH)], [20, timer], [60, timer], [61, ack()]], [
      RAISED, '5 #1 active>latched cleared', '20 #1 latched>latched escalated → 2/2 cho', '60 #1 latched>latched told_again → 2/2 cho', '61 #1 latched>cleared acknowledged by ann',
    ]],
    ['is not latched when somebody acknowledged it before', [[0, raised(HIGH)], [5, ack()], [6, cleared(HIGH)]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '6 #1 acknowledged>cleared cleared',
    ]],
    ['is over once', [[0, raised()], [5, cleared()], [6, cleared()], [7, cleared({ rule: 'never raised' })]], [RAISED, '5 #1 active>cleared cleared']],
    ['is over once when it is latched', [[0, raised(HIGH)], [5, cleared(HIGH)], [6, cleared(HIGH)]], [RAISED, '5 #1 active>latched cleared']],
    ['says when nobody could judge it any more', [[0, raised()], [5, withdrawn()]], [RAISED, '5 #1 active>cleared withdrawn']],
  ])('%s', expectSteps);
});

describe('a condition that comes back', () => {
  it.each<Example>([
    ['in time is the same alarm, and goes on where it was', [[0, raised()], [50, cleared()], [55, raised()], [60, timer]], [
      RAISED, '50 #1 active>cleared cleared', '55 #1 cleared>active raised_again (same_episode)', '60 #1 active>active escalated → 2/2 cho',
    ]],
    ['after its next level was due tells it at once', [[0, raised()], [50, cleared()], [70, raised()]], [
      RAISED, '50 #1 active>cleared cleared', '70 #1 cleared>active raised_again (same_episode)', '70 #1 active>active escalated → 2/2 cho',
    ]],
    ['too late is another alarm', [[0, raised()], [50, cleared()], [80, raised()]], [
      RAISED, '50 #1 active>cleared cleared', '80 #2 none>active raised → 1/2 ann+ben',
    ]],
    ['after it was acknowledged is unanswered again, and told when an episode has passed since it last was', [
      [0, raised()], [5, ack()], [10, cleared()], [12, raised()], [29, timer], [30, timer],
    ], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '10 #1 acknowledged>cleared cleared', '12 #1 cleared>active raised_again (same_episode)',
      '30 #1 active>active episode_over → 1/2 ann+ben',
    ]],
    ['long after it was told is told at once', [[0, raised()], [5, ack()], [100, cleared()], [120, raised()]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '100 #1 acknowledged>cleared cleared', '120 #1 cleared>active raised_again (same_episode)',
      '120 #1 active>active episode_over → 1/2 ann+ben',
    ]],
    ['while it is latched is the same alarm', [[0, raised(HIGH)], [5, cleared(HIGH)], [15, raised(HIGH)], [20, timer]], [
      RAISED, '5 #1 active>latched cleared', '15 #1 latched>active raised_again (already_told)', '20 #1 active>active escalated → 2/2 cho',
    ]],
    ['in its delay does not begin the delay anew', [[0, raised(LOW)], [3, cleared(LOW)], [5, raised(LOW)], [7, cleared(LOW)], [9, raised(LOW)], [10, timer]], [
      '0 #1 none>pending raised (delay)', '3 #1 pending>cleared cleared', '5 #1 cleared>pending raised_again (same_episode)', '7 #1 pending>cleared cleared',
      '9 #1 cleared>pending raised_again (same_episode)', '10 #1 pending>active delay_over → 1/1 ann+ben',
    ]],
    ['does not end the pause a person gave it', [[0, raised()], [5, pause(60)], [6, cleared()], [8, raised()], [64, timer], [65, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '6 #1 active>cleared cleared', '8 #1 cleared>active raised_again (same_episode)',
      '65 #1 active>active told_again → 1/2 ann+ben',
    ]],
  ])('%s', expectSteps);

  it('is no storm, however often it flaps', () => {
    const flaps: Scene = Array.from({ length: 600 }, (_, second) => [second, second % 2 === 0 ? raised() : cleared()] as const);
    const told = play(flaps).steps.filter((each) => each.told !== undefined);
    expect(told.map(({ at }) => at / 1000)).toEqual([0, 60, 180, 300, 420, 540]);
  });

  it('is told at most once in an episode where each time somebody acknowledges', () => {
    const flaps: Scene = Array.from({ length: 200 }, (_, i) => [
      [3 * i, raised()], [3 * i + 1, ack(i + 1)], [3 * i + 2, cleared()],
    ] as const).flat();
    const { steps } = play(flaps);
    expect(steps.filter(({ why }) => why === 'acknowledged')).toHaveLength(200);
    const told = steps.filter((each) => each.told !== undefined).map(({ at }) => at / 1000);
    for (const [i, at] of told.entries()) if (i > 0) expect(at - (told[i - 1] ?? 0)).toBeGreaterThanOrEqual(30);
    expect(told.length).toBeGreaterThan(10);
  });
});

describe('an acknowledgement', () => {
  it.each<Example>([
    ['says who, and stops the telling', [[0, raised()], [5, ack(1, 1, BEN)], [599, timer]], [RAISED, '5 #1 active>acknowledged acknowledged by ben']],
    ['does not end the condition: it alarms once more', [[0, raised()], [5, ack()], [605, timer], [665, timer]], [
      RAISED, '5 #1 active>acknowledged acknowledged by ann', '605 #1 acknowledged>active realarm → 1/2 ann+ben', '665 #1 active>active escalated → 2/2 cho',
    ]],
    ['ends a pause', [[0, raised()], [5, pause(60)], [6, ack()], [65, timer]], [RAISED, '5 #1 active>active snoozed by ann', '6 #1 active>acknowledged acknowledged by ann']],
    ['is refused for an alarm that is not there', [[0, ack()]], ['0 #1 none>none refused by ann unknown_alarm']],
    ['is refused for an alarm that is not active yet', [[0, raised(LOW)], [1, ack()]], ['0 #1 none>pending raised (delay)', '1 #1 pending>pending refused by ann not_active']],
    ['is refused the second time', [[0, raised()], [1, ack()], [2, ack(1, 1, BEN)]], [
      RAISED, '1 #1 active>acknowledged acknowledged by ann', '2 #1 acknowledged>acknowledged refused by ben already_acknowledged',
    ]],
    ['is refused when it is over', [[0, raised()], [1, cleared()], [2, ack()]], [RAISED, '1 #1 active>cleared cleared', '2 #1 cleared>cleared refused by ann already_cleared']],
    ['is refused for a lower priority', [[0, raised()], [1, raised({ priority: 'high' })], [2, ack(1)], [3, ack(2)]], [
      RAISED, '1 #1 active>active priority_raised → 1/2 ann+ben', '2 #1 active>active refused by ann priority_raised', '3 #1 active>acknowledged acknowledged by ann',
    ]],
    ['is refused for what was there before a relapse', [[0, raised()], [1, cleared()], [2, raised()], [3, ack(1)], [4, ack(2)]], [
      RAISED, '1 #1 active>cleared cleared', '2 #1 cleared>active raised_again (same_episode)', '3 #1 active>active refused by ann outdated', '4 #1 active>acknowledged acknowledged by ann',
    ]],
    ['is refused for what was there before it alarmed again', [[0, raised()], [1, ack()], [601, timer], [602, ack()]], [
      RAISED, '1 #1 active>acknowledged acknowledged by ann', '601 #1 acknowledged>active realarm → 1/2 ann+ben', '602 #1 active>active refused by ann outdated',
    ]],
    ['is refused for a revision that is not there yet', [[0, raised()], [1, ack(2)]], [RAISED, '1 #1 active>active refused by ann unknown_revision']],
    ['of one alarm leaves others as they are', [[0, raised()], [0, raised({ rule: 'fever' })], [1, ack(1, 2)], [60, timer]], [
      RAISED, '0 #2 none>active raised → 1/2 ann+ben', '1 #2 active>acknowledged acknowledged by ann', '60 #1 active>active escalated → 2/2 cho',
    ]],
    ['of what escalated meanwhile is taken: it is the same condition', [[0, raised()], [60, timer], [61, ack(1)]], [
      RAISED, '60 #1 active>active escalated → 2/2 cho', '61 #1 active>acknowledged acknowledged by ann',
    ]],
  ])('%s', expectSteps);
});

describe('a pause', () => {
  it.each<Example>([
    ['ends, and the level has its time again', [[0, raised()], [5, pause(60)], [65, timer], [125, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '65 #1 active>active snooze_ended → 1/2 ann+ben', '125 #1 active>active escalated → 2/2 cho',
    ]],
    ['is not longer than its priority allows', [[0, raised()], [5, pause(100_000)], [94, timer], [95, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '95 #1 active>active snooze_ended → 1/2 ann+ben',
    ]],
    ['is not longer for being asked for again', [[0, raised()], [5, pause(60)], [60, pause(60, 1, 1, BEN)], [95, pause(60)]], [
      RAISED, '5 #1 active>active snoozed by ann', '60 #1 active>active snoozed by ben', '95 #1 active>active snooze_ended → 1/2 ann+ben', '95 #1 active>active snoozed by ann',
    ]],
    ['can be made shorter', [[0, raised()], [5, pause(60)], [6, pause(10)], [16, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '6 #1 active>active snoozed by ann', '16 #1 active>active snooze_ended → 1/2 ann+ben',
    ]],
    ['is broken by a higher priority of the same subject', [[0, raised()], [5, pause(90)], [10, raised(HIGH)], [60, timer]], [
      RAISED, '5 #1 active>active snoozed by ann', '10 #2 none>active raised → 1/2 ann+ben', '10 #1 active>active snooze_broken (already_told)',
      '60 #2 active>active escalated → 2/2 cho', '60 #1 active>active escalated → 2/2 cho',
    ]],
    ['that is broken late tells at once what it kept back', [[0, raised()], [5, pause(90)], [70, raised(HIGH)]], [
      RAISED, '5 #1 active>active snoozed by ann', '70 #2 none>active raised → 1/2 ann+ben', '70 #1 active>active snooze_broken (already_told)', '70 #1 active>active escalated → 2/2 cho',
    ]],
    ['is not broken by the same priority, nor by somebody else', [[0, raised()], [5, pause(90)], [10, raised({ rule: 'fever' })], [10, raised({ ...HIGH, subject: { kind: 'patient', id: 'ben' } })]], [
      RAISED, '5 #1 active>active snoozed by ann', '10 #2 none>active raised → 1/2 ann+ben', '10 #3 none>active raised → 1/2 ann+ben',
    ]],
    ['is refused for an acknowledged alarm', [[0, raised()], [1, ack()], [2, pause(60)]], [
      RAISED, '1 #1 active>acknowledged acknowledged by ann', '2 #1 acknowledged>acknowledged refused by ann already_acknowledged',
    ]],
    ['of no time is refused', [[0, raised()], [2, pause(0)], [3, pause(-5)], [4, pause(Number.NaN)]], [
      RAISED, '2 #1 active>active refused by ann no_time_left', '3 #1 active>active refused by ann no_time_left', '4 #1 active>active refused by ann no_time_left',
    ]],
    ['of an older revision is refused', [[0, raised()], [1, raised({ priority: 'high' })], [2, pause(60, 1)]], [
      RAISED, '1 #1 active>active priority_raised → 1/2 ann+ben', '2 #1 active>active refused by ann priority_raised',
    ]],
  ])('%s', expectSteps);

  it('is refused where the policy has none', () => {
    const policy: AlarmPolicy = { ...POLICY, physiological: { ...POLICY.physiological, medium: { ...POLICY.physiological.medium, snooze: Seconds(0) } } };
    expect(lines([[0, raised()], [1, pause(60)]], policy).at(-1)).toBe('1 #1 active>active refused by ann no_time_left');
  });
});

describe('an alarm that nobody acknowledges', () => {
  it.each<Example>([
    ['is told to one level after the other, and to the last again and again', [[0, raised()], [60, timer], [180, timer], [300, timer]], [
      RAISED, '60 #1 active>active escalated → 2/2 cho', '180 #1 active>active told_again → 2/2 cho', '300 #1 active>active told_again → 2/2 cho',
    ]],
    ['escalates faster at high priority', [[0, raised(HIGH)], [20, timer], [60, timer]], [
      RAISED, '20 #1 active>active escalated → 2/2 cho', '60 #1 active>active told_again → 2/2 cho',
    ]],
    ['is not told before its time', [[0, raised()], [59.999, timer]], [RAISED]],
  ])('%s', expectSteps);

  it('is told to the last level where a new policy has fewer', () => {
    const { state } = play([[0, raised()], [60, timer]]);
    const medium = { ...POLICY.physiological.medium, levels: [{ to: ['ben'], within: Seconds(60) }] };
    const { steps } = play([[180, timer]], { ...POLICY, physiological: { ...POLICY.physiological, medium } }, state);
    expect(steps.map(({ told }) => told)).toEqual([{ level: 1, levels: 1, to: ['ben'] }]);
  });
});

describe('quiet hours', () => {
  it.each<Example>([
    ['keep low priority back until they end', [[0, quiet(true)], [0, raised(LOW)], [10, timer], [5000, timer], [6000, quiet(false)]], [
      '0 #1 none>pending raised (delay)', '10 #1 pending>active delay_over (quiet)', '6000 #1 active>active hold_over → 1/1 ann+ben',
    ]],
    ['delay medium priority', [[0, quiet(true)], [0, raised()], [99, timer], [100, timer]], [
      '0 #1 none>active raised (quiet)', '100 #1 active>active hold_over → 1/2 ann+ben',
    ]],
    ['delay medium priority until they end at most', [[0, quiet(true)], [0, raised()], [50, quiet(false)], [100, timer]], [
      '0 #1 none>active raised (quiet)', '50 #1 active>active hold_over → 1/2 ann+ben',
    ]],
    ['delay the next level, too', [[0, raised()], [10, quiet(true)], [60, timer], [160, timer]], [
      RAISED, '60 #1 active>active escalated (quiet)', '160 #1 active>active hold_over → 2/2 cho',
    ]],
    ['never delay high priority', [[0, quiet(true)], [0, raised(HIGH)], [20, timer]], [RAISED, '20 #1 active>active escalated → 2/2 cho']],
    ['end for an alarm that becomes high', [[0, quiet(true)], [0, raised()], [5, raised({ priority: 'high' })]], [
      '0 #1 none>active raised (quiet)', '5 #1 active>active priority_raised → 1/2 ann+ben',
    ]],
    ['keep back for a short time only that a person under watch is not seen', [
      [0, quiet(true)], [0, raised({ kind: 'technical', priority: 'low', watched: true })], [50, timer], [350, timer], [400, timer],
    ], [
      '0 #1 none>active raised (quiet)', '50 #1 active>active hold_over → 1/1 ben', '350 #1 active>active told_again (quiet)', '400 #1 active>active hold_over → 1/1 ben',
    ]],
    ['keep back for a shorter time what turns out to concern a person under watch', [
      [0, quiet(true)], [0, raised({ kind: 'technical', priority: 'low' })], [100, raised({ kind: 'technical', priority: 'low', watched: true })], [150, timer],
    ], ['0 #1 none>active raised (quiet)', '100 #1 active>active repeated (quiet)', '150 #1 active>active hold_over → 1/1 ben']],
    ['do not begin their delay anew for what flaps', [[0, quiet(true)], [0, raised()], [80, cleared()], [90, raised()], [100, timer]], [
      '0 #1 none>active raised (quiet)', '80 #1 active>cleared cleared', '90 #1 cleared>active raised_again (same_episode)', '100 #1 active>active hold_over → 1/2 ann+ben',
    ]],
    ['that end while a condition is over let its relapse be told', [[0, quiet(true)], [0, raised()], [10, cleared()], [20, quiet(false)], [30, raised()]], [
      '0 #1 none>active raised (quiet)', '10 #1 active>cleared cleared', '30 #1 cleared>active raised_again (same_episode)', '30 #1 active>active hold_over → 1/2 ann+ben',
    ]],
    ['say nothing when nothing waits', [[0, raised()], [1, quiet(true)], [2, quiet(true)], [3, quiet(false)]], [RAISED]],
    ['do not keep back an answer', [[0, quiet(true)], [0, raised()], [5, ack()], [100, timer]], ['0 #1 none>active raised (quiet)', '5 #1 active>acknowledged acknowledged by ann']],
  ])('%s', expectSteps);
});

describe('a technical alarm', () => {
  const SENSOR = { kind: 'technical', rule: 'no-data spo2 wrist-7', message: 'no values come' } as const;

  it('is of medium priority at most, unless configured, and says what was asked for', () => {
    const { steps } = play([[0, raised({ ...SENSOR, priority: 'high' })]]);
    expect(steps.map(({ about, asked, told }) => [about?.priority, asked, told?.to])).toEqual([['medium', 'high', ['ben']]]);
    const configured = play([[0, raised({ ...SENSOR, priority: 'high' })]], { ...POLICY, technicalHighest: 'high' });
    expect(configured.steps.map(({ about, asked, told }) => [about?.priority, asked, told?.to])).toEqual([['high', undefined, ['ann', 'ben']]]);
  });

  it('stands in a list of its own, the most urgent first', () => {
    const { state } = play([
      [0, raised({ rule: 'a', priority: 'low' })], [1, raised({ ...SENSOR, rule: 'b', priority: 'low' })], [2, raised({ rule: 'c' })], [3, raised({ ...SENSOR, rule: 'd' })],
      [4, raised({ rule: 'e', priority: 'high' })], [5, raised({ rule: 'f' })], [6, ack(1, 3)], [7, raised({ rule: 'g' })], [8, cleared({ rule: 'g' })],
    ]);
    expect(liveAlarms(state, 'physiological').map(({ rule }) => rule)).toEqual(['e', 'f', 'c', 'a']);
    expect(liveAlarms(state, 'technical').map(({ rule }) => rule)).toEqual(['d', 'b']);
  });
});

describe('a gateway that was away', () => {
  it.each<Example>([
    ['tells each alarm once, in the order in which they were due, and for how long nobody watched', [
      [0, raised()], [0, raised({ rule: 'fever' })], [1, raised(HIGH)], [2, raised({ rule: 'b' })], [3, ack(1, 4)], [4, raised(LOW)], [7200, timer],
    ], [
      RAISED, '0 #2 none>active raised → 1/2 ann+ben', '1 #3 none>active raised → 1/2 ann+ben', '2 #4 none>active raised → 1/2 ann+ben', '3 #4 active>acknowledged acknowledged by ann',
      '4 #5 none>pending raised (delay)',
      '7200 #5 pending>active delay_over → 1/1 ann+ben unobserved 7186', '7200 #3 active>active escalated → 2/2 cho unobserved 7179',
      '7200 #1 active>active escalated → 2/2 cho unobserved 7140', '7200 #2 active>active escalated → 2/2 cho unobserved 7140',
      '7200 #4 acknowledged>active realarm → 1/2 ann+ben unobserved 6597',
    ]],
    ['does what was due before it does what came', [[0, raised()], [7200, cleared()]], [RAISED, '7200 #1 active>active escalated → 2/2 cho unobserved 7140', '7200 #1 active>cleared cleared']],
    ['gives those who are told their whole time', [[0, raised()], [7200, timer], [7319, timer], [7320, timer]], [
      RAISED, '7200 #1 active>active escalated → 2/2 cho unobserved 7140', '7320 #1 active>active told_again → 2/2 cho',
    ]],
    ['says nothing of the little that timers are always late', [[0, raised()], [90, timer]], [RAISED, '90 #1 active>active escalated → 2/2 cho']],
  ])('%s', expectSteps);
});

describe('the list', () => {
  const other = (i: number, priority: 'high' | 'medium' | 'low'): AlarmInput => raised({ rule: `rule-${i}`, priority });
  const full = (priority: 'high' | 'medium' | 'low', count = 16): Scene => Array.from({ length: count }, (_, i) => [0, other(i, priority)] as const);

  it('drops the oldest of the least urgent, and says so', () => {
    const { state, steps } = play([...full('medium', 14), [0, other(14, 'low')], [0, other(15, 'low')], [20, raised()]]);
    expect(steps.filter(({ why }) => why === 'dropped').map(({ alarm, from, to, about }) => [alarm, from, to, about?.rule])).toEqual([[15, 'active', 'none', 'rule-14']]);
    expect(state.alarms).toHaveLength(16);
  });

  it('drops what is only remembered first, then what is over', () => {
    const scene: Scene = [...full('high', 14), [0, other(14, 'medium')], [0, other(15, 'medium')], [1, cleared({ rule: 'rule-3' })], [2, cleared({ rule: 'rule-15' })]];
    const { steps } = play([...scene, [3, raised(HIGH)], [4, raised({ ...HIGH, rule: 'more' })], [5, raised({ ...HIGH, rule: 'yet more' })]]);
    expect(steps.filter(({ why }) => why === 'dropped').map(({ alarm, from }) => [alarm, from])).toEqual([[16, 'cleared'], [15, 'active'], [4, 'latched']]);
  });

  it('never drops what persists at high priority', () => {
    const { state, steps } = play([...full('high'), [1, raised()], [2, raised(HIGH)]]);
    expect(steps.slice(-2).map(({ why, from, to, told, untold }) => [why, from, to, told?.to, untold])).toEqual([
      ['no_room', 'none', 'none', undefined, 'no_room'],
      ['no_room', 'none', 'none', ['ann', 'ben', 'cho'], undefined],
    ]);
    expect(state.alarms.map(({ id }) => id)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  });

  it('does not drop a persisting alarm for one that is as urgent', () => {
    expect(lines([...full('low').map(([, input]) => [0, input] as const), [1, raised(LOW)]]).at(-1)).toBe('1 #17 none>none no_room (no_room)');
  });
});

describe('a step', () => {
  it('moves no clock back', () => {
    expect(lines([[100, raised()], [50, raised()], [50, ack()]])).toEqual([
      '100 #1 none>active raised → 1/2 ann+ben', '100 #1 active>active repeated (already_told)', '100 #1 active>acknowledged acknowledged by ann',
    ]);
  });

  it('counts whole milliseconds, as entries of the chain do', () => {
    const { state, steps } = play([[0.0007, raised()], [5.0009, pause(10.0005)], [15.0049, timer], [15.0051, timer]]);
    expect(steps.map(({ at, next }) => [at, next])).toEqual([[0, 60_000], [5000, 15_000], [15_004, 75_004]]);
    expect(alarmOf(state).toldAt).toBe(15_004);
  });

  it('gives the same state back when nothing changed', () => {
    const { state } = play([[0, raised()]]);
    for (const input of [timer, quiet(false), cleared({ rule: 'fever' })]) expect(step(state, input, Seconds(30), POLICY).state).toBe(state);
  });

  it('leaves the state it was given as it was', () => {
    const { state } = play([[0, raised()]]);
    const before = JSON.stringify(state);
    step(state, raised({ priority: 'high' }), Seconds(30), POLICY);
    expect(JSON.stringify(state)).toBe(before);
  });
});

describe('when a timer is due', () => {
  const dueAfter = (scene: Scene, now: number): Millis | undefined => dueIn(play(scene).state, Seconds(now));

  it('is when the first alarm has to be told again', () => {
    expect(dueIn(NO_ALARMS, Seconds(5))).toBeUndefined();
    expect(dueAfter([[0, raised()], [1, raised(HIGH)]], 1)).toBe(20_000);
    expect(dueAfter([[0, raised()], [0, pause(90)]], 30)).toBe(60_000);
    expect(dueAfter([[0, raised()], [0, ack()]], 30)).toBe(570_000);
  });

  it('is now when it has passed', () => {
    expect(dueAfter([[0, raised()]], 500)).toBe(0);
  });

  it('is never for what is over, or waits for the end of quiet hours', () => {
    expect(dueAfter([[0, raised()], [1, cleared()]], 1)).toBeUndefined();
    expect(dueAfter([[0, quiet(true)], [0, raised({ kind: 'technical', priority: 'low' })]], 1)).toBeUndefined();
  });

  it('is what a step says of its alarm', () => {
    const { steps } = play([[0, raised()], [1, ack()], [2, cleared()], [3, { ...ack(), alarm: AlarmId(9) } as AlarmInput]]);
    expect(steps.map(({ next }) => next)).toEqual([60_000, 601_000, null, null]);
    expect(steps.at(-1)).toMatchObject({ about: null, revision: 0, by: ANN });
  });
});
