import type { AuditEvent, Bundle, Observation, Provenance, Resource } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blockHash, openBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { DOMAINS, openSign1, verifySign1 } from '../../gateway/ledger/cose.ts';
import { decodeParameters } from '../../gateway/ledger/genesis.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { faultsIn } from '../fhir/gates.ts';
import { ForeignServer } from '../fhir/foreign-server.ts';
import { resourcesIn } from '../fhir/node.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

describe('FHIR at a hospital', () => {
  let site: Site;
  let foreign: ForeignServer;
  let nora: string;
  let root: string;

  beforeAll(async () => {
    foreign = await ForeignServer.start();
    site = await Site.prepare();
    const { stdout } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    const sections = site.sections(stdout.trim(), { gateway: { hospitals: [{ name: 'north', url: site.hospitalUrl, key: stdout.trim(), payloads: 'full' }] } });
    site.writeConfig({
      ...sections,
      upstream: {
        ...sections.upstream,
        people: [{ name: 'nora', role: 'clinician' }, { name: 'root', role: 'administrator' }],
        fhir: { push: [{ name: 'ehr', url: foreign.url, summaries: 'all' }] },
      },
    });
    [nora, root] = [await tokenOf('nora'), await tokenOf('root')];
    await Promise.all([site.startHospital(), site.startGateway()]);
    const { topic, password } = await site.addDevice('clip', 'anna-maria');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'clip', username: 'clip', password });
    for (const seq of [1, 2]) await client.publish({ topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value: 78 + seq, unit: '%' }) });
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await foreign[Symbol.asyncDispose]();
  });

  async function tokenOf(person: string): Promise<string> {
    const { stdout } = await vitalgate('upstream', 'token', person, '--json', '--config', site.config);
    return (JSON.parse(stdout) as { secret: string }).secret;
  }

  async function ask(path: string, secret = nora): Promise<Readonly<{ status: number; body: Resource }>> {
    const response = await nodeFetch(new URL(`/fhir/${path}`, site.hospitalUrl), { headers: { authorization: `Bearer ${secret}` } });
    return { status: response.status, body: (await response.json()) as Resource };
  }

  const found = async (path: string, secret?: string): Promise<readonly Resource[]> => {
    const { status, body } = await ask(path, secret);
    expect([status, body.resourceType]).toEqual([200, 'Bundle']);
    return resourcesIn(body as Bundle);
  };

  it('is read by the staff over TLS, from the alarm to what it rests on and the signature of its block', async () => {
    const issues = await until('an alarm is there', async () => {
      const all = await found('DetectedIssue');
      return all.length > 0 && all;
    });
    expect(issues.flatMap(faultsIn)).toEqual([]);
    expect(JSON.stringify(issues)).not.toMatch(/anna|maria/);
    const observations = (await found('Observation?code=http://loinc.org|2708-6')) as readonly Observation[];
    expect(observations.map(({ valueQuantity }) => valueQuantity?.value)).toContain(79);
    const patient = observations[0]?.subject?.reference ?? '';
    expect((await ask(patient)).status).toBe(200);
    const [provenance] = (await found(`Provenance?target=DetectedIssue/${issues[0]?.id}`)) as readonly Provenance[];
    expect(faultsIn(provenance as Provenance)).toEqual([]);
    const envelope = openSign1(Uint8Array.from(Buffer.from(provenance?.signature?.[0]?.data ?? '', 'base64')));
    expect(verifySign1(envelope, await keyOfGateway(), DOMAINS.block)).toBe(true);
    expect(provenance?.entity?.[1]?.what.identifier?.value).toBe(toHex(blockHash(envelope.payload)));
  });

  /** As its chain began with it. */
  async function keyOfGateway(): Promise<Uint8Array> {
    const { chain } = await site.api.status();
    const response = await nodeFetch(new URL(`/v1/chains/${chain}/alarm/blocks/0`, site.hospitalUrl));
    const { header } = openBlock(new Uint8Array(await response.arrayBuffer()));
    return decodeParameters(header.parameters ?? new Uint8Array()).gateway;
  }

  it('holds what was measured by the minute', async () => {
    const minutes = await until('a summary is there', async () => {
      const all = (await found('Observation?code=2708-6&_sort=-date')) as readonly Observation[];
      return all.some(({ referenceRange }) => referenceRange === undefined) && all;
    }, 120_000);
    expect(minutes.flatMap(faultsIn)).toEqual([]);
  });

  it('is given to another server, once, also when this node starts again', async () => {
    await until('the alarm is there', () => foreign.ofType('DetectedIssue').length > 0);
    expect((await vitalgate('fhir', 'refused', 'ehr', '--config', site.config)).stdout).toBe('ehr refuses nothing\n');
    const { stdout, code } = await vitalgate('fhir', 'status', '--json', '--config', site.config);
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { name: 'ehr', setAside: 0 }]);
    const named = (): readonly string[] => [...foreign.resources.values()].flatMap((resource) => ((resource as { identifier?: { value?: string }[] }).identifier ?? []).map(({ value }) => `${resource.resourceType} ${value}`));
    await site.hospital.stop();
    await site.startHospital();
    await until('it knows how far it is', async () => (JSON.parse((await vitalgate('fhir', 'status', '--json', '--config', site.config)).stdout) as { through: number }).through > 0);
    expect(new Set(named()).size).toBe(named().length);
    expect(foreign.ofType('Patient')).toHaveLength(1);
  });

  it('has an account of who read what, for those who run the node', async () => {
    const events = (await found('AuditEvent', root)) as readonly AuditEvent[];
    expect(events.flatMap(faultsIn)).toEqual([]);
    const agents = new Set(events.flatMap(({ agent }) => agent.flatMap(({ who, requestor }) => (requestor ? [who?.identifier?.value] : []))));
    expect(agents).toEqual(new Set(['nora', 'ehr']));
    expect((await ask('AuditEvent')).status).toBe(403);
    expect((await ask('Observation', 'vgt_wrong')).status).toBe(401);
  });

  it('is gone when somebody is erased', async () => {
    expect((await vitalgate('erase', '--patient', 'anna-maria', '--yes', '--config', site.config)).code).toBe(0);
    await until('nothing is found', async () => (await found('Observation')).length === 0 && (await found('Patient')).length === 0, 120_000);
  });
});
