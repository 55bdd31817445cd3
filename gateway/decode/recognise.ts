import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import { FAMILIES } from './families.ts';
import type { Profile } from './profile.ts';

/** What messages nobody reads look like. */
export type Looks = Readonly<{
  /** A name of families.ts. */
  family: string;
  /** The topic filter of a profile that would read them. */
  filter: string;
  /** In the source's words, which of several devices it is. */
  address?: string;
  measurements: readonly string[];
}>;

/** How many levels of a topic stand before what a family's decoder sees; undefined when the topic is none of its. */
type Beginning = (levels: readonly string[]) => number | undefined;

const found = (index: number): number | undefined => (index < 0 ? undefined : index);
const isOneOf = (word: string | undefined, ...words: readonly string[]): boolean => word !== undefined && words.includes(word);

/** From the most peculiar to the least: what Zigbee2MQTT sends is a JSON object under any name. */
const BEGINNINGS: readonly (readonly [family: string, beginning: Beginning])[] = [
  ['sparkplug', (levels) => found(levels.indexOf('spBv1.0'))],
  ['shelly', (levels) => found(levels.findIndex((level, i) => (level === 'events' && levels[i + 1] === 'rpc') || (level === 'status' && levels[i + 1]?.includes(':'))))],
  ['tasmota', (levels) => (isOneOf(levels.at(-1), 'SENSOR', 'STATE') ? levels.indexOf('tele') + 1 : undefined)],
  ['esphome', (levels) => (levels.at(-1) === 'state' && isOneOf(levels.at(-3), 'sensor', 'binary_sensor', 'switch') ? levels.length - 3 : undefined)],
  ['gatt', (levels) => (/^[0-9a-f]{4}$/i.test(levels.at(-1) ?? '') ? levels.length - 1 : undefined)],
  ['native-json', (levels) => levels.length],
  ['senml-json', (levels) => levels.length],
  ['senml-cbor', (levels) => levels.length],
  ['native-cbor', (levels) => levels.length],
  ['zigbee2mqtt', (levels) => (levels.length > 1 ? 1 : undefined)],
];

/** `relative`: the topic below `devices/<connection>/`. Undefined when no family finds a value in it. */
export function recognise(connection: string, relative: string, payload: Uint8Array, receivedAt: UnixMillis): Looks | undefined {
  const levels = relative.split('/');
  for (const [family, beginning] of BEGINNINGS) {
    const start = beginning(levels);
    if (start === undefined) continue;
    const understood = tryFamily(family, { topic: levels.slice(start).join('/'), payload, receivedAt });
    if (understood === undefined) continue;
    const filter = ['devices', connection, ...levels.slice(0, start), ...(start < levels.length ? ['#'] : [])].join('/');
    return { family, filter, ...understood };
  }
  return undefined;
}

function tryFamily(name: string, input: Readonly<{ topic: string; payload: Uint8Array; receivedAt: UnixMillis }>): Pick<Looks, 'address' | 'measurements'> | undefined {
  const profile: Profile = { name, decoder: name, topic: '' };
  try {
    const { message, address } = FAMILIES.get(name)?.interpret(input, undefined, profile) ?? { message: { readings: [] } };
    const measurements = [...new Set(message.readings.map(({ measurement }) => measurement))];
    return measurements.length === 0 ? undefined : { measurements, ...(address === undefined ? {} : { address }) };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
