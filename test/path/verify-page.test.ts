import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { originOf } from '../../gateway/ledger/checkpoint.ts';
import { formatNoteKey, noteKey } from '../../gateway/ledger/note-keys.ts';
import { needs } from '../debian-packages.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { ChainWriter, GATEWAY } from '../upstream/gateway-chain.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const needed = needs('chromium');
const FLAGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

describe.skipIf(needed.missing)(`the page that verifies without a server${needed.note}`, () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  const troubles: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    site = await Site.running();
    const device = await site.addDevice('clip', 'anna');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: 'clip', password: device.password });
    for (const seq of [1, 2, 3]) await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value: 80 + seq, unit: '%' }) });
    await site.settled();
    const { sequence: frame } = (await site.api.trace('clip' as never)).accepted;
    await until('it is countersigned', async () => (await site.api.prove({ what: 'frame', number: frame })).countersigned.length === 1);
    for (const words of [['policy', '--out', at('hospital.policy')], ['frame', String(frame), '--out', at('frame.tlog-proof')], ['receipt', '1', '--out', at('one.receipt')]]) {
      await done('prove', ...words, '--config', site.config);
    }
    await done('export', site.hospitalUrl, '--out', at('whole.chain'));
    await done('verify', 'page', '--out', at('verify.html'));
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
    page = await browser.newPage();
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(at('verify.html')).href);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
  });

  async function done(...words: readonly string[]): Promise<void> {
    const { code, stderr } = await vitalgate(...words);
    if (code !== 0) throw new Error(stderr);
  }

  const at = (name: string): string => join(site.folder, name);

  /** The verdict on each file, once all of these were chosen on a fresh page. */
  async function judged(...names: readonly string[]): Promise<readonly (readonly [outcome: string, text: string])[]> {
    await page.reload();
    await page.setInputFiles('#files', names.map(at));
    await page.waitForSelector('section');
    return await page.$$eval('section', (sections) => sections.map((each) => [each.dataset['outcome'] ?? '', each.innerText] as const));
  }

  it('says of a raw message what the command line says of it', async () => {
    const [found] = await judged('frame.tlog-proof', 'hospital.policy');
    const { stdout } = await vitalgate('verify', 'proof', at('frame.tlog-proof'), '--policy', at('hospital.policy'));
    expect(found?.[0]).toBe('good');
    for (const line of stdout.trim().split('\n')) expect(found?.[1]).toContain(line);
    expect(found?.[1]).toMatch(/^✓ Verified/);
    await page.screenshot({ path: process.env['VITALGATE_SCREENSHOT'] ?? at('good.png'), fullPage: true });
  });

  it('says so when anything was changed, and when too few have countersigned', async () => {
    const lines = readFileSync(at('frame.tlog-proof'), 'utf8').split('\n');
    writeFileSync(at('changed.tlog-proof'), lines.map((line) => (line.startsWith('extra ') ? line.replace(/.(?=.{40}$)/, (letter) => (letter === 'A' ? 'B' : 'A')) : line)).join('\n'));
    writeFileSync(at('alone.tlog-proof'), lines.filter((line) => !line.startsWith('\u2014 north')).join('\n'));
    expect((await judged('changed.tlog-proof', 'hospital.policy'))[0]).toEqual(['bad', expect.stringMatching(/^✗ Not valid/)]);
    expect((await judged('alone.tlog-proof', 'hospital.policy'))[0]).toEqual(['not final', expect.stringContaining('NOT FINAL')]);
  });

  it('checks a receipt with its entry, and a whole chain with or without a policy', async () => {
    expect((await judged('one.receipt', 'one.receipt.entry', 'hospital.policy'))[0]).toEqual(['good', expect.stringContaining('good: the entry is leaf')]);
    expect((await judged('one.receipt', 'hospital.policy'))[0]).toEqual(['unclear', expect.stringContaining('Drop the entry')]);
    expect((await judged('whole.chain', 'hospital.policy'))[0]).toEqual(['good', expect.stringMatching(/good, \d+ blocks/)]);
    expect((await judged('whole.chain'))[0]).toEqual(['unclear', expect.stringContaining('Whose it is, only a policy tells')]);
    const bytes = readFileSync(at('whole.chain'));
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1;
    writeFileSync(at('changed.chain'), bytes);
    expect((await judged('changed.chain', 'hospital.policy'))[0]).toEqual(['bad', expect.stringContaining('BAD at')]);
  });

  it('proves a fork', async () => {
    const writer = await ChainWriter.of(3);
    const twin = writer.copy(1);
    await twin.seal('another story');
    const origin = originOf(writer.at(2).newState);
    writeFileSync(at('two.blocks'), Buffer.concat([writer.at(2).bytes, twin.at(2).bytes]));
    writeFileSync(at('fork.policy'), `log ${formatNoteKey(noteKey('header', origin, GATEWAY.publicKey))}\nquorum none\n`);
    expect((await judged('two.blocks', 'fork.policy'))[0]).toEqual(['good', expect.stringContaining('signed two histories')]);
    expect((await judged('two.blocks', 'hospital.policy'))[0]).toEqual(['bad', expect.stringContaining('the policy knows no such chain')]);
  });

  it('waits for a policy, which may be pasted, and says what is wrong with one', async () => {
    expect((await judged('frame.tlog-proof'))[0]).toEqual(['unclear', expect.stringContaining('A policy is missing')]);
    await page.fill('#policy', 'log nonsense');
    await page.waitForSelector('#policy-state.bad');
    expect(await page.textContent('#policy-state')).toContain('The policy has a mistake: line 1');
    await page.fill('#policy', readFileSync(at('hospital.policy'), 'utf8'));
    await page.waitForSelector('section.good');
    writeFileSync(at('photo.jpg'), Buffer.from('hello'));
    expect((await judged('photo.jpg'))[0]).toEqual(['unclear', expect.stringContaining('none of the files')]);
  });

  it('takes what is dropped on it', async () => {
    await page.reload();
    const files = ['frame.tlog-proof', 'hospital.policy'].map((name) => ({ name, text: readFileSync(at(name), 'utf8') }));
    // Text, because the page's own types are not those of a test.
    const transfer = await page.evaluateHandle(`(() => { const data = new DataTransfer(); for (const { name, text } of ${JSON.stringify(files)}) data.items.add(new File([text], name)); return data; })()`);
    await page.dispatchEvent('#drop', 'drop', { dataTransfer: transfer });
    await page.waitForSelector('section.good');
    expect(await page.textContent('section.good')).toContain('countersigned by north');
  });

  it('asked nobody for anything, and nothing in it was kept from running', () => {
    expect(asked.filter((url) => !url.startsWith('file:'))).toEqual([]);
    expect(troubles).toEqual([]);
  });
});
