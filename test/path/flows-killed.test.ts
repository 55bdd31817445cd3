import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const KILLS = 20;
const ANNA = { kind: 'patient', id: 'anna' };
const TAB = '00000000000000c1';

type Told = Readonly<{ id: string; redelivered: boolean; person: string; text: string; alarm: Readonly<{ step: number; rule: string }> }>;
type Step = Readonly<{ step: number; rule: string; told: Readonly<{ to: readonly string[] }> | null }>;

/** The escalation has ten seconds a level: the kills fall into it. */
describe('an escalation, while Node-RED is killed again and again', () => {
  const told: Told[] = [];
  // Where people are told. Who is killed while it waits for an answer cannot know that it was heard.
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString('utf8')));
    request.on('end', () => {
      const one = JSON.parse(body) as Told;
      const isHeld = one.text.startsWith('held') && !told.some(({ id }) => id === one.id);
      told.push(one);
      if (!isHeld) response.end();
    });
  });
  let site: Site;
  let token: string;

  beforeAll(async () => {
    await once(receiver.listen(0, '127.0.0.1'), 'listening');
    const people = [{ name: 'otto', access: 'administrator' }, { name: 'dora', access: 'viewer' }, { name: 'nick', access: 'viewer' }, { name: 'emma', access: 'viewer' }];
    site = await Site.prepare({ gateway: { alarms: { people }, patients: [{ id: 'anna' }], flows: { enabled: true } } });
    token = (JSON.parse((await vitalgate('person', 'token', 'otto', '--json', '--config', site.config)).stdout) as { secret: string }).secret;
    await site.startGateway();
    const nodes = [
      { id: TAB, type: 'tab', label: 'Tell' },
      { id: '00000000000000c2', z: TAB, type: 'vitalgate-alarm-in', moment: 'told', who: '', rules: '', priority: 'low', wires: [['00000000000000c3']] },
      { id: '00000000000000c3', z: TAB, type: 'vitalgate-notify', channel: 'webhook', address: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`, people: '', text: '', seconds: 100, wires: [[], []] },
    ];
    await until('Node-RED takes flows', async () => (await post('/flows/flows', nodes)).status === 204);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    receiver.closeAllConnections();
    receiver.close();
  });

  const headers = (): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' });
  const get = async (path: string): Promise<Response> => await fetch(site.webUrl + path, { headers: headers() });
  const post = async (path: string, body: unknown): Promise<Response> => await fetch(site.webUrl + path, { method: 'POST', headers: headers(), body: JSON.stringify(body) });
  const raise = async (name: string, ...chain: readonly object[]): Promise<void> => {
    await post('/api/flows/asks', { ask: 'raise', subject: ANNA, name, priority: 'high', message: name, chain });
  };
  const OTTO = { to: ['otto'], within: '8h' };
  const isTold = (name: string) => (): boolean => told.some(({ alarm }) => alarm.rule === `flow:${name}`);
  const stepsToTell = async (): Promise<readonly string[]> =>
    ((await (await get('/api/steps?limit=1000')).json()) as { steps: Step[] }).steps.flatMap(({ step, told: whom }) => (whom?.to ?? []).map((person) => `${step} ${person}`));

  it('tells the right people in the right order, each at least once, and leaves nobody out', async () => {
    // A consumer that is new begins with what comes: alarms until it hears one say that it follows.
    let first = 0;
    await until('the flow hears', async () => {
      if (told.length === 0) await raise(`first-${++first}`, OTTO);
      return told.length > 0;
    });
    const before = told[0]?.alarm.step ?? 0;
    await raise('fall', { to: ['dora'], within: '10s' }, { to: ['nick'], within: '10s' }, { to: ['emma'], within: '8h' });
    for (let kill = 1; kill <= KILLS; kill++) {
      await raise(`more-${kill}`, OTTO);
      await until('the flow goes on', isTold(`more-${kill}`));
      const { pid } = (await site.api.flowsStatus()) ?? { pid: null };
      if (pid === null) throw new Error('Node-RED does not run');
      // Every other time in the middle of telling; else what comes in that moment is told before the kill, or after it.
      const isHeld = kill % 2 === 0;
      void raise(`${isHeld ? 'held' : 'lost'}-${kill}`, OTTO);
      if (isHeld) await until('somebody is being told', isTold(`held-${kill}`));
      process.kill(pid, 'SIGKILL');
      await until('it has ended', async () => (await site.api.flowsStatus())?.pid !== pid);
    }
    await until('everybody was told', async () => {
      const heard = new Set(told.map(({ alarm, person }) => `${alarm.step} ${person}`));
      const all = await stepsToTell();
      return all.some((each) => each.endsWith('emma')) && all.filter((each) => Number.parseInt(each, 10) >= before).every((each) => heard.has(each));
    }, 120_000);
    expect([...new Set(told.filter(({ alarm }) => alarm.rule === 'flow:fall').map(({ person }) => person))]).toEqual(['dora', 'nick', 'emma']);
    const again = told.filter(({ id, person }, i) => told.findIndex((each) => each.id === id && each.person === person) < i);
    expect(again.length).toBeGreaterThanOrEqual(KILLS / 2);
    expect(again.filter(({ redelivered }) => !redelivered)).toEqual([]);
    expect((await site.api.flowsStatus())?.failures.map(({ why }) => why)).toEqual(Array.from({ length: KILLS }, () => 'ended'));
  });
});
