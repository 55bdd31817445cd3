import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Disclosure } from '../../gateway/disclosures.ts';
import { acknowledgement, frame, RawEngine, type Received } from '../hl7/engine.ts';
import { readStrictly, textIn } from '../hl7/readers.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const accept = ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AA', id)));

describe('an integration engine of a hospital', () => {
  let site: Site;
  let engine: RawEngine;

  beforeAll(async () => {
    engine = await RawEngine.listen(accept);
    site = await Site.prepare();
    const key = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    const { gateway, upstream } = site.sections(key, { gateway: { hospitals: [{ name: 'north', url: site.hospitalUrl, key, payloads: 'summary' }] } });
    site.writeConfig({ gateway, upstream: { ...upstream, hl7: [{ name: 'engine', address: `127.0.0.1:${engine.port}`, receivingApplication: 'EPR', retryBase: '20ms', retryCap: '100ms' }] } });
    await Promise.all([site.startHospital(), site.startGateway()]);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  async function sinks(device: string, patient: string): Promise<void> {
    const { topic, password } = await site.addDevice(device, patient);
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
    for (const seq of [1, 2]) await client.publish({ topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value: 78 + seq, unit: '%' }) });
  }

  const raised = (received: readonly Received[]): readonly Received[] => received.filter(({ text }) => text.includes('|ORU^R40^') && text.includes('^MDC_ATTR_EVENT_PHASE^MDC|') && text.includes('|start|'));

  it('is told of an alarm by pseudonym', async () => {
    await sinks('clip', 'anna-maria');
    await engine.happenings.until(() => raised(engine.received).length > 0);
    const [alarm] = raised(engine.received);
    const read = readStrictly(alarm?.text ?? '');
    expect([textIn(read.segments[0]?.field(4)), textIn(read.segments[0]?.field(5)), textIn(read.segments[1]?.field(3), 5)]).toEqual(['north', 'EPR', 'ANON']);
    expect(alarm?.text).toMatch(/\|150456\^MDC_PULS_OXIM_SAT_O2\^[^|]*\|1\.1\.1\.1\.2\|(79|80)\|/);
    expect(engine.received.map(({ text }) => text).join('')).not.toContain('anna');
  });

  it('that was away gets what it missed, also from a hospital node that was killed meanwhile', async () => {
    const { port } = engine;
    const before = engine.ids.length;
    const known = new Set(engine.ids);
    await engine[Symbol.asyncDispose]();
    await sinks('band', 'otto-heinrich');
    await until('the alarm is at the hospital', async () => {
      const { stdout } = await vitalgate('released', '--data', site.hospitalData);
      return stdout.split('\n').filter((line) => line.includes('"why":"raised"')).length >= 2;
    });
    await site.hospital.kill();
    engine = await RawEngine.listen(accept, { port });
    await site.startHospital();
    await engine.happenings.until(() => raised(engine.received).length > 0);
    expect(before).toBeGreaterThan(0);
    expect(engine.ids.filter((id) => known.has(id))).toEqual([]);
    expect(new Set(engine.received.map(({ text }) => text.split('\r')[1])).size).toBe(1);
  });

  it('is in the account of the patient, at home', async () => {
    // Another alarm went to the hospital since, whose answer said that there are notes.
    const shown = await until('the gateway has heard of it', async () => {
      const { stdout } = await vitalgate('disclosures', '--patient', 'anna-maria', '--json', '--config', site.config);
      return (JSON.parse(stdout) as readonly Disclosure[]).find(({ recipient }) => recipient === 'north/engine');
    });
    expect(shown).toMatchObject({ what: 'hl7', purpose: 'TREAT' });
  });

  it('is asked about on the command line', async () => {
    const status = await vitalgate('hl7', 'status', '--config', site.config);
    expect(status.stdout).toMatch(/^ENGINE +BEHIND +REFUSED +SENT +NOW\nengine +\d+ +0 +[1-9]\d* +well$/m);
    expect((await vitalgate('hl7', 'refused', 'engine', '--config', site.config)).stdout).toBe('engine refuses nothing\n');
    expect((await vitalgate('hl7', 'again', 'engine', '--config', site.config)).stdout).toBe('0 are sent again\n');
    expect((await vitalgate('hl7', 'refused', 'other', '--config', site.config)).stderr).toContain('"other" is no engine of upstream.hl7');
  });
});
