import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_ALARMS, dueIn, type Alarm, type AlarmState } from '../../gateway/alarm/alarm.ts';
import { step } from '../../gateway/alarm/alarms.ts';
import { sameKey, type AlarmInput } from '../../gateway/alarm/condition.ts';
import { courseOf, peopleOf, type AlarmPolicy } from '../../gateway/alarm/policy.ts';
import type { Step } from '../../gateway/alarm/step.ts';
import { Millis } from '../../gateway/quantity.ts';
import { fuzzRuns, fuzzTimeout } from '../fuzz-runs.ts';
import { story } from './histories.ts';
import { Twin, type Happening, type Mark } from './twin.ts';

const RUNS = fuzzRuns(500, 1 / 20);
const TIMEOUT = fuzzTimeout(RUNS);

/** What one input did. */
type Turn = Readonly<{ at: number; input: AlarmInput; before: AlarmState; after: AlarmState; steps: readonly Step[] }>;

function turnsOf(all: readonly Happening[], rules: AlarmPolicy): readonly Turn[] {
  let before = NO_ALARMS;
  return all.map(([at, input]) => {
    const { state: after, steps } = step(before, input, Millis(at), rules);
    const turn = { at, input, before, after, steps };
    before = after;
    return turn;
  });
}

type Told = Readonly<{ turns: readonly Turn[]; rules: AlarmPolicy; all: readonly Happening[] }>;

function assertAlways(holds: (told: Told) => void): void {
  fc.assert(fc.property(story, ({ all, rules }) => holds({ turns: turnsOf(all, rules), rules, all })), { numRuns: RUNS });
}

const stepsOf = (turns: readonly Turn[]): readonly Step[] => turns.flatMap(({ steps }) => steps);
const persists = ({ phase }: Alarm): boolean => phase === 'pending' || phase === 'active' || phase === 'acknowledged';

function asMark({ at, alarm, about, from, to, why, by, told, untold, refusal, revision, next }: Step): Partial<Mark> {
  return {
    at, id: alarm, from, to, why, revision, next: next ?? Infinity,
    ...(about === null ? {} : { priority: about.priority }),
    ...(by === undefined ? {} : { by: by.id }),
    ...(told === undefined || why === 'no_room' ? {} : { level: told.level }),
    ...(told?.unobserved === undefined ? {} : { unobserved: told.unobserved }),
    ...(untold === undefined ? {} : { untold }),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

function publicPart({ at, id, from, to, why, priority, by, level, unobserved, untold, refusal, revision, next }: Mark): Partial<Mark> {
  const part = { at, id, from, to, why, priority, by, level, unobserved, untold, refusal, revision, next };
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));
}

