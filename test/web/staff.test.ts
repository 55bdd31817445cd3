import { randomBytes } from 'node:crypto';
import { connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Person } from '../../gateway/people/access.ts';
import { People } from '../../gateway/people/people.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredTokens } from '../../gateway/store/token-store.ts';
import { makeNodeCertificate } from '../../gateway/tls/node-certificate.ts';
import type { UpstreamOptions } from '../../gateway/upstream/server.ts';
import { addStaffSessions, OPERATORS, READERS, Staff } from '../../gateway/web/staff.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { startHospital, type Hospital } from '../upstream/hospital.ts';
import { counting } from './care-site.ts';

const STAFF: readonly Person[] = [{ name: 'vera', access: 'viewer' }, { name: 'cho', access: 'clinician' }, { name: 'otto', access: 'administrator' }];

type Answer = Readonly<{ status: number; headers: Headers; json: Record<string, unknown> }>;

let hospital: Hospital;
let people: People;
let tokens: ReadonlyMap<string, string>;

async function open(options: Partial<UpstreamOptions> = {}): Promise<void> {
  people = await People.open({ store: new StoredTokens(openMemoryStore()), people: STAFF, random: counting(), now: () => UnixMillis(1_800_000_000_000) });
  tokens = new Map(await Promise.all(STAFF.map(async ({ name }) => [name, (await people.makeToken(name)).secret] as const)));
  const staff = new Staff({ people, uptime: () => Millis(0) });
  hospital = await startHospital('north', {
    register: async (app) => {
      await addStaffSessions(app, staff);
      app.get('/who', (request) => ({ who: staff.identify(request) ?? null }));
      app.get('/patients', (request, reply) => staff.admit(request, reply, READERS));
      app.post('/operate', { bodyLimit: 10 }, (request, reply) => staff.admit(request, reply, OPERATORS));
    },
    ...options,
  });
}

