/**
 * What a device puts on the wire: topic `devices/<device id>/readings`, QoS 1, UTF-8 JSON in one of three shapes.
 *
 *     {"seq":41,"time":1764000000123,"measurement":"heart_rate","value":72,"unit":"/min"}
 *     {"seq":42,"time":1764000000123,"readings":[{"measurement":"spo2","value":97,"unit":"%"}, …]}
 *     {"seq":43,"time":1764000000123,"waveform":{"measurement":"ppg","unit":"1","rate":50,"samples":[0.12, …]}}
 *
 * `seq` is the device's own counter from 1; `time` its own clock in unix milliseconds; `unit` is UCUM, case sensitive;
 * `rate` is samples per second. A value the device does not have is left out: there is no null and no zero for "missing".
 */

import type { UnixMillis } from '../gateway/quantity.ts';

/** The UCUM unit of everything simulated devices measure. `steps` counts from local midnight; `fall`, `motion` and `door` are 0 or 1. */
export const UNITS = {
  heart_rate: '/min',
  spo2: '%',
  respiratory_rate: '/min',
  skin_temperature: 'Cel',
  steps: '{steps}',
  battery: '%',
  ppg: '1',
  room_temperature: 'Cel',
  humidity: '%',
  co2: '[ppm]',
  fall: '1',
  motion: '1',
  door: '1',
  illuminance: 'lx',
} as const;
export type Measurement = keyof typeof UNITS;

export type Value = Readonly<{ measurement: Measurement; value: number; unit: string }>;
export type Waveform = Readonly<{ measurement: Measurement; unit: string; rate: number; samples: readonly number[] }>;
/** What one sampling gave: at least one value, or one block of equally spaced samples. */
export type Sample = Readonly<{ readings: readonly Value[] }> | Readonly<{ waveform: Waveform }>;

/** A value in its prescribed unit, rounded as a device's display would be. `decimals` defaults to 0. */
export function measured(measurement: Measurement, value: number, decimals = 0): Value {
  return { measurement, value: Number(value.toFixed(decimals)), unit: UNITS[measurement] };
}

export function topicOf(deviceId: string): string {
  return `devices/${deviceId}/readings`;
}

/** The payload of one message. A lone value takes the flat shape, several take `readings`. */
export function encodeMessage(seq: number, time: UnixMillis, sample: Sample): Buffer {
  return Buffer.from(JSON.stringify({ seq, time, ...bodyOf(sample) }));
}

function bodyOf(sample: Sample): object {
  if ('waveform' in sample) return sample;
  return sample.readings.length === 1 ? { ...sample.readings[0] } : sample;
}
