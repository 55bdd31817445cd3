import { describe, expect, it } from 'vitest';

import { parseEpisodes } from '../../firmware-sim/episodes.ts';
import { fleetFor, type FleetMessage, simulateFleet, type SimulationOptions } from '../../firmware-sim/fleet.ts';
import { UNITS, type Value } from '../../firmware-sim/message.ts';
import { Random } from '../../firmware-sim/random.ts';
import { SkinContact } from '../../firmware-sim/sensors.ts';
import { Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { at } from './at.ts';

const STARTED = UnixMillis(1_764_000_000_000);
const options = (more: Partial<SimulationOptions> = {}): SimulationOptions => ({ patients: 1, seed: 1, startedAt: STARTED, ...more });

function during(seconds: number, more: Partial<SimulationOptions> = {}): FleetMessage[] {
  const messages: FleetMessage[] = [];
  for (const message of simulateFleet(options(more))) {
    if (message.at >= seconds * 1000) return messages;
    messages.push(message);
  }
  return messages;
}

const from = (messages: readonly FleetMessage[], device: string): FleetMessage[] => messages.filter((message) => message.device === device);
const allValues = (messages: readonly FleetMessage[]): Value[] =>
  messages.flatMap(({ sample }) => ('readings' in sample ? sample.readings : []));
const values = (messages: readonly FleetMessage[], measurement: string): number[] =>
  allValues(messages)
    .filter((one) => one.measurement === measurement)
    .map(({ value }) => value);

describe('a fleet', () => {
  it('names six devices for a patient with a bedroom', () => {
    expect(fleetFor({ patients: 1, seed: 1 }).map(({ id, kind, subject, location }) => [id, kind, subject, location])).toEqual([
      ['anna-wrist', 'wrist', { kind: 'patient', id: 'anna' }, 'anna-bedroom'],
      ['anna-oximeter', 'oximeter', { kind: 'patient', id: 'anna' }, 'anna-bedroom'],
      ['anna-chest', 'chest', { kind: 'patient', id: 'anna' }, 'anna-bedroom'],
      ['anna-bedroom-climate', 'climate', { kind: 'room', id: 'anna-bedroom' }, 'anna-bedroom'],
      ['anna-bedroom-motion', 'motion', { kind: 'room', id: 'anna-bedroom' }, 'anna-bedroom'],
      ['anna-bedroom-door', 'door', { kind: 'room', id: 'anna-bedroom' }, 'anna-bedroom'],
    ]);
  });

  it('adds three sensors for every further room, and patients by number after the first three', () => {
    const ids = fleetFor({ patients: 4, seed: 1, rooms: ['bedroom', 'living-room'] }).map(({ id }) => id);
    expect(ids).toHaveLength(4 * 9);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('clara-living-room-door');
    expect(ids).toContain('patient-4-bedroom-climate');
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses %s patients', (patients) => {
    expect(() => fleetFor({ patients, seed: 1 })).toThrow('expected a whole number from 1');
  });

  it('sends what its devices are said to measure, in the prescribed units, finite and in order', () => {
    const messages = during(1800, { patients: 2, ppg: true });
    const measures = new Map(fleetFor({ patients: 2, seed: 1, ppg: true }).map(({ id, measurements }) => [id, measurements]));
    const seen = new Map<string, Set<string>>();
    for (const [i, { device, sample, ...message }] of messages.entries()) {
      expect(message.at).toBeGreaterThanOrEqual(messages[i - 1]?.at ?? 0);
      for (const item of 'readings' in sample ? sample.readings : [sample.waveform]) {
        expect(item.unit).toBe(UNITS[item.measurement]);
        expect(('value' in item ? [item.value] : item.samples).every(Number.isFinite)).toBe(true);
        seen.set(device, (seen.get(device) ?? new Set()).add(item.measurement));
      }
    }
    expect(seen).toEqual(new Map([...measures].map(([id, list]) => [id, new Set(list)])));
  });

  it('repeats exactly with the same seed, and differs with another', () => {
    expect(during(300, { patients: 3 })).toEqual(during(300, { patients: 3 }));
    expect(during(300, { patients: 3 })).not.toEqual(during(300, { patients: 3, seed: 2 }));
  });

  it('leaves a patient as they are when others join', () => {
    const alone = during(600);
    const together = during(600, { patients: 3 }).filter(({ device }) => device.startsWith('anna-'));
    expect(together).toEqual(alone);
  });

  it('stamps messages with clocks of their own that drift apart', () => {
    const messages = during(4 * 3600);
    const errors = (device: string): number[] => from(messages, device).map((m) => m.deviceTime - (STARTED + m.at));
    const drift = (device: string): number => at(errors(device), -1) - at(errors(device), 0);
    expect(errors('anna-wrist')[0]).not.toBe(errors('anna-chest')[0]);
    expect(drift('anna-wrist')).not.toBe(0);
    for (const device of ['anna-wrist', 'anna-chest']) expect(Math.abs(drift(device))).toBeLessThanOrEqual(4 * 3600 * 0.02 + 1);
  });

  it('compresses device time, but not the simulated day, when it runs fast', () => {
    const fast = during(600, { compression: 60 });
    const normal = during(600);
    expect(fast.map(({ sample }) => sample)).toEqual(normal.map(({ sample }) => sample));
    const span = (messages: FleetMessage[]): number => at(messages, -1).deviceTime - at(messages, 0).deviceTime;
    const [one, other] = [from(normal, 'anna-wrist'), from(fast, 'anna-wrist')];
    expect(Math.abs(span(other) - span(one) / 60)).toBeLessThan(2);
  });

  it('measures more often at a higher rate, except the curve, which has no gaps to fill', () => {
    const count = (rate: number, shape: 'readings' | 'waveform'): number =>
      from(during(120, { rate, ppg: true }), 'anna-oximeter').filter(({ sample }) => shape in sample).length;
    expect(count(4, 'readings')).toBeCloseTo(4 * count(1, 'readings'), -1);
    expect(count(4, 'waveform')).toBe(count(1, 'waveform'));
  });

  it('shows a provoked desaturation at the finger', () => {
    const night = { timeOfDay: Seconds(2 * 3600), episodes: parseEpisodes('anna:desaturation@1min') };
    expect(Math.min(...values(from(during(360, night), 'anna-oximeter'), 'spo2'))).toBeLessThan(87);
    expect(Math.min(...values(from(during(360, { timeOfDay: Seconds(2 * 3600) }), 'anna-oximeter'), 'spo2'))).toBeGreaterThan(87);
  });

  it('refuses an episode for somebody who is not there, at once', () => {
    expect(() => simulateFleet(options({ episodes: parseEpisodes('zoe:tachycardia@1s') }))).toThrow('expected one of anna');
  });

  it('has a curve with as many peaks as the pulse it reports', () => {
    const messages = from(during(60, { ppg: true }), 'anna-oximeter');
    const curve = messages.flatMap(({ sample }) => ('waveform' in sample ? sample.waveform.samples : []));
    const beats = curve.filter((x, i) => x >= 0.6 && (curve[i - 1] ?? 1) < 0.6).length;
    const pulse = values(messages, 'heart_rate');
    const mean = pulse.reduce((sum, x) => sum + x, 0) / pulse.length;
    expect(curve).toHaveLength(60 * 50);
    expect(Math.abs(beats - mean)).toBeLessThan(6);
  });
});

describe('a sensor off the skin', () => {
  it('is off for the share of time its means say', () => {
    const contact = new SkinContact(900, 100, new Random(1));
    const on = Array.from({ length: 200_000 }, (_, second) => contact.touches(second)).filter(Boolean).length;
    expect(on / 200_000).toBeCloseTo(0.9, 1);
  });

  it('sends nothing from the finger, and from the wrist only what needs no skin', () => {
    const messages = during(12 * 3600);
    const wrist = from(messages, 'anna-wrist');
    const finger = from(messages, 'anna-oximeter');
    const pauses = finger.filter((message, i) => i > 0 && message.at - at(finger, i - 1).at > 2000);
    expect(pauses.length).toBeGreaterThan(0);
    expect(wrist).toHaveLength((12 * 3600) / 5);
    const off = wrist.filter(({ sample }) => 'readings' in sample && sample.readings.length === 2);
    expect(off.length).toBeGreaterThan(0);
    expect(new Set(allValues(off).map(({ measurement }) => measurement))).toEqual(new Set(['steps', 'battery']));
    expect(values(messages, 'heart_rate')).not.toContain(0);
  });
});
