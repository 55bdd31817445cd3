/** Who lives through the week: twenty people of different kinds, with their bodies, homes, habits and what they wear. */

import type { Random } from '../random.ts';

export type PersonKind = 'frail' | 'after_surgery' | 'copd' | 'heart_failure' | 'well';
export type RoomKind = 'bedroom' | 'bathroom' | 'kitchen' | 'living_room' | 'hall';

/**
 * `wrist`: pulse, steps, skin. `pedometer`: the same without the pulse, for whoever wears a patch. `patch`: electrocardiogram,
 * breaths and temperature at the chest. `ring`: oximeter worn day and night; `night_clip`: worn in bed, with a value every few
 * seconds. `cuff`: blood pressure now and then. `bed`: a mat that feels whether somebody lies on it.
 */
export type Worn = 'wrist' | 'pedometer' | 'patch' | 'ring' | 'night_clip' | 'cuff' | 'bed';

export type Person = Readonly<{
  id: string;
  kind: PersonKind;
  /** Years. */
  age: number;
  /** Nobody else lives there. */
  alone: boolean;
  /** Rooms with sensors, the bedroom first; none: nobody put any up. */
  rooms: readonly RoomKind[];
  worn: readonly Worn[];
  /** Awake at rest at midday, per minute. */
  restingHeartRate: number;
  /** Awake at rest, per minute. */
  respiratoryRate: number;
  /** Awake, with the oxygen they are given, percent. */
  saturation: number;
  /** Mean of the day, degrees Celsius. */
  coreTemperature: number;
  /** Millimetres of mercury. */
  systolic: number;
  /** Litres of oxygen a minute; 0: room air. */
  oxygen: number;
  /** Of NEWS2; 2 where a clinician prescribed 88 to 92 %. */
  spo2Scale: 1 | 2;
  /** Desaturations begun per hour of sleep in an ordinary night. */
  desaturationsPerHour: number;
  /** Hour of day, 0 to 24; bedtime may be past midnight as 24.5. */
  bedtime: number;
  wakeTime: number;
  /** Times up for the toilet in a night, on average. */
  nightToilet: number;
  /** Steps per minute on a walk. */
  cadence: number;
  /** Chance of going out on a day. */
  goesOut: number;
  /** Runs of about 40 minutes on so many days of ten. */
  runs: number;
  /** Chance of a nap after lunch. */
  naps: number;
  /** Evenings of ten with a bath of more than an hour. */
  longBaths: number;
  /** Visits of an hour or two on so many days of ten. */
  visits: number;
  /** Blood pressure measured so many times a day. */
  pressureChecks: number;
  /** A nurse looks in so many times a day and writes down what the devices do not see. */
  nurseRounds: number;
  /** Under the roof: the rooms follow the heat outside. */
  attic: boolean;
}>;

type Range = readonly [low: number, high: number];
type Kind = Readonly<{
  age: Range; restingHeartRate: Range; respiratoryRate: Range; saturation: Range; systolic: Range; cadence: Range;
  nightToilet: Range; goesOut: number; naps: number; visits: number;
}>;

/** Adults breathe 12 to 20 times a minute; people with COPD faster and with less oxygen, frail people get up at night and walk slowly. */
const KINDS: Readonly<Record<PersonKind, Kind>> = {
  frail: {
    age: [79, 92], restingHeartRate: [64, 76], respiratoryRate: [15, 17.5], saturation: [95.8, 97.4], systolic: [122, 146], cadence: [62, 80],
    nightToilet: [1.2, 2.4], goesOut: 0.35, naps: 0.7, visits: 4,
  },
  after_surgery: {
    age: [48, 76], restingHeartRate: [68, 80], respiratoryRate: [14, 17], saturation: [96, 97.8], systolic: [116, 136], cadence: [58, 78],
    nightToilet: [0.8, 1.4], goesOut: 0.2, naps: 0.8, visits: 5,
  },
  copd: {
    age: [62, 81], restingHeartRate: [74, 86], respiratoryRate: [17, 19.5], saturation: [93.8, 95], systolic: [120, 142], cadence: [60, 76],
    nightToilet: [0.8, 1.6], goesOut: 0.3, naps: 0.5, visits: 3,
  },
  heart_failure: {
    age: [66, 84], restingHeartRate: [64, 78], respiratoryRate: [15.5, 18], saturation: [95.2, 97], systolic: [112, 128], cadence: [66, 84],
    nightToilet: [1.5, 2.5], goesOut: 0.4, naps: 0.6, visits: 3,
  },
  well: {
    age: [38, 71], restingHeartRate: [54, 68], respiratoryRate: [13, 15.5], saturation: [96.8, 98.4], systolic: [114, 132], cadence: [98, 114],
    nightToilet: [0.2, 0.6], goesOut: 0.9, naps: 0.1, visits: 4,
  },
};

