import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const RED = createRequire(import.meta.url).resolve('node-red/red.js');
const PALETTE = resolve(import.meta.dirname, '../../flows');
const ANNA = { kind: 'patient', id: 'anna' };
const ALARMS = 10;
const [TAB, IN, OUT, GATEWAY] = ['00000000000000e1', '00000000000000e2', '00000000000000e3', '00000000000000e4'];

type Told = Readonly<{ id: string; redelivered: boolean; alarm: Readonly<{ rule: string }> }>;

/** The gateway's own, and two elsewhere that are copies of each other and act as the same person. */
const PLACES = ['own', 'one', 'other'] as const;

describe('the same flows in several Node-REDs', () => {
  const told = new Map<string, Told[]>(PLACES.map((place) => [place, []]));
  const elsewhere: ChildProcess[] = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString('utf8')));
    request.on('end', () => {
      told.get(request.url?.slice(1) ?? '')?.push(JSON.parse(body) as Told);
      response.end();
    });
  });
  let site: Site;
  let token: string;

  beforeAll(async () => {
    await once(receiver.listen(0, '127.0.0.1'), 'listening');
    site = await Site.prepare({ gateway: { alarms: { people: [{ name: 'otto', access: 'administrator' }] }, patients: [{ id: 'anna' }], flows: { enabled: true } } });
    token = (JSON.parse((await vitalgate('person', 'token', 'otto', '--json', '--config', site.config)).stdout) as { secret: string }).secret;
    await site.startGateway();
    await until('Node-RED takes flows', async () => (await post('/flows/flows', flowsOf('own'))).status === 204);
    for (const place of PLACES.slice(1)) startElsewhere(place);
  });
  afterAll(async () => {
    await Promise.all(elsewhere.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }));
    await site[Symbol.asyncDispose]();
    receiver.closeAllConnections();
    receiver.close();
  });

  const post = async (path: string, body: unknown): Promise<Response> =>
    await fetch(site.webUrl + path, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const consumers = async (): Promise<readonly string[]> =>
    ((await (await fetch(`${site.webUrl}/api/flows/consumers`, { headers: { authorization: `Bearer ${token}` } })).json()) as { consumers: { name: string }[] }).consumers.map(({ name }) => name).toSorted();
  const raise = async (name: string): Promise<void> => {
    expect((await post('/api/flows/asks', { ask: 'raise', subject: ANNA, name, priority: 'high', message: name, chain: [{ to: ['otto'], within: '8h' }] })).status).toBe(200);
  };
  const heardBy = (place: string): readonly Told[] => told.get(place) ?? [];

  function flowsOf(place: (typeof PLACES)[number]): readonly object[] {
    const gateway = place === 'own' ? {} : { gateway: GATEWAY };
    return [
      { id: TAB, type: 'tab', label: 'Tell' },
      ...(place === 'own' ? [] : [{ id: GATEWAY, type: 'vitalgate-gateway', name: '', url: site.webUrl, consumer: '' }]),
      { id: IN, z: TAB, type: 'vitalgate-alarm-in', ...gateway, moment: 'told', who: '', rules: '', priority: 'low', wires: [[OUT]] },
      { id: OUT, z: TAB, type: 'vitalgate-notify', ...gateway, channel: 'webhook', address: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/${place}`, people: '', text: '', seconds: 10, wires: [[], []] },
    ];
  }

  /** As somebody has it who copied flows and token from one machine to the other. */
  function startElsewhere(place: (typeof PLACES)[number]): void {
    const folder = join(site.folder, place);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'flows.json'), JSON.stringify(flowsOf(place)));
    writeFileSync(join(folder, 'flows_cred.json'), JSON.stringify({ [GATEWAY]: { token } }));
    const settings = { flowFile: 'flows.json', credentialSecret: false, nodesDir: [PALETTE], uiHost: '127.0.0.1', uiPort: 0, httpAdminRoot: false, httpNodeRoot: false, telemetry: { enabled: false }, externalModules: { autoInstall: false } };
    writeFileSync(join(folder, 'settings.js'), `module.exports = ${JSON.stringify(settings)};\n`);
    elsewhere.push(spawn(process.execPath, [RED, '--settings', join(folder, 'settings.js'), '--userDir', folder], { stdio: 'ignore', env: { PATH: process.env['PATH'], HOME: folder } }));
  }

  it('are each told of every alarm once, and none takes from another', async () => {
    // A consumer that is new begins with what comes: alarms until each hears one.
    let first = 0;
    await until('all hear', async () => {
      if (PLACES.every((place) => heardBy(place).length > 0)) return true;
      await raise(`first-${++first}`);
      return false;
    });
    for (let i = 1; i <= ALARMS; i++) await raise(`alarm-${i}`);
    const wanted = Array.from({ length: ALARMS }, (_, i) => `flow:alarm-${i + 1}`);
    await until('all were told', () => PLACES.every((place) => wanted.every((rule) => heardBy(place).some(({ alarm }) => alarm.rule === rule))));
    for (const place of PLACES) {
      const since = heardBy(place).filter(({ alarm }) => wanted.includes(alarm.rule));
      expect([place, since.map(({ id }) => id).toSorted(), since.some(({ redelivered }) => redelivered)]).toEqual([place, heardBy('own').filter(({ alarm }) => wanted.includes(alarm.rule)).map(({ id }) => id).toSorted(), false]);
      expect(since).toHaveLength(ALARMS);
    }
    const names = await consumers();
    expect(names).toHaveLength(2);
    for (const name of names) expect(name).toMatch(new RegExp(`^node-red-${GATEWAY}-[0-9a-f]{8}-alarms$`));
    expect(names).toContain(`node-red-${GATEWAY}-${instanceIn('one').slice(0, 8)}-alarms`);
  });

  const instanceIn = (place: string): string => (JSON.parse(readFileSync(join(site.folder, place, '.config.runtime.json'), 'utf8')) as { instanceId: string }).instanceId;
});
