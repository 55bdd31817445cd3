import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { CareSite, type Answered, type Sent } from './care-site.ts';
import { ANNA } from './ward.ts';

let site: CareSite | undefined;
const open = async (...given: Parameters<typeof CareSite.open>): Promise<CareSite> => (site = await CareSite.open(...given));
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const said = ({ status, json }: Answered): unknown[] => [status, json['error']];
const cookieOf = ({ headers }: Answered): string => headers.get('set-cookie')?.split(';')[0] ?? '';

describe('a request without a token', () => {
  it('is told how to ask, and nothing else', async () => {
    const care = await open();
    for (const path of ['/api/alarms', '/api/alarms/1', '/api/alarms/1/steps', '/api/steps', '/api/stream', '/api/patients', `/api/patients/${ANNA}`, '/api/contracts', '/api/session']) {
      const answer = await care.ask(undefined, path);
      expect([path, ...said(answer), answer.headers.get('www-authenticate')]).toEqual([path, 401, 'no_token', 'Bearer realm="vitalgate"']);
    }
  });

  it('is for anybody where nothing is about people', async () => {
    const care = await open();
    expect((await care.ask(undefined, '/api')).json).toMatchObject({ name: 'Vitalgate', notice: expect.stringContaining('not a certified medical device'), links: { stream: '/api/stream' } });
    expect(said(await care.ask(undefined, '/api/nothing'))).toEqual([404, 'not_found']);
  });
});

describe('a wrong token', () => {
  it('is refused, the eleventh of an address with a time to wait, and keeps out nobody who has a right one', async () => {
    const care = await open();
    const wrong = (authorization: string): Promise<Answered> => care.ask(undefined, '/api/alarms', { headers: { authorization } });
    const invalid = await wrong(`Bearer vgt_${'A'.repeat(43)}`);
    expect([...said(invalid), invalid.headers.get('www-authenticate')]).toEqual([401, 'invalid_token', 'Bearer realm="vitalgate", error="invalid_token"']);
    for (const other of ['Bearer', 'Basic YW5uOnB3', `Bearer ${care.token('ann')} x`, `Bearer ${care.token('ann').slice(1)}`]) expect(said(await wrong(other))).toEqual([401, 'invalid_token']);
    for (let i = 0; i < 5; i++) await wrong('Bearer no');
    const limited = await wrong('Bearer no');
    expect([...said(limited), limited.headers.get('retry-after')]).toEqual([429, 'too_many_attempts', '6']);
    expect((await care.ask('ann', '/api/alarms')).status).toBe(200);
  });

  it('is refused in an address', async () => {
    const care = await open();
    expect(said(await care.ask(undefined, `/api/alarms?access_token=${care.token('ann')}`))).toEqual([401, 'no_token']);
  });
});

describe('rights', () => {
  const acts: readonly [name: string, method: string, path: string, body: object | undefined, allowed: readonly string[]][] = [
    ['see alarms', 'GET', '/api/alarms', undefined, ['vera', 'ann', 'cho', 'otto']],
    ['see patients', 'GET', `/api/patients/${ANNA}`, undefined, ['vera', 'ann', 'cho', 'otto']],
    ['see rule packs', 'GET', '/api/contracts', undefined, ['vera', 'ann', 'cho', 'otto']],
    ['acknowledge', 'POST', '/api/alarms/1/acknowledge', { revision: 1 }, ['ann', 'cho', 'otto']],
    ['pause', 'POST', '/api/alarms/1/snooze', { revision: 1, minutes: 1 }, ['ann', 'cho', 'otto']],
    ['enter observations', 'POST', `/api/patients/${ANNA}/observations`, { oxygen: 'air' }, ['ann', 'cho', 'otto']],
    ['prescribe a scale', 'PUT', `/api/patients/${ANNA}/spo2-scale`, { scale: 2 }, ['cho']],
    ['activate rule packs', 'POST', '/api/contracts', { packs: ['x'] }, ['otto']],
  ];
  it.each(acts)('to %s', async (_name, method, path, body, allowed) => {
    const care = await open();
    for (const who of ['vera', 'ann', 'cho', 'otto']) {
      const answer = body === undefined ? await care.ask(who, path) : await care.send(who, path, body, method);
      if (allowed.includes(who)) expect([who, [401, 403].includes(answer.status)]).toEqual([who, false]);
      else expect([who, ...said(answer), answer.headers.get('www-authenticate')]).toEqual([who, 403, 'not_allowed', 'Bearer realm="vitalgate", error="insufficient_scope"']);
    }
    if (body !== undefined) expect((await care.send(undefined, path, body, method)).status).toBe(401);
  });

  it('say which access is needed', async () => {
    const care = await open();
    expect((await care.send('otto', `/api/patients/${ANNA}/spo2-scale`, { scale: 2 }, 'PUT')).json['message']).toBe('otto has access as administrator; this needs clinician (alarms.people in the configuration)');
  });

  it('end with the token, and with the person', async () => {
    const care = await open();
    await care.people.revoke('ann');
    expect(said(await care.ask('ann', '/api/alarms'))).toEqual([401, 'invalid_token']);
    care.people.configure([{ name: 'vera', access: 'viewer' }]);
    expect(said(await care.ask('cho', '/api/alarms'))).toEqual([401, 'invalid_token']);
    expect((await care.ask('vera', '/api/alarms')).status).toBe(200);
  });
});

