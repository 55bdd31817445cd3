import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { NodeRedStatus } from '../../gateway/nodered/node-red.ts';
import { needs } from '../debian-packages.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** Where somebody wants to look at what the browser shows. */
const SHOTS = process.env['VITALGATE_SCREENSHOTS'];
const require = createRequire(import.meta.url);
const DASHBOARD = dirname(require.resolve('@flowfuse/node-red-dashboard/package.json'));
const idOf = (n: number): string => `00000000000000d${n}`;
const [TAB, BASE, THEME, PAGE, GROUP, TEXT, VALUES, BUTTON, ASKED] = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(idOf) as [string, string, string, string, string, string, string, string, string];

/** A page of a ward: a value of a patient, and a button that calls for help. */
const FLOW = [
  { id: TAB, type: 'tab', label: 'Ward' },
  { id: BASE, type: 'ui-base', name: 'Ward', path: '/dashboard', appIcon: '', includeClientData: true, acceptsClientConfig: ['ui-notification', 'ui-control'], showPathInSidebar: false, headerContent: 'page', navigationStyle: 'default', titleBarStyle: 'default' },
  { id: THEME, type: 'ui-theme', name: 'Plain', colors: { surface: '#ffffff', primary: '#0d6e7a', bgPage: '#eeeeee', groupBg: '#ffffff', groupOutline: '#cccccc' }, sizes: { density: 'default', pagePadding: '12px', groupGap: '12px', groupBorderRadius: '4px', widgetGap: '12px' } },
  { id: PAGE, type: 'ui-page', name: 'Ward 3', ui: BASE, path: '/ward', icon: 'home', layout: 'grid', theme: THEME, breakpoints: [{ name: 'Default', px: '0', cols: '3' }, { name: 'Desktop', px: '1024', cols: '12' }], order: 1, className: '', visible: true, disabled: false },
  { id: GROUP, type: 'ui-group', name: 'Anna', page: PAGE, width: 6, height: 1, order: 1, showTitle: true, className: '', visible: 'true', disabled: 'false', groupType: 'default' },
  { id: VALUES, type: 'vitalgate-vital-in', z: TAB, name: '', who: 'test-patient', measurements: 'spo2', doubtful: false, gateway: '', wires: [[TEXT]] },
  { id: TEXT, type: 'ui-text', z: TAB, group: GROUP, order: 1, width: 0, height: 0, name: '', label: 'Oxygen, %', format: '{{msg.payload}}', layout: 'row-spread', style: false, font: '', fontSize: 16, color: '#717171', wrapText: false, className: '', value: 'payload', valueType: 'msg', wires: [] },
  { id: BUTTON, type: 'ui-button', z: TAB, group: GROUP, name: '', label: 'Call for help', order: 2, width: 0, height: 0, emulateClick: false, tooltip: '', color: '', bgcolor: '', className: '', icon: '', payload: 'help', payloadType: 'str', topic: '', topicType: 'str', buttonColor: '', textColor: '', iconColor: '', enableClick: true, wires: [[ASKED]] },
  { id: ASKED, type: 'vitalgate-raise-alarm', z: TAB, name: '', action: 'raise', alarm: 'page', text: 'Somebody calls from the page', priority: 'high', patient: 'test-patient', chain: '', gateway: '', wires: [[]] },
];

describe('pages drawn in Node-RED', () => {
  let site: Site;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    const people = [{ name: 'admin', access: 'administrator' }, { name: 'ann' }, { name: 'vera', access: 'viewer' }];
    site = await Site.prepare({ gateway: { alarms: { people }, patients: [{ id: 'test-patient' }], flows: { enabled: true, testPatients: ['test-patient'] } } });
    for (const { name } of people) tokens.set(name, (JSON.parse((await vitalgate('person', 'token', name, '--json', '--config', site.config)).stdout) as { secret: string }).secret);
    // As npm leaves it there when somebody installs it into the folder (gateway/nodered/README.md).
    const scope = join(site.gatewayData, 'nodered', 'node_modules', '@flowfuse');
    mkdirSync(scope, { recursive: true });
    symlinkSync(DASHBOARD, join(scope, 'node-red-dashboard'));
    await site.startGateway();
    await until('Node-RED runs', async () => ((await site.api.flowsStatus()) as NodeRedStatus).state === 'running');
    await post('admin', '/flows/flows', FLOW);
    await until('the page is there', async () => (await get('ann', '/dashboard/')).status === 200);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const bearer = (who: string | undefined): Readonly<Record<string, string>> => (who === undefined ? {} : { authorization: `Bearer ${tokens.get(who)}` });
  const get = async (who: string | undefined, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> => await fetch(site.webUrl + path, { headers: { ...bearer(who), ...headers } });
  const post = async (who: string, path: string, body: object): Promise<Response> => await fetch(site.webUrl + path, { method: 'POST', headers: { ...bearer(who), 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const simulate = async (spo2: number): Promise<number> => (await post('ann', '/api/flows/asks', { ask: 'simulate', patient: 'test-patient', values: { spo2 } })).status;
  const calls = async (): Promise<readonly string[]> => ((await (await get('ann', '/api/steps?limit=1000')).json()) as { steps: { rule: string; why: string }[] }).steps.filter(({ rule }) => rule === 'flow:page').map(({ why }) => why);
  const signIn = async (page: Page, who: string): Promise<void> => {
    await page.goto(`${site.webUrl}/dashboard/ward`);
    await page.fill('input[name=token]', tokens.get(who) ?? '');
    await page.click('button');
  };
  const shoot = async (page: Page, name: string): Promise<void> => {
    if (SHOTS === undefined) return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  };

  it('are for people who have signed in and may look: not a page, not a file, not a socket of them for anybody else', async () => {
    for (const path of ['/dashboard/', '/dashboard/ward', '/dashboard/_setup', '/dashboard/socket.io/?EIO=4&transport=polling']) {
      expect([path, (await get(undefined, path)).status, (await get('vera', path)).status]).toEqual([path, 401, 403]);
      expect([path, (await get('ann', path)).status]).toEqual([path, 200]);
    }
    const stranger = await get(undefined, '/dashboard/ward', { accept: 'text/html' });
    expect([stranger.status, (await stranger.text()).includes('name="token"')]).toEqual([401, true]);
    const refused = await new Promise<string>((resolve) => {
      const socket = new WebSocket(`${site.webUrl.replace('http', 'ws')}/dashboard/socket.io/?EIO=4&transport=websocket`);
      socket.once('open', () => (socket.terminate(), resolve('open')));
      socket.once('error', ({ message }) => resolve(message));
    });
    expect(refused).toMatch(/401/);
  });

  it.skipIf(needed.missing)(`show a caregiver values as they come, and do what their buttons are wired to${needed.note}`, async () => {
    await using browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const outside: string[] = [];
    page.on('request', (request) => !request.url().startsWith(site.webUrl) && /^(http|ws)/.test(request.url()) && outside.push(request.url()));
    await signIn(page, 'ann');
    await page.waitForSelector('text=Oxygen, %', { timeout: 60_000 });
    expect(await simulate(97)).toBe(200);
    await page.waitForSelector('text="97"', { timeout: 20_000 });
    await shoot(page, 'dashboard');
    await page.click('text=Call for help');
    await until('the alarm is raised', async () => (await calls()).includes('raised'));
    await page.setViewportSize({ width: 820, height: 1180 });
    await shoot(page, 'dashboard tablet');
    expect(outside).toEqual([]);
  });
});
