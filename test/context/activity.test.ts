import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followActivity, unknownActivity, type Activity, type ActivityEvent, type ActivityState } from '../../gateway/context/activity.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

const START = unknownActivity(Millis(0));
const follow = (events: readonly ActivityEvent[], from = START): ActivityState => events.reduce(followActivity, from);

/** Steps counted every 10 s from second `from` on, `each` steps apart. */
const walk = (from: number, seconds: number, each: number, first = 0): ActivityEvent[] =>
  Array.from({ length: seconds / 10 + 1 }, (_, index) => ({ kind: 'steps', at: Seconds(from + index * 10), count: first + index * each }));
const time = (second: number, hour?: number): ActivityEvent => ({ kind: 'time', at: Seconds(second), ...(hour === undefined ? {} : { hour }) });
/** In bed from second 0 on, and the bed sensor speaks every minute. */
const inBed = (seconds: number, hour?: number): ActivityEvent[] => Array.from({ length: seconds / 60 + 1 }, (_, minute) => (
  { kind: 'bed', at: Seconds(minute * 60), occupied: true, ...(hour === undefined ? {} : { hour }) }
));
const moves = (second: number, on = true): ActivityEvent => ({ kind: 'motion', at: Seconds(second), on });

describe('activity', () => {
  const table: readonly [name: string, events: readonly ActivityEvent[], activity: Activity][] = [
    ['is unknown of nothing', [], 'unknown'],
    ['is unknown without a step counter or a bed, however quiet the rooms', [moves(0), moves(10, false), time(3000)], 'unknown'],
    ['is walk at 40 steps a minute', walk(0, 60, 7), 'walk'],
    ['is no walk at 36', walk(0, 600, 6), 'unknown'],
    ['is no walk after a few steps', walk(0, 30, 20), 'unknown'],
    ['is walk once it has dwelt for 20 s', walk(0, 40, 20), 'walk'],
    ['is no walk any more when steps stop', [...walk(0, 120, 20), ...walk(130, 60, 0, 240)], 'unknown'],
    ['is no walk when the counter begins again', [...walk(0, 60, 0, 9000), ...walk(70, 10, 0, 5)], 'unknown'],
    ['is unknown before five minutes without steps', walk(0, 350, 0), 'unknown'],
    ['is rest after them and a minute of dwell', walk(0, 360, 0), 'rest'],
    ['is rest after a walk in time', [...walk(0, 120, 20), ...walk(130, 360, 0, 240)], 'rest'],
    ['is no rest once somebody moves', [...walk(0, 600, 0), moves(601)], 'unknown'],
    ['is no rest after a single step', [...walk(0, 600, 0), { kind: 'steps', at: Seconds(605), count: 1 }], 'unknown'],
    ['is no rest while a walk has not dwelt yet', [...walk(0, 600, 0), { kind: 'steps', at: Seconds(605), count: 20 }, { kind: 'steps', at: Seconds(635), count: 60 }], 'unknown'],
    ['is no rest while a motion goes on', [moves(0), ...walk(10, 1500, 0)], 'unknown'],
    ['is rest when its end was never told', [moves(0), ...walk(10, 1890, 0)], 'rest'],
    ['is rest five minutes after the motion ended', [moves(0), moves(300, false), ...walk(310, 360, 0)], 'rest'],
    ['is unknown after half an hour of silence', [...walk(0, 600, 0), time(600 + 1801)], 'unknown'],
    ['is sleep in bed at night', inBed(960, 23), 'sleep'],
    ['is sleep until ten', inBed(960, 9), 'sleep'],
    ['is rest in bed by day', inBed(960, 14), 'rest'],
    ['is rest in bed at ten', inBed(960, 10), 'rest'],
    ['is rest in bed at an hour nobody knows', inBed(960), 'rest'],
    ['is rest in bed before fifteen minutes', inBed(900, 23), 'rest'],
    ['is no sleep when the bed is left', [...inBed(1200, 2), { kind: 'bed', at: Seconds(1201), occupied: false, hour: 2 }], 'unknown'],
    ['is walk out of bed', [...inBed(1200, 2), ...walk(1200, 60, 20)], 'walk'],
  ];
  for (const [name, events, activity] of table) {
    it(`${name}: ${activity}`, () => {
      expect(follow(events).activity).toBe(activity);
    });
  }

  it('says since when', () => {
    expect(follow(walk(0, 60, 20))).toMatchObject({ activity: 'walk', since: Seconds(40) });
    expect(follow(walk(0, 600, 0))).toMatchObject({ activity: 'rest', since: Minutes(6) });
  });

  it('does not flap: what did not dwell never was', () => {
    const shuffles = Array.from({ length: 20 }, (_, index): ActivityEvent[] => [
      ...walk(index * 100, 10, 100, index * 100), { kind: 'steps', at: Seconds(index * 100 + 11), count: 0 },
    ]).flat();
    let state = START;
    for (const event of shuffles) {
      state = followActivity(state, event);
      expect(state.activity).toBe('unknown');
    }
  });
});

