/** Records as a hospital's log would give them, about nobody. */

import { UnixMillis } from '../../gateway/quantity.ts';
import type { Addressing, Making } from '../../gateway/hl7/header.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';

const CHAIN = '00112233445566778899aabbccddeeff';
const PERSON = 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf';
export const TIME = UnixMillis(Date.UTC(2026, 10, 30, 8, 45, 0, 250));

export const ADDRESSING: Addressing = {
  sendingApplication: 'VITALGATE', sendingFacility: 'NORTH', receivingApplication: 'ENGINE', receivingFacility: 'ST-MARY', processing: 'P', acknowledgement: 'application', timeZone: 'Europe/Berlin',
};
export const MAKING: Making = { addressing: ADDRESSING, now: UnixMillis(TIME + 1750) };

type Parts = Partial<HospitalRecord> & Pick<HospitalRecord, 'payload'>;

export function record(number: number, { ...parts }: Parts): HospitalRecord {
  return {
    number, arrived: UnixMillis(TIME + 1000), chain: CHAIN, lane: 'record', height: 7, blockHash: '5'.repeat(64), entry: 100 + number, kind: 'summary', time: TIME,
    subject: { kind: 'patient', person: PERSON }, whole: true, ...parts,
  };
}

export const statistics = (unit: string, mean: number, count = 15): HospitalRecord['payload'] => ({ unit, count, doubtful: 0, lowest: mean - 2, highest: mean + 2, mean, last: mean + 1 });

/** A quarter of an hour of a subject. */
export const quarter = (number: number, measurements: HospitalRecord['payload'], parts: Partial<HospitalRecord> = {}): HospitalRecord =>
  record(number, { payload: { from: TIME - 899_750, to: TIME - 250, seconds: 900, measurements }, ...parts });

/** A step of alarm 4, raised with high priority unless said otherwise. */
export const alarmStep = (number: number, payload: HospitalRecord['payload'] = {}, parts: Partial<HospitalRecord> = {}): HospitalRecord =>
  record(number, {
    lane: 'alarm', kind: 'event',
    payload: { alarm: 4, why: 'raised', from: 'none', to: 'active', rule: 'starter/low-oxygen', kind: 'physiological', priority: 'high', message: 'Oxygen saturation is low', count: 1, ...payload },
    ...parts,
  });
