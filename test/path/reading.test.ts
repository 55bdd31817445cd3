import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import type { Trace } from '../../gateway/trace.ts';
import { needs } from '../debian-packages.ts';
import { run, until, vitalgate, type Ended } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

const needed = needs('mosquitto-clients');
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** One reading on its whole way, and afterwards the auditor who believes nobody. */
describe.skipIf(needed.missing)(`a reading published by a foreign client${needed.note}`, () => {
  const PAYLOAD = '{"seq":1,"time":1800000000000,"measurement":"spo2","value":97,"unit":"%"}';
  let site: Site;
  let clip: DeviceWithPassword;
  let file: string;

  const publish = (device: DeviceWithPassword, ...more: string[]): Promise<Ended> =>
    run('mosquitto_pub', '-h', '127.0.0.1', '-p', String(site.ports.mqtt), '-u', device.device, '-P', device.password, '-t', device.topic, ...more);
  const verify = (target: string): Promise<Ended> => vitalgate('verify', 'chain', target);

  beforeAll(async () => {
    site = await Site.running();
    const added = await vitalgate('device', 'add', 'clip', '--patient', 'anna', '--config', site.config, '--json');
    clip = JSON.parse(added.stdout) as DeviceWithPassword;
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('is acknowledged with every quality of service', async () => {
    for (const qos of ['2', '0', '1']) expect((await publish(clip, '-q', qos, '-m', PAYLOAD)).code).toBe(0);
    expect((await publish({ ...clip, password: 'guess' }, '-q', '1', '-m', PAYLOAD)).code).not.toBe(0);
  });

  it('is followed by "vitalgate trace" to its receipt, with proofs that hold', async () => {
    const trace = await until('the reading is receipted', async () => {
      const { stdout } = await vitalgate('trace', 'clip', '--config', site.config, '--json');
      const found = JSON.parse(stdout) as Trace;
      return found.state === 'receipted' && found;
    });
    expect(trace.accepted).toMatchObject({ device: 'clip', subject: 'patient/anna', payload: PAYLOAD, bytes: PAYLOAD.length, qos: 1 });
    expect(trace.receipts.map(({ hospital }) => hospital)).toEqual(['north']);
    const { evidence, inclusion } = trace.sealed ?? expect.fail('a receipted reading is sealed');
    verifyInclusion(bytes(evidence.leaf), evidence.index, evidence.size, evidence.proof.map(bytes), bytes(evidence.root));
    verifyInclusion(bytes(inclusion.leaf), inclusion.index, inclusion.size, inclusion.proof.map(bytes), bytes(inclusion.root));
    expect(evidence.first + evidence.index).toBe(trace.accepted.sequence);
    expect(() => verifyInclusion(createHash('sha256').update('another').digest(), inclusion.index, inclusion.size, inclusion.proof.map(bytes), bytes(inclusion.root))).toThrow();
  });

  it('is told to people in five lines', async () => {
    const { code, stdout } = await vitalgate('trace', 'clip', '--last', '--config', site.config);
    expect(code).toBe(0);
    for (const state of ['received', 'accepted', 'sealed', 'relayed', 'receipted']) expect(stdout).toMatch(new RegExp(`^● ${state}`, 'm'));
    expect((await vitalgate('trace', 'nobody', '--config', site.config)).code).toBe(2);
  });

  it('leaves the same chain at the gateway and at the hospital', async () => {
    const status = await site.settled();
    const { chains } = (await (await nodeFetch(`${site.hospitalUrl}/v1/chains`)).json()) as { chains: { chain: string; lanes: { lane: string; height: number; hash: string }[] }[] };
    expect(chains.map(({ chain }) => chain)).toEqual([status.chain]);
    expect(chains[0]?.lanes).toMatchObject(status.lanes.map(({ lane, height, hash }) => ({ lane, height, hash })));
    expect(status.lanes.find(({ lane }) => lane === 'record')?.height).toBeGreaterThan(0);
  });

  it('is in a chain that verifies at the gateway, at the hospital, in the data folders and in a file', async () => {
    file = join(site.folder, 'audit.chain');
    const exported = await vitalgate('export', site.webUrl, '--out', file);
    expect([exported.code, exported.stdout]).toEqual([0, expect.stringMatching(/\d+ blocks\n$/)]);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    const targets = [site.webUrl, site.hospitalUrl, site.gatewayData, site.hospitalData, file, site.folder];
    const verdicts = await Promise.all(targets.map(verify));
    for (const { code, stdout, stderr } of verdicts) expect([code, stdout, stderr]).toEqual([0, expect.stringContaining(': good, '), '']);
  });

  it('cannot be changed afterwards: a flipped byte is found, with block and reason', async () => {
    const good = readFileSync(file);
    for (const place of [100, Math.floor(good.length / 2), good.length - 1]) {
      const bad = Buffer.from(good);
      bad[place] = (bad[place] as number) ^ 0x01;
      const path = join(site.folder, `flipped-${place}.bad`);
      writeFileSync(path, bad);
      const { code, stdout } = await verify(path);
      expect(code).toBe(1);
      expect(stdout).toMatch(/: BAD at block (number \d+|\d+ of lane (alarm|record)): [a-z_]+: .+ \(\d+ good blocks before it\)\n$/);
    }
    writeFileSync(join(site.folder, 'short.bad'), good.subarray(0, -5));
    expect((await verify(join(site.folder, 'short.bad'))).code).toBe(1);
  });

  it('is not judged where nothing can be read', async () => {
    const unreadable = [join(site.folder, 'no such file'), 'http://127.0.0.1:1', join(site.folder, 'gateway', 'store')];
    for (const target of unreadable) {
      const { code, stdout, stderr } = await verify(target);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(target);
    }
  });

  it('is exported into a new file only', async () => {
    const again = await vitalgate('export', site.webUrl, '--out', file);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining(file)]);
    const dead = join(site.folder, 'dead.chain');
    expect((await vitalgate('export', 'http://127.0.0.1:1', '--out', dead)).code).toBe(2);
    expect(() => statSync(dead)).toThrow('ENOENT');
  });
});
