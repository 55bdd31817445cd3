/**
 * Firmware that can print and no more, one value to a line: `measurement,value,unit,time,counter`, time in Unix milliseconds,
 * after a header that names the columns. Every line has a number of its own.
 */

import { Seconds } from '../../gateway/quantity.ts';
import { measured, type Value } from '../message.ts';
import type { Snapshot } from '../source.ts';
import { type Family, messageOf, told } from './family.ts';

export const csvLine: Family = {
  name: 'csv-line',
  summary: 'firmware that prints comma-separated lines',
  every: Seconds(1),
  variants: ['values'],
  mqtt: true,
  serial: { baudRate: 115_200, parity: 'none', framings: ['line', 'cobs'] },
  speaker: () => ({
    greet: () => [messageOf('', 'measurement,value,unit,time,sequence')],
    say: (snapshot) => valuesOf(snapshot).map(({ measurement, value, unit }, i) => {
      const line = [measurement, value, unit, snapshot.time, snapshot.sequence * LINES + i].join(',');
      return messageOf('', line, [told(measurement, value)]);
    }),
  }),
};

/** At least as many lines as there are values in a snapshot. */
const LINES = 8;

function valuesOf({ body, room, sensorOff }: Snapshot): readonly Value[] {
  const onSkin = [measured('heart_rate', body.heartRate), measured('spo2', body.spo2), measured('respiratory_rate', body.respiratoryRate, 1)];
  return [...(sensorOff ? [] : onSkin), measured('room_temperature', room.temperature, 2), measured('humidity', room.humidity, 1)];
}