describe('whatever happens', () => {
  it('the steps are those of a twin that keeps nothing but the past', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules, all }) => {
    expect(stepsOf(turns).map(asMark)).toEqual(Twin.marks(all, rules).map(publicPart));
  }));

  it('one condition has one alarm at most, and there are no more than may be', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules }) => {
    for (const { after: { alarms } } of turns) {
      expect(alarms.length).toBeLessThanOrEqual(rules.most);
      for (const [i, alarm] of alarms.entries()) expect(alarms.slice(i + 1).some((other) => sameKey(alarm, other))).toBe(false);
    }
  }));

  it('steps are numbered without gaps, no clock goes back, and each begins where the last of its alarm ended', { timeout: TIMEOUT }, () => assertAlways(({ turns }) => {
    const phases = new Map<number, string>();
    let at = 0;
    for (const [i, each] of stepsOf(turns).entries()) {
      expect(each.number).toBe(i + 1);
      expect(each.at).toBeGreaterThanOrEqual(at);
      at = each.at;
      if (each.about !== null) expect(each.from).toBe(phases.get(each.alarm) ?? 'none');
      if (each.about !== null) phases.set(each.alarm, each.to);
    }
  }));

  it('everything that is raised tells somebody, or says why not', { timeout: TIMEOUT }, () => assertAlways(({ turns }) => {
    for (const { input, steps } of turns) {
      if (input.type !== 'raised') continue;
      const { subject, rule } = input.condition;
      const own = steps.filter(({ about }) => about !== null && sameKey(about, { subject, rule }));
      expect(own.some(({ why, told, untold }) => ['raised', 'repeated', 'raised_again', 'priority_raised', 'no_room'].includes(why) && (told === undefined) !== (untold === undefined))).toBe(true);
    }
  }));

  it('what persists at high priority is silent for no longer than its re-alarm time', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules }) => {
    // When a person or a notification last spoke of it, or it began to persist or to be high.
    const heard = new Map<number, number>();
    for (const { at, steps, after, before } of turns) {
      for (const { alarm, from, told, why, at: when } of steps) {
        const began = ['none', 'cleared', 'latched'].includes(from) || why === 'priority_raised';
        if (told !== undefined || why === 'acknowledged' || began) heard.set(alarm, when);
      }
      for (const alarm of after.alarms) {
        if (alarm.priority !== 'high' || !persists(alarm)) continue;
        expect(at - (heard.get(alarm.id) ?? Infinity)).toBeLessThanOrEqual(courseOf(rules, alarm).realarm);
      }
      // Dropped it is not, either.
      for (const alarm of before.alarms) if (alarm.priority === 'high' && persists(alarm)) expect(steps.some(({ alarm: id, why }) => id === alarm.id && why === 'dropped')).toBe(false);
    }
  }));

  it('a pause says who, and ends in time', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules }) => {
    const began = new Map<number, number>();
    for (const { at, steps, after } of turns) {
      for (const { alarm, why, by, at: when } of steps) {
        if (why === 'snoozed') expect(by).toBeDefined();
        if (why === 'snoozed') began.set(alarm, began.get(alarm) ?? when);
        else if (why !== 'repeated' && why !== 'refused' && why !== 'cleared' && why !== 'withdrawn' && why !== 'raised_again') began.delete(alarm);
      }
      for (const alarm of after.alarms) {
        if (alarm.snooze === null) {
          began.delete(alarm.id);
          continue;
        }
        const longest = courseOf(rules, alarm).snooze;
        expect(at).toBeLessThan((began.get(alarm.id) ?? -Infinity) + longest);
        expect(alarm.dueAt).toBe(alarm.snooze.until);
      }
    }
  }));

  it('nobody is told while it is paused or acknowledged, and each alarm is told once at a time', { timeout: TIMEOUT }, () => assertAlways(({ turns }) => {
    for (const { steps, before, at } of turns) {
      for (const { alarm, why } of steps.filter((each) => each.told !== undefined)) {
        const was = before.alarms.find(({ id }) => id === alarm);
        const silent = was !== undefined && (was.phase === 'acknowledged' || was.snooze !== null) && (was.dueAt ?? Infinity) > at;
        // Unless its priority rose, or that of another condition of the subject did.
        if (silent) expect(why === 'priority_raised' || steps.some((each) => each.alarm === alarm && each.why === 'snooze_broken')).toBe(true);
      }
      const byTimer = steps.filter(({ why, told }) => told !== undefined && !['raised', 'priority_raised', 'no_room'].includes(why)).map(({ alarm }) => alarm);
      expect(new Set(byTimer).size).toBe(byTimer.length);
    }
  }));

  it('people are told level by level, and nobody who is not in the policy', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules }) => {
    for (const { about, told, why } of stepsOf(turns)) {
      if (about === null || told === undefined || why === 'no_room') continue;
      const { levels } = courseOf(rules, about);
      expect(told).toMatchObject({ levels: levels.length, to: peopleOf(rules, levels[told.level - 1]?.to ?? []) });
    }
  }));

  it('a state that was written down and read again at any point goes on the same', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules, all }) => {
    let state = NO_ALARMS;
    const steps = all.flatMap(([at, input]) => {
      const stepped = step(JSON.parse(JSON.stringify(state)) as AlarmState, input, Millis(at), rules);
      state = stepped.state;
      return stepped.steps;
    });
    expect(steps).toEqual(stepsOf(turns));
    expect(JSON.parse(JSON.stringify(state))).toEqual(turns.at(-1)?.after ?? NO_ALARMS);
  }));

  it('asking before a timer is due does nothing, and asking then does something', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules }) => {
    for (const { at, after } of turns) {
      const wait = dueIn(after, Millis(at));
      if (wait === undefined) {
        expect(step(after, { type: 'timer' }, Millis(at + 10 ** 9), rules).steps).toEqual([]);
        continue;
      }
      expect(wait).toBeGreaterThan(0);
      expect(step(after, { type: 'timer' }, Millis(at + wait - 1), rules).steps).toEqual([]);
      expect(step(after, { type: 'timer' }, Millis(at + wait), rules).steps.length).toBeGreaterThan(0);
    }
  }));

  it('timers that are asked for in vain change nothing', { timeout: TIMEOUT }, () => assertAlways(({ turns, rules, all }) => {
    const more = all.flatMap(([at, input], i): Happening[] => {
      const wait = dueIn(turns[i]?.after ?? NO_ALARMS, Millis(at)) ?? 5000;
      return [[at, input], [Math.min(at + wait - 1, all[i + 1]?.[0] ?? Infinity), { type: 'timer' }]];
    });
    expect(stepsOf(turnsOf(more, rules))).toEqual(stepsOf(turns));
  }));
});
