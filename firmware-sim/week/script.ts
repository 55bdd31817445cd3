/** What happens in the week that somebody should hear of: the truth that alarms are held against. It knows no rule of the gateway. */

import { DAY, HOUR } from '../activity.ts';
import type { Random } from '../random.ts';
import type { Person, RoomKind } from './cast.ts';

export const EVENT_KINDS = [
  'fall_long_lie', 'fall_up_again', 'bathroom_collapse', 'fever', 'deterioration', 'copd_exacerbation', 'respiratory_depression',
  'tachycardia_at_rest', 'bradycardia', 'apnoea_night', 'heatwave', 'cold_home', 'stale_air', 'night_wandering',
  'drop_out', 'flat_line', 'contradiction', 'battery_low',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * `emergency`: a person comes to harm if nobody hears of it in time. `attention`: somebody has something to do. `none`: it
 * happened, and nobody needs to do anything.
 */
export type Need = 'emergency' | 'attention' | 'none';

/** Times are simulated seconds since the first local midnight. */
export type ScriptedEvent = Readonly<{
  kind: EventKind;
  need: Need;
  patient: string;
  /** What an alarm about it may be about: `patient/edith`, `room/edith-bathroom`. */
  subjects: readonly string[];
  /** The room it happens in, where it matters. */
  room?: RoomKind;
  from: number;
  until: number;
  /** Seconds from its beginning within which somebody has to be told. */
  seenWithin: number;
}>;

export const roomId = (patient: string, room: RoomKind): string => `${patient}-${room.replace('_', '-')}`;

type Plan = Readonly<{
  kind: EventKind;
  patient: string;
  /** Day of the scored week, from 0. */
  day: number;
  /** Hour of day; it begins up to `spread` hours later. */
  hour: number;
  spread?: number;
  room?: RoomKind;
}>;

/** How long it lasts and how soon somebody must know, in hours. A long lie begins at one hour on the floor (Fleming and Brayne, BMJ 2008). */
const NATURES: Readonly<Record<EventKind, Readonly<{ lasts: readonly [number, number]; within: number; need: Need }>>> = {
  fall_long_lie: { lasts: [3, 4], within: 1.5, need: 'emergency' },
  fall_up_again: { lasts: [0.02, 0.04], within: 1, need: 'none' },
  bathroom_collapse: { lasts: [2.5, 3.5], within: 1.25, need: 'emergency' },
  fever: { lasts: [26, 32], within: 12, need: 'emergency' },
  deterioration: { lasts: [36, 44], within: 26, need: 'emergency' },
  copd_exacerbation: { lasts: [18, 26], within: 8, need: 'emergency' },
  respiratory_depression: { lasts: [1.4, 1.8], within: 0.75, need: 'emergency' },
  tachycardia_at_rest: { lasts: [3, 4], within: 0.5, need: 'emergency' },
  bradycardia: { lasts: [3, 4], within: 0.5, need: 'emergency' },
  // Until some hours after getting up: a night is judged when it is over.
  apnoea_night: { lasts: [10, 10], within: 14, need: 'emergency' },
  heatwave: { lasts: [60, 60], within: 12, need: 'emergency' },
  cold_home: { lasts: [44, 46], within: 24, need: 'emergency' },
  stale_air: { lasts: [4, 4.5], within: 3, need: 'attention' },
  night_wandering: { lasts: [1, 1.3], within: 0.75, need: 'attention' },
  drop_out: { lasts: [5, 7], within: 1.5, need: 'attention' },
  flat_line: { lasts: [5, 6], within: 3, need: 'attention' },
  contradiction: { lasts: [2, 3], within: 0.75, need: 'attention' },
  battery_low: { lasts: [20, 24], within: 20, need: 'attention' },
};

const PLANS: readonly Plan[] = [
  { kind: 'fall_long_lie', patient: 'edith', day: 2, hour: 9.5, spread: 2, room: 'living_room' },
  { kind: 'drop_out', patient: 'edith', day: 5, hour: 12 },
  { kind: 'respiratory_depression', patient: 'farid', day: 1, hour: 2, spread: 1.5 },
  { kind: 'copd_exacerbation', patient: 'greta', day: 3, hour: 9, spread: 4 },
  { kind: 'tachycardia_at_rest', patient: 'henrik', day: 2, hour: 14.5, spread: 2 },
  { kind: 'apnoea_night', patient: 'ines', day: 4, hour: 21.5 },
  { kind: 'bathroom_collapse', patient: 'jakob', day: 4, hour: 2, spread: 1.5, room: 'bathroom' },
  { kind: 'battery_low', patient: 'jakob', day: 1, hour: 8 },
  { kind: 'heatwave', patient: 'klara', day: 1, hour: 10 },
  { kind: 'bradycardia', patient: 'liam', day: 4, hour: 15, spread: 2 },
  { kind: 'deterioration', patient: 'mina', day: 3, hour: 5, spread: 3 },
  { kind: 'cold_home', patient: 'nils', day: 2, hour: 13, spread: 2 },
  { kind: 'fever', patient: 'olga', day: 2, hour: 9, spread: 4 },
  { kind: 'night_wandering', patient: 'pablo', day: 2, hour: 1.5, spread: 1.5 },
  { kind: 'night_wandering', patient: 'pablo', day: 5, hour: 1.5, spread: 1.5 },
  { kind: 'battery_low', patient: 'quinn', day: 4, hour: 9, spread: 3 },
  { kind: 'fall_up_again', patient: 'ruth', day: 1, hour: 16, spread: 2, room: 'kitchen' },
  { kind: 'fever', patient: 'ruth', day: 4, hour: 8, spread: 3 },
  { kind: 'apnoea_night', patient: 'samir', day: 1, hour: 21.5 },
  { kind: 'apnoea_night', patient: 'samir', day: 4, hour: 21.5 },
  { kind: 'contradiction', patient: 'tove', day: 3, hour: 13, spread: 3 },
  { kind: 'fall_long_lie', patient: 'udo', day: 5, hour: 19, spread: 1, room: 'hall' },
  { kind: 'apnoea_night', patient: 'vera', day: 2, hour: 21.5 },
  { kind: 'drop_out', patient: 'wim', day: 3, hour: 10, spread: 4 },
  { kind: 'flat_line', patient: 'wim', day: 1, hour: 13, spread: 3 },
  { kind: 'stale_air', patient: 'xenia', day: 3, hour: 18.5, spread: 0.5, room: 'living_room' },
];

export type ScriptOptions = Readonly<{ people: readonly Person[]; /** Days before the scored ones. */ leadIn: number; /** Scored days. */ days: number; random: Random }>;

/** What happens to these people in these days, in order of beginning. With fewer than seven days things come earlier; what does not fit is left out. */
export function drawScript({ people, leadIn, days, random }: ScriptOptions): readonly ScriptedEvent[] {
  const known = new Map(people.map((person) => [person.id, person]));
  return PLANS.flatMap((plan, index) => {
    const person = known.get(plan.patient);
    return person === undefined ? [] : drawEvent(plan, person, leadIn, days, random.split(`${index} ${plan.kind}`));
  }).toSorted((a, b) => a.from - b.from);
}

function drawEvent({ kind, patient, day, hour, spread = 0, room }: Plan, person: Person, leadIn: number, days: number, random: Random): readonly ScriptedEvent[] {
  const { lasts, within, need } = NATURES[kind];
  const hours = random.between(...lasts);
  const begins = hour + random.between(0, spread);
  const lastDay = Math.floor(days - (begins + hours) / 24);
  if (lastDay < 0) return [];
  const from = Math.round((leadIn + Math.min(day, lastDay)) * DAY + begins * HOUR);
  const subjects = [`patient/${patient}`, ...person.rooms.map((each) => `room/${roomId(patient, each)}`)];
  return [{ kind, need, patient, subjects, from, until: Math.round(from + hours * HOUR), seenWithin: within * HOUR, ...(room === undefined ? {} : { room }) }];
}
