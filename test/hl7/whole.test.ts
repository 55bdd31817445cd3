import { join } from 'node:path';
import { parse } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_ALARMS, type AlarmState } from '../../gateway/alarm/alarm.ts';
import { step } from '../../gateway/alarm/alarms.ts';
import { AlarmId, type AlarmInput } from '../../gateway/alarm/condition.ts';
import { DEFAULT_POLICY } from '../../gateway/alarm/policy.ts';
import { hl7Section } from '../../gateway/config/hl7-section.ts';
import { entryOfStep } from '../../gateway/derive/step-entry.ts';
import { Summary } from '../../gateway/derive/summary.ts';
import type { Outcome } from '../../gateway/hl7/output.ts';
import type { Hl7Outputs } from '../../gateway/hl7/outputs.ts';
import { startHospitalHl7 } from '../../gateway/hospital-hl7.ts';
import { decode } from '../../gateway/ledger/cbor.ts';
import { createLog } from '../../gateway/operations/log.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import type { Reading, Subject } from '../../gateway/reading.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredRefusedMessages } from '../../gateway/store/refused-message-store.ts';
import { GivingGateway, START } from '../records/given.ts';
import { OpeningHospital } from '../records/opened.ts';
import { acknowledgement, frame, Happenings, RawEngine } from './engine.ts';
import { readStrictly, textIn } from './readers.ts';

const ANNA: Subject = { kind: 'patient', id: 'anna' };
const reading = (measurement: string, unit: string, value: number, doubt?: Reading['doubt']): Reading => ({ measurement, unit, value, ...(doubt && { doubt }) });

/** What a gateway writes of a patient: a quarter of an hour, what a device told late, and an alarm from its beginning to its end. */
function write(gateway: GivingGateway): void {
  const quarter = new Summary(ANNA);
  for (const value of [96, 97, 95]) quarter.add(reading('spo2', '%', value), START);
  quarter.add(reading('spo2', '%', 40, 'movement'), START);
  quarter.add(reading('pulse_rate', '/min', 0, 'poor_signal'), START);
  gateway.write('patient/anna', { fields: { seconds: 900 }, payload: decode(quarter.payload(), { floats: true }) });
  const minute = new Summary(ANNA);
  minute.add(reading('spo2', '%', 94, 'stored'), UnixMillis(START - 3_600_000));
  gateway.write('patient/anna', { fields: { seconds: 60, late: 1 }, payload: decode(minute.payload(), { floats: true }) });
  gateway.write('patient/anna', { fields: { seconds: 60 }, payload: decode(minute.payload(), { floats: true }) });

  const evidence = { condition: 'spo2 < 85', values: [{ measurement: 'spo2', value: 79, unit: '%', limit: 85 }], frames: [1] };
  const condition = { subject: ANNA, rule: 'starter/low-oxygen', kind: 'physiological', priority: 'high', message: 'Oxygen is low | call', evidence } as const;
  const inputs: readonly AlarmInput[] = [
    { type: 'raised', condition },
    { type: 'acknowledge', alarm: AlarmId(1), revision: 1, by: { id: 'nurse-1', role: 'nurse' } },
    { type: 'cleared', key: condition },
  ];
  let state: AlarmState = NO_ALARMS;
  for (const [index, input] of inputs.entries()) {
    const after = step(state, input, Millis(index * 1000), DEFAULT_POLICY);
    state = after.state;
    for (const each of after.steps) {
      const { lane, kind, fields, payload } = entryOfStep(each, UnixMillis(START + index * 1000), undefined);
      gateway.write('patient/anna', { lane, kind, time: START + index * 1000, fields, payload: new Map(Object.entries(payload as Record<string, never>)) });
    }
  }
}

