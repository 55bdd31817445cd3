/**
 * Shelly of the second generation (https://shelly-api-docs.shelly.cloud/gen2/General/Notifications): a climate sensor on batteries.
 *
 *     [<id>/]events/rpc   {"src":<id>,"dst":"<id>/events","method":"NotifyFullStatus","params":{"ts":1680962879.62,"temperature:0":{…},…}}
 *     [<id>/]online       true · false, retained; false is the will
 *
 * After connecting it says its full status; `NotifyStatus` has what changed since then and nothing else, so when nothing did, it is
 * silent. A sensor that cannot be read gives null and says why in `errors`.
 */

import { Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { type Family, type Message, messageOf, rounded, type Speaker, type Told, told, topicOf, type Who } from './family.ts';

export const shelly: Family = {
  name: 'shelly',
  summary: 'Shelly of the second generation: full status at first, then what changed',
  every: Seconds(60),
  variants: ['values'],
  mqtt: true,
  speaker,
};

type Status = Readonly<{ component: string; state: object; tells: readonly Told[] }>;

function speaker(who: Who): Speaker {
  let before: ReadonlyMap<string, string> = new Map();
  const changes = (snapshot: Snapshot): readonly Status[] => {
    const now = statusOf(snapshot);
    const changed = now.filter(({ component, state }) => before.get(component) !== JSON.stringify(state));
    before = new Map(now.map(({ component, state }) => [component, JSON.stringify(state)]));
    return changed;
  };
  return {
    will: () => online(who, 'false'),
    greet: (snapshot) => {
      before = new Map();
      const system: Status = { component: 'sys', state: { mac: 'B8D61A8B17CC', time: null, unixtime: null, uptime: 3 }, tells: [] };
      return [online(who, 'true'), notification(who, 'NotifyFullStatus', snapshot, [...changes(snapshot), system])];
    },
    say: (snapshot) => {
      const changed = changes(snapshot);
      return changed.length === 0 ? [] : [notification(who, 'NotifyStatus', snapshot, changed)];
    },
  };
}

const online = (who: Who, text: 'true' | 'false'): Message => messageOf(topicOf(who.name, 'online'), text, [], { qos: 1, retain: true });

function notification(who: Who, method: string, { time }: Snapshot, components: readonly Status[]): Message {
  const src = who.name ?? who.device;
  const params = { ts: time / 1000, ...Object.fromEntries(components.map(({ component, state }) => [component, state])) };
  const payload = JSON.stringify({ src, dst: `${src}/events`, method, params });
  return messageOf(topicOf(who.name, 'events/rpc'), payload, components.flatMap(({ tells }) => tells), { qos: 0 });
}

function statusOf({ room, battery, sensorOff }: Snapshot): readonly Status[] {
  const [celsius, humidity, lux] = [rounded(room.temperature, 1), rounded(room.humidity, 1), rounded(room.illuminance)];
  const volts = rounded(4.2 + battery / 60, 2);
  return [
    {
      component: 'devicepower:0',
      state: { id: 0, battery: { V: volts, percent: battery }, external: { present: false } },
      tells: [told('battery', battery)],
    },
    sensorOff ? unreadable('humidity:0', { rh: null }) : { component: 'humidity:0', state: { id: 0, rh: humidity }, tells: [told('humidity', humidity)] },
    sensorOff
      ? unreadable('temperature:0', { tC: null, tF: null })
      : { component: 'temperature:0', state: { id: 0, tC: celsius, tF: rounded(celsius * 1.8 + 32, 1) }, tells: [told('room_temperature', celsius)] },
    { component: 'illuminance:0', state: { id: 0, lux, illumination: lux < 100 ? 'dark' : 'bright' }, tells: [told('illuminance', lux)] },
  ];
}

const unreadable = (component: string, values: object): Status => ({ component, state: { id: 0, ...values, errors: ['read'] }, tells: [] });
