import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import type { GatewayView } from '../../gateway/oversight/gateway-book.ts';
import type { StatusAnswer } from '../../gateway/oversight/node-status.ts';
import type { OutputStatus } from '../../gateway/oversight/output-status.ts';
import { Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { needs } from '../debian-packages.ts';
import { type ChainWriter, keyOf, withBrokenSignature } from '../upstream/gateway-chain.ts';
import { Fleet } from './fleet.ts';
import { until } from './program.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

describe.skipIf(needed.missing)(`the page of a hospital node${needed.note}`, () => {
  let fleet: Fleet;
  let browser: Browser;
  let page: Page;
  let split: ChainWriter;
  const writers = new Map<string, ChainWriter>();
  const troubles: string[] = [];
  const asked = new Set<string>();

  beforeAll(async () => {
    fleet = new Fleet({ gatewayNames: [{ key: toHex(keyOf('ward-1').publicKey), name: 'kit-17' }] });
    await fleet.start();
    for (const [name, count] of [['ward-1', 5], ['ward-2', 3], ['ward-3', 1], ['ward-4', 2]] as const) {
      const writer = fleet.writer(name);
      writers.set(name, writer);
      await fleet.send(name, writer, count);
    }
    const broken = writers.get('ward-3') as ChainWriter;
    await broken.seal();
    await broken.seal();
    await fleet.offer('ward-3', broken, 2);
    await fleet.offer('ward-3', broken, 1, withBrokenSignature(broken.at(1)));
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true, viewport: { width: 1200, height: 900 } });
    page = await context.newPage();
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => asked.add(new URL(request.url()).origin));
    await page.goto(fleet.address);
  });
  afterAll(async () => {
    await browser?.close();
    await fleet?.[Symbol.asyncDispose]();
  });

  const picture = async (name: string): Promise<void> => {
    await page.screenshot({ path: join(process.env['VITALGATE_SCREENSHOTS'] ?? fleet.folder, `${name}.png`), fullPage: true });
  };
  const rowOf = (writer: ChainWriter): string => `tr[data-chain="${toHex(writer.id.chain)}"]`;
  async function signIn(token: string): Promise<void> {
    await page.getByLabel('Token of an administrator').fill(token);
    await page.keyboard.press('Enter');
  }

  it('shows nothing before somebody has signed in, and says why a token is not good', async () => {
    await page.waitForSelector('#sign-in:not([hidden])');
    await picture('sign-in');
    expect(await page.locator('#node').isHidden()).toBe(true);
    await signIn(`vgt_${'A'.repeat(43)}`);
    await page.getByText('This token is not, or no longer, valid.').waitFor();
    await signIn(await fleet.token('cho'));
    await page.getByText('cho is signed in as clinician. This page is for administrators').waitFor();
    // What the console says of answers that are no success is the browser's own doing.
    expect(troubles.splice(0).filter((text) => !text.includes('401'))).toEqual([]);
  });

  it('lists the gateways with their newest blocks, and what was refused', async () => {
    await signIn(await fleet.token('otto'));
    await page.waitForSelector(rowOf(writers.get('ward-1') as ChainWriter));
    expect(await page.evaluate('document.activeElement.id')).toBe('title');
    expect(await page.locator('#gateway-rows tr').count()).toBe(4);
    expect(await page.locator('#name').textContent()).toBe('north');
    const row = page.locator(rowOf(writers.get('ward-3') as ChainWriter));
    expect(await row.locator('td').allTextContents()).toEqual(['✓ Current', expect.stringMatching(/ old$/), expect.stringMatching(/ ago$/), '1', '1', '1']);
    expect(await page.locator('#facts').innerText()).toMatch(/Gateways\s+4\s+4 current, 0 silent, 0 forked/);
    expect(await page.locator('#facts').innerText()).toContain('not signed with the key of its gateway');
    await picture('current');
  });

  it('filters and sorts', async () => {
    await page.getByLabel('Name, key or chain begins with').fill(toHex((writers.get('ward-2') as ChainWriter).id.chain).slice(0, 12));
    await until('one is left', async () => (await page.locator('#gateway-rows tr').count()) === 1);
    expect(await page.locator('#page-of').textContent()).toBe('1 to 1 of 1');
    await page.getByLabel('Name, key or chain begins with').fill('kit');
    await page.getByRole('button', { name: 'kit-17' }).waitFor();
    expect(await page.locator('#gateway-rows tr').count()).toBe(1);
    await page.getByLabel('Name, key or chain begins with').fill('');
    await page.getByLabel('Sort by').selectOption('gaps');
    await until('the one with a gap is first', async () => (await page.locator('#gateway-rows tr').first().getAttribute('data-chain')) === toHex((writers.get('ward-3') as ChainWriter).id.chain));
    await page.getByLabel('State').selectOption('forked');
    await page.getByText('No gateway to show.').waitFor();
    await page.getByLabel('State').selectOption('');
    await page.getByLabel('Sort by').selectOption('chain');
    await until('all are back', async () => (await page.locator('#gateway-rows tr').count()) === 4);
  });

  it('shows silence in amber, with how long it is and what to look at', async () => {
    // Five minutes at least would have to pass: the answer of the node is taken for that of then.
    const quiet = toHex((writers.get('ward-2') as ChainWriter).id.chain);
    const later = (gateway: GatewayView): GatewayView => (gateway.chain === quiet ? { ...gateway, state: 'silent', quiet: Minutes(47), expected: Minutes(30) } : gateway);
    await page.route('**/v1/status**', async (route) => {
      const answer = await route.fetch();
      const told = (await answer.json()) as StatusAnswer | GatewayView;
      const changed = 'node' in told ? { ...told, node: { ...told.node, gateways: { ...told.node.gateways, silent: 1, current: 3 } }, gateways: told.gateways.map(later) } : later(told);
      await route.fulfill({ response: answer, json: changed });
    });
    await page.waitForSelector(`tr[data-chain="${quiet}"][data-state="silent"]`);
    expect(await page.title()).toBe('◔ north · Vitalgate');
    await page.getByText('One gateway is silent').waitFor();
    await page.locator(`tr[data-chain="${quiet}"] button`).click();
    await page.waitForSelector('#details[open] .advice.warning');
    expect(await page.locator('#details .advice').innerText()).toContain('Nothing came for 47 min; it is called silent after 30 min: three times');
    await picture('silent');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.unrouteAll({ behavior: 'wait' });
    await page.waitForSelector(`tr[data-chain="${quiet}"][data-state="current"]`);
  });

  it('shows what leaves the node, and what does not get through', async () => {
    // Nothing leaves this node yet: the page is given the answer of one from which something does.
    const outputs: readonly OutputStatus[] = [
      { name: 'engine', kind: 'HL7 v2', state: 'failing', behind: 1200, unit: 'messages', lastSuccess: null, lastError: 'connection refused' },
      { name: 'south', kind: 'hospital', state: 'working', behind: 0, unit: 'blocks', lastSuccess: UnixMillis(Date.now()), lastError: null },
    ];
    await page.route('**/v1/status?**', async (route) => {
      const answer = await route.fetch();
      const told = (await answer.json()) as StatusAnswer;
      await route.fulfill({ response: answer, json: { ...told, node: { ...told.node, outputs } } });
    });
    await page.waitForSelector('#output-rows tr[data-state="failing"]');
    expect(await page.locator('#output-rows tr').first().locator('td').allTextContents()).toEqual(['HL7 v2', 'failing', '1,200 messages', '–', 'connection refused']);
    expect(await page.locator('#notices').innerText()).toContain('engine: connection refused');
    await picture('outputs');
    await page.unrouteAll({ behavior: 'wait' });
    await page.waitForSelector('#outputs', { state: 'hidden' });
  });

  it('shows a fork as soon as it is seen, in red, with what to do and the evidence', async () => {
    split = writers.get('ward-4') as ChainWriter;
    const twin = split.copy(1);
    await twin.seal('another story');
    expect((await fleet.offer('ward-4', twin, 1)).json['error']).toBe('fork');
    await page.waitForSelector(`${rowOf(split)}[data-state="forked"]`);
    await page.getByText('One gateway has told two histories').waitFor();
    expect(await page.title()).toBe('✗ north · Vitalgate');
    await picture('forked');
    await page.locator(`${rowOf(split)} button`).focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('#details[open] .advice.bad');
    expect(await page.locator('#details .advice').innerText()).toContain('It cannot be mended');
    await picture('fork-details');
    const evidence = await downloaded(page.getByRole('link', { name: 'Evidence of the fork at block 1' }));
    expect(evidence).toEqual(Buffer.concat([split.at(1).bytes, twin.at(1).bytes]));
    const chain = await downloaded(page.getByRole('link', { name: 'Export this lane' }));
    expect((await Array.fromAsync(readBlocks(chain))).map(sha)).toEqual(split.blocks.map(({ bytes }) => sha(bytes)));
    await page.keyboard.press('Escape');
    await page.waitForSelector('#details:not([open])', { state: 'attached' });
    expect(await page.evaluate('document.activeElement.className')).toBe('key');
  });

  const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  async function downloaded(link: ReturnType<Page['getByRole']>): Promise<Buffer> {
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    return readFileSync(await download.path());
  }

  it('is fit for a telephone and for the dark, and has nothing that leads off the side', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0);
    await picture('telephone');
    await page.locator(`${rowOf(split)} button`).click();
    await page.waitForSelector('#details[open]');
    await picture('telephone-details');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.setViewportSize({ width: 1200, height: 900 });
    await picture('dark');
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('names everything that can be used, for those who do not see it', async () => {
    const nameless = await page.evaluate(`[...document.querySelectorAll('button, input, select, a')].filter((each) => !each.closest('[hidden]') && !(each.textContent.trim() || each.labels?.length)).length`);
    expect(nameless).toBe(0);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.locator('table').first().getAttribute('aria-labelledby')).toBe('gateways-title');
    expect([await page.locator('#notices').getAttribute('aria-live'), await page.locator('#trouble').getAttribute('role'), await page.locator('#heard').getAttribute('role')]).toEqual(['polite', 'alert', null]);
  });

  it('asks nobody but its node, and nothing in it was kept from running', () => {
    expect([...asked]).toEqual([fleet.address]);
    expect(troubles).toEqual([]);
  });

  it('goes back to signing in when the token is revoked, and when asked to', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await signIn(await fleet.token('otto'));
    await page.waitForSelector('#node:not([hidden])');
    await fleet.command('revoke', 'otto');
    await page.getByText('Your session has ended. Sign in again.').waitFor();
    expect(await page.locator('#node').isHidden()).toBe(true);
  });

  it('says so when its node is gone', async () => {
    await signIn(await fleet.token('otto'));
    await page.waitForSelector(rowOf(split));
    await fleet.stop();
    await page.waitForSelector('#trouble:not(:empty)');
    expect(await page.locator('#trouble').textContent()).toContain('The node does not answer');
    expect(await page.locator('#gateway-rows tr').count()).toBe(4);
    await picture('gone');
  });
});