const HOME: readonly RoomKind[] = ['bedroom', 'bathroom', 'kitchen', 'living_room', 'hall'];

type Part = Partial<Person> & Pick<Person, 'id' | 'kind'>;

/** In this order: a run with fewer people has the first of them. */
const PARTS: readonly Part[] = [
  { id: 'edith', kind: 'frail', alone: true, rooms: HOME, worn: ['wrist'] },
  { id: 'farid', kind: 'after_surgery', worn: ['pedometer', 'patch', 'ring', 'cuff'], pressureChecks: 4, nurseRounds: 4 },
  { id: 'greta', kind: 'copd', worn: ['pedometer', 'patch', 'ring', 'cuff'], oxygen: 1.5, spo2Scale: 2, pressureChecks: 2, nurseRounds: 2 },
  { id: 'henrik', kind: 'heart_failure', worn: ['wrist', 'cuff'], pressureChecks: 2 },
  { id: 'ines', kind: 'well', worn: ['wrist', 'night_clip'], runs: 5, longBaths: 2 },
  { id: 'jakob', kind: 'frail', alone: true, rooms: HOME, worn: ['bed'] },
  { id: 'klara', kind: 'frail', alone: true, rooms: HOME, worn: ['wrist'], attic: true },
  { id: 'liam', kind: 'heart_failure', worn: ['wrist', 'cuff'], alone: true, rooms: ['bedroom', 'bathroom', 'living_room'], pressureChecks: 2 },
  { id: 'mina', kind: 'copd', worn: ['pedometer', 'patch', 'ring', 'cuff'], pressureChecks: 4, nurseRounds: 4 },
  { id: 'nils', kind: 'frail', alone: true, rooms: HOME, worn: ['wrist', 'bed'] },
  { id: 'olga', kind: 'after_surgery', worn: ['pedometer', 'patch', 'ring', 'cuff'], pressureChecks: 3, nurseRounds: 3 },
  { id: 'pablo', kind: 'frail', alone: true, rooms: HOME, worn: ['wrist', 'bed'] },
  { id: 'quinn', kind: 'copd', worn: ['wrist', 'ring', 'cuff'], oxygen: 2, spo2Scale: 2, pressureChecks: 1, nurseRounds: 1 },
  { id: 'ruth', kind: 'frail', alone: true, rooms: HOME, worn: ['pedometer', 'patch'], longBaths: 7 },
  { id: 'samir', kind: 'heart_failure', worn: ['wrist', 'night_clip', 'cuff'], desaturationsPerHour: 2.5, pressureChecks: 2 },
  { id: 'tove', kind: 'after_surgery', worn: ['pedometer', 'patch', 'ring', 'cuff'], pressureChecks: 3, nurseRounds: 3 },
  { id: 'udo', kind: 'well', alone: true, rooms: HOME, worn: ['wrist'], longBaths: 3 },
  { id: 'vera', kind: 'well', worn: ['wrist', 'night_clip'], desaturationsPerHour: 3, runs: 2 },
  { id: 'wim', kind: 'well', worn: ['wrist'], runs: 3, visits: 6 },
  { id: 'xenia', kind: 'frail', alone: false, rooms: HOME, worn: ['wrist'], visits: 6 },
];

export const MOST_PEOPLE = PARTS.length;

/** The first `count` people; their constants are drawn within their kind. */
export function drawCast(count: number, random: Random): readonly Person[] {
  return PARTS.slice(0, count).map((part) => drawPerson(part, random.split(part.id)));
}

function drawPerson(part: Part, random: Random): Person {
  const kind = KINDS[part.kind];
  const draw = ([low, high]: Range): number => random.between(low, high);
  return {
    age: Math.round(draw(kind.age)),
    alone: false,
    rooms: [],
    worn: [],
    restingHeartRate: draw(kind.restingHeartRate),
    respiratoryRate: draw(kind.respiratoryRate),
    // Oxygen at home is set so that it stays between 88 and 92 %.
    saturation: part.spo2Scale === 2 ? random.between(89.6, 90.8) : draw(kind.saturation),
    coreTemperature: random.between(36.55, 36.95),
    systolic: draw(kind.systolic),
    oxygen: 0,
    spo2Scale: 1,
    desaturationsPerHour: random.between(0.2, 1.2),
    bedtime: random.between(21.6, 23.4),
    wakeTime: random.between(6.2, 7.6),
    nightToilet: draw(kind.nightToilet),
    cadence: draw(kind.cadence),
    goesOut: kind.goesOut,
    runs: 0,
    naps: kind.naps,
    longBaths: 0,
    visits: kind.visits,
    pressureChecks: 0,
    nurseRounds: 0,
    attic: false,
    ...part,
  };
}
