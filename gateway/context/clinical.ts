/**
 * What is followed of one patient or room beside the newest values (subject-state.ts), as far as the rules in force name it, and
 * the names of vocabulary.ts that are worked out from both.
 */

import { Minutes, type Millis } from '../quantity.ts';
import { asleepByClock, endNight, followLastNight, lastNight, NO_NIGHT, type LastNightState } from './last-night.ts';
import type { Facts } from './facts.ts';
import type { LocalHour } from './local-hour.ts';
import { locationAt, type Location } from './location.ts';
import { followMovement, minutesSinceFall, roomsTell, stillMinutes, type MovementState } from './movement.ts';
import type { News2 } from './news2.ts';
import { followMoves, nightMoves, nightMovesDeviation, NO_NIGHTS, type NightMovesState } from './night-moves.ts';
import { heatIndexOf, news2Of } from './observations.ts';
import { EMPTY_NIGHT_RATE, followNightRate, nightShift, type NightRateState } from './resting-night-rate.ts';
import { followStay, NO_STAYS, stayDeviation, usualStay, type StaysState } from './stays.ts';
import type { Derived, SubjectState, When } from './subject-state.ts';
import type { Part, RoomKind } from './vocabulary.ts';

/** What people said about a patient; of a room there is nothing to say. */
export type Person = Readonly<{
  kind: 'patient' | 'room';
  /** SpO2 scale of NEWS2. 2 only where a clinician decided so. */
  spo2Scale: 1 | 2;
  /** By room id: the rooms in which nobody else lives. */
  rooms: Readonly<Record<string, RoomKind>>;
}>;

/** Plain JSON, bounded. Parts that no rule needs are absent. */
export type ClinicalState = Readonly<{
  movement: MovementState;
  oxygen?: LastNightState;
  nightRate?: NightRateState;
  stays?: StaysState;
  moves?: NightMovesState;
}>;

export const NOTHING_FOLLOWED: ClinicalState = { movement: {} };

/** A value that became a fact. `changed`: its sensor said something else before. */
export type Followed = Readonly<{ measurement: string; value: number; changed: boolean; when: When }>;

/** With whom, and what is needed. `before` and `known`: without and with the value. */
export type Around = Readonly<{ parts: readonly Part[]; person: Person; before: SubjectState; known: SubjectState }>;

/** The state with one more value, which MUST bear no doubt. */
export function followFact(state: ClinicalState, fact: Followed, around: Around): ClinicalState {
  const { measurement, value, changed, when: { at } } = fact;
  switch (measurement) {
    case 'spo2': return followSaturation(state, fact, around, false);
    case 'heart_rate': case 'pulse_rate': return followRate(state, fact, around);
    case 'motion': case 'usage': case 'door': return followRooms({ ...state, movement: followMovement(state.movement, { at, measurement, value, changed }) }, fact, around);
    case 'steps': case 'fall': return { ...state, movement: followMovement(state.movement, { at, measurement, value, changed }) };
    default: return state;
  }
}

/** The state with a value of an oximeter, of which a night wants to know also when it is worth nothing. */
export function followSaturation(state: ClinicalState, { value, when: { at, local } }: Pick<Followed, 'value' | 'when'>, { parts, known }: Pick<Around, 'parts' | 'known'>, doubtful: boolean): ClinicalState {
  if (local === undefined || !parts.includes('oxygen')) return state;
  return { ...state, oxygen: followLastNight(state.oxygen ?? NO_NIGHT, { at, value, doubtful, asleep: isAsleep(known, at, local) }, local) };
}

/** A bed sensor that said nothing for so long tells no more who is in bed. */
const BED_TELLS_FOR = Minutes(24 * 60);

function isAsleep({ latest, activity }: SubjectState, at: Millis, local: LocalHour): boolean {
  const { usage } = latest;
  if (usage !== undefined && at - usage.at <= BED_TELLS_FOR) return usage.value > 0;
  return activity?.activity !== 'walk' && asleepByClock(local);
}

/** While the one is told, the pulse of the finger is not mixed in. */
const RATE_TELLS_FOR = Minutes(15);
const STILL_FOR = Minutes(1);

function followRate(state: ClinicalState, { measurement, value, when: { at, local } }: Followed, { parts, known: { latest, activity } }: Around): ClinicalState {
  if (local === undefined || !parts.includes('night_rate')) return state;
  const heart = latest['heart_rate'];
  if (measurement === 'pulse_rate' && heart !== undefined && at - heart.at <= RATE_TELLS_FOR) return state;
  const still = activity === undefined || (!activity.motion && at - activity.movedAt >= STILL_FOR);
  const before = state.nightRate ?? EMPTY_NIGHT_RATE;
  const after = followNightRate(before, local, value, still);
  return after === before ? state : { ...state, nightRate: after };
}

function followRooms(state: ClinicalState, { when: { at, local } }: Followed, { parts, person, before, known }: Around): ClinicalState {
  if (before.location === known.location) return state;
  const place = locationAt(known.location, at);
  const left = locationAt(before.location, at);
  const moved = place.kind === 'room' && left.kind === 'room' && place.room !== left.room;
  return withMoves(withStays(state, place, local, parts, person), at, local, parts, moved);
}

function withStays(state: ClinicalState, place: Location, local: LocalHour | undefined, parts: readonly Part[], { rooms }: Person): ClinicalState {
  if (!parts.includes('stays')) return state;
  const before = state.stays ?? NO_STAYS;
  const after = followStay(before, place, place.kind === 'room' ? rooms[place.room] : undefined, local);
  return after === before ? state : { ...state, stays: after };
}

