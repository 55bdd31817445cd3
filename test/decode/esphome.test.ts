import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../gateway/decode/decoder.ts';
import { esphome } from '../../gateway/decode/esphome.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { complaints, frame, itReadsItsVectors, outcome } from './topic-vectors.ts';

describe('a message of ESPHome', () => {
  const good = itReadsItsVectors(esphome);

  it('is never repeated in a reason: it may be about a patient', () => {
    for (const topic of ['sensor/Anna/state', 'switch/Anna/state', 'Anna/status', 'Anna', `${'Anna'.repeat(90)}/sensor/x/state`]) {
      expect(complaints(esphome, frame(topic, 'Anna'))).toEqual([expect.not.stringContaining('Anna')]);
    }
  });

  it('says every finite number that a node can print', () => {
    const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
    fc.assert(fc.property(number, (value) => {
      const { channels } = esphome.decode(frame('sensor/x/state', String(value)), undefined);
      expect(channels).toEqual([{ name: 'x', value: Number(String(value)) }]);
    }), { numRuns: 1000 });
  });

  it('has an object id of at most 128 characters', () => {
    expect(outcome(esphome, frame(`sensor/${'x'.repeat(128)}/state`, '1'))).toMatchObject({ channels: [{ value: 1 }] });
    expect(outcome(esphome, frame(`sensor/${'x'.repeat(129)}/state`, '1'))).toMatchObject({ channels: [], rejected: [{ reason: 'too_complex' }] });
  });

  /** One value at most, never with a unit or a time, and not together with a notice. */
  const sound = ({ channels, notices, deviceTime }: Decoded): boolean =>
    channels.length + notices.length <= 1 && deviceTime === undefined && channels.every(({ unit }) => unit === undefined);
  itSurvivesMutatedFrames(esphome, good, { accepts: sound });
});
