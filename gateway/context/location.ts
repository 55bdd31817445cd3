/**
 * Which room a person was last seen in, by motion and bed sensors; doors between rooms count for the room they are bound
 * to. Sensors see somebody, not whom: where more than one is at home, this says so instead of guessing.
 *
 * - The person is in the room of the last **onset**: motion that begins, a bed that becomes occupied, an inner door that
 *   moves. They stay there however long nothing moves; `age` says how long that is. The door of a room that they left within
 *   the last 60 s is no onset: it closes behind them.
 * - **several** rooms: the onsets changed room three times within 60 s, as one person's steps hardly do and those of two
 *   people do all the time. It holds until that has not happened for 5 min.
 * - **away**: an outer door moved and for 10 min no room had an onset. Until then the last room stands.
 *
 * These numbers are choices of this project.
 */

import { Minutes, Seconds, type Millis } from '../quantity.ts';

const CHANGES = 3;
const CHANGES_WITHIN = Seconds(60);
const SEVERAL_FOR = Minutes(5);
const AWAY_AFTER = Minutes(10);
const CLOSES_WITHIN = Seconds(60);

/** What a sensor told, at a steady instant. */
export type LocationEvent = Readonly<{ at: Millis }> & (
  | Readonly<{ kind: 'motion'; room: string; on: boolean }>
  | Readonly<{ kind: 'bed'; room: string; occupied: boolean }>
  | Readonly<{ kind: 'inner_door'; room: string }>
  | Readonly<{ kind: 'outer_door' }>
);

/** A stay in one room: its first onset and the last thing seen there. */
type Stay = Readonly<{ room: string; from: Millis; seenAt: Millis }>;

/** Plain JSON. */
export type LocationState = Readonly<{
  /** The last four stays, oldest first; no two neighbours are of one room. */
  stays: readonly Stay[];
  /** The last outer door, if no onset came after it. */
  leftAt?: Millis;
  /** When several rooms were last seen at once. */
  severalAt?: Millis;
}>;

export const EMPTY_LOCATION: LocationState = { stays: [] };

/** The state after one more event. Events are to come in order of steady time. */
export function followLocation(state: LocationState, event: LocationEvent): LocationState {
  switch (event.kind) {
    case 'motion': return event.on ? withOnset(state, event.room, event.at) : withLastSeen(state, event.room, event.at);
    case 'bed': return event.occupied ? withOnset(state, event.room, event.at) : withLastSeen(state, event.room, event.at);
    case 'inner_door': return closesBehind(state, event.room, event.at) ? state : withOnset(state, event.room, event.at);
    case 'outer_door': return { ...state, leftAt: event.at };
    default: return event satisfies never;
  }
}

function withOnset({ stays: before, leftAt, severalAt }: LocationState, room: string, at: Millis): LocationState {
  // Who comes home begins a new stay, be it in the room they left from.
  const stays = leftAt !== undefined && at - leftAt >= AWAY_AFTER ? [] : before;
  const last = stays.at(-1);
  const same = last?.room === room;
  const now: Stay = same ? { ...last, seenAt: at } : { room, from: at, seenAt: at };
  const next = [...(same ? stays.slice(0, -1) : stays), now].slice(-1 - CHANGES);
  const several = !same && changedOften(next) ? at : severalAt;
  return { stays: next, ...(several === undefined ? {} : { severalAt: several }) };
}

/** Whether they were in the room within the last minute, and are in another now. */
function closesBehind({ stays }: LocationState, room: string, at: Millis): boolean {
  const left = stays.findLastIndex((stay) => stay.room === room);
  const after = left < 0 ? undefined : stays[left + 1];
  return after !== undefined && at - after.from <= CLOSES_WITHIN;
}

/** Whether the last three changes of room, of which the newest is now, came within a minute. */
function changedOften(stays: readonly Stay[]): boolean {
  const [oldest, newest] = [stays.at(-CHANGES), stays.at(-1)];
  return stays.length > CHANGES && oldest !== undefined && newest !== undefined && newest.from - oldest.from <= CHANGES_WITHIN;
}

/** Motion that ended, or a bed that was left: somebody was there until now, if it is where they were. */
function withLastSeen(state: LocationState, room: string, at: Millis): LocationState {
  const last = state.stays.at(-1);
  if (last?.room !== room) return state;
  return { ...state, stays: [...state.stays.slice(0, -1), { ...last, seenAt: at }] };
}

export type Location =
  | Readonly<{ kind: 'unknown' }>
  /** `since` the first onset there, last seen `age` ago. */
  | Readonly<{ kind: 'room'; room: string; since: Millis; age: Millis }>
  /** In the order of their names. */
  | Readonly<{ kind: 'several'; rooms: readonly string[]; since: Millis; age: Millis }>
  | Readonly<{ kind: 'away'; since: Millis }>;

/** Where the person is `now`, as far as that can be said. `since` and `now` are steady instants, `age` is in ms. */
export function locationAt({ stays, leftAt, severalAt }: LocationState, now: Millis): Location {
  if (leftAt !== undefined && now - leftAt >= AWAY_AFTER) return { kind: 'away', since: leftAt };
  const last = stays.at(-1);
  if (last === undefined) return { kind: 'unknown' };
  const age = (now - last.seenAt) as Millis;
  if (severalAt === undefined || now - severalAt >= SEVERAL_FOR) return { kind: 'room', room: last.room, since: last.from, age };
  return { kind: 'several', rooms: [...new Set(stays.map(({ room }) => room))].sort(), since: severalAt, age };
}
