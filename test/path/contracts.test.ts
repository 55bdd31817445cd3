import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const SLOW = { id: 'slow-pulse', when: 'heart_rate < 50', clear: 'heart_rate >= 55', for: '3s', priority: 'medium', message: 'pulse {heart_rate} for {for}', source: 'this test' };
const pack = (...rules: readonly object[]): string => stringify({ pack: 'own', version: 1, rules });

describe('rule packs on a gateway that runs', () => {
  let site: Site;
  let watch: DeviceWithPassword;
  let [own, strict] = ['', ''];
  let seq = 0;
  const publish = async (...values: readonly number[]): Promise<void> => {
    const client = await connectAsync(`mqtt://127.0.0.1:${site.ports.mqtt}`, { username: 'watch', password: watch.password });
    for (const value of values) await client.publishAsync(watch.topic, JSON.stringify({ seq: ++seq, measurement: 'heart_rate', value, unit: '/min' }), { qos: 1 });
    await client.endAsync();
  };
  const contract = (...words: readonly string[]): ReturnType<typeof vitalgate> => vitalgate('contract', ...words);
  const lastEvent = async (text: string): Promise<string> =>
    await until(`an event says "${text}"`, async () => {
      const { lastEvent: told } = await site.api.status();
      return told?.includes(text) === true && told;
    });

  beforeAll(async () => {
    site = await Site.prepare();
    [own, strict] = ['own', 'strict'].map((name) => join(site.folder, `${name}.yaml`)) as [string, string];
    writeFileSync(own, pack(SLOW));
    writeFileSync(strict, pack({ ...SLOW, when: 'heart_rate < 62', clear: 'heart_rate >= 65', for: '0ms' }));
    const key = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(site.sections(key, { gateway: { packs: [own], patients: [{ id: 'anna' }], timeZone: 'Europe/Berlin' } }));
    await Promise.all([site.startHospital(), site.startGateway()]);
    watch = await site.addDevice('watch', 'anna');
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('raise what held for long enough, though the gateway was killed meanwhile and nothing came after it', async () => {
    await publish(60, 45, 44);
    await site.settled();
    await site.gateway.kill();
    await site.startGateway();
    expect(await lastEvent('pulse 44')).toMatch(/^patient\/anna: pulse 44 for \d+ s, medium priority, raised$/);
    expect((await site.api.status()).totals.events).toBe(1);
  });

  it('say what other packs would have raised on the same days, one by one', async () => {
    const { code, stdout } = await contract('replay', '--config', site.config, '--with', strict);
    expect(code).toBe(0);
    expect(stdout).toMatch(/own\/slow-pulse +1 +1\n/);
    expect(stdout).toMatch(/only with these packs:\n {2}\d{4}-\S+Z {2}patient\/anna {2}own\/slow-pulse {2}medium {2}pulse 60 for 0 s\n/);
    const never = await contract('replay', '--config', site.config, '--with', strict, '--to', '2020-01-01');
    expect(never.stdout).not.toContain('own/slow-pulse');
  });

  it('are replayed beside the gateway that runs, and the chain says what the frames give', async () => {
    await site.settled();
    const { code, stdout } = await contract('replay', '--config', site.config);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+ frames derived again, \d+ entries compared: the chain says what the frames give\n$/)]);
  });

  it('cannot be replayed with the key of another gateway, and that is said', async () => {
    const path = join(site.gatewayData, 'vault.key');
    const key = readFileSync(path, 'utf8');
    try {
      writeFileSync(path, `1 ${'5a'.repeat(32)}\n`);
      const { code, stderr } = await contract('replay', '--config', site.config);
      expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('vault.key is of another gateway')]);
      expect(code).not.toBe(0);
    } finally {
      writeFileSync(path, key);
    }
  });

  it('that cannot be put in force are refused with their lines, and nothing changes', async () => {
    writeFileSync(own, pack({ ...SLOW, when: 'heart_rat < 50' }));
    const { code, stderr } = await vitalgate('reload', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/own\.yaml:\d+:\d+: .*heart_rat/)]);
    writeFileSync(own, pack(SLOW));
  });

  it('are signed by people, with a key that is theirs alone', async () => {
    const key = join(site.folder, 'lee.key');
    const signed = await contract('sign', own, '--key', key);
    expect([signed.code, signed.stdout]).toEqual([0, expect.stringMatching(/made the key .*lee\.key.*\n.*own\.yaml\.sig: own version 1, contract [0-9a-f]{64}, signed by key [0-9a-f]{32}\n/)]);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    await contract('sign', own, '--key', join(site.folder, 'kim.key'));
    expect(JSON.parse(readFileSync(`${own}.sig`, 'utf8'))).toHaveLength(2);
  });

  it('are not activated by people while the configuration names them; they are once it does not', async () => {
    const refused = await contract('activate', 'starter', '--config', site.config);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('the configuration names the rule packs (gateway.packs)')]);
    const key = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    site.writeConfig(site.sections(key, { gateway: { patients: [{ id: 'anna' }] } }));
    expect((await vitalgate('reload', '--config', site.config)).code).toBe(0);
    const { code, stdout } = await contract('activate', own, 'starter', '--by', 'lee', '--config', site.config);
    expect([code, stdout]).toEqual([0, expect.stringMatching(
      /^own version 1, 1 rule, contract [0-9a-f]{64}, by lee, signed by [0-9a-f]{32}, [0-9a-f]{32}\nstarter version 1, 8 rules, contract [0-9a-f]{64}, by lee, signed by nobody\n$/,
    )]);
    expect((await contract('list', '--config', site.config)).stdout).toBe(stdout);
  });

  it('that were changed after they were signed are not activated', async () => {
    writeFileSync(own, pack({ ...SLOW, for: '5s' }));
    const { code, stderr } = await contract('activate', own, '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringContaining('the pack was changed after it was signed')]);
  });

  it('stay in force over a restart, those that people activated, too', async () => {
    const before = (await contract('list', '--config', site.config)).stdout;
    await site.gateway.kill();
    await site.startGateway();
    expect((await contract('list', '--config', site.config)).stdout).toBe(before);
    expect((await contract('replay', '--config', site.config)).code).toBe(0);
  });
});
