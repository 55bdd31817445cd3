import { readFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MailSink } from '../../../firmware-sim/mail-sink.ts';
import type { LinksReport } from '../../../gateway/administration.ts';
import type { Disclosure } from '../../../gateway/disclosures.ts';
import type { NodeRedStatus } from '../../../gateway/nodered/node-red.ts';
import { needs } from '../../debian-packages.ts';
import { until, vitalgate, type Program } from '../program.ts';
import { SerialCable } from '../serial-cable.ts';
import { Site } from '../site.ts';
import { untilNodeSays } from './node-says.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SHOTS = process.env['VITALGATE_SCREENSHOTS'];
const EXAMPLES = ['01 - Fall, one told after the other.json', '08 - Summary of the day.json', '11 - Page for a family member.json'];
const PEOPLE = [
  { name: 'admin', access: 'administrator' },
  { name: 'dora', access: 'viewer', roles: ['daughter'], email: 'dora@example.org', phone: '+491713920011', patients: ['test-patient'] },
  { name: 'nick', access: 'viewer', roles: ['neighbour'], phone: '+491713920012', patients: ['somebody-else'] },
  { name: 'emma', access: 'viewer', roles: ['emergency-contact'], email: 'emma@example.org', phone: '+491713920013' },
];

type FlowNode = Readonly<{ id: string; type: string; name?: string }>;

