import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { MEASUREMENT_CODES } from '../../gateway/hl7/codes.ts';
import { controlIdOf } from '../../gateway/hl7/header.ts';
import { instant } from '../../gateway/hl7/instant.ts';
import { messageAbout, type Wanted } from '../../gateway/hl7/messages.ts';
import { decimal } from '../../gateway/hl7/rows.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { MappedIdentity } from '../../gateway/records/identity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { readStrictly } from './readers.ts';
import { alarmStep, MAKING, quarter, record, statistics, TIME } from './records.ts';

const ALL: Wanted = { leastPriority: 'low', summaries: 'quarter', rooms: true };

function made(about: HospitalRecord, identity?: MappedIdentity, wanted = ALL): string {
  const answer = messageAbout(about, wanted, { ...MAKING, ...(identity && { identity }) });
  if (!('message' in answer)) throw new Error(`no message: ${JSON.stringify(answer)}`);
  return answer.message;
}

/** A message that was written down: one segment a line. */
const written = (name: string): string => readFileSync(new URL(`messages/${name}.hl7`, import.meta.url), 'utf8').replaceAll('\n', '\r');

const VITAL_SIGNS = {
  spo2: statistics('%', 96.5), pulse_rate: { unit: '/min', count: 0, doubtful: 3 }, systolic_pressure: statistics('mm[Hg]', 128), body_temperature: statistics('Cel', 36.81234567), skin_temperature: statistics('Cel', 33.5),
  respiratory_rate: statistics('/min', 14), steps: { unit: '{steps}', count: 2, doubtful: 1, lowest: 310, highest: 412, mean: 361, last: 412 }, tremor: statistics('Hz', 4.2),
};
const LOW_OXYGEN = { evidence: { condition: 'spo2 < 85', values: [{ measurement: 'pulse_rate', value: 121, unit: '/min' }, { measurement: 'spo2', value: 79, unit: '%', limit: 85 }], frames: [12] } };

const CASES: readonly (readonly [name: string, message: () => string])[] = [
  ['summary-of-a-pseudonym', () => made(quarter(1, VITAL_SIGNS))],
  ['summary-of-a-known-patient', () => made(quarter(2, { heart_rate: statistics('/min', 71) }, { whole: false }), { system: 'urn:oid:2.16.840.1.113883.19', value: 'MRN|4711', name: 'O\\Brien ^ Anna' })],
  ['summary-of-a-room', () => made(quarter(3, { room_temperature: statistics('Cel', 19.5), humidity: statistics('%', 41), co2: statistics('[ppm]', 810), motion: { unit: '1', count: 4, doubtful: 0, lowest: 0, highest: 1, mean: 0.25, last: 0 } }, { subject: { kind: 'room', person: 'b'.repeat(32) } }))],
  ['alarm-raised', () => made(alarmStep(4, LOW_OXYGEN))],
  ['alarm-acknowledged', () => made(alarmStep(5, { ...LOW_OXYGEN, why: 'acknowledged', from: 'active', to: 'acknowledged', by: { id: 'nurse-1', role: 'nurse' } }, { kind: 'acknowledgement' }))],
  ['alarm-over', () => made(alarmStep(6, { ...LOW_OXYGEN, why: 'cleared', from: 'acknowledged', to: 'cleared' }))],
  ['alarm-bare', () => made(record(7, { lane: 'alarm', kind: 'event', whole: false, payload: { alarm: 5, why: 'raised', from: 'none', to: 'pending', kind: 'technical', priority: 'low' } }))],
];

describe('a message', () => {
  it.each(CASES)('is as it was written down: %s', (name, message) => {
    expect(message()).toBe(written(name));
  });

  it.each(CASES)('is one of HL7 v2.6 to another reader, with types that fit: %s', (_, message) => {
    const read = readStrictly(message());
    expect([read.version, read.segments.map(({ segmentType }) => segmentType)]).toEqual(['2.6', message().split('\r').slice(0, -1).map((line) => line.slice(0, 3))]);
  });

  it('has the same id whenever it is made again, another for any other record, and no more than 20 characters', () => {
    const ids = Array.from({ length: 2000 }, (_, entry) => controlIdOf({ chain: record(1, { payload: {} }).chain, entry }));
    expect([new Set(ids).size, ids.every((id) => /^[0-9A-Z]{20}$/.test(id))]).toEqual([2000, true]);
    expect(controlIdOf({ chain: 'f'.repeat(32), entry: 1 })).not.toBe(controlIdOf({ chain: 'e'.repeat(32), entry: 1 }));
  });

  it('has times as clocks show them at the destination, with the offset', () => {
    expect([instant(TIME, 'Europe/Berlin'), instant(TIME, 'America/St_Johns'), instant(UnixMillis(Date.UTC(2026, 6, 1)), 'Europe/Berlin')]).toEqual(['20261130094500.250+0100', '20261130051500.250-0330', '20260701020000.000+0200']);
  });

  it('has numbers without exponents', () => {
    expect([1e-7, 1e21, 97.333333333333, -0, 100, 0.1 + 0.2].map(decimal)).toEqual(['0.0000001', '1000000000000000000000', '97.33333', '0', '100', '0.3']);
  });
});

