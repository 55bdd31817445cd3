import type { AuditEvent, Bundle, CapabilityStatement, Consent, Observation, Provenance } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { alarmStep, minute, PERSON, recordOf, ROOM, START } from './doubles.ts';
import { faultsIn, bindingFaults, structureFaults } from './gates.ts';
import { TestNode } from './node.ts';

const OTHER = 'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0';
const RECORDS: readonly HospitalRecord[] = [
  minute(1, { heart_rate: [61, '/min'], spo2: [97, '%'] }),
  minute(2, { systolic_pressure: [121, 'mm[Hg]'], diastolic_pressure: [79, 'mm[Hg]'] }),
  alarmStep(3),
  minute(4, { room_temperature: [21.5, 'Cel'] }, { subject: { kind: 'room', person: ROOM } }),
  minute(5, { heart_rate: [80, '/min'] }, { subject: { kind: 'patient', person: OTHER } }),
];

describe('the FHIR API of a hospital', () => {
  let node: TestNode;
  beforeEach(async () => {
    node = await TestNode.with(RECORDS);
  });
  afterEach(() => node[Symbol.asyncDispose]());

  const values = async (path: string): Promise<readonly (number | undefined)[]> => ((await node.found(path)) as Observation[]).map(({ valueQuantity }) => valueQuantity?.value);

  it('says to anybody what it can do', async () => {
    const { statusCode, headers, body } = await node.ask('/fhir/metadata', { as: '' });
    const statement = JSON.parse(body) as CapabilityStatement;
    expect([statusCode, headers['content-type']]).toEqual([200, 'application/fhir+json; fhirVersion=4.0; charset=utf-8']);
    expect(faultsIn(statement)).toEqual([]);
    expect(statement.rest?.[0]?.resource?.map(({ type }) => type)).toContain('Observation');
  });

  it('finds what was measured by patient, code, category and date', async () => {
    expect(await values(`/fhir/Observation?patient=${PERSON}&code=http://loinc.org|8867-4`)).toEqual([61]);
    expect(await values(`/fhir/Observation?subject=Patient/${PERSON}&code=2708-6&date=ge2026-06-01`)).toEqual([84, 97]);
    expect(await values(`/fhir/Observation?subject=Location/${ROOM}`)).toEqual([21.5]);
    expect(await values(`/fhir/Observation?code=60832-3,8867-4&patient=${OTHER}`)).toEqual([80]);
    expect(await values('/fhir/Observation?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs&_count=2')).toEqual([61, 97]);
    expect(await values(`/fhir/Observation?patient=${PERSON}&date=lt2026-06-01T12:01:00Z`)).toEqual([]);
    expect(await values(`/fhir/Observation?patient=${PERSON}&code=|8867-4`)).toEqual([]);
  });

  it('takes a search by POST as by GET', async () => {
    const { statusCode, body } = await node.ask('/fhir/Observation/_search', { method: 'POST', form: `patient=${PERSON}&code=8867-4` });
    expect([statusCode, (JSON.parse(body) as Bundle).entry?.length]).toEqual([200, 1]);
  });

  it('finds somebody by pseudonym, or by what the hospital calls them', async () => {
    node.around.identities.known.set(PERSON, { system: 'https://mary.example/mrn', value: '12,3', name: 'Anna' });
    expect(await node.found('/fhir/Patient?identifier=https://mary.example/mrn|12\\,3')).toMatchObject([{ id: PERSON, name: [{ text: 'Anna' }] }]);
    expect(await node.found(`/fhir/Patient?identifier=urn:vitalgate:subject|${OTHER}`)).toMatchObject([{ id: OTHER }]);
    expect(await values('/fhir/Observation?patient.identifier=https://mary.example/mrn|12\\,3&code=8867-4')).toEqual([61]);
    expect(await values('/fhir/Observation?patient.identifier=https://mary.example/mrn|nobody')).toEqual([]);
  });

  it('gives single resources, with an ETag that spares sending one again', async () => {
    const [first] = await node.found(`/fhir/Observation?patient=${PERSON}&code=8867-4`);
    const { statusCode, headers, body } = await node.ask(`/fhir/Observation/${first?.id}`);
    expect([statusCode, JSON.parse(body)]).toEqual([200, first]);
    expect((await node.ask(`/fhir/Observation/${first?.id}`, { headers: { 'if-none-match': String(headers['etag']) } })).statusCode).toBe(304);
    const head = await node.ask(`/fhir/Observation/${first?.id}`, { method: 'HEAD' });
    expect([head.statusCode, head.body, head.headers['etag']]).toEqual([200, '', headers['etag']]);
  });

  it('leads from an alarm to what it rests on, to its block and to who was told', async () => {
    const [issue] = await node.found(`/fhir/DetectedIssue?patient=${PERSON}&identified=2026-06-01`);
    expect(issue).toMatchObject({ severity: 'high', status: 'preliminary', code: { text: 'SpO2 84 % is 85 % or less' }, detail: 'raised: none → active; rule home/low-oxygen' });
    const [provenance] = (await node.found(`/fhir/Provenance?target=DetectedIssue/${issue?.id}`)) as Provenance[];
    expect(provenance?.entity?.map(({ what }) => what.identifier?.system)).toEqual(['urn:vitalgate:record', 'urn:vitalgate:block', 'urn:vitalgate:entry']);
    expect(provenance?.signature?.map(({ sigFormat, type }) => [sigFormat, type[0]?.code])).toEqual([['application/cose', '1.2.840.10065.1.12.1.1'], ['application/cose', '1.2.840.10065.1.12.1.5']]);
    expect(await node.found(`/fhir/Communication?patient=${PERSON}`)).toMatchObject([{ about: [{ reference: `DetectedIssue/${issue?.id}` }], priority: 'stat', recipient: [{ identifier: { value: 'nora' } }] }]);
    expect((await node.ask(`/fhir/Provenance/${provenance?.id}`)).statusCode).toBe(200);
    expect(await node.found('/fhir/Device')).toMatchObject([{ type: { coding: [{ code: '531981' }] } }]);
  });

  it('shows what patients permit', async () => {
    node.permissions = [{ version: 'abc1', permits: true, items: ['spo2'], purposes: ['TREAT', 'HRESCH/heart-2030'], from: UnixMillis(START), until: UnixMillis(START + 1000), measured: { from: UnixMillis(START) }, said: UnixMillis(START) }, { version: 'old', permits: false, items: [], purposes: [], ended: true }];
    const consents = (await node.found(`/fhir/Consent?patient=${PERSON}`)) as Consent[];
    expect(consents.map(({ status }) => status)).toEqual(['active', 'inactive']);
    expect(consents.flatMap(faultsIn)).toEqual([]);
    expect((await node.ask(`/fhir/Consent/${consents[0]?.id}`)).json()).toMatchObject({ provision: { purpose: [{ code: 'TREAT' }, { system: 'urn:vitalgate:codes', code: 'HRESCH-heart-2030' }] } });
    expect(await node.refusal('/fhir/Consent')).toEqual([400, 'invalid']);
  });

  it('passes the gates with everything it gives', async () => {
    const paths = ['Observation', 'DetectedIssue', 'Communication', 'Patient', 'Location', 'Device', 'CodeSystem'];
    const found = (await Promise.all(paths.map((path) => node.found(`/fhir/${path}`)))).flat();
    expect(found.length).toBeGreaterThan(10);
    expect(found.flatMap(faultsIn)).toEqual([]);
    const bundle = (await node.ask('/fhir/Observation')).json<Bundle>();
    expect([...structureFaults(bundle), ...bindingFaults(bundle)]).toEqual([]);
  });

  describe('consent', () => {
    it('hides whom one may not know: not found, nowhere', async () => {
      const [first] = await node.found(`/fhir/Observation?patient=${PERSON}&code=8867-4`);
      node.around.gate.hides = ({ person }) => person === PERSON;
      expect(await node.refusal(`/fhir/Observation/${first?.id}`)).toEqual([404, 'not-found']);
      expect(await node.refusal(`/fhir/Patient/${PERSON}`)).toEqual([404, 'not-found']);
      expect(await node.found(`/fhir/Patient?_id=${PERSON}`)).toEqual([]);
      expect(await values(`/fhir/Observation?patient=${PERSON}`)).toEqual([]);
      expect(await node.found(`/fhir/Consent?patient=${PERSON}`)).toEqual([]);
      expect(await node.found(`/fhir/Provenance?target=Observation/${first?.id}`)).toEqual([]);
      expect(await values('/fhir/Observation')).toEqual([21.5, 80]);
    });

    it('leaves an excerpt, which says that it is one', async () => {
      node.around.gate.permits = (record) => {
        const { systolic_pressure: systolic } = (record.payload['measurements'] ?? {}) as Record<string, never>;
        return systolic === undefined ? undefined : { ...record, whole: false, payload: { ...record.payload, measurements: { systolic_pressure: systolic } } };
      };
      const [panel] = (await node.found(`/fhir/Observation?patient=${PERSON}`)) as Observation[];
      expect(panel?.component?.slice(0, 2)).toMatchObject([{ valueQuantity: { value: 121 } }, { dataAbsentReason: { coding: [{ code: 'masked' }] } }]);
      expect(panel?.meta?.security).toMatchObject([{ code: 'REDACTED' }]);
      expect(faultsIn(panel as Observation)).toEqual([]);
      expect((await node.found(`/fhir/Provenance?target=Observation/${panel?.id}`)) as Provenance[]).toMatchObject([{ entity: [{ what: { display: expect.stringContaining('excerpt') as string } }, {}, {}] }]);
    });

    it('is asked for what is shown and no more, by whom and what for', async () => {
      await node.ask(`/fhir/Observation?patient=${PERSON}&code=8867-4`, { headers: { 'x-purpose-of-use': 'ETREAT' } });
      expect(node.around.gate.shown).toEqual([{ recipient: { id: 'nora', role: 'clinician', purpose: 'ETREAT', by: 'fhir search' }, numbers: [1] }]);
      expect(await node.refusal('/fhir/Observation', { headers: { 'x-purpose-of-use': 'CURIOSITY' } })).toEqual([400, 'value']);
    });
  });

  describe('who saw what', () => {
    it('is an AuditEvent for every read and every search, shown to those who run the node', async () => {
      node.around.identities.known.set(PERSON, { system: 'https://mary.example/mrn', value: 'secret-12' });
      await node.ask(`/fhir/Observation?patient.identifier=https://mary.example/mrn|secret-12&code=8867-4`);
      await node.ask(`/fhir/Patient/${OTHER}`);
      await node.ask('/fhir/Patient/nobody');
      const events = (await node.found('/fhir/AuditEvent', { as: 'root:administrator' })) as AuditEvent[];
      expect(events.map(({ subtype }) => subtype?.[0]?.code)).toEqual(['read', 'read', 'search']);
      expect(events.flatMap(faultsIn)).toEqual([]);
      const asked = events.map(({ entity = [] }) => Buffer.from(entity.at(-1)?.query ?? '', 'base64').toString());
      expect(asked).toEqual(['Patient/nobody', `Patient/${OTHER}`, 'Observation?patient.identifier=…&code=8867-4']);
      expect(await node.found(`/fhir/AuditEvent?patient=${PERSON}`, { as: 'root:administrator' })).toMatchObject([{ agent: [{}, { who: { identifier: { value: 'nora' } } }] }]);
      expect(await node.found('/fhir/AuditEvent?date=lt2020', { as: 'root:administrator' })).toEqual([]);
    });

    it('is for nobody else', async () => {
      expect(await node.refusal('/fhir/AuditEvent')).toEqual([403, 'forbidden']);
      expect(await node.refusal('/fhir/AuditEvent/1')).toEqual([403, 'forbidden']);
    });
  });

  describe('refuses', () => {
    it('whoever is nobody of the staff', async () => {
      const { statusCode, headers } = await node.ask('/fhir/Observation', { as: '' });
      expect([statusCode, headers['www-authenticate']]).toEqual([401, 'Bearer realm="vitalgate"']);
      for (const path of ['/fhir/Observation/x', '/fhir/Patient', '/fhir/$stream', '/fhir/AuditEvent']) expect(await node.refusal(path, { as: 'x' })).toEqual([401, 'login']);
    });

    it('other formats', async () => {
      expect(await node.refusal('/fhir/Patient', { headers: { accept: 'application/fhir+xml' } })).toEqual([406, 'not-supported']);
      expect(await node.refusal('/fhir/Patient?_format=xml')).toEqual([406, 'not-supported']);
      expect((await node.ask('/fhir/Patient?_format=application/fhir%2Bjson', { headers: { accept: 'text/html' } })).statusCode).toBe(200);
    });

    it('what is not there, and what it does not do', async () => {
      expect(await node.refusal('/fhir/Medication')).toEqual([404, 'not-supported']);
      expect(await node.refusal('/fhir/Observation/none')).toEqual([404, 'not-found']);
      expect(await node.refusal('/fhir/Observation/none/_history/1')).toEqual([404, 'not-found']);
      expect(await node.refusal('/fhir/Observation/none', { method: 'DELETE' })).toEqual([405, 'not-supported']);
      expect(await node.refusal('/fhir/Observation', { method: 'PUT' })).toEqual([405, 'not-supported']);
    });

    it('parameters it does not know, when asked to be strict; else leaves them out and says so', async () => {
      expect(await node.refusal(`/fhir/Observation?patient=${PERSON}&colour=red`, { headers: { prefer: 'handling=strict' } })).toEqual([400, 'not-supported']);
      const bundle = (await node.ask(`/fhir/Observation?patient=${PERSON}&colour=red`)).json<Bundle>();
      expect(bundle.link?.[0]?.url).toMatch(new RegExp(`\\?patient=${PERSON}$`));
    });

    it.each([
      ['date=yesterday'], ['date=2026-02-30'], ['date=ap2026'], ['date=ge2026-06-01T25:00'], ['_count=-1'], ['_count=many'], ['_sort=value'], ['code:not=1'], ['patient.name=x'], ['patient:Patient=x'],
      [`code=${'x'.repeat(3000)}`], [`code=${'x,'.repeat(300)}`], [Array.from({ length: 100 }, () => 'code=1').join('&')], ['_cursor=forged'],
    ])('%s', async (query) => {
      expect((await node.refusal(`/fhir/Observation?${query}`))[0]).toBe(400);
    });

    it.each(['../../etc/passwd', '%2e%2e%2fetc', 'a%0d%0aX-Evil:%201', '%00', "' OR 1=1 --".replaceAll(' ', '%20'), 'x'.repeat(65), '__proto__', 'constructor', '%ff'])('the id %s', async (id) => {
      const { statusCode, headers } = await node.ask(`/fhir/Observation/${id}`);
      expect(statusCode).toBeGreaterThanOrEqual(400);
      expect(statusCode).toBeLessThan(500);
      expect(headers).not.toHaveProperty('x-evil');
      expect(node.log.lines).toEqual([]);
    });

    it.each(['patient=__proto__', 'code=%00', 'code=a%0d%0aSet-Cookie:%20x', 'identifier=|', 'code=|', 'patient=,', 'code=', "patient=' OR 1=1", 'constructor=1', '__proto__=1', 'date=', '_id=../..', 'patient.identifier=x'])('nothing by %s, and answers all the same', async (query) => {
      const { statusCode, headers } = await node.ask(`/fhir/Observation?${query}`);
      expect([200, 400]).toContain(statusCode);
      expect(headers).not.toHaveProperty('set-cookie');
      expect(node.log.lines).toEqual([]);
    });

    it('a form that is too long', async () => {
      expect(await node.refusal('/fhir/Observation/_search', { method: 'POST', form: `code=${'x'.repeat(100_000)}` })).toEqual([413, 'too-long']);
    });
  });

  it('gives as many as it gives at most when asked for more', async () => {
    node.around.records.add(...Array.from({ length: 600 }, (_each, i) => minute(i + 10, { heart_rate: [60, '/min'] })));
    const bundle = (await node.ask(`/fhir/Observation?patient=${PERSON}&_count=999999999999`)).json<Bundle>();
    expect(bundle.entry).toHaveLength(500);
    expect((await node.ask(`/fhir/Observation?patient=${PERSON}&_count=0`)).json<Bundle>()).not.toHaveProperty('entry');
  });

  it('says nothing of a record of no known form, and goes on', async () => {
    node.around.records.add(recordOf(9, { measurements: 'all' }));
    expect((await node.ask(`/fhir/Observation?patient=${PERSON}`)).statusCode).toBe(200);
  });
});
