import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { needs } from '../debian-packages.ts';
import { fastClock } from '../fast-clock.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { FurtherHospital } from './further-hospital.ts';
import { Program, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const needed = needs('libfaketime');
/** What an hour is kept has to be older than that by some blocks. */
const HOURS = 1.3;
const SPEED = 60;
const HOUR_MS = 3_600_000;

describe.skipIf(needed.missing)(`blocks that are to be kept for an hour${needed.note}`, () => {
  it('go after it, once the hospital has them; what is left verifies, and says where the rest is: whoever joins has it from there', async () => {
    await using site = await Site.prepare({ gateway: { seal: {}, relay: {}, storage: { keep: { blocks: '1h' } } } });
    await site.startHospital();
    await using gateway = new Program(['gateway', '--config', site.config], { env: fastClock(HOURS, SPEED) ?? {} });
    await gateway.ready();
    const { password, topic } = await site.addDevice('clip', 'anna');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'clip', username: 'clip', password, keepAlive: 1800 });
    const began = Date.now();
    // A reading a second, by the clock of the gateway.
    for (let seq = 0; (await site.api.status()).disk?.dropped['blocks'] === 0; seq++) {
      if (Date.now() - began > (2 * HOURS * HOUR_MS) / SPEED) throw new Error('nothing was pruned in twice the time');
      await pause(Math.max(0, began + (seq * 1000) / SPEED - Date.now()));
      expect(await client.publish({ topic, payload: JSON.stringify({ seq, time: began - HOURS * HOUR_MS + seq * 1000, measurement: 'heart_rate', value: 60 + (seq % 9), unit: '/min' }) })).toBe(true);
    }
    await gateway.stop();

    const { lanes } = await site.startGateway().then(() => until('all is countersigned', async () => {
      const status = await site.api.status();
      return status.relays.every(({ lag }) => lag === 0) && status;
    }));
    const head = lanes.find(({ lane }) => lane === 'record')?.height ?? 0;
    const here = await vitalgate('verify', 'chain', site.gatewayData);
    expect(here).toMatchObject({ code: 0, stdout: expect.stringMatching(/: good, \d+ blocks .+; lane record only from block \d+ on, what was before has to be verified at a hospital\n$/) as string });
    const from = Number(/from block (\d+) on/.exec(here.stdout)?.[1]);
    expect(from).toBeGreaterThan(100);
    expect(from).toBeLessThan(head);
    await hasAllOf(site, site.hospitalData);

    const asked = await vitalgate('verify', 'chain', site.webUrl);
    // Meanwhile more may have gone.
    expect([asked.code, Number(/blocks of lane record up to (\d+) were pruned here/.exec(asked.stderr)?.[1]) >= from - 1]).toEqual([2, true]);
    expect((await vitalgate('export', site.gatewayData, '--out', `${site.folder}/anna.chain`)).stderr).toContain('export the chain from a hospital');
    expect((await vitalgate('prove', 'entry', '5', '--config', site.config)).stderr).toContain('a hospital can prove it');
    // What came last before the stop is derived after the start.
    await until('the last message is sealed', async () => (await vitalgate('trace', 'clip', '--config', site.config)).stdout.includes('● sealed'));
    await joinLate(site);
  });
});

/** Another hospital joins, which the gateway cannot give the beginning any more; then the gateway's relay goes on behind what it copied. */
async function joinLate(site: Site): Promise<void> {
  const { stdout } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
  const north = { name: 'north', url: site.hospitalUrl, key: stdout.trim() };
  const south = await FurtherHospital.of(site, 'south');
  await south.start();
  await site.gateway.stop();
  site.writeConfig(site.sections(north.key, { gateway: { seal: {}, relay: { retryBase: '50ms', retryCap: '1s' }, storage: { keep: { blocks: '1h' } }, hospitals: [north, { ...south.entry, joining: true }] } }));
  await site.startGateway();
  await until('the gateway says what it cannot give', async () => {
    const { relays } = await site.api.status();
    return relays.some(({ hospital, lastError }) => hospital === 'south' && lastError?.includes('it has to have them from another hospital') === true);
  });
  const change = `${site.folder}/join.change`;
  expect(await vitalgate('authority', 'propose', 'membership', '--join', `south=${south.key}`, '--quorum', '2', '--out', change, '--config', site.config)).toMatchObject({ code: 0 });
  expect(await vitalgate('authority', 'sign', change, '--yes', '--data', site.hospitalData)).toMatchObject({ code: 0 });
  expect(await vitalgate('authority', 'apply', change, '--config', site.config)).toMatchObject({ code: 0, stderr: '' });
  await site.stopAll();
  south.configure([{ ...north, every: '1s' }]);
  await Promise.all([site.startHospital(), south.start(), site.startGateway()]);
  await until('south has countersigned all that the gateway has', async () => {
    const status = await site.api.status();
    return status.relays.length === 4 && status.relays.every(({ lag, state }) => lag === 0 && state === 'waiting') && status;
  });
  await hasAllOf(site, south.entry.url);
}

/** The chain there is good and ends where the gateway's does; the gateway goes on meanwhile, so that it is asked at one moment. */
async function hasAllOf(site: Site, where: string): Promise<void> {
  await until(`${where} has all the gateway has`, async () => {
    const head = (await site.api.status()).lanes.find(({ lane }) => lane === 'record')?.height;
    const { code, stdout } = await vitalgate('verify', 'chain', where);
    expect(code).toBe(0);
    return head !== undefined && new RegExp(`record to height ${head}\\b`).test(stdout);
  });
}