function withMoves(state: ClinicalState, at: Millis, local: LocalHour | undefined, parts: readonly Part[], moved: boolean): ClinicalState {
  if (local === undefined || !parts.includes('moves')) return state;
  const before = state.moves ?? NO_NIGHTS;
  const after = followMoves(before, local, moved, roomsTell(state.movement, at));
  return after === before ? state : { ...state, moves: after };
}

/** The state as time goes on: nights end, and who left the home is away. The state itself when nothing changed. */
export function passTime(state: ClinicalState, { at, local }: When, { parts, person, known }: Omit<Around, 'before'>): ClinicalState {
  const here = known.location.stays.length === 0 ? state : withStays(state, locationAt(known.location, at), local, parts, person);
  if (local === undefined) return here;
  const { oxygen, nightRate } = here;
  const ended = oxygen === undefined ? undefined : endNight(oxygen, at, local, isAsleep(known, at, local));
  // Any rate of the day ends the night and counts for nothing more (resting-night-rate.ts).
  const rate = nightRate?.open !== undefined && local.hour >= 7 ? followNightRate(nightRate, local, 0, false) : nightRate;
  const same = ended === oxygen && rate === nightRate;
  const after = same ? here : { ...here, ...(ended === undefined ? {} : { oxygen: ended }), ...(rate === undefined ? {} : { nightRate: rate }) };
  return withMoves(after, at, local, parts, false);
}

type Value = number | boolean | string | undefined;

/** Works out names of vocabulary.ts, what several of them rest on only once. A class for the reason that facts are one (subject-state.ts). */
export class Deriving implements Derived {
  readonly state: ClinicalState;
  readonly known: SubjectState;
  readonly person: Person;
  readonly when: When;
  #score: News2 | undefined;
  #place: Location | undefined;

  constructor(state: ClinicalState, known: SubjectState, person: Person, when: When) {
    this.state = state;
    this.known = known;
    this.person = person;
    this.when = when;
  }

  get score(): News2 {
    return (this.#score ??= news2Of(this.known.latest, this.when.at, this.person.spo2Scale));
  }

  get place(): Location {
    return (this.#place ??= locationAt(this.known.location, this.when.at));
  }

  valueOf(name: string, facts: Facts): Value {
    return valueOf(name, this, facts);
  }
}

function valueOf(name: string, asking: Deriving, facts: Facts): Value {
  const { state: { oxygen, nightRate, moves, movement }, person, when: { at, local } } = asking;
  switch (name) {
    case 'pulse': return pulseOf(asking, facts);
    case 'news2': case 'news2_at_least': case 'news2_red': return scoreOf(name, asking);
    case 'spo2_scale': return person.kind === 'patient' ? person.spo2Scale : undefined;
    case 'heat_index': return heatIndexOf(facts.value('room_temperature'), facts.value('humidity'));
    case 't90': case 'odi3': case 'odi4': return oxygen && local && lastNight(oxygen, local)?.[name];
    case 'night_rate_raised': return levelOf(nightRate && local && nightShift(nightRate, local.day));
    case 'night_rate_excess': return nightRate && local && nightShift(nightRate, local.day)?.night.excess;
    case 'room_kind': case 'room_minutes': case 'usual_room_minutes': case 'room_minutes_deviation': return stayOf(name, asking);
    case 'night_moves': return moves && local && nightMoves(moves, local);
    case 'night_moves_deviation': return moves && local && nightMovesDeviation(moves, local);
    case 'minutes_since_fall': return minutesSinceFall(movement, at);
    // Nothing moves in a room for hours because nobody is in it.
    case 'still_minutes': return person.kind === 'room' || asking.place.kind === 'away' ? undefined : stillMinutes(movement, at);
    default: return undefined;
  }
}

function pulseOf({ known: { latest } }: Deriving, facts: Facts): number | undefined {
  const [heart, pulse] = [facts.value('heart_rate'), facts.value('pulse_rate')];
  const pulseIsNewer = (latest['pulse_rate']?.at ?? -Infinity) > (latest['heart_rate']?.at ?? -Infinity);
  return pulseIsNewer ? pulse ?? heart : heart ?? pulse;
}

const levelOf = (shift: ReturnType<typeof nightShift>): boolean | undefined => shift && shift.level === 'red';

function scoreOf(name: 'news2' | 'news2_at_least' | 'news2_red', asking: Deriving): Value {
  if (asking.person.kind !== 'patient') return undefined;
  const scored = asking.score;
  const anything = scored.complete || Object.keys(scored.scores).length > 0;
  if (name === 'news2_red') return scored.red.length > 0 ? true : scored.complete ? false : undefined;
  if (name === 'news2') return scored.complete ? scored.total : undefined;
  return anything ? (scored.complete ? scored.total : scored.atLeast) : undefined;
}

function stayOf(name: 'room_kind' | 'room_minutes' | 'usual_room_minutes' | 'room_minutes_deviation', { state: { stays }, person, when: { at }, place: here }: Deriving): Value {
  const kind = here.kind === 'room' ? person.rooms[here.room] : undefined;
  if (here.kind !== 'room' || kind === undefined) return undefined;
  const minutes = Math.max(0, at - here.since) / Minutes(1);
  if (name === 'room_kind') return kind;
  if (name === 'room_minutes') return minutes;
  const usual = stays?.current?.room === here.room ? usualStay(stays) : undefined;
  if (name === 'usual_room_minutes') return usual?.minutes;
  return usual && stayDeviation(minutes, usual);
}
