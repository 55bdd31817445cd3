import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../gateway/reading.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until } from './program.ts';
import { Site, withPassword, type DeviceWithPassword } from './site.ts';

const NOW = Date.now();
const reading = (fields: object): string => JSON.stringify({ measurement: 'spo2', value: 97, unit: '%', ...fields });

/** What a broken device sends, and the reason under which it is counted. */
const BAD: readonly (readonly [string, string | Uint8Array, string])[] = [
  ['no bytes', '', 'empty_payload'],
  ['invalid UTF-8', Buffer.of(0x7b, 0xc3, 0x28, 0x7d), 'invalid_utf8'],
  ['half a reading', reading({}).slice(0, 20), 'invalid_json'],
  ['NaN', '{"measurement":"spo2","value":NaN,"unit":"%"}', 'invalid_json'],
  ['Infinity', '{"measurement":"spo2","value":Infinity,"unit":"%"}', 'invalid_json'],
  ['1e999, which a parser makes infinite', '{"measurement":"spo2","value":1e999,"unit":"%"}', 'not_a_number'],
  ['a value in quotes', reading({ value: '97' }), 'not_a_number'],
  ['30,000 brackets', '['.repeat(30_000), 'too_complex'],
  ['300 readings at a time', JSON.stringify(Array.from({ length: 300 }, () => ({ measurement: 'spo2', value: 97, unit: '%' }))), 'too_complex'],
  ['a number alone', '97', 'wrong_shape'],
  ['a number of the wrong kind', reading({ seq: -1 }), 'wrong_shape'],
  ['a measurement nobody knows', reading({ measurement: 'mood' }), 'unknown_measurement'],
  ['a unit that does not exist', reading({ measurement: 'heart_rate', unit: 'bpm', value: 60 }), 'wrong_unit'],
  ['an oxygen saturation of 500 %', reading({ value: 500 }), 'implausible_value'],
  ['a negative pulse', reading({ measurement: 'heart_rate', unit: '/min', value: -60 }), 'implausible_value'],
];

describe('bad input on its whole way', () => {
  let site: Site;
  let good: DeviceWithPassword;
  let bad: DeviceWithPassword;
  beforeAll(async () => {
    site = await Site.running();
    good = await site.addDevice('good');
    bad = await site.addDevice('bad');
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const login = (device: DeviceWithPassword): Promise<RawClient> =>
    RawClient.login(site.ports.mqtt, { clientId: device.device, username: device.device, password: device.password });
  const counted = async (metric: string, reason: string): Promise<number> => (await site.metric(`vitalgate_${metric}_total{reason="${reason}"}`)) ?? 0;

  /** Sends bad and good messages in turn; every good one is acknowledged, sealed and counted. */
  async function beside(send: () => Promise<void>): Promise<void> {
    const before = (await site.metric('vitalgate_readings_total')) ?? 0;
    await using client = await login(good);
    expect(await client.publish({ topic: good.topic, payload: reading({}) })).toBe(true);
    await send();
    expect(await client.publish({ topic: good.topic, payload: reading({}) })).toBe(true);
    await site.settled();
    expect(await site.metric('vitalgate_readings_total')).toBe(before + 2);
  }

  it('that cannot be understood is acknowledged, kept and counted under its reason', async () => {
    const expected = new Map<string, number>();
    for (const [, , reason] of BAD) expected.set(reason, (expected.get(reason) ?? 0) + 1);
    await beside(async () => {
      await using client = await login(bad);
      for (const [, payload] of BAD) expect(await client.publish({ topic: bad.topic, payload })).toBe(true);
      // In an array, the good readings stand beside the bad ones; none is good here.
      expect(await client.publish({ topic: `devices/bad/elsewhere`, payload: reading({}) })).toBe(true);
    });
    expected.set('unknown_topic', 1);
    for (const [reason, count] of expected) expect([reason, await counted('quarantined', reason)]).toEqual([reason, count]);
  });

  it('of a device that is bound to nobody is kept and counted', async () => {
    const ghost = withPassword(await site.api.addDevice({ device: 'ghost' as DeviceId, credential: { kind: 'password' } }));
    await using client = await login(ghost);
    await beside(async () => {
      expect(await client.publish({ topic: ghost.topic, payload: reading({}) })).toBe(true);
    });
    expect(await counted('quarantined', 'unbound_device')).toBe(1);
  });

  it.each([
    ['1970', 1000],
    ['2100', Date.UTC(2100, 0, 1)],
  ])('with a clock in %s is counted, and the reading stands', async (_year, time) => {
    const before = (await site.metric('vitalgate_implausible_device_clocks_total')) ?? 0;
    const readings = (await site.metric('vitalgate_readings_total')) ?? 0;
    await using client = await login(bad);
    expect(await client.publish({ topic: bad.topic, payload: reading({ time, seq: NOW }) })).toBe(true);
    await site.settled();
    expect(await site.metric('vitalgate_implausible_device_clocks_total')).toBe(before + 1);
    expect(await site.metric('vitalgate_readings_total')).toBe(readings + 1);
  });

  it('that is turned away at the door is counted under its reason', async () => {
    await beside(async () => {
      for (const [topic, payload] of [['devices/good/readings', 'forged'], [bad.topic, Buffer.alloc(128 * 1024)]] as const) {
        await using client = await login(bad);
        expect(await client.publish({ topic, payload })).toBe(false);
      }
      await expect(login({ ...bad, password: 'guess' })).rejects.toThrow('return code 5');
      await using stranger = await RawClient.open(site.ports.mqtt);
      stranger.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      await stranger.closed;
    });
    for (const reason of ['foreign_topic', 'oversized_packet', 'wrong_credentials', 'malformed_packet']) {
      await until(`${reason} is counted`, async () => (await counted('refused', reason)) === 1);
    }
  });
});
