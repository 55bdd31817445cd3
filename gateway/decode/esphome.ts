/**
 * ESPHome's MQTT client (https://esphome.io/components/mqtt.html): every component of a node says its state as plain text.
 * Below the node's prefix, or below what several nodes have in common, when `<node>` is the address:
 *
 *     [<node>/]sensor|number/<object id>/state                  21.4 · nan or None: no value
 *     [<node>/]binary_sensor|switch|fan/<object id>/state       ON · OFF
 *     [<node>/]status                                           online · offline, the birth message and the will
 *     [<node>/]debug, …/command, states of other components     no readings
 *
 * The channel is the object id, without a unit: only the node's configuration and its discovery message know it.
 */

import { DecodeError } from '../errors.ts';
import type { Decoded, Decoder, Notice } from './decoder.ts';
import { addressFrom, sortFindings, textOf, type Finding } from './json-text.ts';

/** Nothing that is read is longer: a number with every digit a double has. */
const MAX_TEXT = 64;

const NOTHING: Decoded = { channels: [], rejected: [], notices: [] };

export const esphome: Decoder = {
  name: 'esphome',
  version: 1,
  decode: ({ topic, payload }) => {
    const levels = topic.split('/');
    const last = levels.at(-1);
    if (last === 'status') return { ...NOTHING, ...addressFrom(levels.slice(0, -1)), notices: [statusIn(payload)] };
    if (last === 'debug' || last === 'command') return NOTHING;
    const state = stateTopic(levels);
    if (state !== undefined) return { ...NOTHING, ...addressFrom(state.node), ...sortFindings(findings(state, payload)) };
    if (last === 'state') return NOTHING;
    throw new DecodeError('unknown_topic', 'the topic is none of ESPHome: <component>/<object id>/state');
  },
};

type StateTopic = Readonly<{ node: readonly string[]; read: (text: string) => number | undefined; objectId: string }>;

/** Undefined for topics that are no state of a component whose state is one number. */
function stateTopic(levels: readonly string[]): StateTopic | undefined {
  const node = levels.slice(0, -3);
  const [component = '', objectId = '', kind] = levels.slice(-3);
  const read = READERS.get(component);
  // Of `fan/number/speed/state`, the component is the fan: a node is not called like a component.
  if (kind !== 'state' || objectId === '' || read === undefined || READERS.has(node[0] ?? '')) return undefined;
  return { node, read, objectId };
}

function* findings({ read, objectId }: StateTopic, payload: Uint8Array): Generator<Finding> {
  const value = read(plainText(payload));
  if (value !== undefined) yield { name: objectId, value };
}

const READERS: ReadonlyMap<string, (text: string) => number | undefined> = new Map([
  ['sensor', decimalIn], ['number', decimalIn], ['binary_sensor', switchIn], ['switch', switchIn], ['fan', switchIn],
]);

const DECIMAL = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function decimalIn(text: string): number | undefined {
  // `None` with the option `publish_nan_as_none`.
  if (/^[+-]?nan$/i.test(text) || text === 'None') return undefined;
  if (!DECIMAL.test(text)) throw new DecodeError('not_a_number', 'the state of a sensor must be a decimal number');
  return Number(text);
}

function switchIn(text: string): number {
  if (text === 'ON') return 1;
  if (text === 'OFF') return 0;
  throw new DecodeError('not_a_number', 'the state of a switch must be ON or OFF');
}

function statusIn(payload: Uint8Array): Notice {
  const text = plainText(payload);
  if (text === 'online' || text === 'offline') return text;
  throw new DecodeError('wrong_shape', 'the status of a node must be online or offline');
}

function plainText(payload: Uint8Array): string {
  if (payload.length > MAX_TEXT) throw new DecodeError('too_complex', `a text of ${payload.length} bytes; at most ${MAX_TEXT}`);
  return textOf(payload).trim();
}
