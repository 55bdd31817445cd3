/**
 * Zigbee2MQTT (https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html), as its versions 2.x and 1.x publish three
 * sensors of a room below its base topic: `<name>/climate`, `<name>/motion` and `<name>/door`, all properties in every message.
 *
 *     <friendly name>                {"battery":87,"contact":true,"last_seen":"2025-01-07T10:49:36.461Z","linkquality":145,…}
 *     <friendly name>/availability   {"state":"online"} in 2.x, online in 1.x; retained
 *     bridge/state                   the same, of the bridge; offline is its will
 *
 * `contact` is true when the door is closed. Light is lux in 2.x; 1.x sends the raw cluster value 10,000 × log10(lux) + 1 and, beside it,
 * `illuminance_lux`. The door is set to be retained, as people do who want its state after a restart.
 */

import { Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { type Family, type Message, messageOf, rounded, type Told, told, topicOf, type Who } from './family.ts';
import { announcements, type Component } from './home-assistant.ts';

export const zigbee2mqtt: Family = {
  name: 'zigbee2mqtt',
  summary: 'Zigbee2MQTT with three sensors of a room, --name being the beginning of their friendly names',
  every: Seconds(5),
  variants: ['2.x', '1.x'],
  mqtt: true,
  named: true,
  speaker: (who) => ({
    will: () => bridgeState(who, 'offline'),
    greet: () => [bridgeState(who, 'online'), ...SENSORS.map((sensor) => availability(who, sensor)), ...announced(who)],
    say: (snapshot) => SENSORS.map((sensor) => report(who, sensor, snapshot)),
    farewell: () => [bridgeState(who, 'offline')],
  }),
};

const SENSORS = ['climate', 'motion', 'door'] as const;
type Sensor = (typeof SENSORS)[number];

const friendlyName = ({ name, device }: Who, sensor: Sensor): string => topicOf(name ?? device, sensor);
const isNew = ({ variant }: Who): boolean => variant === '2.x';
const stateText = (who: Who, state: 'online' | 'offline'): string => (isNew(who) ? JSON.stringify({ state }) : state);
const RETAINED = { qos: 0, retain: true } as const;

const bridgeState = (who: Who, state: 'online' | 'offline'): Message => messageOf('bridge/state', stateText(who, state), [], RETAINED);
const availability = (who: Who, sensor: Sensor): Message => messageOf(topicOf(friendlyName(who, sensor), 'availability'), stateText(who, 'online'), [], RETAINED);

/** Properties with what they tell; null is a value the sensor has not sent yet. */
type Properties = Readonly<{ properties: Readonly<Record<string, unknown>>; tells: readonly Told[] }>;

function report(who: Who, sensor: Sensor, snapshot: Snapshot): Message {
  const { properties, tells } = PROPERTIES[sensor](snapshot, isNew(who));
  const linkquality = 92 + (snapshot.sequence % 40);
  const lastSeen = isNew(who) ? { last_seen: new Date(snapshot.time).toISOString() } : {};
  const { battery } = snapshot;
  const payload = { ...properties, battery, ...(battery <= 10 ? { battery_low: true } : {}), voltage: 2100 + 9 * battery, ...lastSeen, linkquality };
  const all = [...tells, told('battery', battery), told('signal', linkquality)];
  return messageOf(friendlyName(who, sensor), JSON.stringify(payload), all, { qos: 0, retain: sensor === 'door' });
}

const PROPERTIES: Readonly<Record<Sensor, (snapshot: Snapshot, isNew: boolean) => Properties>> = {
  climate: ({ room }) => {
    const [temperature, humidity, co2] = [rounded(room.temperature, 2), rounded(room.humidity, 2), rounded(room.co2)];
    return {
      properties: { temperature, humidity, co2, pressure: null },
      tells: [told('room_temperature', temperature), told('humidity', humidity), told('co2', co2)],
    };
  },
  motion: ({ room }, newer) => {
    const lux = Math.max(1, rounded(room.illuminance));
    const light = newer ? { illuminance: lux } : { illuminance: Math.round(10_000 * Math.log10(lux) + 1), illuminance_lux: lux };
    return {
      properties: { ...light, occupancy: room.motion, device_temperature: 25 },
      tells: [told('illuminance', lux), told('motion', room.motion ? 1 : 0)],
    };
  },
  door: ({ room }) => ({ properties: { contact: !room.doorOpen }, tells: [told('door', room.doorOpen ? 1 : 0)] }),
};

const COMPONENTS: Readonly<Record<Sensor, readonly Component[]>> = {
  climate: [
    { component: 'sensor', key: 'temperature', deviceClass: 'temperature', unit: '°C' },
    { component: 'sensor', key: 'humidity', deviceClass: 'humidity', unit: '%' },
    { component: 'sensor', key: 'co2', deviceClass: 'carbon_dioxide', unit: 'ppm' },
  ],
  motion: [
    { component: 'binary_sensor', key: 'occupancy', deviceClass: 'occupancy', states: [true, false] },
    { component: 'sensor', key: 'illuminance', deviceClass: 'illuminance', unit: 'lx' },
  ],
  // On is an open door, which the sensor calls no contact.
  door: [{ component: 'binary_sensor', key: 'contact', deviceClass: 'door', states: [false, true] }],
};

function announced(who: Who): readonly Message[] {
  return SENSORS.flatMap((sensor) => {
    const name = friendlyName(who, sensor);
    const about = { id: `0x${Buffer.from(name).toString('hex').slice(-16).padStart(16, '0')}`, name, manufacturer: 'Simulated', model: `Virtual ${sensor} sensor` };
    const topics = { state: topicOf(who.base, name), availability: topicOf(who.base, name, 'availability') };
    return announcements(who.discovery, 'full', about, COMPONENTS[sensor].map((each) => ({ ...each, ...topics, inJson: true })));
  });
}
