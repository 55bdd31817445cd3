/**
 * Tasmota (https://tasmota.github.io/docs/MQTT/): a board with a carbon dioxide sensor, a light sensor and a switch.
 *
 *     tele/[<topic>/]SENSOR   {"Time":"2018-03-02T18:25:03","SCD30":{"Temperature":22.6,…},"TempUnit":"C"}
 *     tele/[<topic>/]STATE    {"Time":…,"Vcc":3.2,"POWER":"OFF","Wifi":{…}}
 *     tele/[<topic>/]LWT      Online · Offline, retained; Offline is the will
 *
 * `Time` is that of the wall, without an offset. A sensor that does not answer is null. Units are those the user has set.
 */

import { Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { isoLocal, wallClockAt } from '../wall-clock.ts';
import { type Family, type Message, messageOf, rounded, type Told, told, topicOf, type Who } from './family.ts';

export const tasmota: Family = {
  name: 'tasmota',
  summary: 'Tasmota board with room sensors; its local time has no offset, its temperatures the unit it was set to',
  every: Seconds(300),
  variants: ['celsius', 'fahrenheit'],
  mqtt: true,
  speaker: (who) => ({
    will: () => lastWill(who, 'Offline'),
    greet: () => [lastWill(who, 'Online')],
    say: (snapshot) => [sensor(who, snapshot), state(who, snapshot)],
  }),
};

const topicFor = ({ name }: Who, kind: string): string => topicOf('tele', name, kind);
const lastWill = (who: Who, text: 'Online' | 'Offline'): Message => messageOf(topicFor(who, 'LWT'), text, [], { qos: 1, retain: true });
const timeOf = ({ timeZone }: Who, { time }: Snapshot): string => isoLocal(wallClockAt(time, timeZone));

function sensor(who: Who, snapshot: Snapshot): Message {
  const { room, sensorOff } = snapshot;
  const fahrenheit = who.variant === 'fahrenheit';
  const shown = rounded(fahrenheit ? room.temperature * 1.8 + 32 : room.temperature, 1);
  const [co2, humidity, lux] = [rounded(room.co2), rounded(room.humidity, 1), rounded(room.illuminance)];
  const SCD30 = sensorOff ? { CarbonDioxide: null, Temperature: null, Humidity: null } : { CarbonDioxide: co2, Temperature: shown, Humidity: humidity };
  const payload = { Time: timeOf(who, snapshot), SCD30, BH1750: { Illuminance: lux }, Switch1: room.doorOpen ? 'ON' : 'OFF', TempUnit: fahrenheit ? 'F' : 'C' };
  const air: readonly Told[] = sensorOff ? [] : [told('co2', co2), told('room_temperature', fahrenheit ? (shown - 32) / 1.8 : shown), told('humidity', humidity)];
  return messageOf(topicFor(who, 'SENSOR'), JSON.stringify(payload), [...air, told('illuminance', lux)], { qos: 0 });
}

function state(who: Who, snapshot: Snapshot): Message {
  const payload = {
    Time: timeOf(who, snapshot), Uptime: '0T00:10:11', Vcc: rounded(2.6 + snapshot.battery / 100, 3), Heap: 24, SleepMode: 'Dynamic', POWER: 'OFF',
    Wifi: { AP: 1, SSId: 'home', RSSI: 64, Signal: -68 },
  };
  return messageOf(topicFor(who, 'STATE'), JSON.stringify(payload), [], { qos: 0 });
}
