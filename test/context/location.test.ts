import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_LOCATION, followLocation, locationAt, type Location, type LocationEvent, type LocationState } from '../../gateway/context/location.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

const follow = (events: readonly LocationEvent[]): LocationState => events.reduce(followLocation, EMPTY_LOCATION);
const motion = (second: number, room: string, on = true): LocationEvent => ({ kind: 'motion', at: Seconds(second), room, on });
const outerDoor = (second: number): LocationEvent => ({ kind: 'outer_door', at: Seconds(second) });
const inRoom = (room: string, since: number, age: number): Location => ({ kind: 'room', room, since: Seconds(since), age: Seconds(age) });

/** Two people, one in the kitchen and one in the bath. */
const TWO: readonly LocationEvent[] = [motion(0, 'kitchen'), motion(10, 'bath'), motion(20, 'kitchen'), motion(70, 'bath')];

describe('the location', () => {
  const table: readonly [name: string, events: readonly LocationEvent[], now: number, location: Location][] = [
    ['is unknown of nothing', [], 100, { kind: 'unknown' }],
    ['is the room of the last motion', [motion(0, 'kitchen'), motion(10, 'bath')], 15, inRoom('bath', 10, 5)],
    ['stays however long nothing moves', [motion(0, 'bath')], 7200, inRoom('bath', 0, 7200)],
    ['is since the first of a row of motions there', [motion(0, 'bath'), motion(60, 'bath')], 70, inRoom('bath', 0, 10)],
    ['is as old as the end of the motion', [motion(0, 'bath'), motion(60, 'bath', false)], 70, inRoom('bath', 0, 10)],
    ['does not go back with the end of a motion in the room before', [motion(0, 'hall'), motion(5, 'bath'), motion(60, 'hall', false)], 60,
      inRoom('bath', 5, 55)],
    ['is where the bed is', [motion(0, 'hall'), { kind: 'bed', at: Seconds(5), room: 'bedroom', occupied: true }], 6, inRoom('bedroom', 5, 1)],
    ['is there until the bed is left', [{ kind: 'bed', at: Seconds(0), room: 'bedroom', occupied: true },
      { kind: 'bed', at: Seconds(900), room: 'bedroom', occupied: false }], 901, inRoom('bedroom', 0, 1)],
    ['is where an inner door moves', [motion(0, 'hall'), { kind: 'inner_door', at: Seconds(5), room: 'bath' }], 6, inRoom('bath', 5, 1)],
    ['is not the one whose door closes behind them', [motion(0, 'bath'), motion(300, 'hall'), { kind: 'inner_door', at: Seconds(310), room: 'bath' }], 400, inRoom('hall', 300, 100)],
    ['is not that one though they went on', [motion(0, 'bath'), motion(300, 'hall'), motion(330, 'bedroom'), { kind: 'inner_door', at: Seconds(360), room: 'bath' }], 400, inRoom('bedroom', 330, 70)],
    ['is that one when it moves later', [motion(0, 'bath'), motion(300, 'hall'), { kind: 'inner_door', at: Seconds(361), room: 'bath' }], 400, inRoom('bath', 361, 39)],
    ['is no room of somebody who only walks through', [motion(0, 'bedroom'), motion(10, 'hall'), motion(20, 'kitchen')], 20, inRoom('kitchen', 20, 0)],
    ['is several rooms when they change three times in a minute', TWO, 70, { kind: 'several', rooms: ['bath', 'kitchen'], since: Seconds(70), age: Seconds(0) }],
    ['is one room when it takes longer', [...TWO.slice(0, 3), motion(71, 'bath')], 71, inRoom('bath', 71, 0)],
    ['is several for five minutes', TWO, 369, { kind: 'several', rooms: ['bath', 'kitchen'], since: Seconds(70), age: Seconds(299) }],
    ['is one room after that', TWO, 370, inRoom('bath', 70, 300)],
    ['is the last room for ten minutes after an outer door', [motion(0, 'hall'), outerDoor(5)], 604, inRoom('hall', 0, 604)],
    ['is away then', [motion(0, 'hall'), outerDoor(5), outerDoor(9)], 609, { kind: 'away', since: Seconds(9) }],
    ['is at home if anything moves after the door', [outerDoor(5), motion(6, 'hall')], 1000, inRoom('hall', 6, 994)],
    ['is not at home because a motion ends', [motion(0, 'hall'), outerDoor(5), motion(60, 'hall', false)], 700, { kind: 'away', since: Seconds(5) }],
    ['is a room again after coming home', [motion(0, 'hall'), outerDoor(5), outerDoor(5000), motion(5700, 'hall')], 5704, inRoom('hall', 5700, 4)],
    ['is away of somebody never seen', [outerDoor(0)], 600, { kind: 'away', since: Seconds(0) }],
  ];
  for (const [name, events, now, location] of table) {
    it(`${name}: ${location.kind}`, () => {
      expect(locationAt(follow(events), Seconds(now))).toEqual(location);
    });
  }
});

