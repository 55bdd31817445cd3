/**
 * What consent is given for. An item is a measurement of decode/measurements.ts or a kind of event; it belongs to one class. The names are in
 * signed bytes: one may be added, never renamed. A class has two items at least, so that naming an item is narrower than naming its class.
 */
export const DATA_CLASSES = {
  vital_signs: [
    'heart_rate', 'pulse_rate', 'rr_interval', 'spo2', 'respiratory_rate', 'body_temperature', 'skin_temperature', 'systolic_pressure', 'diastolic_pressure',
    'mean_pressure', 'oxygen_flow', 'consciousness', 'perfusion_index', 'body_weight', 'glucose', 'ppg',
  ],
  // Power and light tell who is at home and awake as well as a motion sensor does.
  activity_location: ['steps', 'usage', 'fall', 'motion', 'door', 'power', 'illuminance'],
  room_climate: ['room_temperature', 'humidity', 'air_pressure', 'co2', 'particulates_2_5', 'volatile_organic', 'water_leak', 'smoke'],
  device_state: ['battery', 'signal'],
  // Kinds of alarm conditions (IEC 60601-1-8), and what people did about them.
  alarms: ['physiological_alarm', 'technical_alarm', 'alarm_answer'],
  // What people wrote: about the patient, and why they did something.
  notes: ['note', 'reason'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type DataClass = keyof typeof DATA_CLASSES;

const CLASS_OF: ReadonlyMap<string, DataClass> = new Map(
  Object.entries(DATA_CLASSES).flatMap(([name, items]) => items.map((item): [string, DataClass] => [item, name as DataClass])),
);

const isClass = (word: string): word is DataClass => Object.hasOwn(DATA_CLASSES, word);
/** Undefined for what is no item. */
export const classOf = (item: string): DataClass | undefined => CLASS_OF.get(item);
export const isItemOrClass = (word: string): boolean => isClass(word) || CLASS_OF.has(word);

/** Every item there is, in the table's order. */
export const ITEMS: readonly string[] = [...CLASS_OF.keys()];
/** The items of a class, or the item itself. */
export const itemsOf = (word: string): readonly string[] => (isClass(word) ? DATA_CLASSES[word] : [word]);
