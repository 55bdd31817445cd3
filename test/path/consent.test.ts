import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../gateway/consent/decide.ts';
import type { ConsentView } from '../../gateway/consent-desk.ts';
import type { Disclosure } from '../../gateway/disclosures.ts';
import type { OpenedRelease } from '../../gateway/released.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const PEOPLE = [{ name: 'ben', access: 'caregiver' }, { name: 'cho', access: 'clinician' }, { name: 'dan', access: 'clinician' }, { name: 'otto', access: 'administrator' }];
const STUDY = 'HRESCH/heart-2030';
type Answer = Readonly<{ status: number; json: Record<string, unknown> }>;
type Ran = Readonly<{ code: number | null; stdout: string; stderr: string }>;

describe('what a patient permits', () => {
  let site: Site;
  const devices = new Map<string, DeviceWithPassword>();
  const tokens = new Map<string, string>();
  const publicKeys = new Map<string, string>();
  let sent = 0;

  beforeAll(async () => {
    site = await Site.prepare({ gateway: { alarms: { people: PEOPLE } } });
    const { stdout: key } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    site.writeConfig(site.sections(key.trim(), { gateway: { alarms: { people: PEOPLE }, hospitals: [{ name: 'north', url: site.hospitalUrl, key: key.trim(), payloads: 'events', purpose: STUDY }] } }));
    for (const { name } of PEOPLE) tokens.set(name, (JSON.parse((await run('person', 'token', name, '--json')).stdout) as { secret: string }).secret);
    for (const who of ['anna', 'guardian', 'ethics', 'doctor', 'office']) {
      publicKeys.set(who, /^public key +(\w+)$/m.exec((await vitalgate('consent', 'keygen', '--key', keyOf(who))).stdout)?.[1] ?? '');
    }
    await site.startHospital();
    await site.startGateway();
    for (const patient of ['anna', 'otto-heinrich']) devices.set(patient, await site.addDevice(`clip-of-${patient}`, patient));
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const run = async (...words: readonly string[]): Promise<Ran> => await vitalgate(...words, '--config', site.config);
  const done = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...words);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    return stdout;
  };
  const keyOf = (who: string): string => join(site.folder, `${who}.key`);
  const file = (name: string): string => join(site.folder, name);

  async function measure(patient: string, measurement: string, value: number, unit: string): Promise<void> {
    const { device, password, topic } = devices.get(patient) as DeviceWithPassword;
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
    expect(await client.publish({ topic, payload: JSON.stringify({ seq: ++sent, time: Date.now(), measurement, value, unit }) })).toBe(true);
  }

  async function ask(who: string, path: string, body?: object, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> {
    const headers = { authorization: `Bearer ${tokens.get(who)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(`${site.webUrl}/api${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  /** Where a patient is, below /api. */
  async function addressOf(patient: string): Promise<string> {
    const { patients } = (await ask('ben', '/patients')).json as unknown as { patients: { id: string; link: string }[] };
    return (patients.find(({ id }) => id === patient)?.link ?? '').slice('/api'.length);
  }

  const measuredFor = ({ json }: Answer): readonly string[] => ((json['patient'] as { values?: { measurement: string }[] } | undefined)?.values ?? []).map(({ measurement }) => measurement).toSorted();

  /** What happened to alarms, as the hospital has it. */
  async function events(): Promise<readonly OpenedRelease[]> {
    const { stdout, code } = await vitalgate('released', '--data', site.hospitalData);
    expect(code).toBe(0);
    const all = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as OpenedRelease);
    return all.filter(({ kind }) => kind === 'event');
  }

  const raised = async (): Promise<readonly OpenedRelease[]> => (await events()).filter(({ payload }) => (payload as { why: string }).why === 'raised');

  const show = async (): Promise<ConsentView> => JSON.parse(await done('consent', 'show', '--patient', 'anna', '--json')) as ConsentView;
  const alarmsNow = async (): Promise<string> => JSON.stringify((await ask('otto', '/alarms')).json['alarms']);

  it('says only whoever has a key that somebody with the right to has enrolled', async () => {
    const denial = ['consent', 'deny', '--patient', 'anna', '--key', keyOf('anna'), '--what', 'spo2', '--hospital', 'north', '--submit'];
    expect(await run(...denial)).toMatchObject({ code: 2, stderr: expect.stringContaining('no key is enrolled that speaks for this patient') as string });
    const enrol = ['consent', 'enrol', '--patient', 'anna', '--public-key', publicKeys.get('anna') ?? '', '--who', 'patient', '--name', 'Anna herself'];
    expect(await run(...enrol, '--by', 'ben')).toMatchObject({ code: 2, stderr: expect.stringContaining('a caregiver may not say who speaks for a patient') as string });
    await done(...enrol, '--by', 'cho');
    expect(await done(...denial)).toMatch(/^accepted; version [0-9a-f]{64}$/m);
    expect((await run(...denial, '--key', keyOf('guardian'))).stderr).toContain('does not speak for this patient');
  });

  it('decides what a hospital gets: of hers that there is an alarm, of his all of it', async () => {
    await measure('anna', 'spo2', 80, '%');
    await measure('otto-heinrich', 'spo2', 81, '%');
    const both = await until('both alarms are at the hospital', async () => {
      const found = await raised();
      return found.length >= 2 && found;
    });
    const [hers, his] = [both.find(({ whole }) => !whole), both.find(({ whole }) => whole)];
    expect(his?.payload).toMatchObject({ message: expect.stringContaining('81 %') as string, evidence: {} });
    expect(hers?.payload).toEqual({ alarm: expect.any(Number) as number, why: 'raised', from: 'none', to: expect.any(String) as string, kind: 'physiological', priority: 'high' });
  });

  it('decides what people see on a page, and says what is kept from them', async () => {
    await measure('anna', 'heart_rate', 72, '/min');
    await site.settled();
    const page = await addressOf('anna');
    expect(measuredFor(await ask('ben', page))).toEqual(['heart_rate', 'spo2']);
    await done('consent', 'deny', '--patient', 'anna', '--key', keyOf('anna'), '--what', 'spo2', '--role', 'caregiver', '--submit');
    const cut = await ask('ben', page);
    expect([measuredFor(cut), (cut.json['patient'] as { withheld: string[] }).withheld]).toEqual([['heart_rate'], ['spo2']]);
    expect(measuredFor(await ask('cho', page))).toEqual(['heart_rate', 'spo2']);
  });

  it('holds for an emergency only until somebody breaks the glass, which everybody hears of and somebody judges', async () => {
    const page = await addressOf('anna');
    await done('consent', 'deny', '--patient', 'anna', '--key', keyOf('anna'), '--role', 'clinician', '--purpose', 'TREAT,ETREAT', '--submit');
    expect(await ask('cho', page)).toMatchObject({ status: 403, json: { error: 'not_permitted' } });
    expect(await ask('cho', `${page}?purpose=BTG`)).toMatchObject({ status: 403, json: { message: expect.stringContaining('nobody of that name has broken the glass') as string } });
    expect(await ask('ben', `${page}/break-glass`, { reason: 'she does not answer the bell' })).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    expect(await ask('cho', `${page}/break-glass`, { reason: 'xxxxxxxxxxxx' })).toMatchObject({ status: 400, json: { error: 'bad_reason' } });
    expect(await ask('cho', `${page}/break-glass`, { reason: 'found unconscious in the hall', minutes: 60 })).toMatchObject({ status: 201, json: { episode: { number: 1, patient: 'anna', status: 'open', by: { id: 'cho', role: 'clinician' } } } });
    expect(measuredFor(await ask('cho', `${page}?purpose=BTG`))).toEqual(['heart_rate', 'spo2']);
    expect((await ask('dan', `${page}?purpose=BTG`)).status).toBe(403);
    expect(await alarmsNow()).toContain('cho (clinician) has broken the glass');
    // It goes on through a power cut.
    await site.gateway.kill();
    await site.startGateway();
    expect((await ask('cho', `${page}?purpose=BTG`)).status).toBe(200);
    expect(await ask('otto', '/break-glass/1', undefined, 'DELETE')).toMatchObject({ status: 200, json: { episode: { status: 'ended', endedBy: { id: 'otto' } } } });
    expect((await ask('cho', `${page}?purpose=BTG`)).status).toBe(403);
    expect(await alarmsNow()).not.toContain('has broken the glass until');
    const verdict = { verdict: 'justified', remark: 'nobody else could be reached' };
    expect(await ask('cho', '/break-glass/1/review', verdict)).toMatchObject({ status: 409, json: { error: 'own_episode' } });
    expect(await run('break-glass', 'review', '1', '--by', 'dan', '--verdict', 'justified', '--remark', 'nobody else could be reached')).toMatchObject({ code: 0, stdout: 'episode 1 of patient anna: glass reviewed\n' });
    expect((await ask('otto', '/break-glass')).json['episodes']).toMatchObject([{ number: 1, status: 'reviewed', review: { verdict: 'justified', by: { id: 'dan' } } }]);
    expect(await ask('otto', '/break-glass/7/review', verdict)).toMatchObject({ status: 404, json: { error: 'unknown_episode' } });
  });

  it('waits for two of three others where the patient says so, and does not take one for two', async () => {
    const approvers = ['ethics', 'doctor', 'office'].map((who) => `${who}=${publicKeys.get(who)}`).join(',');
    const words = ['consent', 'grant', '--patient', 'anna', '--key', keyOf('anna'), '--hospital', 'north', '--what', 'spo2', '--purpose', STUDY, '--fidelity', 'events', '--until', '2099-01-01', '--approvers', approvers, '--threshold', '2'];
    // The denial of spo2 for that hospital says the same of all purposes: this is the more specific.
    await done(...words, '--out', file('grant.txt'));
    expect(readFileSync(file('grant.txt'), 'utf8')).toContain('# only when 2 of these agree: ethics');
    expect(await done('consent', 'read', file('grant.txt'))).toContain('patient anna permits');
    await done('consent', 'submit', file('grant.txt'));
    expect(await run('consent', 'submit', file('grant.txt'))).toMatchObject({ code: 1, stderr: expect.stringContaining('already_known') as string });
    const grant = (await show()).grants.findLast(({ grant: { permit } }) => permit)?.grant.id ?? '';
    const decision = async (): Promise<Decision> => JSON.parse((await run('consent', 'decide', '--patient', 'anna', '--hospital', 'north', '--purpose', STUDY, '--what', 'spo2', '--json')).stdout) as Decision;
    expect(await decision()).toMatchObject({ decision: 'deny', needs: [{ grant }] });
    await done('approval', 'ask', '--patient', 'anna', '--grant', grant, '--by', 'cho', '--out', file('request.txt'));
    expect((await vitalgate('approval', 'sign', file('request.txt'), '--key', keyOf('ethics'))).stderr).toContain('say --yes');
    for (const who of ['ethics', 'doctor', 'anna']) await done('approval', 'sign', file('request.txt'), '--key', keyOf(who), '--yes', '--out', file(`${who}.txt`));
    await done('approval', 'submit', file('doctor.txt'));
    expect((await run('approval', 'submit', file('doctor.txt'))).stderr).toContain('one key counts once');
    expect((await run('approval', 'submit', file('anna.txt'))).stderr).toContain('does not name key');
    expect((await decision()).decision).toBe('deny');
    await site.gateway.kill();
    await site.startGateway();
    expect(await done('approval', 'submit', file('ethics.txt'))).toContain('accepted (released)');
    expect(await decision()).toMatchObject({ decision: 'permit', fidelity: 'events', grants: [grant] });
    await measure('anna', 'spo2', 97, '%');
    await measure('anna', 'spo2', 79, '%');
    await until('the hospital has all of the alarm', async () => (await events()).some(({ whole, payload }) => whole && (payload as { message?: string }).message?.includes('79 %') === true));
    await done('consent', 'revoke', '--patient', 'anna', '--key', keyOf('anna'), '--grant', grant, '--reason', 'changed her mind', '--submit');
    expect((await decision()).decision).toBe('deny');
  });

  it('is on record: who was shown what, what for, by which version of it, and who was shown nothing', async () => {
    const list = JSON.parse(await done('disclosures', '--patient', 'anna', '--json')) as readonly Disclosure[];
    const of = (recipient: string): readonly Disclosure[] => list.filter((each) => each.recipient === recipient);
    expect(of('cho')).toEqual(expect.arrayContaining([
      expect.objectContaining({ what: 'nothing: denied', purpose: 'TREAT', consents: [expect.stringMatching(/^[0-9a-f]{64}$/)] }),
      expect.objectContaining({ what: 'values', purpose: 'BTG', episode: 1 }),
    ]));
    expect(of('north')).toEqual(expect.arrayContaining([expect.objectContaining({ what: 'payloads', purpose: STUDY, consents: [expect.any(String)] })]));
    expect(new Set(of('ben').flatMap(({ consents = [] }) => consents)).size).toBe(2);
    expect((await vitalgate('verify', 'chain', site.hospitalData)).code).toBe(0);
  });

  it('is forgotten with the patient', async () => {
    await done('erase', '--patient', 'anna', '--yes');
    expect(await show()).toMatchObject({ keys: [], grants: [], requests: [] });
    expect(await done('break-glass', 'list')).toContain('nobody has broken the glass');
    expect((await vitalgate('verify', 'chain', site.gatewayData)).code).toBe(0);
  });
});
