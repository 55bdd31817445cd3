import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MailSink } from '../../../firmware-sim/mail-sink.ts';
import type { NodeRedStatus } from '../../../gateway/nodered/node-red.ts';
import { needs } from '../../debian-packages.ts';
import { until, vitalgate } from '../program.ts';
import { Site } from '../site.ts';
import { untilNodeSays as untilSaid } from './node-says.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const EXAMPLES = new URL('../../../flows/examples/', import.meta.url);
/** Whom the demo has, too (gateway/commands/demo.ts). */
const PEOPLE = [
  { name: 'admin', access: 'administrator' }, { name: 'nina', roles: ['nurse'], email: 'nina@example.org' }, { name: 'david', access: 'clinician', roles: ['doctor'] },
  { name: 'dora', access: 'viewer', roles: ['daughter'], email: 'dora@example.org' }, { name: 'nick', access: 'viewer', roles: ['neighbour'] }, { name: 'emma', access: 'viewer', roles: ['emergency-contact'] },
];
/** Where somebody wants to look at what the browser shows. */
const SHOTS = process.env['VITALGATE_SCREENSHOTS'];

type FlowNode = Readonly<{ id: string; type: string; name?: string; dwell?: number; minutes?: number }>;
const exampleOf = (file: string): FlowNode[] => JSON.parse(readFileSync(new URL(encodeURIComponent(file), EXAMPLES), 'utf8')) as FlowNode[];
/** The clock of an example runs twenty times as fast. */
const withShortWaits = ({ dwell, minutes, ...node }: FlowNode): FlowNode => ({ ...node, ...(dwell === undefined ? {} : { dwell: dwell / 20 }), ...(minutes === undefined ? {} : { minutes: node.type === 'vitalgate-no-data' ? minutes / 20 : minutes }) });
const files = readdirSync(EXAMPLES).sort();
/** People are told at once, so that nobody waits for more than what is tried. */
const AT_ONCE = { physiological: { low: { delay: '0s' } }, technical: { medium: { delay: '0s' }, low: { delay: '0s' } } };

/** Every node of the palette, what its button says, and whether it sends something on. */
const EVERY: readonly (readonly [type: string, filledIn: object, says: RegExp])[] = [
  ['alarm-in', { moment: 'told', who: '', rules: '', priority: 'low' }, /TEST: This is a test\. \(sent down the flow\)/],
  ['vital-in', { who: '', measurements: 'spo2', doubtful: false }, /TEST: test-patient spo2 85 \(sent down the flow\)/],
  ['event-in', { events: 'fall', moment: 'begins', who: '' }, /TEST: test-patient fall began \(sent down the flow\)/],
  ['room-in', { who: '', measurements: '', doubtful: false }, /TEST: .+ room_temperature 31 \(sent down the flow\)/],
  ['device-in', { devices: '', moment: 'trouble', battery: 20 }, /TEST: test-device battery 8 % \(sent down the flow\)/],
  ['block-in', { moment: 'receipted', lane: 'both' }, /TEST: record 0 receipted \(sent down the flow\)/],
  ['patient-context', { patient: '', wanted: 'NEWS2' }, /TEST: test-patient: NEWS2 .*Live alarms: \d+\./],
  ['when', { path: 'payload', comparison: 'below', limit: 90, dwell: 10, back: '' }, /Goes on when msg\.payload is below 90 for 10 s/],
  ['no-data', { minutes: 10, patient: '', measurement: '' }, /Tells when nothing came for 10 min/],
  ['quiet-hours', { begin: '22:00', end: '07:00', zone: '' }, /It is \d\d:\d\d \(Asia\/Kath?mandu\)/],
  ['raise-alarm', { action: 'raise', alarm: 'tried', text: '{patient} needs help', priority: 'high', patient: '', chain: 'daughter: 2min\nnurse: 5min' }, /TEST: would raise “test-patient needs help” \(tried, high\) for test-patient and tell dora \(2 min\) → nina \(5 min\)\. No alarm was raised\./],
  ['acknowledge', { action: 'acknowledge', minutes: 10 }, /TEST: flows would take the alarm over\. Nothing was done\./],
  ['escalate', { chain: 'daughter: 2min\ndoctor: 1h' }, /TEST: would tell dora \(2 min\) → david \(1 h\)\. Nobody was told\./],
  ['note', { patient: '', text: '{patient} ate well' }, /TEST: would note for test-patient: “test-patient ate well”\. Nothing was noted\./],
  ['notify', { channel: 'screen', address: '', people: '', text: '', seconds: 10 }, /shown in the editor/],
  ['simulate', { patient: 'test-patient', values: 'spo2 95' }, /test-patient spo2 95/],
];
const TAB = '00000000000000c0';
const idOf = (i: number): string => `00000000000001${String(i).padStart(2, '0')}`;
const ALL_NODES: object[] = [
  { id: TAB, type: 'tab', label: 'Every node' },
  ...EVERY.map(([type, filledIn], i) => ({ id: idOf(i), z: TAB, type: `vitalgate-${type}`, name: '', gateway: '', ...filledIn, x: 200 + 330 * (i % 3), y: 80 + 80 * Math.floor(i / 3), wires: i % 3 < 2 && i > 5 ? [[idOf(i + 1)], []] : [[], []] })),
];

