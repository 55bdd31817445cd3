import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../gateway/decode/decoder.ts';
import { shelly } from '../../gateway/decode/shelly.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { complaints, frame, itReadsItsVectors, outcome } from './topic-vectors.ts';

const inputs = (count: number): string => {
  const components = Array.from({ length: count }, (_, i) => [`input:${i}`, { id: i, state: true }] as const);
  return JSON.stringify({ method: 'NotifyStatus', params: Object.fromEntries(components) });
};

describe('a message of a Shelly', () => {
  const good = itReadsItsVectors(shelly);

  it('is never repeated in a reason: it may be about a patient', () => {
    const content = JSON.stringify({ src: 'Anna', method: 'NotifyStatus', params: { ts: 1e99, 'x:0': { [`Anna${'a'.repeat(200)}`]: 1 } } });
    const frames = [
      frame('Anna/events/rpc', content), frame('Anna/online', 'Anna'), frame('Anna', 'Anna'), frame('events/rpc', 'Anna'),
      frame('status/x:0', '"Anna"'),
    ];
    for (const input of frames) {
      expect(complaints(shelly, input).length).toBeGreaterThan(0);
      for (const message of complaints(shelly, input)) expect(message).not.toContain('Anna');
    }
  });

  it('may hold 256 channels, each with a name of 128 characters', () => {
    expect(outcome(shelly, frame('events/rpc', inputs(256)))).toMatchObject({ rejected: [] });
    expect(outcome(shelly, frame('events/rpc', inputs(257)))).toBe('too_complex');
    expect(outcome(shelly, frame('status/x:0', JSON.stringify({ ['p'.repeat(125)]: 1, p: 2 })))).toMatchObject({
      channels: [{ name: 'x:0.p' }], rejected: [{ reason: 'too_complex' }],
    });
  });

  it('is about one device under all its topics', () => {
    const status = JSON.stringify({ src: 'shellyht-1', method: 'NotifyStatus', params: { 'humidity:0': { rh: 40 } } });
    const frames = [frame('hall/ht/events/rpc', status), frame('hall/ht/status/humidity:0', '{"rh":40}'), frame('hall/ht/online', 'true')];
    expect(frames.map((input) => shelly.decode(input, undefined).address)).toEqual(['hall/ht', 'hall/ht', 'hall/ht']);
    expect(shelly.decode(frame('events/rpc', status), undefined)).not.toHaveProperty('address');
  });

  /** Only numbered components; Celsius only; and no temperature under a name that only sensors of rooms may have. */
  const sound = ({ channels }: Decoded): boolean =>
    channels.every(({ name, unit }) => /^[a-z][a-z0-9_]*:\d+\../s.test(name) && !name.startsWith('script:') && !name.endsWith('.tF')
      && (!name.endsWith('.tC') || /^temperature:\d+\.tC$/.test(name)) && (unit !== 'Cel' || /\.(?:tC|device_temperature)$/.test(name)));
  itSurvivesMutatedFrames(shelly, good, { accepts: sound });
});