describe('what a gateway gives a hospital', () => {
  let engine: RawEngine;
  let hospital: OpeningHospital;
  let outputs: Hl7Outputs | undefined;
  const outcomes: Outcome[] = [];
  const happenings = new Happenings();
  const store = openMemoryStore();

  beforeEach(async () => {
    engine = await RawEngine.listen(({ id, socket }) => void socket.write(frame(acknowledgement('AA', id))));
    hospital = new OpeningHospital(store);
  });
  afterEach(async () => {
    await outputs?.stop();
    await hospital[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  it('gets to an integration engine as it is configured: alarms and observations, by pseudonym or as the hospital calls the patient', async () => {
    outputs = startHospitalHl7({
      config: { name: 'north', hl7: hl7Section.parse(parse(`[{ name: engine, address: "127.0.0.1:${engine.port}", receivingApplication: EPR, timeZone: Europe/Berlin }]`)) },
      stores: { outputs: hospital.outputs, refusedMessages: new StoredRefusedMessages(store), identities: hospital.identities, leases: hospital.leases },
      records: hospital.records,
      gate: { show: (_, records) => Promise.resolve(records), mayKnow: () => Promise.resolve(true) },
      textIn: (file) => join('no file is read here', file),
      log: createLog('silent', 'north'),
      onOutcome: (_, outcome) => {
        outcomes.push(outcome);
        happenings.happened();
      },
    });
    const gateway = new GivingGateway();
    write(gateway);
    for (const lane of ['record', 'alarm'] as const) await gateway.seal(hospital.blocks, lane);
    const given = gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [1, 2, 3, 4, 5, 6].map((entry) => gateway.sealedPayload(entry)) });
    while (outputs.status()[0]?.behind === null) await new Promise((resolve) => setImmediate(resolve));
    await hospital.releases.put(given);
    await hospital.settled();
    await happenings.until(() => outcomes.length >= 5);

    const read = engine.received.map(({ text }) => readStrictly(text));
    const byType = (type: string) => read.filter(({ segments: [msh] }) => textIn(msh?.field(9), 2) === type);
    expect(read.map(({ segments: [msh] }) => [textIn(msh?.field(4)), textIn(msh?.field(5))])).toEqual(Array.from({ length: 5 }, () => ['north', 'EPR']));
    expect(byType('R40').map(({ segments }) => textIn(segments.find((each) => textIn(each.field(3), 2) === 'MDC_ATTR_EVENT_PHASE')?.field(5)))).toEqual(['start', 'update', 'end']);
    const [first, late] = byType('R01').map(({ segments }) => segments.filter(({ segmentType }) => segmentType === 'OBX').map((each) => [textIn(each.field(3), 2), textIn(each.field(5)), textIn(each.field(11))]));
    expect(first?.filter(([, value, status]) => status === 'X' || value !== '')).toEqual(expect.arrayContaining([
      ['MDC_PULS_OXIM_SAT_O2', '96', 'R'], ['lowest of spo2', '95', 'R'], ['count of spo2', '3', 'R'], ['doubtful of spo2', '1', 'R'], ['MDC_PULS_OXIM_PULS_RATE', '', 'X'],
    ]));
    expect(late).toEqual(expect.arrayContaining([['MDC_PULS_OXIM_SAT_O2', '94', 'R']]));
    const [subject] = await hospital.records.subjects();
    expect(textIn(read[0]?.segments[1]?.field(3))).toBe(subject?.person);
    expect(engine.received.map(({ text }) => text).join('')).not.toContain('anna');
    expect(outputs.status()).toMatchObject([{ destination: 'engine', sent: 5, setAside: 0, lastError: null }]);

    await hospital.identities.map(subject?.person ?? '', { system: 'urn:oid:2.16.840.1.113883.19', value: '4711' });
    const more = new Summary(ANNA);
    more.add(reading('heart_rate', '/min', 71), START);
    const entry = gateway.write('patient/anna', { fields: { seconds: 900 }, payload: decode(more.payload(), { floats: true }), time: START + Minutes(15) });
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ payloads: [gateway.sealedPayload(entry)] }));
    hospital.projector.ring();
    await happenings.until(() => outcomes.length >= 6);
    expect(engine.received[5]?.text).toContain('\rPID|1||4711^^^&2.16.840.1.113883.19&ISO^PI||^^^^^^U\r');
  });
});