describe('the palette in the editor', () => {
  let site: Site;
  let browser: Browser | undefined;
  let sink: MailSink;
  let token = '';
  let caregiver = '';

  beforeAll(async () => {
    sink = await MailSink.open();
    const notices = { email: { host: '127.0.0.1', port: sink.port, security: 'none', from: 'vitalgate@example.org' }, commands: [{ name: 'bell', kind: 'buzzer', run: ['cat'] }, { name: 'lamp', run: ['cat'] }] };
    site = await Site.prepare({ gateway: { notices, timeZone: 'Asia/Kathmandu', alarms: { people: PEOPLE, ...AT_ONCE }, patients: [{ id: 'test-patient' }], flows: { enabled: true, testPatients: ['test-patient'] } } });
    const tokenOf = async (person: string): Promise<string> => (JSON.parse((await vitalgate('person', 'token', person, '--json', '--config', site.config)).stdout) as { secret: string }).secret;
    [token, caregiver] = [await tokenOf('admin'), await tokenOf('nina')];
    await Promise.all([site.startHospital(), site.startGateway()]);
    if (!needed.missing) browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    await until('Node-RED runs', async () => ((await site.api.flowsStatus()) as NodeRedStatus).state === 'running');
  });
  afterAll(async () => {
    await browser?.close();
    await site[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  /** A page of somebody who has not signed in yet, in a browser of their language. */
  const newPage = async (locale: string): Promise<Page> => {
    if (browser === undefined) throw new Error('there is no browser');
    return await browser.newPage({ viewport: { width: 1500, height: 900 }, locale });
  };
  const post = async (path: string, body: object = {}, who = token): Promise<number> =>
    (await fetch(site.webUrl + path, { method: 'POST', headers: { authorization: `Bearer ${who}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })).status;
  const steps = async (): Promise<readonly Readonly<{ rule: string | null; why: string; told: { to: readonly string[] } | null }>[]> =>
    ((await (await fetch(`${site.webUrl}/api/steps?limit=1000`, { headers: { authorization: `Bearer ${token}` } })).json()) as { steps: { rule: string | null; why: string; told: { to: string[] } | null }[] }).steps;
  /** Steps of alarms of flows, but of those that come by themselves. */
  const ofFlows = async (): Promise<number> => (await steps()).filter(({ rule }) => rule?.startsWith('flow:') === true && rule !== 'flow:no-data').length;
  const told = async (rule: string): Promise<readonly string[]> => (await steps()).filter((step) => step.rule === rule).flatMap((step) => step.told?.to ?? []);
  const shoot = async (page: Page, name: string): Promise<void> => {
    if (SHOTS === undefined) return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  };
  const signIn = async (page: Page): Promise<void> => {
    await page.goto(`${site.webUrl}/flows/`);
    await page.fill('input[name=token]', token);
    await page.click('button');
    await page.waitForSelector('.red-ui-palette-node[data-palette-type="vitalgate-alarm-in"]', { state: 'attached', timeout: 60_000 });
  };
  const importExample = async (page: Page, name: string): Promise<void> => {
    await page.evaluate('RED.actions.invoke("core:show-examples-import-dialog")');
    const label = (text: string) => page.locator('.red-ui-treeList-label:visible', { hasText: text }).last();
    await label('node-red-contrib-vitalgate').click();
    await label(name).click();
    await shoot(page, `import ${name}`);
    await page.click('#red-ui-clipboard-dialog-ok');
    await page.locator('#red-ui-workspace-tabs .red-ui-tab-label', { hasText: name.replace(/^\d+ - /, '') }).last().click();
  };
  const deploy = async (page: Page): Promise<void> => {
    await page.click('#red-ui-header-button-deploy');
    await page.waitForSelector('#red-ui-header-button-deploy.disabled', { timeout: 20_000 });
  };
  const untilStatus = async (page: Page, text: string): Promise<void> => {
    await page.waitForFunction(`[...document.querySelectorAll('.red-ui-flow-node-status-label')].some((label) => label.textContent.includes(${JSON.stringify(text)}))`, undefined, { timeout: 30_000 });
  };
  const nodeNamed = (page: Page, name: string) => page.locator('.red-ui-flow-node-group', { hasText: name }).last();

  const untilNodeSays = async (id: string, text: string): Promise<void> => await untilSaid(site.webUrl, token, id, text);

  it.skipIf(needed.missing)(`imports an example, deploys it, is triggered by its button, and shows who was told${needed.note}`, async () => {
    const page = await newPage('en-US');
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(String(error)));
    await signIn(page);
    await importExample(page, '01 - Fall');
    await deploy(page);
    await untilStatus(page, 'connected');
    await shoot(page, 'deployed');
    await page.locator('.red-ui-flow-node-group', { hasText: 'somebody falls', has: page.locator('.red-ui-flow-node-button') }).locator('.red-ui-flow-node-button-button').click();
    // The bell is for whoever is near; there is no modem here, and the daughter gets a mail instead.
    await untilStatus(page, 'the buzzer has done it');
    await untilStatus(page, 'dora told');
    await shoot(page, 'told');
    expect(sink.mails).toMatchObject([{ to: ['dora@example.org'], subject: 'Fall: please answer', text: 'test-patient: somebody has fallen. Please answer: 1 of 3 are told.' }]);
    await nodeNamed(page, 'tell the daughter').click();
    await page.evaluate('RED.actions.invoke("core:edit-selected-node")');
    await page.waitForSelector('#node-input-otherwise');
    expect(await page.locator('#node-input-address').isVisible()).toBe(false);
    await page.selectOption('#node-input-channel', 'buzzer');
    await page.focus('#node-input-device');
    await page.waitForSelector('#node-input-device-list option[value=bell]', { state: 'attached' });
    await page.waitForSelector('select[data-for=node-input-otherwise] option[value="buzzer bell"]', { state: 'attached' });
    await shoot(page, 'form of notify');
    await page.selectOption('#node-input-channel', 'email');
    await shoot(page, 'form of notify, by mail');
    await page.click('#node-dialog-cancel');
    expect(await told('flow:fall')).toContain('dora');
    expect(wrong).toEqual([]);
    await page.close();
  });

  it.skipIf(needed.missing)(`offers what the gateway has in its forms, in German, too, and hands blocks to a webhook that was filled in${needed.note}`, async () => {
    const got: { id: string; text: string }[] = [];
    const receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString('utf8')));
      request.on('end', () => {
        got.push(JSON.parse(body) as { id: string; text: string });
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const page = await newPage('de-DE');
    await signIn(page);
    expect(await page.locator('.red-ui-palette-node[data-palette-type="vitalgate-no-data"]').textContent()).toMatch(/keine\s+Daten\s+seit/);
    await importExample(page, '09 - Countersigned');
    await nodeNamed(page, 'hand on').click();
    await page.evaluate('RED.actions.invoke("core:edit-selected-node")');
    await page.selectOption('#node-input-channel', 'webhook');
    await page.fill('#node-input-address', `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`);
    await page.focus('#node-input-people');
    await page.waitForSelector('#node-input-people-list option[value=dora]', { state: 'attached' });
    expect(await page.locator('label[for=node-input-channel]').textContent()).toBe('Über');
    await shoot(page, 'form');
    await page.click('#node-dialog-ok');
    await deploy(page);
    await until('blocks are handed on', async () => {
      expect(await post('/flows/vitalgate/press/no-such-node')).toBe(404);
      return got.length > 0;
    });
    expect(got[0]).toMatchObject({ id: expect.stringMatching(/^receipted-(alarm|record)-\d+$/) as unknown, text: expect.stringMatching(/^(alarm|record) \d+ [0-9a-f]{64}$/) as unknown });
    await shoot(page, 'blocks');
    await page.close();
    receiver.closeAllConnections();
    receiver.close();
  });

  it('tells again, and says so, what was on its way when Node-RED was killed', async () => {
    const got: { id: string; redelivered: boolean; person: string }[] = [];
    // Who is killed while it waits for an answer cannot know that the first was heard.
    const receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString('utf8')));
      request.on('end', () => {
        got.push(JSON.parse(body) as { id: string; redelivered: boolean; person: string });
        if (got.length > 1) response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const tab = '00000000000000b1';
    const flow = [
      { id: tab, type: 'tab', label: 'Killed' },
      { id: '00000000000000b2', z: tab, type: 'vitalgate-alarm-in', moment: 'told', who: '', rules: 'help', priority: 'low', wires: [['00000000000000b3']] },
      { id: '00000000000000b3', z: tab, type: 'vitalgate-notify', channel: 'webhook', address: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`, people: '', text: '', seconds: 100, wires: [[], []] },
    ];
    expect(await post('/flows/flows', flow)).toBe(204);
    await untilNodeSays('00000000000000b2', 'connected');
    expect(await post('/api/flows/asks', { ask: 'raise', subject: null, name: 'help', priority: 'high', message: 'Help', chain: [{ to: ['dora'], within: '10min' }] })).toBe(200);
    await until('the alarm is on its way', () => got.length > 0);
    process.kill(((await site.api.flowsStatus()) as NodeRedStatus).pid ?? 0, 'SIGKILL');
    await until('it is told again', () => got.length > 1);
    expect(got.map(({ redelivered, person }) => [redelivered, person])).toEqual([[false, 'dora'], [true, 'dora']]);
    expect(got[1]?.id).toBe(got[0]?.id);
    await until('Node-RED runs', async () => ((await site.api.flowsStatus()) as NodeRedStatus).state === 'running');
    receiver.closeAllConnections();
    receiver.close();
  });

  it.skipIf(needed.missing)(`has a button at every node, which says what it would do, to whoever may change flows${needed.note}`, async () => {
    expect(await post('/flows/flows', ALL_NODES)).toBe(204);
    const page = await newPage('en-US');
    await signIn(page);
    const before = await ofFlows();
    for (const [i, [type, , says]] of EVERY.entries()) {
      await page.locator(`[id="${idOf(i)}"] .red-ui-flow-node-button-button`).click();
      const notice = page.locator('.red-ui-notification', { hasText: says });
      await notice.waitFor({ timeout: 20_000 }).catch(async (error: unknown) => {
        throw new Error(`${type} says ${JSON.stringify(await page.locator('.red-ui-notification').allTextContents())}`, { cause: error });
      });
      await shoot(page, `pressed ${type}`);
      // It would cover other buttons for a while.
      await page.evaluate('document.querySelectorAll(".red-ui-notification").forEach((each) => each.remove())');
    }
    await shoot(page, 'every node');
    expect(await ofFlows()).toBe(before);
    expect(await post(`/flows/vitalgate/press/${idOf(0)}`, {}, caregiver)).toBe(403);
    await page.evaluate(`RED.editor.editConfig("", "vitalgate-gateway", "_ADD_")`);
    await page.fill('#node-config-input-url', site.webUrl);
    await page.fill('#node-config-input-token', caregiver);
    await page.click('#vitalgate-connection');
    await page.waitForFunction('document.querySelector("#vitalgate-connected")?.textContent.includes("Connected as nina, who may look, answer")');
    await shoot(page, 'connection');
    await page.close();
  });

  // To be looked at by people: it proves nothing by itself.
  if (SHOTS !== undefined) it.skipIf(needed.missing)(`can be looked at in both languages and three widths${needed.note}`, async () => {
    expect(await post('/flows/flows', ALL_NODES)).toBe(204);
    for (const locale of ['en-US', 'de-DE']) {
      const page = await newPage(locale);
      await signIn(page);
      for (const [width, height] of [[1500, 900], [1280, 720], [820, 1180]] as const) {
        await page.setViewportSize({ width, height });
        await shoot(page, `all ${locale} ${width}`);
        for (const [i, [type]] of EVERY.entries()) {
          if (width === 1500 || (width === 820 && i > 9)) {
            await page.evaluate(`RED.editor.edit(RED.nodes.node("${idOf(i)}"))`);
            await page.waitForSelector('#vitalgate-test');
            await page.waitForFunction('getComputedStyle(document.querySelector(".red-ui-tray")).right === "0px" && document.querySelector("#vitalgate-own, #node-input-limit")?.checkVisibility() === true');
            await shoot(page, `form ${type} ${locale} ${width}`);
            await page.click('#node-dialog-cancel');
            await page.waitForSelector('#vitalgate-test', { state: 'detached' });
          }
        }
      }
      await page.close();
    }
  });

  it('has examples that work without an edit but that of how long they wait', async () => {
    const all = files.flatMap(exampleOf).map(withShortWaits);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(await post('/flows/flows', all)).toBe(204);
    const press = async (name: string): Promise<void> => {
      const node = all.find((each) => each.name === name);
      await until(`${name} can be pressed`, async () => (await post(node?.type === 'inject' ? `/flows/inject/${node.id}` : `/flows/vitalgate/press/${node?.id}`)) === 200);
    };
    const before = await ofFlows();
    for (const { id, type, name } of all.filter((node) => node.type.startsWith('vitalgate-') && node.type !== 'vitalgate-simulate')) {
      await until(`${name} can be tried out`, async () => (await post(`/flows/vitalgate/press/${id}`)) !== 404);
      expect([type, name, await post(`/flows/vitalgate/press/${id}`)]).toEqual([type, name, 200]);
    }
    expect(await ofFlows()).toBe(before);
    for (const name of ['somebody falls', 'low oxygen', 'somebody gets worse', 'it is 9:00', '31 °C', 'at 19:00', 'a value comes']) await press(name);
    for (const [rule, person] of [['news2-5', 'nina'], ['news2-7', 'david'], ['medicine', 'dora'], ['heat', 'nina'], ['fall', 'dora']] as const) {
      await until(`${rule} is told`, async () => (await told(`flow:${rule}`)).includes(person));
    }
    await until('other people are told', async () => (await steps()).some(({ rule, why, told: whom }) => rule === 'starter/low-oxygen' && why === 'rerouted' && whom?.to[0] === 'nina'));
    await press('pause it');
    await until('it is paused', async () => (await steps()).some(({ rule, why }) => rule === 'starter/low-oxygen' && why === 'snoozed'));
    await press('too low');
    await until('too little oxygen is told', async () => (await told('flow:oxygen-low')).includes('nina'));
    for (const name of ['good again', 'is well', 'door opens', '27 °C']) await press(name);
    for (const rule of ['oxygen-low', 'news2-7', 'medicine', 'heat']) await until(`${rule} is over`, async () => (await steps()).some((step) => step.rule === `flow:${rule}` && ['cleared', 'latched'].includes(step.why)));
    await until('nothing comes any more', async () => (await told('flow:no-data')).includes('nina'));
    for (const text of ['NEWS2', 'oxygen', 'drink']) await until(`the nurse has a mail about ${text}`, () => sink.mails.some((mail) => mail.to[0] === 'nina@example.org' && mail.text.includes(text)));
  });
});
