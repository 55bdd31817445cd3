/**
 * Sensor Measurement Lists (RFC 8428) in JSON (§5) and CBOR (§6): one pack for each snapshot, with every base field.
 *
 *     bn bt        hold for the whole pack: names begin with the device, times are seconds after (mostly before) the base time
 *     bu bv        hold until they are set anew: 30 Cel for the temperatures
 *
 * The variant `no-clock` is a device that knows no time of day (§4.5.3): without a base time, `t` counts from now.
 */

import { encode } from 'cborg';
import { Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { type Family, messageOf, rounded, type Speaker, type Told, told, type Who } from './family.ts';

/** Fields of §4.1 and §4.2 by their JSON labels. */
type SenmlRecord = Readonly<{
  bn?: string; bt?: number; bu?: string; bv?: number; bver?: number;
  n?: string; u?: string; v?: number; vb?: boolean; t?: number;
}>;
type Measured = Readonly<{ record: SenmlRecord; tells: Told }>;

/** §6, table 4. */
const LABELS: Readonly<Record<keyof SenmlRecord, number>> = {
  bver: -1, bn: -2, bt: -3, bu: -4, bv: -5, n: 0, u: 1, v: 2, vb: 4, t: 6,
};
const BASE_TEMPERATURE = 30;

export const senmlJson: Family = {
  name: 'senml-json',
  summary: 'SenML (RFC 8428) in JSON, with base name, time, unit and value',
  every: Seconds(5),
  variants: ['clock', 'no-clock'],
  mqtt: true,
  serial: { baudRate: 115_200, parity: 'none', framings: ['line', 'cobs'] },
  speaker: (who) => speaker(who, (pack) => Buffer.from(JSON.stringify(pack), 'utf8')),
};

export const senmlCbor: Family = {
  name: 'senml-cbor',
  summary: 'the same in CBOR',
  every: Seconds(5),
  variants: ['clock', 'no-clock'],
  mqtt: true,
  serial: { baudRate: 115_200, parity: 'none', framings: ['cobs'] },
  speaker: (who) => speaker(who, (pack) => encode(pack.map(withIntegerLabels))),
};

function withIntegerLabels(record: SenmlRecord): ReadonlyMap<number, unknown> {
  return new Map(Object.entries(record).map(([label, value]) => [LABELS[label as keyof SenmlRecord], value]));
}

function speaker({ device, variant }: Who, encodePack: (pack: readonly SenmlRecord[]) => Uint8Array): Speaker {
  return {
    say: (snapshot) => {
      const measured = [...(snapshot.sensorOff ? [] : onSkin(snapshot)), ...around(snapshot)];
      // Only letters, digits and -:./_ may stand in a name, the first of them a letter or digit (§4.5.1).
      const name = device.replace(/^[^A-Za-z0-9]+/, '');
      const base: SenmlRecord = { bn: `${name}.`, ...(variant === 'no-clock' ? {} : { bt: snapshot.time / 1000 }) };
      return [messageOf('', encodePack([base, ...measured.map(({ record }) => record)]), measured.map(({ tells }) => tells))];
    },
  };
}

function onSkin({ body }: Snapshot): readonly Measured[] {
  const [pulse, saturation] = [rounded(body.heartRate), rounded(body.spo2)];
  const [skin, core] = [rounded(body.skinTemperature, 1), rounded(body.bodyTemperature, 2)];
  return [
    { record: { n: 'heart_rate', u: 'beat/min', v: pulse }, tells: told('heart_rate', pulse) },
    // `%` would be a ratio (§12.1); RFC 8798 has /100.
    { record: { n: 'spo2', u: '/100', v: saturation, t: -1 }, tells: told('spo2', saturation) },
    {
      record: { bu: 'Cel', bv: BASE_TEMPERATURE, n: 'skin_temperature', v: rounded(skin - BASE_TEMPERATURE, 1), t: -2.5 },
      tells: told('skin_temperature', skin),
    },
    { record: { n: 'body_temperature', v: rounded(core - BASE_TEMPERATURE, 2) }, tells: told('body_temperature', core) },
  ];
}

function around({ room, battery }: Snapshot): readonly Measured[] {
  const [humidity, co2] = [rounded(room.humidity, 1), rounded(room.co2)];
  return [
    { record: { bv: 0, n: 'humidity', u: '%RH', v: humidity, t: -10 }, tells: told('humidity', humidity) },
    { record: { n: 'co2', u: 'ppm', v: co2, t: -10 }, tells: told('co2', co2) },
    { record: { n: 'door', vb: room.doorOpen }, tells: told('door', room.doorOpen ? 1 : 0) },
    { record: { n: 'battery', u: '/100', v: battery }, tells: told('battery', battery) },
  ];
}
