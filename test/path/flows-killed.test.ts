import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const KILLS = 20;
const ANNA = { kind: 'patient', id: 'anna' };

type Heard = Readonly<{ id: string; redelivered: boolean; rule: string; why: string; to: readonly string[] }>;

/** The escalation of the test's palette has fifteen seconds a level: the kills fall into it. */
describe('an escalation, while Node-RED is killed again and again', () => {
  let site: Site;
  let token: string;

  beforeAll(async () => {
    const people = [{ name: 'otto', access: 'administrator' }, { name: 'dora', access: 'viewer' }, { name: 'nick', access: 'viewer' }, { name: 'emma', access: 'viewer' }];
    site = await Site.prepare({ gateway: { alarms: { people }, patients: [{ id: 'anna' }], flows: { enabled: true, stall: '10s', settle: '100ms', palettes: [join(import.meta.dirname, 'palette')] } } });
    token = (JSON.parse((await vitalgate('person', 'token', 'otto', '--json', '--config', site.config)).stdout) as { secret: string }).secret;
    await site.startGateway();
    const nodes = [{ id: '00000000000000c1', type: 'tab', label: 'Follow' }, { id: '00000000000000c2', type: 'follow', z: '00000000000000c1', name: '', wires: [] }];
    await until('Node-RED takes flows', async () => (await post('/flows/flows', nodes)).status === 204);
    await until('the consumer is there', async () => {
      const status = await site.api.flowsStatus();
      return status?.state === 'running';
    });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const post = async (path: string, body: unknown): Promise<Response> =>
    await fetch(site.webUrl + path, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const heard = (): readonly Heard[] => (existsSync(join(site.gatewayData, 'nodered', 'heard')) ? site.read('gateway', 'nodered', 'heard').split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Heard) : []);

  it('tells the right people in the right order, each at least once, and loses no alarm', async () => {
    // A consumer that is new begins with what comes: alarms until it hears one say that it follows.
    let first = 0;
    await until('the flow hears', async () => {
      if (heard().length > 0) return true;
      await post('/api/flows/asks', { ask: 'raise', subject: ANNA, name: `first-${++first}`, priority: 'low', message: 'first' });
      return heard().length > 0;
    });
    await post('/api/flows/asks', { ask: 'raise', subject: ANNA, name: 'fall', priority: 'high', message: 'Anna fell' });
    for (let kill = 1; kill <= KILLS; kill++) {
      const before = heard().length;
      await post('/api/flows/asks', { ask: 'raise', subject: ANNA, name: `more-${kill}`, priority: 'low', message: `${kill}` });
      await until('the flow goes on', () => heard().length > before);
      const { pid } = (await site.api.flowsStatus()) ?? { pid: null };
      if (pid === null) throw new Error('Node-RED does not run');
      // What comes in that moment is told before the kill, or again after it.
      void post('/api/flows/asks', { ask: 'raise', subject: ANNA, name: `lost-${kill}`, priority: 'low', message: `${kill}` });
      process.kill(pid, 'SIGKILL');
      await until('it has ended', async () => (await site.api.flowsStatus())?.pid !== pid);
    }
    await until('everybody was told, and everything heard', async () => {
      const all = heard();
      const { lastStep } = (await (await fetch(`${site.webUrl}/api/steps?limit=1`, { headers: { authorization: `Bearer ${token}` } })).json()) as { lastStep: number };
      return all.some(({ to, rule }) => rule === 'flow:fall' && to.includes('emma')) && all.some(({ id }) => id === `alarm-${lastStep}`);
    }, 120_000);
    const all = heard();
    const told = [...new Set(all.filter(({ rule, why }) => rule === 'flow:fall' && (why === 'rerouted' || why === 'escalated')).map(({ to }) => to.join()))];
    expect(told).toEqual(['dora', 'nick', 'emma']);
    const numbers = [...new Set(all.map(({ id }) => Number(id.slice('alarm-'.length))))];
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
    const twice = all.filter(({ id }, i) => all.findIndex((each) => each.id === id) < i);
    expect(twice.every(({ redelivered }) => redelivered)).toBe(true);
  });
});