describe('the table of codes', () => {
  it('has every measurement of the gateway, with its unit and its codes', () => {
    for (const [name, { unit, loinc, mdc, integer }] of MEASUREMENTS) {
      const code = MEASUREMENT_CODES.get(name);
      expect([name, code?.unit, code?.loinc?.[0], code?.id[2] === 'MDC' ? Number(code.id[0]) : undefined, code?.state]).toEqual([name, unit, loinc, mdc, integer]);
    }
    expect(MEASUREMENT_CODES.size).toBe(MEASUREMENTS.size);
  });

  it('gives no two measurements the same place', () => {
    expect(new Set([...MEASUREMENT_CODES.values()].map(({ place }) => place.join('.'))).size).toBe(MEASUREMENT_CODES.size);
  });
});

describe('a destination', () => {
  const minute = record(1, { payload: { from: TIME - 60_000, to: TIME - 100, seconds: 60, measurements: { spo2: statistics('%', 97) } } });
  const late = record(1, { payload: { from: TIME - 7_200_000, to: TIME - 3_600_000, seconds: 60, late: 1, measurements: { spo2: statistics('%', 97) } } });
  const waveform = record(1, { payload: { measurement: 'ppg', unit: '1', rateHz: 75, from: TIME, samples: [0, 1] } });

  it.each<[string, HospitalRecord, Partial<Wanted>, boolean]>([
    ['a quarter', quarter(1, {}), {}, true],
    ['no minute where it has quarters', minute, {}, false],
    ['what a device had kept all the same', late, {}, true],
    ['one of whose length nothing is said', record(1, { payload: { from: TIME, to: TIME, measurements: {} } }), {}, true],
    ['a minute', minute, { summaries: 'minute' }, true],
    ['no quarter where it has minutes', quarter(1, {}), { summaries: 'minute' }, false],
    ['no waveform', waveform, {}, false],
    ['an alarm of its least priority', alarmStep(1, { priority: 'medium' }), { leastPriority: 'medium' }, true],
    ['none below', alarmStep(1, { priority: 'low' }), { leastPriority: 'medium' }, false],
    ['one whose priority nobody knows', alarmStep(1, { priority: 'extreme' }), { leastPriority: 'high' }, true],
    ['no answer that was refused', alarmStep(1, { why: 'refused' }), {}, false],
    ['no event that is of no alarm', record(1, { kind: 'event', payload: { note: 'x' } }), {}, false],
    ['no room where it wants none', quarter(1, {}, { subject: { kind: 'room', person: 'b' } }), { rooms: false }, false],
  ])('gets %s', (_, about, wanted, isSent) => {
    expect('message' in messageAbout(about, { ...ALL, ...wanted }, MAKING)).toBe(isSent);
  });

  it('is told why there is no message of what cannot be read, and nothing of what was found', () => {
    const answer = messageAbout(quarter(1, { spo2: { unit: '%', count: 'secret' } }), ALL, MAKING);
    expect(answer).toEqual({ unreadable: expect.stringContaining('payload measurements.spo2.count') as string });
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});

describe('an alarm', () => {
  const facet = (payload: HospitalRecord['payload'], code: number): string | undefined => made(alarmStep(1, payload)).split('\r').find((line) => line.includes(`|${code}^`))?.split('|')[5];

  it.each<[string, HospitalRecord['payload'], string, string, string]>([
    ['waits', { to: 'pending' }, 'start', 'inactive', 'enabled'],
    ['is active after its delay', { why: 'delay_over', from: 'pending' }, 'update', 'active', 'enabled'],
    ['goes on', { why: 'repeated', from: 'active' }, 'continue', 'active', 'enabled'],
    ['is paused', { why: 'snoozed', from: 'active' }, 'update', 'active', 'audio-paused'],
    ['goes on while it is paused', { why: 'repeated', from: 'active', untold: 'snoozed' }, 'continue', 'active', 'audio-paused'],
    ['is taken over', { why: 'acknowledged', from: 'active', to: 'acknowledged' }, 'update', 'active', 'alert-acknowledged'],
    ['is over and nobody has answered', { why: 'cleared', from: 'active', to: 'latched' }, 'update', 'latched', 'enabled'],
    ['is over', { why: 'cleared', from: 'active', to: 'cleared' }, 'end', 'inactive', 'enabled'],
    ['finds no room in the list', { why: 'no_room', to: 'none' }, 'start', 'active', 'enabled'],
  ])('%s', (_, payload, phase, state, inactivation) => {
    expect([68481, 68482, 68483].map((code) => facet(payload, code))).toEqual([phase, state, inactivation]);
  });
});
