import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../gateway/decode/decoder.ts';
import { tasmota } from '../../gateway/decode/tasmota.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { complaints, frame, itReadsItsVectors, outcome } from './topic-vectors.ts';

const sensors = (count: number): string =>
  JSON.stringify({ S: Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i])) });

describe('a message of Tasmota', () => {
  const good = itReadsItsVectors(tasmota);

  it('is never repeated in a reason: it may be about a patient', () => {
    const anna = { Temperature: 1, [`Anna${'a'.repeat(200)}`]: 2 };
    const content = JSON.stringify({ Time: 'Anna', Anna: anna, TempUnit: 'Anna', ZbReceived: { Anna: {} } });
    const inputs = [
      frame('Anna/SENSOR', content), frame('tele/Anna/LWT', 'Anna'), frame('Anna', 'Anna'), frame('SENSOR', 'Anna'), frame('STATUS8', '{"Anna":1}'),
    ];
    for (const input of inputs) {
      expect(complaints(tasmota, input).length).toBeGreaterThan(0);
      for (const message of complaints(tasmota, input)) expect(message).not.toContain('Anna');
    }
  });

  it('may hold 256 channels, each with a name of 128 characters', () => {
    expect(outcome(tasmota, frame('SENSOR', sensors(256)))).toMatchObject({ rejected: [] });
    expect(outcome(tasmota, frame('SENSOR', sensors(257)))).toBe('too_complex');
    expect(outcome(tasmota, frame('SENSOR', JSON.stringify({ ['S'.repeat(64)]: { ['k'.repeat(64)]: 1, k: 2 } })))).toMatchObject({
      channels: [{ value: 2 }], rejected: [{ reason: 'too_complex' }],
    });
  });

  it('means the same wherever the full topic has its prefix', () => {
    const content = '{"AM2301":{"Humidity":32.4}}';
    const topics = ['tele/ward/bed/SENSOR', 'ward/tele/bed/SENSOR', 'ward/bed/tele/SENSOR', 'ward/bed/SENSOR'];
    const [first, ...others] = topics.map((topic) => outcome(tasmota, frame(topic, content)));
    expect(first).toMatchObject({ address: 'ward/bed', channels: [{ name: 'AM2301.Humidity' }] });
    for (const other of others) expect(other).toEqual(first);
  });

  it('never passes a chip for a room', () => {
    for (const unit of ['C', 'F', 'K', undefined]) {
      const { channels } = tasmota.decode(frame('SENSOR', JSON.stringify({ ESP32: { Temperature: 53.3 }, TempUnit: unit })), undefined);
      expect(channels.map(({ name }) => name)).toEqual(['ESP32.ChipTemperature']);
    }
  });

  const OF_TEMPERATURE = [undefined, 'Cel', '[degF]', 'K'];
  const UNITS = [...OF_TEMPERATURE, '%', 'hPa', 'mm[Hg]', "[in_i'Hg]", '[ppm]', '[ppb]', 'lx', 'ug/m3', 'W', 'V', 'A'];
  /** Only units that were said or are fixed; a temperature in nothing else; never the chip under the room's name. */
  const sound = ({ channels }: Decoded): boolean =>
    channels.every(({ name, unit }) => UNITS.includes(unit) && name !== 'ESP32.Temperature'
      && (!name.endsWith('Temperature') || OF_TEMPERATURE.includes(unit)));
  itSurvivesMutatedFrames(tasmota, good, { accepts: sound });
});
