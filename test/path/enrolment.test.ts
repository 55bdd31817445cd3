import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AddedDevice } from '../../gateway/administration.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import type { Trace } from '../../gateway/trace.ts';
import { readSvg } from '../commands/qr-reader.ts';
import { needs } from '../debian-packages.ts';
import { freePorts, run, until, vitalgate, type Ended } from './program.ts';
import { Site } from './site.ts';

const needed = needs('mosquitto-clients', 'openssl');
const NOT_AUTHORISED = 5;
const PAYLOAD = '{"seq":1,"time":1800000000000,"measurement":"spo2","value":97,"unit":"%"}';

/** The life of a device with a certificate, from the command that registers it to the one that revokes it. */
describe.skipIf(needed.missing)(`a device with a certificate${needed.note}`, () => {
  let site: Site;
  let tls: number;

  const device = (...words: readonly string[]): Promise<Ended> => vitalgate('device', ...words, '--config', site.config);
  const at = (...path: readonly string[]): string => join(site.folder, ...path);
  const publish = (folder: string, id: string, ...more: readonly string[]): Promise<Ended> =>
    run('mosquitto_pub', '-h', 'localhost', '-p', String(tls), '--cafile', at(folder, 'ca.crt'), '--cert', at(folder, `${id}.crt`), '--key', at(folder, `${id}.key`),
      '-q', '1', '-t', `devices/${id}/readings`, '-m', PAYLOAD, ...more);
  /** The public fields of every entry about devices and bindings on the record lane. */
  const entries = async (): Promise<Record<string, unknown>[]> => {
    await site.settled();
    const file = at(`${performance.now()}.chain`);
    expect((await vitalgate('export', site.webUrl, '--out', file)).code).toBe(0);
    const found: Record<string, unknown>[] = [];
    for await (const bytes of readBlocks(readFileSync(file))) {
      const all = openBlock(bytes).entries.map(decodeEntry).filter(({ kind, fields }) => (kind === 'device' && fields.get('action') !== 'profiles') || kind === 'binding');
      found.push(...all.map(({ kind, fields }) => ({ kind, ...Object.fromEntries(fields) })));
    }
    return found;
  };

  beforeAll(async () => {
    [tls = 0] = await freePorts(1);
    site = await Site.running({ mqtt: { tls: { listen: `127.0.0.1:${tls}`, names: ['localhost'] } } });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('gets its files from "vitalgate device add", each with the right permissions', async () => {
    const { code, stdout, stderr } = await device('add', 'clip', '--patient', 'anna', '--certificate', '--out', at('clip'));
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`address   mqtts://localhost:${tls}`);
    for (const name of ['ca.crt', 'clip.crt', 'clip.key']) expect(stdout).toContain(at('clip', name));
    expect(stdout).not.toContain('PRIVATE KEY');
    expect((statSync(at('clip', 'clip.key')).mode & 0o777).toString(8)).toBe('600');
    expect(readFileSync(at('clip', 'ca.crt'), 'utf8')).toBe(readFileSync(join(site.gatewayData, 'ca.crt'), 'utf8'));
    expect((statSync(join(site.gatewayData, 'ca.key')).mode & 0o777).toString(8)).toBe('600');
    const again = await device('add', 'clip', '--certificate', '--out', at('clip'));
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/clip\.crt exists already, and is not overwritten/)]);
  });

  it('publishes with them, and its reading is followed to its receipt', async () => {
    expect((await publish('clip', 'clip')).code).toBe(0);
    const trace = await until('the reading is receipted', async () => {
      const found = JSON.parse((await vitalgate('trace', 'clip', '--config', site.config, '--json')).stdout) as Trace;
      return found.state === 'receipted' && found;
    });
    expect(trace.accepted).toMatchObject({ device: 'clip', subject: 'patient/anna', payload: PAYLOAD });
    expect(await entries()).toEqual([{ kind: 'device', action: 'enrol', credential: 'certificate' }, { kind: 'binding', action: 'bind' }]);
  });

  it('brings its own key in a request, and a QR code has what it needs', async () => {
    expect((await run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('band.key'), '-out', at('band.csr'), '-subj', '/CN=x')).code).toBe(0);
    const added = await device('add', 'band', '--room', 'kitchen', '--csr', at('band.csr'), '--out', at('band'), '--svg', at('band.svg'), '--json');
    const { certificate, password, urls, subject } = JSON.parse(added.stdout) as AddedDevice;
    expect([certificate?.privateKey, password, urls[0], subject]).toEqual([undefined, undefined, `mqtts://localhost:${tls}`, { kind: 'room', id: 'kitchen' }]);
    expect([existsSync(at('band', 'band.key')), (statSync(at('band.svg')).mode & 0o777).toString(8)]).toEqual([false, '600']);
    expect((await publish('band', 'band', '--key', at('band.key'))).code).toBe(0);
    const document = JSON.parse(readSvg(readFileSync(at('band.svg'), 'utf8'))) as Record<string, unknown>;
    expect(document).toMatchObject({ v: 1, id: 'band', url: `mqtts://localhost:${tls}`, topic: 'devices/band/readings' });
    expect(Object.keys(document)).toEqual(['v', 'id', 'url', 'topic', 'cert', 'ca']);
  });

  it('that gets another one is let in by the new one alone, and who is connected with the old one is cut off', async () => {
    const options = { ca: readFileSync(at('clip', 'ca.crt')), cert: readFileSync(at('clip', 'clip.crt')), key: readFileSync(at('clip', 'clip.key')), reconnectPeriod: 0, protocolVersion: 4 as const };
    const connected = await connectAsync(`mqtts://localhost:${tls}`, options);
    const cut = new Promise<void>((resolve) => connected.once('close', () => resolve()));
    expect((await device('add', 'clip', '--certificate', '--out', at('clip-2'))).code).toBe(0);
    await cut;
    await connected.endAsync(true);
    expect((await publish('clip', 'clip')).code).toBe(NOT_AUTHORISED);
    expect((await publish('clip-2', 'clip')).code).toBe(0);
  });

  it('is cut off and refused once it is revoked, and the chain says so', async () => {
    const options = { ca: readFileSync(at('clip-2', 'ca.crt')), cert: readFileSync(at('clip-2', 'clip.crt')), key: readFileSync(at('clip-2', 'clip.key')), reconnectPeriod: 0, protocolVersion: 4 as const };
    const connected = await connectAsync(`mqtts://localhost:${tls}`, options);
    const cut = new Promise<void>((resolve) => connected.once('close', () => resolve()));
    expect((await device('revoke', 'clip')).code).toBe(0);
    await cut;
    await connected.endAsync(true);
    expect((await publish('clip-2', 'clip')).code).toBe(NOT_AUTHORISED);
    expect(await site.metric('vitalgate_refused_total{reason="wrong_certificate"}')).toBe(2);
    expect((await entries()).slice(-2)).toEqual([{ kind: 'device', action: 'revoke' }, { kind: 'binding', action: 'unbind' }]);
    expect(JSON.parse((await device('list', '--json')).stdout)).toMatchObject([{ device: 'band', subject: { kind: 'room', id: 'kitchen' } }]);
    expect(await device('revoke', 'clip')).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no device clip') as string });
  });

  it('can be added and revoked while no gateway runs, and is known when one does', async () => {
    await site.gateway.stop();
    expect((await device('add', 'ring', '--certificate', '--out', at('ring'))).code).toBe(0);
    expect((await device('revoke', 'band')).code).toBe(0);
    await site.startGateway();
    expect((await publish('ring', 'ring')).code).toBe(0);
    expect((await publish('band', 'band', '--key', at('band.key'))).code).toBe(NOT_AUTHORISED);
    expect(JSON.parse((await device('list', '--json')).stdout)).toMatchObject([{ device: 'ring', subject: null }]);
  });
});