describe('flows that tell people', () => {
  let site: Site;
  let cable: SerialCable;
  let sink: MailSink;
  let modem: Program;
  let bell = '';
  const tokens = new Map<string, string>();
  const flows = EXAMPLES.flatMap((file) => JSON.parse(readFileSync(new URL(`../../../flows/examples/${encodeURIComponent(file)}`, import.meta.url), 'utf8')) as FlowNode[]);

  beforeAll(async () => {
    site = await Site.prepare();
    sink = await MailSink.open();
    cable = new SerialCable(site.folder, 'modem');
    await cable.lay();
    bell = join(site.folder, 'bell.log');
    const hospital = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(site.sections(hospital, {
      gateway: {
        alarms: { people: PEOPLE }, patients: [{ id: 'test-patient' }], flows: { enabled: true, testPatients: ['test-patient'] },
        links: [{ name: '5g', address: '127.0.0.1', metered: true, modem: { port: cable.path } }],
        notices: { email: { host: '127.0.0.1', port: sink.port, security: 'none', from: 'vitalgate@example.org' }, commands: [{ name: 'bell', kind: 'buzzer', run: ['tee', '-a', bell] }] },
      },
    }));
    for (const { name } of PEOPLE) tokens.set(name, (JSON.parse((await vitalgate('person', 'token', name, '--json', '--config', site.config)).stdout) as { secret: string }).secret);
    // The network takes the first message, and not the second.
    modem = site.launch('sim', '--modem', 'quectel', '--serial', cable.deviceEnd, '--story', '0s:lte', '--sms-errors', '0,38');
    await Promise.all([site.startHospital(), site.startGateway()]);
    await until('Node-RED runs', async () => ((await site.api.flowsStatus()) as NodeRedStatus).state === 'running');
    await until('the modem is connected', async () => (JSON.parse((await vitalgate('links', '--config', site.config, '--json')).stdout) as LinksReport).modems[0]?.state === 'connected');
    await until('the examples are deployed', async () => (await post('/flows/flows', flows)) === 204);
    // An event is a value of now: who listens later does not hear of it.
    for (const name of ['a fall', 'the alarm begins']) await untilNodeSays(site.webUrl, tokens.get('admin') ?? '', flows.find((node) => node.name === name)?.id ?? '', 'connected');
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await cable[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  const post = async (path: string, body: object = {}, who = 'admin'): Promise<number> =>
    (await fetch(site.webUrl + path, { method: 'POST', headers: { authorization: `Bearer ${tokens.get(who)}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })).status;
  const look = async (who: string | undefined, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    await fetch(`${site.webUrl}/pages/family`, { headers: { accept: 'text/html', ...(who === undefined ? {} : { authorization: `Bearer ${tokens.get(who)}` }), ...headers } });
  const press = async (name: string): Promise<void> => {
    const node = flows.find((each) => each.name === name);
    await until(`${name} can be pressed`, async () => (await post(node?.type === 'inject' ? `/flows/inject/${node.id}` : `/flows/vitalgate/press/${node?.id}`)) === 200);
  };

  it('ring the bell when somebody falls, and send a short message to whoever is first', async () => {
    await press('somebody falls');
    await until('the bell rang', () => readIfThere(bell).includes('test-patient: somebody has fallen'));
    await until('the daughter has it', () => modem.stderr.includes('message to +491713920011: "test-patient: somebody has fallen. Please answer: 1 of 3 are told."'));
    expect(modem.stderr).not.toContain('+491713920012');
  });

  it('send a mail when the network does not take a short message', async () => {
    await press('tell the emergency contact');
    const mail = await until('it came as a mail', () => sink.mails.find(({ to }) => to[0] === 'emma@example.org') ?? false);
    expect(mail).toMatchObject({ subject: 'Fall: please answer', text: expect.stringMatching(/^TEST: \. Please answer/) as unknown });
  });

  it('send the day of somebody as a mail', async () => {
    await press('at 19:00');
    const mail = await until('it came', () => sink.mails.find(({ to }) => to[0] === 'dora@example.org') ?? false);
    expect(mail).toMatchObject({ from: 'vitalgate@example.org', subject: 'The day of test-patient', text: expect.stringMatching(/^test-patient today\. .*Alarms: 1\.$/) as unknown });
  });

  it('show a page to whoever may see this patient, behind the login of the gateway, and note who saw it', async () => {
    await press('is well today');
    const page = await until('the page is there', async () => {
      const answer = await look('dora');
      const text = await answer.text();
      return text.includes('Last contact') && { answer, text };
    });
    expect([page.answer.status, page.answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).toContain('test-patient: somebody has fallen <small>(people are being told)');
    expect(page.text).toContain('Last contact: less than a minute ago.');
    expect(page.answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    const stranger = await look(undefined);
    expect([stranger.status, (await stranger.text()).includes('name="token"')]).toEqual([401, true]);
    // Neither by a name of one's own choice, nor for other people's patients.
    const denied = await look('nick', { 'x-vitalgate-person': 'dora', 'x-vitalgate-flows': 'guessed.*.ZG9yYQ' });
    expect([denied.status, await denied.text()]).toEqual([403, expect.stringMatching(/knows no patient/) as unknown]);
    expect([await post('/pages/family', {}, 'dora'), (await fetch(`${site.webUrl}/flows/`, { headers: { authorization: `Bearer ${tokens.get('dora')}` } })).status]).toEqual([405, 403]);
    const seen = await until('it is noted', async () => {
      const disclosures = JSON.parse((await vitalgate('disclosures', '--patient', 'test-patient', '--json', '--config', site.config)).stdout) as Disclosure[];
      return disclosures.some(({ recipient }) => recipient === 'dora') && disclosures;
    });
    expect(seen.map(({ recipient }) => recipient)).not.toContain('nick');
  });

  it('give a page nothing by which it could pass for somebody else', async () => {
    const tab = '00000000000000d1';
    const echo = [
      { id: tab, type: 'tab', label: 'Echo' },
      { id: '00000000000000d2', z: tab, type: 'http in', url: '/pages/echo', method: 'get', wires: [['00000000000000d3']] },
      { id: '00000000000000d3', z: tab, type: 'function', func: 'msg.payload = { headers: msg.req.headers, raw: msg.req.rawHeaders }; return msg;', outputs: 1, wires: [['00000000000000d4']] },
      { id: '00000000000000d4', z: tab, type: 'http response', headers: { 'set-cookie': 'vitalgate_session=mine' }, wires: [] },
    ];
    expect(await post('/flows/flows', [...flows, ...echo])).toBe(204);
    const answer = await until('it answers', async () => {
      const told = await fetch(`${site.webUrl}/pages/echo`, { headers: { authorization: `Bearer ${tokens.get('admin')}`, cookie: 'vitalgate_session=stolen' } });
      return told.ok && told;
    });
    const { headers, raw } = (await answer.json()) as { headers: Record<string, string>; raw: string[] };
    expect([headers['x-vitalgate-person'], raw, answer.headers.get('set-cookie')]).toEqual(['admin', [], null]);
    for (const name of ['authorization', 'cookie', 'x-vitalgate-flows']) expect(headers).not.toHaveProperty(name);
  });

  it.skipIf(needed.missing)(`shows the page in a browser after signing in${needed.note}`, async () => {
    await using browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    const page = await browser.newPage({ viewport: { width: 480, height: 800 } });
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(String(error)));
    page.on('console', (message) => message.text().includes('Content Security Policy') && wrong.push(message.text()));
    await page.goto(`${site.webUrl}/pages/family`);
    await page.fill('input[name=token]', tokens.get('dora') ?? '');
    await page.click('button');
    await page.waitForSelector('h1:has-text("How is test-patient?")');
    expect(await page.locator('.alarm').textContent()).toContain('somebody has fallen');
    if (SHOTS !== undefined) {
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: join(SHOTS, 'family page.png') });
    }
    expect(wrong).toEqual([]);
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