describe('any events', () => {
  /** A stretch of one behaviour: events some time apart, with so many steps each, in bed or not, with a motion now and then. */
  const stretch = fc.record({
    length: fc.integer({ min: 1, max: 30 }), apart: fc.constantFrom(500, 5000, 10_000, 60_000, 400_000), steps: fc.constantFrom(0, 0, 3, 10, 20),
    kinds: fc.array(fc.constantFrom('steps', 'steps', 'bed', 'time'), { minLength: 1, maxLength: 3 }),
    occupied: fc.boolean(), motion: fc.constantFrom(undefined, undefined, undefined, true, false),
  });
  const streams = fc.tuple(fc.array(stretch, { maxLength: 8 }), fc.option(fc.constantFrom(1, 14, 22), { nil: undefined })).map(([stretches, hour]) => {
    let [at, count] = [0, 0];
    return stretches.flatMap(({ length, apart, steps, kinds, occupied, motion }) => Array.from({ length }, (_, index): ActivityEvent => {
      const moment = { at: Millis(at += apart), ...(hour === undefined ? {} : { hour }) };
      if (index === 0 && motion !== undefined) return { kind: 'motion', on: motion, ...moment };
      const kind = kinds[index % kinds.length];
      if (kind === 'steps') return { kind, count: count += steps, ...moment };
      return kind === 'bed' ? { kind, occupied, ...moment } : { kind: 'time', ...moment };
    }));
  });

  it('never make somebody rest or sleep who moved within the time they must be still, nor walk without steps', () => {
    const seen = new Set<Activity>();
    fc.assert(fc.property(streams, (events) => {
      let state = START;
      events.forEach((event, index) => {
        state = followActivity(state, event);
        seen.add(state.activity);
        const past = events.slice(0, index + 1);
        const steps = past.filter((each) => each.kind === 'steps');
        const stepped = steps.findLast((each, place) => place > 0 && each.count !== steps[place - 1]?.count)?.at;
        const moved = past.findLast((each) => each.kind === 'motion' && each.on)?.at;
        const lastMove = Math.max(stepped ?? 0, moved ?? 0);
        const still = { walk: 0, unknown: 0, rest: 300_000, sleep: 900_000 }[state.activity];
        // The activity may be older than the event, but not older than the last move.
        expect(event.at - lastMove).toBeGreaterThanOrEqual(still);
        if (state.activity === 'walk') expect(stepped).toBeDefined();
      });
    }), { numRuns: 2000 });
    expect([...seen].toSorted()).toEqual(['rest', 'sleep', 'unknown', 'walk']);
  });

  it('go on after being written down at any point, in a state that does not grow', () => {
    fc.assert(fc.property(streams, (events) => {
      let restarted = START;
      for (const event of events) {
        restarted = followActivity(JSON.parse(JSON.stringify(restarted)) as ActivityState, event);
        expect(restarted.counts.length).toBeLessThanOrEqual(26);
      }
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(events)));
    }), { numRuns: 50 });
  });
});
