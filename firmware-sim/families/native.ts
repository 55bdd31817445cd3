/** Firmware written for vitalgate: the JSON of message.ts, and the same as CBOR (RFC 8949), one message for each snapshot. */

import { encode } from 'cborg';
import { Seconds } from '../../gateway/quantity.ts';
import { encodeMessage, measured, type Sample, UNITS } from '../message.ts';
import type { Snapshot } from '../source.ts';
import { type Family, messageOf, type Speaker, type Told, told, type Who } from './family.ts';

const PLETH = { samples: 50, rate: 50 } as const;

export const nativeJson: Family = {
  name: 'native-json',
  summary: 'firmware of our own: JSON with counter, clock and units; a wearable, or its pulse wave',
  every: Seconds(1),
  variants: ['values', 'waveform'],
  mqtt: true,
  serial: { baudRate: 115_200, parity: 'none', framings: ['line', 'cobs'] },
  pleth: PLETH,
  speaker: (who) => speaker(who, ({ sequence, time }, sample) => encodeMessage(sequence, time, sample)),
};

export const nativeCbor: Family = {
  name: 'native-cbor',
  summary: 'the same as CBOR, for devices that count bytes',
  every: Seconds(1),
  variants: ['values', 'waveform'],
  mqtt: true,
  serial: { baudRate: 115_200, parity: 'none', framings: ['cobs'] },
  pleth: PLETH,
  speaker: (who) => speaker(who, ({ sequence, time }, sample) => encode({ seq: sequence, time, ...sample })),
};

function speaker({ variant }: Who, encodeAs: (snapshot: Snapshot, sample: Sample) => Uint8Array): Speaker {
  return {
    say: (snapshot) => {
      const sample = variant === 'waveform' && !snapshot.sensorOff ? waveform(snapshot) : values(snapshot);
      return [messageOf('', encodeAs(snapshot, sample), toldBy(sample))];
    },
  };
}

/** Off the skin only the battery is left. */
function values({ body, battery, sensorOff }: Snapshot): Sample {
  const onSkin = [
    measured('heart_rate', body.heartRate), measured('spo2', body.spo2), measured('respiratory_rate', body.respiratoryRate),
    measured('skin_temperature', body.skinTemperature, 1),
  ];
  return { readings: [...(sensorOff ? [] : onSkin), measured('battery', battery)] };
}

function waveform({ body }: Snapshot): Sample {
  const samples = body.pleth.map((sample) => Number(sample.toFixed(3)));
  return { waveform: { measurement: 'ppg', unit: UNITS.ppg, rate: PLETH.rate, samples } };
}

function toldBy(sample: Sample): readonly Told[] {
  if ('waveform' in sample) return [told('ppg', sample.waveform.samples)];
  return sample.readings.map(({ measurement, value }) => told(measurement, value));
}
