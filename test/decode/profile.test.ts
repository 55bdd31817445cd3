import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, Decoded } from '../../gateway/decode/decoder.ts';
import { messageFrom, relativeTopic, type ChannelMap } from '../../gateway/decode/profile.ts';
import { FAMILIES } from '../../gateway/decode/families.ts';
import { FAMILY_NAMES } from '../../gateway/decode/family-names.ts';
import { ProfileTable } from '../../gateway/decode/profile-table.ts';
import { readProfiles } from '../../gateway/decode/read-profiles.ts';
import { DecodeError } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

const decoded = (...channels: readonly Channel[]): Decoded => ({ channels, rejected: [], notices: [] });
const MAP: ChannelMap = {
  temperature: { measurement: 'room_temperature' },
  contact: { measurement: 'door', scale: -1, offset: 1 },
  raw: { measurement: 'illuminance', unit: 'lx', scale: 2 },
  weight: { measurement: 'body_weight', unit: '[lb_av]' },
  linkquality: 'ignore',
};

describe('the names of families', () => {
  it('are those of the families there are', () => {
    expect([...FAMILIES.keys()]).toEqual(FAMILY_NAMES);
  });
});

describe('channels and a map', () => {
  it('become readings in the unit of their measurement', () => {
    const { readings, rejected } = messageFrom(
      decoded(
        { name: 'temperature', value: 68, unit: '[degF]' },
        { name: 'contact', value: 1 },
        { name: 'raw', value: 21 },
        { name: 'weight', value: 100 },
        { name: 'linkquality', value: 130 },
        { name: 'nobody knows', value: 1 },
      ),
      [MAP],
    );
    expect(rejected).toEqual([]);
    expect(readings).toEqual([
      { measurement: 'room_temperature', value: 20, unit: 'Cel' },
      { measurement: 'door', value: 0, unit: '1' },
      { measurement: 'illuminance', value: 42, unit: 'lx' },
      { measurement: 'body_weight', value: 45.359237, unit: 'kg' },
    ]);
  });

  it('are found by their whole name before its last part, and in the first map that knows them', () => {
    const first = { 'AM2301.Temperature': { measurement: 'body_temperature' } } as const;
    const second = { Temperature: { measurement: 'room_temperature' }, 'AM2301.Temperature': 'ignore' } as const;
    const measured = (maps: readonly (ChannelMap | undefined)[], name: string): unknown => messageFrom(decoded({ name, value: 30 }), maps).readings[0]?.measurement;
    expect(measured([first, second], 'AM2301.Temperature')).toBe('body_temperature');
    expect(measured([first, second], 'SI7021.Temperature')).toBe('room_temperature');
    expect(measured([undefined, second], 'AM2301.Temperature')).toBeUndefined();
    expect(measured([second], 'constructor')).toBeUndefined();
  });

  it('keep waveforms, rates, times and doubts', () => {
    const time = UnixMillis(1_790_000_000_000);
    const channels = [
      { name: 'ppg', value: [0, 128, 255], rateHz: 75, doubt: 'poor_signal' },
      { name: 'spo2', value: 97, deviceTime: UnixMillis(time - 1000) },
    ] as const;
    const { readings, deviceTime } = messageFrom({ ...decoded(...channels), deviceTime: time }, [{ ppg: { measurement: 'ppg', scale: 1 / 128 }, spo2: { measurement: 'spo2' } }]);
    expect(readings).toEqual([
      { measurement: 'ppg', value: [0, 1, 255 / 128], unit: '1', rateHz: 75, deviceTime: time, doubt: 'poor_signal' },
      { measurement: 'spo2', value: 97, unit: '%', deviceTime: time - 1000 },
    ]);
    expect(deviceTime).toBe(time);
  });

  it('reject a unit that cannot be converted and a fraction of a switch, and keep the others', () => {
    const { readings, rejected } = messageFrom(
      decoded({ name: 'temperature', value: 20, unit: 'lx' }, { name: 'contact', value: 0.5 }, { name: 'temperature', value: 20 }),
      [MAP],
    );
    expect(readings).toHaveLength(1);
    expect(rejected.map(({ reason }) => reason)).toEqual(['wrong_unit', 'not_a_number']);
  });
});

describe('a topic filter', () => {
  it.each<[string, string, string | undefined]>([
    ['devices/zigbee/#', 'devices/zigbee/living room/door', 'living room/door'],
    ['devices/zigbee/#', 'devices/zigbee', ''],
    ['devices/zigbee/#', 'devices/zigbee2/x', undefined],
    ['devices/+/readings', 'devices/clip/readings', 'readings'],
    ['devices/+/readings', 'devices/clip/a/readings', undefined],
    ['devices/+/readings', 'devices/clip', undefined],
    ['devices/+/gatt/#', 'devices/hub/gatt/AA:BB/2a37', 'AA:BB/2a37'],
    ['#', 'a/b', 'a/b'],
    ['+/+', 'a/', ''],
    ['+', 'a/b', undefined],
  ])('%s and the topic %s: %s', (filter, topic, relative) => {
    expect(relativeTopic(filter, topic)).toBe(relative);
  });

  it('matches what the same filter as a regular expression does', () => {
    const level = fc.constantFrom('a', 'b', '', 'a b');
    const filters = fc.tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean()).map(([levels, all]) => [...levels, ...(all ? ['#'] : [])].join('/'));
    const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'));
    fc.assert(
      fc.property(filters, topics, (filter, topic) => {
        const expression = new RegExp(`^${filter.replaceAll('+', '[^/]*').replace(/\/#$/, '(/.*)?')}$`);
        expect(relativeTopic(filter, topic) !== undefined).toBe(expression.test(topic));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the table of profiles', () => {
  const profile = { name: 'own', decoder: 'native-json', topic: 'devices/+/readings' };

  it('reads a topic with the first profile that matches, the built-in ones last', () => {
    expect(new ProfileTable([]).readerFor('devices/clip/readings')?.profile.name).toBe('readings');
    expect(new ProfileTable(readProfiles([profile])).readerFor('devices/clip/readings')?.profile.name).toBe('own');
    expect(new ProfileTable([]).readerFor('devices/clip/other')).toBeUndefined();
  });

  it('gives the same answer for a topic however many were asked for', () => {
    const table = new ProfileTable([]);
    for (let i = 0; i < 10_000; i++) table.readerFor(`devices/d${i}/readings`);
    expect(table.readerFor('devices/d9999/readings')).toEqual(table.readerFor('devices/d0/readings'));
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['no topic', { ...profile, topic: undefined }],
    ['a family of another version', { ...profile, decoder: 'not-yet' }],
    ['a device that has no id', { ...profile, devices: [{ address: 'x', device: 'a b' }] }],
    ['a channel that is a number', { ...profile, channels: { temperature: 5 } }],
    ['a scale that is text', { ...profile, channels: { temperature: { measurement: 'co2', scale: '2' } } }],
  ])('refuses a profile with %s, whoever wrote the journal', (_what, value) => {
    expect(() => readProfiles([profile, value])).toThrow(new DecodeError('wrong_shape', 'profile 2 is no profile of this version'));
  });

  it('takes what the configuration gives unchanged, a second time too', () => {
    const whole = { ...profile, timeZone: 'Europe/Berlin', channels: { a: 'ignore', b: { measurement: 'co2', unit: '[ppb]', scale: 2, offset: 1 } }, devices: [{ address: 'x y', device: 'd', channels: {} }] };
    expect(readProfiles([whole])).toEqual([whole]);
    expect(readProfiles(readProfiles([whole]))).toEqual([whole]);
  });
});
