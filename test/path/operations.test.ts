import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

describe('the pages for operators', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.running();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('say that both nodes live and are ready', async () => {
    for (const base of [site.webUrl, site.hospitalUrl]) {
      const [health, ready] = await Promise.all([nodeFetch(`${base}/healthz`), nodeFetch(`${base}/readyz`)]);
      expect([health.status, await health.json(), ready.status, await ready.json()]).toEqual([200, { status: 'ok' }, 200, { status: 'ready' }]);
      expect((await nodeFetch(`${base}/nothing-here`)).status).toBe(404);
    }
  });

  it('count every message in each of its states, in the Prometheus text format', async () => {
    const device = await site.addDevice('clip');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'clip', username: 'clip', password: device.password });
    for (let seq = 1; seq <= 20; seq++) {
      expect(await client.publish({ topic: device.topic, payload: `{"seq":${seq},"time":${Date.now()},"measurement":"spo2","value":97,"unit":"%"}` })).toBe(true);
    }
    await site.settled();
    for (const state of ['received', 'accepted', 'sealed', 'relayed', 'receipted']) {
      await until(`20 messages are ${state}`, async () => (await site.metric(`vitalgate_messages_total{state="${state}"}`)) === 20);
    }
    const response = await fetch(`${site.webUrl}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    for (const line of text.split('\n')) expect(line).toMatch(/^(|# (HELP|TYPE) [a-z0-9_]+ .+|[a-z0-9_]+(\{([a-z_]+="[^"]*",?)+\})? (-?[0-9.e+-]+|Nan))$/);
    expect(await site.metric('vitalgate_readings_total')).toBe(20);
    expect(await site.metric('vitalgate_ack_seconds_count')).toBe(20);
    expect(await site.metric('vitalgate_store_healthy')).toBe(1);
    expect(await site.metric('vitalgate_mqtt_connections')).toBe(1);
    expect(await site.metric('vitalgate_queue_depth{queue="derive"}')).toBe(0);
    expect(await site.metric('vitalgate_hospital_lag_blocks{hospital="north",lane="record"}')).toBe(0);
    expect(await (await nodeFetch(`${site.hospitalUrl}/metrics`)).text()).toMatch(/vitalgate_upstream_blocks_total\{outcome="committed"\} [1-9]/);
  });

  it('are what "vitalgate status" says', async () => {
    const { code, stdout } = await vitalgate('status', '--config', site.config, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ fault: null, states: { receipted: { messages: 20 } }, totals: { readings: 20 } });
  });
});

describe('"vitalgate check"', () => {
  it('finds nothing wrong before the first run and while everything runs', async () => {
    await using site = await Site.prepare();
    const hospital = await site.startHospital();
    const before = await vitalgate('check', '--config', site.config);
    expect([before.code, before.stdout]).toEqual([0, expect.stringMatching(/^ok +hospitals +north answers/m)]);
    expect(before.stdout).toMatch(/^ok +ports +MQTT can listen/m);
    await site.startGateway();
    const running = await vitalgate('check', '--config', site.config);
    expect([running.code, running.stdout]).toEqual([0, expect.stringMatching(/^ok +ports +a gateway runs on this data folder/m)]);
    expect(running.stdout).toMatch(/^ok +store +readable, chain [0-9a-f]{32}/m);
    await hospital.stop();
    const alone = await vitalgate('check', '--config', site.config);
    expect([alone.code, alone.stdout]).toEqual([1, expect.stringMatching(/^FAILED +hospitals +north does not answer/m)]);
  });

  it('finds a port that is taken', async () => {
    await using site = await Site.prepare();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(site.ports.mqtt, '127.0.0.1', resolve));
    try {
      const { code, stdout } = await vitalgate('check', '--config', site.config);
      expect([code, stdout]).toEqual([1, expect.stringMatching(new RegExp(`^FAILED +ports +MQTT cannot listen on 127.0.0.1:${site.ports.mqtt}`, 'm'))]);
    } finally {
      squatter.close();
    }
  });

  it('finds another hospital behind the address', async () => {
    await using site = await Site.prepare();
    await site.startHospital();
    site.writeConfig(site.sections('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'));
    const { code, stdout } = await vitalgate('check', '--config', site.config);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAILED +hospitals +north answers .+ with key/m)]);
  });
});

describe('a gateway whose port is taken', () => {
  it('says which, and ends with a code and without a process left', async () => {
    await using site = await Site.prepare();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(site.ports.mqtt, '127.0.0.1', resolve));
    try {
      const { code, stderr } = await vitalgate('gateway', '--config', site.config);
      expect(code).toBe(2);
      expect(stderr).toContain(String(site.ports.mqtt));
      expect(stderr).not.toContain('internal error');
    } finally {
      squatter.close();
    }
  });
});
