import { describe, expect, it } from 'vitest';
import { recognise, type Looks } from '../../gateway/decode/recognise.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

const looks = (topic: string, payload: unknown): Looks | undefined =>
  recognise('home', topic, Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)), UnixMillis(1_790_000_000_000));

const known: readonly [name: string, topic: string, payload: unknown, expected: Partial<Looks>][] = [
  ['Zigbee2MQTT', 'zigbee2mqtt/living room/door', { contact: true, linkquality: 92 }, { family: 'zigbee2mqtt', filter: 'devices/home/zigbee2mqtt/#', address: 'living room/door' }],
  ['Tasmota', 'tele/porch/SENSOR', { Time: '2026-11-23T12:00:00', AM2301: { Temperature: 8.5 }, TempUnit: 'C' }, { family: 'tasmota', filter: 'devices/home/tele/#', address: 'porch' }],
  ['Shelly', 'shellyht-1/events/rpc', { src: 'shellyht-1', method: 'NotifyStatus', params: { ts: 1_790_000_000, 'temperature:0': { id: 0, tC: 19.8 } } }, { family: 'shelly', filter: 'devices/home/shellyht-1/#' }],
  ['ESPHome', 'bath/sensor/humidity/state', '55.5', { family: 'esphome', filter: 'devices/home/bath/#' }],
  ['a Bluetooth characteristic', 'ble/2a37', Buffer.from([0, 72]).toString('latin1'), { family: 'gatt', filter: 'devices/home/ble/#' }],
  ['SenML', 'cellar', [{ n: 'heart_rate', u: 'beat/min', v: 72 }], { family: 'senml-json', filter: 'devices/home/cellar' }],
  ['our own format', 'some/where', { measurement: 'spo2', value: 97, unit: '%' }, { family: 'native-json', filter: 'devices/home/some/where' }],
];

describe('messages nobody reads', () => {
  for (const [name, topic, payload, expected] of known) {
    it(`of ${name} are recognised, with the topic filter that would read them`, () => {
      const found = looks(topic, payload);
      expect(found).toMatchObject(expected);
      expect(found?.measurements.length).toBeGreaterThan(0);
    });
  }

  it('that are nothing of ours are not guessed', () => {
    for (const [topic, payload] of [['a/b', 'garbage'], ['a', { hello: 1 }], ['homeassistant/status', 'online'], ['x/y', ''], ['tele/x/SENSOR', '[]']] as const) {
      expect(looks(topic, payload)).toBeUndefined();
    }
  });
});
