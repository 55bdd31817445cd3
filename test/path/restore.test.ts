import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBackup } from '../../gateway/backup.ts';
import { decryptBackup, identitiesIn } from '../../gateway/backup-cipher.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { decodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

const PEOPLE = [{ name: 'otto', access: 'administrator' }];
type Ran = Readonly<{ code: number | null; stdout: string; stderr: string }>;

describe('a gateway whose disk is lost', () => {
  let site: Site;
  const devices = new Map<string, DeviceWithPassword>();
  let token = '';
  let sent = 0;
  let wholeAt = 0;

  beforeAll(async () => {
    site = await Site.prepare({ gateway: { alarms: { people: PEOPLE } } });
    token = (JSON.parse((await run('person', 'token', 'otto', '--json')).stdout) as { secret: string }).secret;
    await site.startHospital();
    await site.startGateway();
    for (const patient of ['anna', 'bertha']) devices.set(patient, await site.addDevice(`clip-of-${patient}`, patient));
    await measure('anna', 80, 97, 80);
    await measure('bertha', 96);
    await site.settled();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const run = async (...words: readonly string[]): Promise<Ran> => await vitalgate(...words, '--config', site.config);
  const file = (name: string): string => join(site.folder, name);
  const restore = (...words: readonly string[]): Promise<Ran> => run('restore', file('gateway.age'), '--identity', file('backup.key'), ...words);

  async function measure(patient: string, ...values: readonly number[]): Promise<void> {
    const { device, password, topic } = devices.get(patient) as DeviceWithPassword;
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
    for (const value of values) expect(await client.publish({ topic, payload: JSON.stringify({ seq: ++sent, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
  }

  async function api(path: string, body?: object): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    return (await (await fetch(`${site.webUrl}/api${path}`, { headers, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) })).json()) as Record<string, unknown>;
  }

  async function entriesAt(url: string, lane: string): Promise<readonly Entry[]> {
    const { chains: [chain] } = (await (await nodeFetch(`${url}/v1/chains`)).json()) as { chains: { chain: string }[] };
    const { body } = await nodeFetch(`${url}/v1/chains/${chain?.chain}/${lane}/blocks`);
    const entries: Entry[] = [];
    for await (const bytes of readBlocks(body as AsyncIterable<Uint8Array>)) entries.push(...openBlock(bytes).entries.map(decodeEntry));
    return entries;
  }

  it('has had a backup made while it worked, encrypted for a key it does not have', async () => {
    const { stdout: recipient } = await run('backup', 'keygen', '--out', file('backup.key'));
    expect(recipient).toMatch(/^age1[a-z0-9]{58}\n$/);
    expect(statSync(file('backup.key')).mode & 0o777).toBe(0o600);
    const busy = measure('anna', ...Array.from({ length: 200 }, () => 96));
    expect(await run('backup', '--to', recipient.trim(), '--out', file('gateway.age'))).toMatchObject({ code: 0, stdout: expect.stringMatching(/gateway\.age: [\d.]+ ?[kKM]i?B/) as string });
    await busy;
    const bytes = readFileSync(file('gateway.age'));
    expect(bytes.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
    expect((await run('backup', '--to', recipient.trim(), '--out', file('gateway.age'))).stderr).toContain('cannot create');
    expect(await restore('--check')).toMatchObject({ code: 0, stdout: expect.stringMatching(/whole; chain [0-9a-f]{32}, taken .*, \d+ records, \d+ files/) as string });
    await site.settled();
    wholeAt = (await site.api.status()).lanes.find(({ lane }) => lane === 'record')?.height ?? 0;
  });

  it('is not restored from what was cut off, changed or made for somebody else', async () => {
    const bytes = readFileSync(file('gateway.age'));
    const broken: readonly [string, Uint8Array][] = [
      ['cut.age', bytes.subarray(0, bytes.length - 20)], ['changed.age', Buffer.concat([bytes.subarray(0, 400), Buffer.of((bytes[400] as number) ^ 1), bytes.subarray(401)])], ['none.age', Buffer.from('hello')],
    ];
    for (const [name, content] of broken) {
      writeFileSync(file(name), content);
      expect([name, await run('restore', file(name), '--identity', file('backup.key'), '--check')]).toMatchObject([name, { code: 2, stderr: expect.stringContaining(`${name}: the backup`) as string }]);
    }
    await run('backup', 'keygen', '--out', file('other.key'));
    expect(await run('restore', file('gateway.age'), '--identity', file('other.key'), '--check')).toMatchObject({ code: 2, stderr: expect.stringContaining('does not open') as string });
    expect((await restore()).stderr).toContain('is not empty');
  });

  it('goes on behind what its hospital has, and does not start before that was asked', async () => {
    await measure('anna', 97, 81, 97);
    await measure('bertha', 79);
    await site.settled();
    expect((await run('erase', '--patient', 'bertha', '--yes')).code).toBe(0);
    await site.addDevice('later', 'clara');
    const { lanes } = await site.settled();
    await site.gateway.kill();
    rmSync(site.gatewayData, { recursive: true });
    await site.hospital.stop();

    const alone = await restore();
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('hospital north cannot be asked how far the chain has come')]);
    expect((await run('gateway')).stderr).toContain('run "vitalgate restore --finish"');
    expect((await run('status')).stderr).toContain('run "vitalgate restore --finish"');
    await site.startHospital();
    const marker = join(site.gatewayData, 'restored.json');
    copyFileSync(marker, file('marker'));
    const { code, stdout, stderr } = await run('restore', '--finish');
    expect([code, stderr]).toEqual([0, expect.stringMatching(/hospital north has \d+ blocks of lane record more than the backup/)]);
    expect(stdout).toMatch(/copied \d+ blocks from the hospitals/);
    expect(stdout).toMatch(/frames \d+ to \d+ of the journal are lost/);
    expect(stdout).toContain('did 1 erasure again');
    // As if the power had gone just before the end: it says the same once more, and forgets nobody who is to be forgotten.
    copyFileSync(file('marker'), marker);
    const again = await run('restore', '--finish');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('did 1 erasure again')]);
    expect(/^frames \d+ to \d+/m.exec(again.stdout)?.[0]).toBe(/^frames \d+ to \d+/m.exec(stdout)?.[0]);
    await site.startGateway();
    const { lanes: after } = await site.settled();
    for (const { lane, height } of lanes) expect(after.find((each) => each.lane === lane)?.height).toBeGreaterThanOrEqual(height);
  });

  it('is acknowledged and countersigned as ever: one chain, no number twice', async () => {
    await measure('anna', 96, 80);
    await site.settled();
    for (const folder of [site.gatewayData, site.hospitalData]) expect([folder, (await vitalgate('verify', 'chain', folder)).code]).toEqual([folder, 0]);
    expect(((await (await nodeFetch(`${site.hospitalUrl}/v1/forks`)).json()) as { forks: unknown[] }).forks).toEqual([]);
    const [alarms, records] = [await entriesAt(site.hospitalUrl, 'alarm'), await entriesAt(site.hospitalUrl, 'record')];
    const numbers = [...alarms, ...records].map(({ sequence }) => sequence);
    expect(new Set(numbers).size).toBe(numbers.length);
    const steps = alarms.map(({ fields }) => fields.get('step')).filter((step) => step !== undefined);
    expect(steps).toEqual(Array.from({ length: steps.length }, (_, index) => index + 1));
    const evidence = records.filter(({ kind }) => kind === 'evidence').map(({ fields }) => [fields.get('first'), fields.get('last')] as [number, number]);
    for (const [index, [first]] of evidence.entries()) if (index > 0) expect(first).toBe((evidence[index - 1]?.[1] ?? 0) + 1);
    expect(records.filter(({ kind }) => kind === 'gap').map(({ fields }) => [...fields.keys()])).toEqual([['last', 'first', 'taken', 'reason'], ['last', 'first', 'taken', 'reason']]);
    expect(wholeAt).toBeGreaterThan(0);
  });

  it('remembers what it was told before the backup, says what it lost, and keeps what was erased erased', async () => {
    const { patients } = (await api('/patients')) as { patients: { id: string }[] };
    expect(patients.map(({ id }) => id)).toEqual(['anna']);
    const technical = await until('somebody is told of it', async () => {
      const { technical: found } = (await api('/alarms'))['alarms'] as { technical: { id: number; revision: number; message: string; phase: string }[] };
      return found[0]?.phase === 'active' && found;
    });
    expect(technical.map(({ message }) => message)).toEqual([expect.stringContaining('the gateway was restored from a backup of')]);
    await api(`/alarms/${technical[0]?.id}/acknowledge`, { revision: technical[0]?.revision });
    expect((await api('/alarms'))['alarms']).toMatchObject({ technical: [] });
    const { steps, lastStep } = (await api('/steps?limit=500')) as { steps: { step: number; message: string | null }[]; lastStep: number };
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: lastStep }, (_, index) => index + 1));
    expect(steps.some(({ message }) => message?.includes('SpO2 80 %') === true)).toBe(true);
    const lost = await vitalgate('prove', 'frame', '1', '--config', site.config, '--out', file('frame.proof'));
    expect(lost.code).toBe(0);
    const bytes = readFileSync(join(site.gatewayData, readKeyring()));
    expect(bytes.length).toBeGreaterThan(100);
  });

  it('is moved to another machine with a passphrase, when nothing was lost', async () => {
    writeFileSync(file('passphrase'), 'a passphrase of mine\n', { mode: 0o644 });
    expect((await run('backup', '--passphrase-file', file('passphrase'), '--out', file('move.age'))).stderr).toContain('has mode 644');
    chmodSync(file('passphrase'), 0o600);
    await site.gateway.stop();
    const drawn = { 'flows.json': '[{"id":"a1","type":"tab","label":"Tell"}]', 'flows_cred.json': '{"$":"00aa"}' };
    for (const [name, text] of Object.entries(drawn)) writeFileSync(join(site.gatewayData, 'nodered', name), text, { mode: 0o600 });
    expect((await run('backup', '--passphrase-file', file('passphrase'), '--out', file('move.age'))).code).toBe(0);
    await until('nothing is left to relay', () => true);
    const plain: string[] = [];
    for await (const record of readBackup(decryptBackup(pieces(readFileSync(file('move.age'))), { passphrase: 'a passphrase of mine' }))) plain.push(record.is === 'file' ? record.name : record.is);
    expect(plain).toEqual(expect.arrayContaining(['begin', 'rows', 'gateway.key', 'vault.key', 'end']));
    rmSync(site.gatewayData, { recursive: true });
    const moved = await run('restore', file('move.age'), '--passphrase-file', file('passphrase'));
    expect([moved.code, moved.stdout]).toEqual([0, expect.stringContaining('no hospital has more of the chain than the backup')]);
    expect(existsSync(join(site.gatewayData, 'restored.json'))).toBe(false);
    for (const [name, text] of Object.entries(drawn)) expect([name, site.read('gateway', 'nodered', name)]).toEqual([name, text]);
    await site.startGateway();
    await measure('anna', 95);
    await site.settled();
    expect((await vitalgate('verify', 'chain', site.hospitalData)).code).toBe(0);
    expect(identitiesIn(readFileSync(file('backup.key'), 'utf8'))).toHaveLength(1);
  });

  const readKeyring = (): string => `keyring.${/^(\d+) /.exec(readFileSync(join(site.gatewayData, 'vault.key'), 'utf8'))?.[1]}`;
});

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
