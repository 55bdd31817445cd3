/**
 * ESPHome's MQTT client (https://esphome.io/components/mqtt.html): a node with a climate sensor, a light sensor, a movement sensor
 * and a door contact. States are plain text and retained; a sensor that fails says `nan`; `status` is birth message and will.
 *
 *     [<node>/]sensor/<object id>/state             21.4
 *     [<node>/]binary_sensor/<object id>/state      ON · OFF
 *     [<node>/]status                               online · offline
 */

import { Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { type Family, type Message, messageOf, rounded, told, topicOf, type Who } from './family.ts';
import { announcements } from './home-assistant.ts';

export const esphome: Family = {
  name: 'esphome',
  summary: 'ESPHome node with room sensors, one topic for each value',
  every: Seconds(10),
  variants: ['values'],
  mqtt: true,
  speaker: (who) => ({
    will: () => status(who, 'offline'),
    greet: () => [status(who, 'online'), ...announced(who)],
    say: (snapshot) => [...OBJECTS.flatMap((object) => state(who, object, snapshot)), log(who)],
    farewell: () => [status(who, 'offline')],
  }),
};

type Value = (room: Snapshot['room']) => number | boolean;
type ObjectOf = Readonly<{ id: string; measurement: string; decimals?: number; deviceClass: string; unit?: string; valueOf: Value }>;

const OBJECTS: readonly ObjectOf[] = [
  { id: 'temperature', measurement: 'room_temperature', decimals: 1, deviceClass: 'temperature', unit: '°C', valueOf: ({ temperature }) => temperature },
  { id: 'humidity', measurement: 'humidity', decimals: 1, deviceClass: 'humidity', unit: '%', valueOf: ({ humidity }) => humidity },
  { id: 'co2', measurement: 'co2', decimals: 0, deviceClass: 'carbon_dioxide', unit: 'ppm', valueOf: ({ co2 }) => co2 },
  { id: 'illuminance', measurement: 'illuminance', decimals: 1, deviceClass: 'illuminance', unit: 'lx', valueOf: ({ illuminance }) => illuminance },
  { id: 'motion', measurement: 'motion', deviceClass: 'motion', valueOf: ({ motion }) => motion },
  { id: 'door', measurement: 'door', deviceClass: 'door', valueOf: ({ doorOpen }) => doorOpen },
];

const RETAINED = { qos: 0, retain: true } as const;
const componentOf = ({ unit }: ObjectOf): 'sensor' | 'binary_sensor' => (unit === undefined ? 'binary_sensor' : 'sensor');
const stateTopic = (who: Who, object: ObjectOf): string => topicOf(who.name, componentOf(object), object.id, 'state');
const status = (who: Who, text: 'online' | 'offline'): Message => messageOf(topicOf(who.name, 'status'), text, [], RETAINED);

/** Every line of its log, unless that is switched off. */
const log = (who: Who): Message => messageOf(topicOf(who.name, 'debug'), '\u001B[0;36m[D][sensor:094]: sending state\u001B[0m', [], { qos: 0 });

function state(who: Who, object: ObjectOf, { room, sensorOff }: Snapshot): readonly Message[] {
  const value = object.valueOf(room);
  if (typeof value === 'boolean') return [messageOf(stateTopic(who, object), value ? 'ON' : 'OFF', [told(object.measurement, value ? 1 : 0)], RETAINED)];
  if (sensorOff) return [messageOf(stateTopic(who, object), 'nan', [], RETAINED)];
  const { decimals = 0 } = object;
  return [messageOf(stateTopic(who, object), value.toFixed(decimals), [told(object.measurement, rounded(value, decimals))], RETAINED)];
}

function announced(who: Who): readonly Message[] {
  const node = who.name ?? who.device;
  const about = { id: node, name: node, manufacturer: 'espressif', model: 'esp32dev' };
  const availability = topicOf(who.base, who.name, 'status');
  return announcements(who.discovery, 'short', about, OBJECTS.map((object) => ({
    component: componentOf(object), key: object.id, deviceClass: object.deviceClass, state: topicOf(who.base, stateTopic(who, object)), availability,
    ...(object.unit === undefined ? {} : { unit: object.unit }),
  })));
}