async function ask(path: string, { method = 'GET', headers = {}, body }: Readonly<{ method?: string; headers?: Record<string, string>; body?: string }> = {}): Promise<Answer> {
  const response = await fetch(hospital.address + path, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const secretOf = (name: string): string => tokens.get(name) ?? '';
const as = (name: string, more: Record<string, string> = {}): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${secretOf(name)}`, ...more } });
const said = ({ status, json }: Answer): unknown[] => [status, json['error']];
const login = async (token: string, headers: Record<string, string> = {}): Promise<Answer> =>
  await ask('/v1/session', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ token }) });
const cookieOf = ({ headers }: Answer): string => headers.get('set-cookie')?.split(';')[0] ?? '';

afterEach(async () => {
  await hospital.close();
});

describe('who of the staff sent a request', () => {
  beforeEach(() => open());

  it('is known by their token, in whatever route is asked', async () => {
    expect((await ask('/who', as('cho'))).json).toEqual({ who: { person: 'cho', role: 'clinician' } });
    expect((await ask('/patients', as('vera'))).json).toEqual({ person: 'vera', role: 'viewer' });
  });

  it('is nobody without a token, with a wrong one, with a revoked one, and in an address', async () => {
    expect((await ask('/who')).json).toEqual({ who: null });
    expect((await ask('/who', { headers: { authorization: `Bearer vgt_${'A'.repeat(43)}` } })).json).toEqual({ who: null });
    expect((await ask(`/who?access_token=${secretOf('cho')}`)).json).toEqual({ who: null });
    await people.revoke('cho');
    expect((await ask('/who', as('cho'))).json).toEqual({ who: null });
  });

  it('is told how to ask, and refused what is for others', async () => {
    const without = await ask('/patients');
    expect([...said(without), without.headers.get('www-authenticate')]).toEqual([401, 'no_token', 'Bearer realm="vitalgate"']);
    const wrong = await ask('/patients', { headers: { authorization: 'Bearer no' } });
    expect([...said(wrong), wrong.headers.get('www-authenticate')]).toEqual([401, 'invalid_token', 'Bearer realm="vitalgate", error="invalid_token"']);
    const other = await ask('/patients', as('otto'));
    expect([...said(other), other.headers.get('www-authenticate')]).toEqual([403, 'not_allowed', 'Bearer realm="vitalgate", error="insufficient_scope"']);
    expect(other.json['message']).toBe('otto has the role administrator; this needs viewer or caregiver or clinician (upstream.people in the configuration)');
    expect((await ask('/operate', { method: 'POST', ...as('otto') })).status).toBe(200);
  });

  it('has to wait after ten wrong tokens from one address, and nobody else has', async () => {
    for (let i = 0; i < 10; i++) expect((await ask('/patients', { headers: { authorization: 'Bearer no' } })).status).toBe(401);
    const limited = await ask('/patients', { headers: { authorization: 'Bearer no' } });
    expect([...said(limited), limited.headers.get('retry-after')]).toEqual([429, 'too_many_attempts', '6']);
    expect(said(await login('vgt_no'))).toEqual([429, 'too_many_attempts']);
    expect((await ask('/patients', as('cho'))).status).toBe(200);
  });

  it('is nobody when the token crossed a network in clear', async () => {
    const clear = { 'x-forwarded-for': '203.0.113.5', 'x-forwarded-proto': 'http' };
    expect((await ask('/who', as('cho', clear))).json).toEqual({ who: null });
    expect(said(await ask('/patients', as('cho', clear)))).toEqual([403, 'not_private']);
    expect(said(await login(secretOf('cho'), clear))).toEqual([403, 'not_private']);
    expect((await ask('/who', as('cho', { ...clear, 'x-forwarded-proto': 'https' }))).json).toEqual({ who: { person: 'cho', role: 'clinician' } });
  });
});

describe('the session of a browser', () => {
  beforeEach(() => open());

  it('is begun with a token, and its cookie is for this node and no script', async () => {
    const begun = await login(secretOf('otto'));
    expect([begun.status, begun.json, begun.headers.get('cache-control')]).toEqual([201, { person: 'otto', role: 'administrator' }, 'no-store']);
    expect(begun.headers.get('set-cookie')).toMatch(/^vitalgate-staff=vgs_[A-Za-z0-9_-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
    const headers = { cookie: cookieOf(begun) };
    expect((await ask('/v1/session', { headers })).json).toEqual({ person: 'otto', role: 'administrator' });
    expect((await ask('/who', { headers })).json).toEqual({ who: { person: 'otto', role: 'administrator' } });
  });

  it('is bound to the host and to TLS behind a proxy that speaks it', async () => {
    const tls = { 'x-forwarded-for': '203.0.113.5', 'x-forwarded-proto': 'https' };
    const begun = await login(secretOf('otto'), tls);
    expect(begun.headers.get('set-cookie')).toMatch(/^__Host-vitalgate-staff=vgs_[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/);
    expect((await ask('/v1/session', { headers: { ...tls, cookie: cookieOf(begun) } })).status).toBe(200);
    expect((await ask('/v1/session', { headers: { ...tls, cookie: cookieOf(begun).replace('__Host-', '') } })).status).toBe(401);
  });

  it('is not begun with a wrong token, with another session, or with something else', async () => {
    const secret = cookieOf(await login(secretOf('otto'))).split('=')[1] ?? '';
    for (const token of ['', 'vgt_no', secret]) expect(said(await login(token))).toEqual([401, 'invalid_token']);
    for (const body of ['{}', '{"token":7}', '[]', 'null']) expect(said(await ask('/v1/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body }))).toEqual([400, 'bad_request']);
    expect(said(await ask('/v1/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }))[0]).toBe(400);
    expect(said(await ask('/v1/session', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ token: secretOf('otto') }) }))).toEqual([415, 'unsupported_media_type']);
    expect(said(await ask('/v1/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token: 'x'.repeat(5000) }) }))).toEqual([413, 'too_large']);
  });

  it('is no bearer token, and a token is no cookie', async () => {
    const secret = cookieOf(await login(secretOf('otto'))).split('=')[1] ?? '';
    expect((await ask('/v1/session', { headers: { authorization: `Bearer ${secret}` } })).status).toBe(401);
    expect((await ask('/v1/session', { headers: { cookie: `vitalgate-staff=${secretOf('otto')}` } })).status).toBe(401);
  });

  it('does nothing for the page of another site', async () => {
    const cookie = cookieOf(await login(secretOf('otto')));
    expect((await ask('/who', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })).json).toEqual({ who: null });
    expect(said(await ask('/v1/session', { headers: { cookie, 'sec-fetch-site': 'same-site' } }))).toEqual([403, 'foreign_page']);
    expect(said(await ask('/operate', { method: 'POST', headers: { cookie } }))).toEqual([403, 'foreign_page']);
    expect((await ask('/operate', { method: 'POST', headers: { cookie, 'x-requested-with': 'page' } })).status).toBe(200);
  });

  it('ends when asked, and with its token', async () => {
    const first = cookieOf(await login(secretOf('otto')));
    const ended = await ask('/v1/session', { method: 'DELETE', headers: { cookie: first, 'x-requested-with': 'page' } });
    expect([ended.status, ended.headers.get('set-cookie')?.startsWith('vitalgate-staff=;')]).toEqual([204, true]);
    expect((await ask('/v1/session', { headers: { cookie: first } })).status).toBe(401);
    const second = cookieOf(await login(secretOf('otto')));
    await people.revoke('otto');
    expect((await ask('/v1/session', { headers: { cookie: second } })).status).toBe(401);
  });
});

describe('over TLS', () => {
  beforeEach(async () => await open({ tls: await makeNodeCertificate(keyOf('north'), (size) => randomBytes(size)) }));

  it('tokens need no proxy, with HTTP/1.1 as with HTTP/2', async () => {
    const authorization = `Bearer ${secretOf('cho')}`;
    const one = await new Promise<string>((resolve, reject) => {
      httpsRequest(`${hospital.address}/who`, { headers: { authorization }, rejectUnauthorized: false, agent: false }, (response) => void response.toArray().then((parts) => resolve(Buffer.concat(parts as Buffer[]).toString()), reject)).on('error', reject).end();
    });
    const session = connect(hospital.address, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/who', authorization });
    const two = Buffer.concat((await stream.toArray()) as Buffer[]).toString();
    session.close();
    expect([one, two].map((text) => JSON.parse(text) as unknown)).toEqual([{ who: { person: 'cho', role: 'clinician' } }, { who: { person: 'cho', role: 'clinician' } }]);
  });
});
