import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bundle, DetectedIssue, Observation, Provenance, Resource } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FhirServer, type Authorisation } from '../../gateway/fhir/fhir-server.ts';
import { FhirPush, type PushOptions } from '../../gateway/fhir/push.ts';
import { Millis } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { LogBook } from '../upstream/hospital.ts';
import { alarmStep, minute, recordOf, ROOM, surroundings } from './doubles.ts';
import { ForeignServer } from './foreign-server.ts';

const RECORDS: readonly HospitalRecord[] = [
  minute(1, { heart_rate: [61, '/min'], spo2: [97, '%'] }),
  minute(2, { systolic_pressure: [121, 'mm[Hg]'], diastolic_pressure: [79, 'mm[Hg]'] }),
  alarmStep(3),
  minute(4, { room_temperature: [21.5, 'Cel'], co2: [640, '[ppm]'] }, { subject: { kind: 'room', person: ROOM } }),
];

describe('what goes to a FHIR server', () => {
  let foreign: ForeignServer;
  let log: LogBook;
  beforeEach(async () => {
    foreign = await ForeignServer.start();
    log = new LogBook();
  });
  afterEach(() => foreign[Symbol.asyncDispose]());

  function pushing(around: ReturnType<typeof surroundings>, more: Partial<PushOptions> & { authorisation?: Authorisation; timeout?: number } = {}): FhirPush {
    const { authorisation = { kind: 'none' }, timeout = 5000, ...options } = more;
    const server = new FhirServer({ url: foreign.url, authorisation, timeout: Millis(timeout) }, () => Millis(0));
    return new FhirPush({ ...around, name: 'ehr', purpose: 'TREAT', server, log, holder: 'this', ...options });
  }

  async function toTheEnd(push: FhirPush): Promise<void> {
    for (let i = 0; i < 200 && (await push.step()); i++);
  }

  const kinds = (): Readonly<Record<string, number>> => Object.fromEntries([...Map.groupBy(foreign.resources.values(), ({ resourceType }) => resourceType)].map(([type, all]) => [type, all.length]));
  const EVERYTHING = { Patient: 1, Location: 1, Device: 1, Observation: 6, DetectedIssue: 1, Communication: 1, Provenance: 4 };

  it('is there once, with references that lead somewhere, however often it is sent', async () => {
    const around = surroundings(RECORDS);
    await toTheEnd(pushing(around));
    expect(kinds()).toEqual(EVERYTHING);
    const issue = foreign.ofType('DetectedIssue')[0] as DetectedIssue;
    expect(foreign.resources.get(issue.evidence?.[1]?.detail?.[0]?.reference ?? '')).toMatchObject({ resourceType: 'Observation', valueQuantity: { value: 84 } });
    expect((foreign.ofType('Provenance') as Provenance[]).every(({ target, signature }) => target.every(({ reference = '' }) => foreign.resources.has(reference)) && signature?.length === 2)).toBe(true);
    around.cursors.numbers.clear();
    await toTheEnd(pushing(around));
    expect(kinds()).toEqual(EVERYTHING);
  });

  it('is there once when the answer to what was taken is lost', async () => {
    foreign.mischief = (_bundle, attempt) => (attempt === 1 ? 'cut after' : undefined);
    await toTheEnd(pushing(surroundings(RECORDS)));
    expect([foreign.bundles.length, kinds()]).toEqual([2, EVERYTHING]);
  });

  it('waits while the server is busy, conflicted or away, as long as it is asked to', async () => {
    const waits: number[] = [];
    const mischief = [{ status: 503, headers: { 'retry-after': '70' } }, { status: 409 }, { status: 412 }, { status: 429 }, 'hang up', { status: 200, body: { resourceType: 'Patient' } }] as const;
    foreign.mischief = (_bundle, attempt) => mischief[attempt - 1];
    const around = surroundings(RECORDS);
    await toTheEnd(pushing(around, { sleep: (wait) => Promise.resolve(void waits.push(wait)), random: () => 0.5 }));
    expect(kinds()).toEqual(EVERYTHING);
    expect((await around.trail.newest({ limit: 50 })).map(({ count }) => count).sort((a, b) => a - b)).toEqual([2, 6]);
    expect(waits[0]).toBe(70_000);
    expect(waits.slice(1)).toEqual([1100, 2100, 4100, 8100, 16_100]);
  });

  it('waits for a person, and loses nothing, where it is not let in', async () => {
    const around = surroundings(RECORDS);
    foreign.mischief = (_bundle, attempt) => (attempt <= 3 ? { status: attempt === 1 ? 401 : attempt === 2 ? 403 : 404 } : undefined);
    const push = pushing(around, { sleep: () => Promise.resolve(void states.push(push.glance)) });
    const states: unknown[] = [push.glance];
    await toTheEnd(push);
    expect([...states.slice(0, 2), push.glance]).toEqual([
      { name: 'ehr', state: 'working', behind: null, lastSuccess: null, lastError: null },
      { name: 'ehr', state: 'failing', behind: 4, lastSuccess: null, lastError: 'the server answers 401' },
      { name: 'ehr', state: 'working', behind: 0, lastSuccess: 1_790_000_000_000, lastError: null },
    ]);
    expect(kinds()).toEqual(EVERYTHING);
    expect(await around.asides.list('ehr')).toEqual([]);
    expect(log.messages('warn').some((message) => /does not let us in/.test(message))).toBe(true);
  });

  it('is taken apart down to the one resource the server refuses, which is set aside with what was said; the rest arrives', async () => {
    const around = surroundings(RECORDS);
    foreign.refuses = (resource) => ((resource as Observation).code?.text === 'spo2' && (resource as Observation).valueQuantity?.value === 97 ? 'the value "97" of anna is refused' : undefined);
    await toTheEnd(pushing(around));
    expect(kinds()).toEqual({ ...EVERYTHING, Observation: 5 });
    const asides = await around.asides.list('ehr');
    expect(asides).toMatchObject([{ output: 'ehr', record: 1, entry: 2, status: 422, outcome: 'error invalid: the value … of anna is refused' }]);
    expect(asides[0]?.resource).toMatch(/^Observation\//);
    const said = foreign.ofType('DetectedIssue')[0] as DetectedIssue;
    expect(said.evidence?.[1]?.detail).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain('97');
  });

  it('is tried again when asked to; what goes through then is set aside no more', async () => {
    const around = surroundings(RECORDS);
    foreign.refuses = ({ resourceType }) => (resourceType === 'Observation' ? 'not yet' : undefined);
    const push = pushing(around);
    await toTheEnd(push);
    expect(await push.status()).toMatchObject({ name: 'ehr', through: 4, newest: 4, setAside: 6 });
    foreign.refuses = (resource) => ((resource as Observation).valueQuantity?.value === 97 ? 'never' : undefined);
    expect(await push.retry()).toEqual({ before: 6, after: 1 });
    expect(kinds()).toMatchObject({ Observation: 5 });
    around.records.all = [];
    expect(await push.retry()).toEqual({ before: 1, after: 0 });
  });

  it('names what is refused by its identifier where the rest of a record refers to it', async () => {
    const around = surroundings([alarmStep(1)]);
    foreign.refuses = ({ resourceType }) => (resourceType === 'Observation' ? 'no observations' : undefined);
    await toTheEnd(pushing(around));
    const issue = foreign.ofType('DetectedIssue')[0] as DetectedIssue;
    expect(issue.evidence?.[1]?.detail?.[0]).toMatchObject({ type: 'Observation', identifier: { system: 'urn:vitalgate:record' } });
    expect(foreign.ofType('Provenance')).toHaveLength(1);
  });

  it('sets aside what is in conflict for good, and goes on', async () => {
    const around = surroundings(RECORDS);
    const twin = { resourceType: 'Location', status: 'active', identifier: [{ system: 'urn:vitalgate:subject', value: ROOM }] } as const;
    for (const id of ['x1', 'x2']) foreign.resources.set(`Location/${id}`, { ...twin, id, identifier: [...twin.identifier] });
    await toTheEnd(pushing(around));
    expect(kinds()).toMatchObject({ Observation: 4, DetectedIssue: 1 });
    expect((await around.asides.list('ehr')).map(({ record }) => record)).toEqual([4, 4, 4]);
    expect(around.cursors.numbers.get('fhir ehr')).toBe(4);
  });

  it('is sent again as a whole where a server answers entry by entry, as for a batch', async () => {
    foreign.mischief = (bundle, attempt) => (attempt === 1 ? { status: 200, body: { resourceType: 'Bundle', type: 'batch-response', entry: (bundle.entry ?? []).map((_entry, i) => ({ response: { status: i === 2 ? '503' : '201' } })) } } : undefined);
    await toTheEnd(pushing(surroundings(RECORDS)));
    expect([foreign.bundles.length, kinds()]).toEqual([2, EVERYTHING]);
  });

  it('is what consent leaves of it, asked before, and written down as shown', async () => {
    const around = surroundings(RECORDS);
    around.gate.hides = ({ kind }) => kind === 'patient';
    await toTheEnd(pushing(around));
    expect(kinds()).toEqual({ Location: 1, Device: 1, Observation: 2, Provenance: 1 });
    expect(around.gate.shown[0]?.recipient).toEqual({ id: 'ehr', purpose: 'TREAT', by: 'fhir push' });
    expect(await around.trail.newest({ limit: 10 })).toMatchObject([{ subject: { person: ROOM }, count: 2 }]);
  });

  it('is asked of consent again after a minute of waiting', async () => {
    const around = surroundings([minute(1, { spo2: [97, '%'] })]);
    foreign.mischief = () => {
      around.gate.hides = () => true;
      return { status: 503, headers: { 'retry-after': '100' } };
    };
    await toTheEnd(pushing(around));
    expect([foreign.bundles.length, kinds()]).toEqual([1, {}]);
  });

  it('says an excerpt, without the signature that is not over it', async () => {
    const around = surroundings([minute(1, { spo2: [97, '%'] }, { whole: false })]);
    await toTheEnd(pushing(around));
    expect(foreign.ofType('Observation')[0]?.meta?.security).toEqual([{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'REDACTED' }]);
    expect((foreign.ofType('Provenance')[0] as Provenance).signature).toBeUndefined();
  });

  it('keeps apart what is of no known form, and goes on', async () => {
    const around = surroundings([recordOf(1, { from: -1, to: 'x' }), minute(2, { spo2: [97, '%'] })]);
    await toTheEnd(pushing(around));
    expect(await around.asides.list('ehr')).toMatchObject([{ record: 1, status: 0 }]);
    expect(foreign.ofType('Observation')).toHaveLength(1);
  });

  it('meets the patient another system knows by the identifier of this hospital', async () => {
    const around = surroundings(RECORDS);
    around.identities.known.set(RECORDS[0]?.subject.person ?? '', { system: 'https://mary.example/mrn', value: 'M|1, 2', name: 'Anna' });
    foreign.resources.set('Patient/there', { resourceType: 'Patient', id: 'there', identifier: [{ system: 'https://mary.example/mrn', value: 'M|1, 2' }] });
    const conditions = (): readonly string[] => foreign.bundles.flatMap(({ entry = [] }: Bundle) => entry.flatMap(({ request }) => (request?.url === 'Patient' ? [request.ifNoneExist ?? ''] : [])));
    await toTheEnd(pushing(around));
    expect(conditions()[0]).toBe('identifier=https%3A%2F%2Fmary.example%2Fmrn|M%5C%7C1%5C%2C%202');
  });

  it('goes in runs of no more than 500 entries', async () => {
    const many = Array.from({ length: 150 }, (_each, i) => minute(i + 1, { heart_rate: [60, '/min'], spo2: [97, '%'], respiratory_rate: [14, '/min'], body_temperature: [36.8, 'Cel'] }));
    await toTheEnd(pushing(surroundings(many)));
    expect(foreign.bundles.every(({ entry = [] }) => entry.length <= 500)).toBe(true);
    expect(foreign.ofType('Observation')).toHaveLength(600);
  });

  it('goes on when more comes, by one process at a time', async () => {
    const around = surroundings(RECORDS.slice(0, 1));
    const first = pushing(around);
    const second = pushing(around, { holder: 'other' });
    first.start();
    await passed(1);
    second.start();
    around.records.add(...RECORDS.slice(1));
    await passed(4);
    await Promise.all([first.stop(), second.stop()]);
    expect(kinds()).toEqual(EVERYTHING);
    expect((await first.status()).through).toBe(4);

    async function passed(number: number): Promise<void> {
      while (around.cursors.numbers.get('fhir ehr') !== number) await new Promise(setImmediate);
    }
  });

  it('shows a token', async () => {
    await toTheEnd(pushing(surroundings(RECORDS), { authorisation: { kind: 'bearer', token: () => 'secret' } }));
    expect(foreign.authorisations).toEqual(['Bearer secret']);
  });

  it('gets a token for its client credentials, and another one when that is refused', async () => {
    const asked: string[] = [];
    const authorities = createServer((request, response) => {
      asked.push(request.headers.authorization ?? '');
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ access_token: `token-${asked.length}`, token_type: 'Bearer', expires_in: 3600 }));
    }).listen(0, '127.0.0.1');
    await once(authorities, 'listening');
    foreign.mischief = (_bundle, attempt) => (attempt === 1 ? { status: 401 } : undefined);
    await toTheEnd(pushing(surroundings(RECORDS), { authorisation: { kind: 'client', tokenUrl: `http://127.0.0.1:${(authorities.address() as AddressInfo).port}/token`, client: 'vital gate', secret: () => 'a:b' } }));
    authorities.closeAllConnections();
    authorities.close();
    expect(asked).toEqual(Array.from({ length: 2 }, () => `Basic ${Buffer.from('vital%20gate:a%3Ab').toString('base64')}`));
    expect(foreign.authorisations).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('does not follow a server that sends it elsewhere', async () => {
    foreign.mischief = (_bundle, attempt) => (attempt === 1 ? { status: 307, headers: { location: 'http://127.0.0.1:9/' } } : undefined);
    await toTheEnd(pushing(surroundings(RECORDS), { authorisation: { kind: 'bearer', token: () => 'secret' } }));
    expect(foreign.bundles).toHaveLength(2);
  });

  it('is of the types that are wanted', async () => {
    await toTheEnd(pushing(surroundings(RECORDS), { what: ['DetectedIssue'] }));
    const types: readonly Resource['resourceType'][] = ['Observation', 'Provenance', 'Communication'];
    expect([types.map((type) => foreign.ofType(type).length), foreign.ofType('DetectedIssue').length]).toEqual([[0, 0, 0], 1]);
  });
});