describe('a session', () => {
  const login = async (care: CareSite): Promise<string> => cookieOf(await care.send(undefined, '/api/session', { token: care.token('ann') }));

  it('is begun with a token, and its cookie is for this site and no script', async () => {
    const care = await open();
    const begun = await care.send(undefined, '/api/session', { token: care.token('ann') });
    expect([begun.status, begun.json]).toEqual([201, { person: 'ann', access: 'caregiver', expires: '2027-02-14T08:00:00.000Z' }]);
    expect(begun.headers.get('set-cookie')).toMatch(/^vitalgate_session=vgs_[A-Za-z0-9_-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
    expect((await care.ask(undefined, '/api/session', { headers: { cookie: cookieOf(begun) } })).json).toEqual({ person: 'ann', access: 'caregiver' });
    expect((await care.ask(undefined, '/api/alarms', { headers: { cookie: cookieOf(begun) } })).status).toBe(200);
  });

  it('is Secure behind a proxy that speaks TLS', async () => {
    const care = await open();
    const begun = await care.ask(undefined, '/api/session', {
      method: 'POST', headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.5' }, body: JSON.stringify({ token: care.token('ann') }),
    });
    expect([begun.status, begun.headers.get('set-cookie')?.includes('; Secure')]).toEqual([201, true]);
  });

  it('is not begun with a wrong token, with another session, or by a form', async () => {
    const care = await open();
    const secret = (await login(care)).split('=')[1];
    for (const token of ['', 'vgt_no', secret]) expect(said(await care.send(undefined, '/api/session', { token }))).toEqual([401, 'invalid_token']);
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
      const answer = await care.ask(undefined, '/api/session', { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify({ token: care.token('ann') }) });
      expect([type, ...said(answer)]).toEqual([type, 415, 'unsupported_media_type']);
    }
  });

  it('is no bearer token, and a token is no cookie', async () => {
    const care = await open();
    const secret = (await login(care)).split('=')[1] ?? '';
    expect((await care.ask(undefined, '/api/alarms', { headers: { authorization: `Bearer ${secret}` } })).status).toBe(401);
    expect((await care.ask(undefined, '/api/alarms', { headers: { cookie: `vitalgate_session=${care.token('ann')}` } })).status).toBe(401);
  });

  it('answers alarms for its own pages, and for no other page', async () => {
    const care = await open();
    const cookie = await login(care);
    const post = (headers: Record<string, string>): Promise<Answered> => care.ask(undefined, '/api/alarms/1/acknowledge', { method: 'POST', headers: { cookie, ...headers }, body: '{"revision":1}' });
    expect((await post({ 'content-type': 'application/json' })).json['error']).toBe('unknown_alarm');
    for (const foreign of [{ 'content-type': 'text/plain' }, { 'content-type': 'application/x-www-form-urlencoded' }, { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' }, { 'content-type': 'application/json', 'sec-fetch-site': 'same-site' }]) {
      expect(said(await post(foreign))).toEqual([403, 'foreign_page']);
    }
    expect(said(await care.ask(undefined, '/api/alarms', { headers: { cookie, 'sec-fetch-site': 'cross-site' } }))).toEqual([403, 'foreign_page']);
    const preflight = await care.ask(undefined, '/api/alarms/1/acknowledge', { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('ends when asked', async () => {
    const care = await open();
    const cookie = await login(care);
    const ended = await care.ask(undefined, '/api/session', { method: 'DELETE', headers: { cookie, 'x-requested-with': 'page' } });
    expect([ended.status, ended.headers.get('set-cookie')?.startsWith('vitalgate_session=;')]).toEqual([204, true]);
    expect((await care.ask(undefined, '/api/alarms', { headers: { cookie } })).status).toBe(401);
    expect((await care.ask('ann', '/api/alarms')).status).toBe(200);
  });
});

describe('without TLS', () => {
  const forwarded = (proto: string, client: string): Sent => ({ headers: { 'x-forwarded-proto': proto, 'x-forwarded-for': client } });

  it('nobody on another machine is told anything of people, be the token right or not', async () => {
    const care = await open();
    for (const path of ['/api/alarms', '/api/stream', '/api/session']) expect(said(await care.ask('ann', path, forwarded('http', '203.0.113.5')))).toEqual([403, 'not_private']);
    const login = await care.ask(undefined, '/api/session', { method: 'POST', body: JSON.stringify({ token: care.token('ann') }), headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.5' } });
    expect(said(login)).toEqual([403, 'not_private']);
    expect((await care.ask('ann', '/api/alarms', forwarded('https', '203.0.113.5'))).status).toBe(200);
    expect((await care.ask('ann', '/api/alarms', forwarded('http', '127.0.0.9'))).status).toBe(200);
    expect(said(await care.ask('ann', '/api/alarms', forwarded('http', '127.0.0.1, 203.0.113.5')))).toEqual([403, 'not_private']);
    expect((await care.ask(undefined, '/api', forwarded('http', '203.0.113.5'))).status).toBe(200);
  });

  it('somebody does where the configuration says so', async () => {
    const care = await open({ plainHttp: true });
    expect((await care.ask('ann', '/api/alarms', forwarded('http', '203.0.113.5'))).status).toBe(200);
  });

  const other = Object.values(networkInterfaces()).flat().find((each) => each?.family === 'IPv4' && !each.internal)?.address;
  it.runIf(other !== undefined)('what a stranger says of TLS is not believed', async () => {
    const care = await open({ host: '0.0.0.0' });
    const address = care.address.replace(/\/\/[^:]+:/, `//${other}:`);
    const headers = { authorization: `Bearer ${care.token('ann')}`, 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' };
    expect((await fetch(`${address}/api/alarms`, { headers })).status).toBe(403);
  });
});
