import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLoad, type LoadResult } from '../bench/load.ts';
import { FIRST_SEQUENCE } from '../bench/mqtt-packets.ts';
import { auditSerial, type SerialAudit } from '../bench/serial-audit.ts';
import { SERIAL_DEVICES } from '../bench/serial-devices.ts';
import { SerialFeed } from '../bench/serial-feed.ts';
import { needs } from '../debian-packages.ts';
import { until } from './program.ts';
import { Site } from './site.ts';

const needed = needs('socat');
/** Seconds of the line at 115,200 bit/s for each, and a number of its own. */
const FRAMES: Readonly<Record<string, number>> = { board: 60, printer: 350, logger: 1000, oximeter: 3333 };
const LOGINS = ['wrist', 'clip', 'band'];

/** The bench of the same name in small (test/bench/serial.ts). */
describe.skipIf(needed.missing)(`four serial lines that never pause, and MQTT devices beside them${needed.note}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-serial-load-'));
  const feeds = SERIAL_DEVICES.map((device) => new SerialFeed(folder, device));
  let site: Site;
  let load: LoadResult;
  let audit: SerialAudit;
  let acceptedBytes: number | undefined;
  let metrics: string;

  beforeAll(async () => {
    for (const { cable } of feeds) await cable.plugIn();
    site = await Site.running({ gateway: { serial: feeds.map(({ device, cable }) => ({ device: device.name, path: cable.path, ...device.settings })) } });
    for (const { name } of SERIAL_DEVICES) await site.api.bindDevice(name, { kind: 'patient', id: name });
    const devices = await Promise.all(LOGINS.map(async (id) => ({ id, password: (await site.addDevice(id)).password })));
    await until('all lines are open', async () => (await site.metric('vitalgate_serial_lines_open')) === feeds.length);
    const options = { port: site.ports.mqtt, devices, window: 20, seconds: 2, rate: 500, coalesce: false, firstSequence: FIRST_SEQUENCE };
    [load] = await Promise.all([
      runLoad(options, new AbortController().signal),
      ...feeds.map((feed) => feed.feed((frames) => frames >= (FRAMES[feed.device.name] ?? 0))),
    ]);
    const bytes = feeds.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
    acceptedBytes = await until(`${bytes} bytes arrived`, async () => {
      const accepted = await site.metric('vitalgate_serial_accepted_bytes_total');
      return (accepted ?? 0) >= bytes && accepted;
    });
    await site.settled();
    metrics = await site.metrics();
    await site.stopAll();
    audit = await auditSerial(site.gatewayData, SERIAL_DEVICES);
  });
  afterAll(async () => {
    for (const { cable } of feeds) await cable.pullOut();
    await site[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('lose no byte', () => {
    expect(acceptedBytes).toBe(feeds.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0));
    expect(metrics).not.toMatch(/^vitalgate_serial_lost_bytes_total\{/m);
    expect(metrics).not.toMatch(/^vitalgate_(?:quarantined|refused)_total\{/m);
  });

  it.each(SERIAL_DEVICES.map(({ name }) => name))('have every frame of %s in the journal, in order, and in a sealed summary', (name) => {
    const { accepted, derived } = audit.lines.get(name) ?? expect.fail(name);
    expect({ accepted, derived }).toEqual({ accepted: FRAMES[name], derived: FRAMES[name] });
  });

  it('get an acknowledgement for every packet of the protocol that has them', () => {
    for (const feed of feeds) expect(feed.unanswered).toBe(0);
    expect(feeds[0]?.latencies).toHaveLength(FRAMES['board'] ?? 0);
  });

  it('leave the MQTT devices theirs', () => {
    expect(load.acks).toBeGreaterThan(0);
    expect(audit.mqtt).toBe(load.acks);
  });
});
