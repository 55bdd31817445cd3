import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { NodeRedStatus } from '../../gateway/nodered/node-red.ts';
import { needs } from '../debian-packages.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const flow = (label: string, code: string): object[] => [
  { id: '00000000000000a1', type: 'tab', label },
  { id: '00000000000000a2', type: 'inject', z: '00000000000000a1', name: '', props: [], repeat: '', once: true, onceDelay: 0.1, wires: [['00000000000000a3']] },
  { id: '00000000000000a3', type: 'function', z: '00000000000000a1', name: '', func: code, outputs: 1, wires: [[]] },
];
const GOOD = flow('Good', 'return msg;');
/** Out of reach of the limit of Function nodes. */
const ENDLESS = flow('Endless', 'setTimeout(() => { while (true) {} }, 1); return msg;');

describe('Node-RED beside the gateway', () => {
  let site: Site;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    const people = [{ name: 'ann' }, { name: 'cho', access: 'clinician' }, { name: 'otto', access: 'administrator' }, { name: 'vera', access: 'viewer' }, { name: 'wendy', access: 'clinician', patients: ['bert'] }];
    // The gateway looks every 5 s how its flows are: what is over sooner may not be noticed.
    site = await Site.prepare({ gateway: { timeZone: 'Asia/Kolkata', alarms: { people }, flows: { enabled: true, stall: '3s', settle: '6s' } } });
    for (const { name } of people) {
      const { stdout } = await vitalgate('person', 'token', name, '--json', '--config', site.config);
      tokens.set(name, (JSON.parse(stdout) as { secret: string }).secret);
    }
    await site.startGateway();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const tokenOf = (who: string): string => tokens.get(who) ?? '';
  const get = async (who: string | undefined, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    await fetch(site.webUrl + path, { headers: { ...(who === undefined ? {} : { authorization: `Bearer ${tokenOf(who)}` }), ...headers } });
  const deploy = async (who: string, flows: object[]): Promise<number> =>
    (await fetch(`${site.webUrl}/flows/flows`, { method: 'POST', headers: { authorization: `Bearer ${tokenOf(who)}`, 'content-type': 'application/json' }, body: JSON.stringify(flows) })).status;
  const status = async (): Promise<NodeRedStatus> => (await site.api.flowsStatus()) as NodeRedStatus;
  const untilState = async (state: NodeRedStatus['state'], restarts = 0): Promise<NodeRedStatus> =>
    await until(`Node-RED is ${state}`, async () => {
      const now = await status();
      return now.state === state && now.restarts >= restarts && now;
    });
  const steps = async (rule: string): Promise<readonly string[]> =>
    ((await (await get('ann', '/api/steps?limit=1000')).json()) as { steps: { rule: string; why: string }[] }).steps.filter((step) => step.rule === rule).map(({ why }) => why);
  /** The port that it listens on, as the kernel says it. */
  const portOf = (pid: number): number => {
    const sockets = new Set(readdirSync(`/proc/${pid}/fd`).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? []));
    const listening = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((row) => row.trim().split(/\s+/)).find((row) => row[3] === '0A' && sockets.has(row[9] ?? ''));
    return Number.parseInt(listening?.[1]?.split(':')[1] ?? '0', 16);
  };

  it('is edited by an administrator, looked at by caregivers and clinicians, and by nobody else', async () => {
    await untilState('running');
    expect(await deploy('otto', GOOD)).toBe(204);
    for (const who of ['ann', 'cho']) {
      expect([who, (await get(who, '/flows/')).status, await deploy(who, ENDLESS)]).toEqual([who, 200, 403]);
      expect(await (await get(who, '/flows/flows')).json()).toHaveLength(3);
      expect(await (await get(who, '/flows/settings')).json()).toMatchObject({ user: { username: who, permissions: 'read' } });
    }
    for (const who of ['vera', 'wendy']) expect([who, (await get(who, '/flows/')).status, await deploy(who, ENDLESS)]).toEqual([who, 403, 403]);
    const stranger = await get(undefined, '/flows/', { accept: 'text/html' });
    expect([stranger.status, (await stranger.text()).includes('name="token"')]).toEqual([401, true]);
    expect([(await get(undefined, '/flows/flows')).status, (await get(undefined, '/dashboard/')).status]).toEqual([401, 401]);
  });

  it('trusts the gateway alone: not another program of this machine, nor what a visitor says of themselves', async () => {
    const { pid } = await status();
    const direct = `http://127.0.0.1:${portOf(pid ?? 0)}`;
    for (const path of ['/flows/', '/flows/flows', '/flows/settings']) {
      expect((await fetch(direct + path, { headers: { 'x-vitalgate-flows': 'guessed.*.b3R0bw' } })).status).toBe(401);
    }
    const claimed = await get('ann', '/flows/settings', { 'x-vitalgate-flows': 'guessed.*.b3R0bw' });
    expect(await claimed.json()).toMatchObject({ user: { username: 'ann', permissions: 'read' } });
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).not.toContain('vgt_');
    expect(environment).not.toContain('VITALGATE');
    expect(environment).toMatch(/\0TZ=Asia\/(Kolkata|Calcutta)\0/);
  });

  it('opens no socket for a page of another site', async () => {
    const opened = async (headers: Readonly<Record<string, string>>): Promise<string> => {
      const socket = new WebSocket(`${site.webUrl.replace('http', 'ws')}/flows/comms`, { headers });
      return await new Promise((resolve) => {
        socket.once('open', () => (socket.terminate(), resolve('open')));
        socket.once('error', ({ message }) => resolve(message));
      });
    };
    const session = await fetch(`${site.webUrl}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token: tokenOf('otto') }) });
    const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await opened({ cookie, origin: site.webUrl })).toBe('open');
    expect(await opened({ cookie, origin: 'https://elsewhere.example' })).toMatch(/403/);
    expect(await opened({})).toMatch(/401/);
    // A page drawn in Node-RED sends text: only one of this gateway may.
    const sent = async (origin: Readonly<Record<string, string>>): Promise<number> => (await fetch(`${site.webUrl}/dashboard/x`, { method: 'POST', body: '4', headers: { cookie, 'content-type': 'text/plain', ...origin } })).status;
    expect([await sent({ origin: site.webUrl }), await sent({ origin: 'https://elsewhere.example' }), await sent({})]).toEqual([404, 403, 403]);
  });

  it.skipIf(needed.missing)(`shows its editor after signing in, and asks nobody outside${needed.note}`, async () => {
    await using browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    const page = await browser.newPage();
    const outside: string[] = [];
    page.on('request', (request) => !request.url().startsWith(site.webUrl) && /^(http|ws)/.test(request.url()) && outside.push(request.url()));
    await page.goto(`${site.webUrl}/flows/`);
    await page.fill('input[name=token]', tokenOf('otto'));
    await page.click('button');
    await page.waitForSelector('.red-ui-flow-node-label, .red-ui-flow-node', { state: 'attached', timeout: 60_000 });
    expect(await page.isVisible('text=Good')).toBe(true);
    expect(outside).toEqual([]);
  });

  it('is started again when it was killed, and people are told while it is away', async () => {
    const { pid } = await status();
    process.kill(pid ?? 0, 'SIGKILL');
    expect((await untilState('running', 1)).failures.at(-1)).toMatchObject({ why: 'ended' });
    await until('the alarm is over', async () => (await steps('flows_stopped')).includes('cleared'));
    expect((await steps('flows_stopped'))[0]).toBe('raised');
    expect(await (await get('ann', '/flows/flows')).json()).toHaveLength(3);
  });

  it('reaches out no faster than the gateway can spare, however a flow floods, and the flow hears of it', async () => {
    let connections = 0;
    const receiver = createServer((_, response) => response.end()).on('connection', () => connections++).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const request = { id: '00000000000000a4', type: 'http request', z: '00000000000000a1', name: '', method: 'GET', ret: 'txt', url, wires: [[]] };
    const flood = flow('Flood', 'for (let i = 0; i < 2000; i++) node.send({ payload: i });').map((node) => ('func' in node ? { ...node, wires: [[request.id]] } : node));
    expect(await deploy('otto', [...flood, request])).toBe(204);
    const { log } = await until('the flow hears of it', async () => {
      const now = await status();
      return now.log.some((line) => line.includes('more connections than')) && now;
    });
    expect(log.join('\n')).toContain('flows begin more connections than 20 a second');
    await until('what waited is let through', () => connections >= 150);
    expect(connections).toBeLessThanOrEqual(301);
    expect(await deploy('otto', GOOD)).toBe(204);
    receiver.closeAllConnections();
    receiver.close();
  });

  it('is killed when a flow never ends, and runs none when that comes again and again, until older ones are restored', async () => {
    expect(await deploy('otto', ENDLESS)).toBe(204);
    const safe = await untilState('safe');
    expect(safe.failures.slice(-3).map(({ why }) => why)).toEqual(['stalled', 'stalled', 'stalled']);
    await until('people are told', async () => (await steps('flows_safe_mode')).includes('raised'));
    expect((await get('otto', '/flows/flows')).status).toBe(200);
    const shown = await vitalgate('flows', 'status', '--config', site.config);
    expect([shown.code, shown.stdout]).toEqual([1, expect.stringContaining('safe mode')]);
    const history = (JSON.parse((await vitalgate('flows', 'history', '--json', '--config', site.config)).stdout) as { copy: string; by: string }[]);
    expect(history.map(({ by }) => by)).toEqual(['otto', 'otto', 'otto', 'otto']);
    expect((await vitalgate('flows', 'restore', history[1]?.copy ?? '', '--config', site.config)).code).toBe(0);
    await untilState('running');
    await until('the alarm is over', async () => (await steps('flows_safe_mode')).includes('cleared'));
    expect(((await (await get('otto', '/flows/flows')).json()) as { label?: string }[])[0]?.label).toBe('Good');
    expect((await vitalgate('flows', 'restore', '../../etc', '--config', site.config)).stderr).toContain('there is no copy');
  });

  it('ends with its gateway, however that ends, and its flows are there after it', async () => {
    await untilState('running');
    expect(await deploy('otto', flow('Busy', 'setTimeout(() => { const end = Date.now() + 60_000; while (Date.now() < end) {} }, 500); return msg;'))).toBe(204);
    const { pid } = await status();
    await site.gateway.kill();
    await until('Node-RED has ended', async () => !existsSync(`/proc/${pid}`));
    await site.startGateway();
    await until('its flows are there', async () => (await get('ann', '/flows/flows')).ok);
    expect(existsSync(join(site.gatewayData, 'nodered', 'flows.json'))).toBe(true);
    const { stderr } = await site.gateway.stop();
    expect(stderr).not.toContain('ALARM');
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
