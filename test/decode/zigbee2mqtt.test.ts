import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../gateway/decode/decoder.ts';
import { zigbee2mqtt } from '../../gateway/decode/zigbee2mqtt.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { complaints, frame, itReadsItsVectors, outcome } from './topic-vectors.ts';

const decode = (content: object): Decoded => zigbee2mqtt.decode(frame('a', JSON.stringify(content)), undefined);
const properties = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, i]));

describe('a message of Zigbee2MQTT', () => {
  const good = itReadsItsVectors(zigbee2mqtt);

  it('is never repeated in a reason: it may be about a patient', () => {
    const anna = `Anna${'a'.repeat(200)}`;
    const content = JSON.stringify({ last_seen: 'Anna', [anna]: 1, '': 2 });
    const inputs = [
      frame('Anna', content), frame('Anna', 'Anna'), frame('Anna', '"Anna"'), frame('Anna/availability', 'Anna'), frame(anna.repeat(2), '{}'),
    ];
    for (const input of inputs) {
      expect(complaints(zigbee2mqtt, input).length).toBeGreaterThan(0);
      for (const message of complaints(zigbee2mqtt, input)) expect(message).not.toContain('Anna');
    }
  });

  it('may hold 256 channels, each with a name of 128 characters', () => {
    expect(decode(properties(256)).channels).toHaveLength(256);
    expect(outcome(zigbee2mqtt, frame('a', JSON.stringify(properties(257))))).toBe('too_complex');
    expect(outcome(zigbee2mqtt, frame('a', JSON.stringify({ a: properties(257) })))).toBe('too_complex');
    expect(decode({ ['n'.repeat(128)]: 1 }).channels).toHaveLength(1);
    expect(decode({ ['n'.repeat(129)]: 1, humidity: 1 })).toMatchObject({
      channels: [{ name: 'humidity' }], rejected: [{ reason: 'too_complex' }],
    });
    expect(decode({ ['n'.repeat(100)]: { ['m'.repeat(100)]: 1 } })).toMatchObject({ channels: [], rejected: [{ reason: 'too_complex' }] });
  });

  it('is from a device whose friendly name has at most 256 characters', () => {
    expect(outcome(zigbee2mqtt, frame('n'.repeat(256), '{}'))).toMatchObject({ address: 'n'.repeat(256) });
    expect(outcome(zigbee2mqtt, frame('n'.repeat(257), '{}'))).toBe('unknown_topic');
  });

  it('never gives a raw illuminance the name or the unit of lux', () => {
    for (const raw of [0, 1, 16848]) {
      const { channels } = decode({ illuminance: raw, illuminance_lux: 48 });
      expect(channels.map(({ name }) => name)).not.toContain('illuminance');
      expect(channels.filter(({ unit }) => unit === 'lx')).toEqual([{ name: 'illuminance_lux', value: 48, unit: 'lx' }]);
    }
    expect(decode({ illuminance: 48 }).channels).toEqual([{ name: 'illuminance', value: 48 }]);
  });

  const FIXED: ReadonlyMap<string, string> = new Map([
    ['temperature', 'Cel'], ['device_temperature', 'Cel'], ['humidity', '%'], ['battery', '%'], ['co2', '[ppm]'], ['illuminance_lux', 'lx'],
    ['pressure', 'hPa'], ['linkquality', '1'],
  ]);
  /** A unit is the one of its property, whatever the rest is; and the two meanings of illuminance are never mixed. */
  const sound = ({ channels, notices }: Decoded): boolean => {
    const names = new Set(channels.map(({ name }) => name));
    return channels.every(({ name, unit }) => unit === FIXED.get(name) || (name === 'voltage' && unit === 'mV'))
      && !(names.has('illuminance') && names.has('illuminance_lux')) && !names.has('last_seen') && notices.length <= 1;
  };
  itSurvivesMutatedFrames(zigbee2mqtt, good, { accepts: sound });
});
