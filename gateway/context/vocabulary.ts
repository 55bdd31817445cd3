/**
 * The names that are not measured but worked out: what conditions and messages of rule packs may say besides the measurements
 * of decode/measurements.ts. `vocabulary.md` is this table for people.
 */

/** What rooms are there for. Words of rule packs: one may be added, never renamed. */
export const ROOM_KINDS = ['bedroom', 'bathroom', 'kitchen', 'living_room', 'hall', 'other'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

/** What has to be followed over time for a name; names without one are worked out from the newest values. */
export type Part = 'oxygen' | 'night_rate' | 'stays' | 'moves';

export type DerivedName = Readonly<{
  type: 'number' | 'bool' | 'text';
  /** UCUM; `1` for scores, words and what is true or false. */
  unit: string;
  /** What it can be: a condition with a limit outside is a mistake. */
  range?: readonly [lowest: number, highest: number];
  /** All that a text can be. */
  words?: readonly string[];
  /** Values of these measurements change it at once; all else is noticed once a minute. */
  changesWith: readonly string[];
  /** These values stand beside it as evidence. */
  shows: readonly string[];
  part?: Part;
  meaning: string;
  /** When it is known, in words. */
  known: string;
}>;

const SCORED = ['respiratory_rate', 'spo2', 'oxygen_flow', 'systolic_pressure', 'heart_rate', 'pulse_rate', 'consciousness', 'body_temperature'];
const TELL_ROOM = ['motion', 'usage', 'door'];
const TELL_MOVEMENT = [...TELL_ROOM, 'steps'];
const LONGEST = 1_000_000;

const night = (unit: string, highest: number, meaning: string): DerivedName => ({
  type: 'number', unit, range: [0, highest], changesWith: [], shows: [], part: 'oxygen', meaning,
  known: 'from the end of a night with at least 4 h of valid oximetry until the local midnight after it',
});

/** Every name, in the order in which people should read of them. */
export const DERIVED: ReadonlyMap<string, DerivedName> = new Map<string, DerivedName>([
  ['pulse', {
    type: 'number', unit: '/min', range: [10, 350], changesWith: ['heart_rate', 'pulse_rate'], shows: ['heart_rate', 'pulse_rate'],
    meaning: 'the newer of heart_rate and pulse_rate', known: 'while one of them is fresh',
  }],
  ['news2', {
    type: 'number', unit: '1', range: [0, 20], changesWith: SCORED, shows: SCORED,
    meaning: 'NEWS2 aggregate (RCP 2017), on the person\'s SpO2 scale', known: 'while all seven parameters are fresh enough',
  }],
  ['news2_at_least', {
    type: 'number', unit: '1', range: [0, 20], changesWith: SCORED, shows: SCORED,
    meaning: 'what the parameters that are known score together: the aggregate is no less', known: 'while at least one parameter is known',
  }],
  ['news2_red', {
    type: 'bool', unit: '1', changesWith: SCORED, shows: SCORED,
    meaning: 'one parameter scores 3 by itself', known: 'true as soon as one does; false only when all seven are known',
  }],
  ['spo2_scale', {
    type: 'number', unit: '1', range: [1, 2], changesWith: [], shows: [],
    meaning: 'SpO2 scale of NEWS2: 2 only where a clinician prescribed it', known: 'always of a person, never of a room',
  }],
  ['heat_index', {
    type: 'number', unit: 'Cel', range: [-60, 150], changesWith: ['room_temperature', 'humidity'], shows: ['room_temperature', 'humidity'],
    meaning: 'heat index of the room (NWS, with both adjustments)', known: 'while room_temperature and humidity are fresh',
  }],
  ['t90', night('%', 100, 'share of last night\'s sleep with SpO2 below 90 %')],
  ['odi3', night('/h', 360, 'desaturations of 3 points or more per hour of last night')],
  ['odi4', night('/h', 360, 'desaturations of 4 points or more per hour of last night')],
  ['night_rate_raised', {
    type: 'bool', unit: '1', changesWith: [], shows: [], part: 'night_rate',
    meaning: 'the resting heart rate of the last two nights was at least 4 /min above the median of nights (NightSignal, red)',
    known: 'after seven nights, and while the last one is of today or yesterday',
  }],
  ['night_rate_excess', {
    type: 'number', unit: '/min', range: [-200, 200], changesWith: [], shows: [], part: 'night_rate',
    meaning: 'resting heart rate of the last night less the median of nights', known: 'as night_rate_raised',
  }],
  ['room_kind', {
    type: 'text', unit: '1', words: ROOM_KINDS, changesWith: TELL_ROOM, shows: [],
    meaning: 'what the room the person is in is there for', known: 'while they were last seen in one of their own rooms',
  }],
  ['room_minutes', {
    type: 'number', unit: 'min', range: [0, LONGEST], changesWith: TELL_ROOM, shows: [],
    meaning: 'how long they have been in that room', known: 'as room_kind',
  }],
  ['usual_room_minutes', {
    type: 'number', unit: 'min', range: [0, LONGEST], changesWith: TELL_ROOM, shows: [], part: 'stays',
    meaning: 'median of their last 20 stays in rooms of that kind that began at this time (local 23:00 to 06:00, or the day)', known: 'after ten such stays',
  }],
  ['room_minutes_deviation', {
    type: 'number', unit: '1', range: [-1000, 1000], changesWith: TELL_ROOM, shows: [], part: 'stays',
    meaning: 'how far room_minutes is from usual, in robust standard deviations of the logarithm', known: 'as usual_room_minutes',
  }],
  ['night_moves', {
    type: 'number', unit: '1', range: [0, 10_000], changesWith: TELL_ROOM, shows: [], part: 'moves',
    meaning: 'changes of room since local 23:00; from 06:00 on those of the whole night', known: 'from local 23:00 to noon, while sensors tell',
  }],
  ['night_moves_deviation', {
    type: 'number', unit: '1', range: [-1000, 1000], changesWith: TELL_ROOM, shows: [], part: 'moves',
    meaning: 'how far night_moves is above usual whole nights, in robust standard deviations', known: 'as night_moves, after seven nights',
  }],
  ['minutes_since_fall', {
    type: 'number', unit: 'min', range: [0, LONGEST], changesWith: ['fall'], shows: ['fall'],
    meaning: 'how long ago a device said that somebody fell', known: 'once one did',
  }],
  ['still_minutes', {
    type: 'number', unit: 'min', range: [0, LONGEST], changesWith: TELL_MOVEMENT, shows: [],
    meaning: 'how long nothing has moved: no motion, no step, no door, no bed or chair left or taken',
    known: 'of a person, never of a room; while they are not away, and a sensor of the rooms spoke within 24 h or a step counter within 15 min',
  }],
]);