describe('any events', () => {
  const room = fc.constantFrom('bath', 'hall', 'kitchen');
  const some = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('motion' as const), room, on: fc.boolean() }) },
    fc.record({ kind: fc.constant('bed' as const), room, occupied: fc.boolean() }),
    fc.record({ kind: fc.constant('inner_door' as const), room }),
    fc.constant({ kind: 'outer_door' as const }),
  );
  const streams = fc.array(fc.tuple(some, fc.constantFrom(0, 5, 10, 30, 100, 300, 600)), { maxLength: 60 }).map((all) => {
    let second = 0;
    return all.map(([event, later]): LocationEvent => ({ ...event, at: Seconds(second += later) }));
  });

  /** What a twin says that looks at all events again: which kind of place, and which room. */
  function naive(events: readonly LocationEvent[], now: number): readonly [kind: string, room?: string] {
    const begins = new Set<LocationEvent>();
    let stays: { room: string; at: number }[] = [];
    let outer = Infinity;
    for (const event of events) {
      if (event.kind === 'outer_door') outer = event.at;
      else if (event.kind === 'inner_door' || (event.kind === 'motion' ? event.on : event.occupied)) {
        const left = stays.findLastIndex(({ room: each }) => each === event.room);
        const isBehind = event.kind === 'inner_door' && left >= 0 && left + 1 < stays.length && event.at - (stays[left + 1]?.at ?? 0) <= 60_000;
        if (isBehind) continue;
        begins.add(event);
        if (event.at - outer >= 600_000) stays = [];
        outer = Infinity;
        if (stays.at(-1)?.room !== event.room) stays = [...stays, event].slice(-4);
      }
    }
    const began = (event: LocationEvent): event is LocationEvent & { room: string } => begins.has(event);
    const onsets = events.filter(began);
    const left = events.findLastIndex(({ kind }) => kind === 'outer_door');
    const leftAt = events[left]?.at;
    if (leftAt !== undefined && !events.slice(left).some(began) && now - leftAt >= 600_000) return ['away'];
    /** Whether the one at `index` came home with it: the last word before was an outer door, ten minutes ago. */
    const cameHome = (index: number): boolean => {
      const onset = onsets[index];
      const between = events.slice(events.indexOf(onsets[index - 1] as LocationEvent) + 1, events.indexOf(onset as LocationEvent));
      const door = between.findLast(({ kind }) => kind === 'outer_door');
      return onset !== undefined && door !== undefined && onset.at - door.at >= 600_000;
    };
    const changes = onsets.flatMap(({ room: entered, at }, index) => {
      const first = index === 0 || cameHome(index);
      return first || entered !== onsets[index - 1]?.room ? [{ at, first }] : [];
    }).filter(({ first }) => !first).map(({ at }) => at);
    const often = changes.filter((at, index) => at - (changes[index - 2] ?? -Infinity) <= 60_000);
    if (often.some((at) => now - at < 300_000)) return ['several'];
    const last = onsets.at(-1);
    return last === undefined ? ['unknown'] : ['room', last.room];
  }

  it('are judged as a twin does that sees all of them', () => {
    const kinds = new Set<string>();
    fc.assert(fc.property(streams, fc.nat(700), (events, later) => {
      const now = Millis((events.at(-1)?.at ?? 0) + later * 1000);
      const location = locationAt(follow(events), now);
      expect(location.kind === 'room' ? [location.kind, location.room] : [location.kind]).toEqual(naive(events, now));
      kinds.add(location.kind);
    }), { numRuns: 4000 });
    expect([...kinds].toSorted()).toEqual(['away', 'room', 'several', 'unknown']);
  });

  it('go on after being written down at any point, in a state that does not grow', () => {
    fc.assert(fc.property(streams, (events) => {
      let restarted = EMPTY_LOCATION;
      for (const event of events) {
        restarted = followLocation(JSON.parse(JSON.stringify(restarted)) as LocationState, event);
        expect(restarted.stays.length).toBeLessThanOrEqual(4);
      }
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(events)));
    }), { numRuns: 100 });
  });
});
