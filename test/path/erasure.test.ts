import { createReadStream, readdirSync, readFileSync, statSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decryptBackup, identitiesIn } from '../../gateway/backup-cipher.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { StoredErasures } from '../../gateway/store/erasure-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { SealedStore } from '../../gateway/store/sealed-store.ts';
import { keyringIn, random } from '../vault/folder-keys.ts';
import { vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

/** Every file under a folder with its bytes. */
function* filesIn(folder: string): Generator<readonly [string, Buffer]> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = statSync(path);
    if (found.isDirectory()) yield* filesIn(path);
    else if (found.isFile()) yield [path, readFileSync(path)];
  }
}

/** Which of these bytes lie in which files. */
const foundIn = (folder: string, wanted: ReadonlyMap<string, Buffer>): string[] =>
  [...filesIn(folder)].flatMap(([path, bytes]) => [...wanted].filter(([, each]) => bytes.includes(each)).map(([name]) => `${name} in ${path.slice(folder.length)}`));

describe('a patient who wants to be forgotten', () => {
  let site: Site;
  let anna: DeviceWithPassword;
  let otto: DeviceWithPassword;
  const spoken = new Map<string, Buffer>();
  beforeAll(async () => {
    site = await Site.running();
    anna = await site.addDevice('clip-of-anna', 'anna-example');
    otto = await site.addDevice('clip-of-otto', 'otto-example');
    for (const name of ['anna-example', 'otto-example', 'clip-of-anna', 'clip-of-otto']) spoken.set(name, Buffer.from(name));
    await say(anna, 71.25);
    await say(otto, 72.25);
    await site.settled();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  /** A low saturation is an alarm with its value; a text in it is found again byte by byte. */
  async function say(device: DeviceWithPassword, value: number): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device.device, username: device.device, password: device.password });
    const payload = JSON.stringify({ seq: value * 4, time: Date.now(), measurement: 'spo2', value, unit: '%' });
    spoken.set(`payload of ${device.device}`, Buffer.from(payload));
    expect(await client.publish({ topic: device.topic, payload })).toBe(true);
  }

  it('never lay on the disk in clear, as name or as value', () => {
    expect(foundIn(site.gatewayData, spoken)).toEqual([]);
    expect(foundIn(site.hospitalData, spoken)).toEqual([]);
  });

  it('is not forgotten before somebody says that it is meant', async () => {
    const { code, stderr } = await vitalgate('erase', '--patient', 'anna-example', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringContaining('say --yes when that is meant')]);
    expect((await vitalgate('erase', '--yes', '--config', site.config)).code).toBe(2);
    expect((await vitalgate('erase', '--patient', 'anna-example', '--through', '1', '--yes', '--config', site.config)).stderr).toContain('epoch 1 goes on');
  });

  it('is forgotten while the gateway runs: keys, names and values are nowhere, and the others stay', async () => {
    const before = keyringIn(site.gatewayData, { readOnly: true }).all();
    const annas = before.filter(({ about }) => about.includes('patient/anna-example'));
    expect(annas.map(({ owner }) => owner).toSorted()).toEqual(['device/clip-of-anna', 'patient/anna-example', 'said/patient/anna-example']);
    const secrets = new Map([...spoken, ...before.map(({ owner, id, secret }) => [`key ${id} of ${owner}`, Buffer.from(secret)] as const)]);
    const { code, stdout } = await vitalgate('erase', '--patient', 'anna-example', '--yes', '--config', site.config);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^patient\/anna-example: erased; 3 keys destroyed, \d+ raw messages taken out of the journal\n$/)]);
    expect(foundIn(site.gatewayData, secrets)).toEqual([]);
    for (const { id, secret } of annas) spoken.set(`key ${id}`, Buffer.from(secret));
    const left = keyringIn(site.gatewayData, { readOnly: true }).all();
    expect(left.filter(({ about }) => about.includes('patient/anna-example'))).toEqual([]);
    expect(left.some(({ about }) => about.includes('patient/otto-example'))).toBe(true);
    expect((await site.api.devices()).find(({ device }) => device === 'clip-of-anna')?.subject ?? null).toBeNull();
    expect((await site.api.trace('clip-of-otto' as never)).accepted.payload).toContain('72.25');
  });

  it('is in no backup that is made afterwards, under its encryption either', async () => {
    const gone = new Map([...spoken].filter(([name]) => name !== 'clip-of-otto' && name !== 'otto-example'));
    const { stdout: recipient } = await vitalgate('backup', 'keygen', '--out', join(site.folder, 'backup.key'));
    const path = join(site.folder, 'after.age');
    expect((await vitalgate('backup', '--to', recipient.trim(), '--out', path, '--config', site.config)).code).toBe(0);
    const identities = identitiesIn(readFileSync(join(site.folder, 'backup.key'), 'utf8'));
    const plain: Uint8Array[] = [];
    for await (const piece of decryptBackup(createReadStream(path), { identities })) plain.push(piece);
    const bytes = Buffer.concat(plain);
    expect([...gone].filter(([, each]) => bytes.includes(each)).map(([name]) => name)).toEqual([]);
    expect(bytes.includes('vault.key')).toBe(true);
  });

  it('leaves a chain that verifies here and at the hospital, with an entry that names keys and nobody', async () => {
    await site.settled();
    for (const where of [site.gatewayData, site.hospitalUrl]) {
      const { code, stdout } = await vitalgate('verify', 'chain', where);
      expect([code, stdout]).toEqual([0, expect.stringContaining('good')]);
    }
    const { stderr, code } = await vitalgate('contract', 'replay', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringContaining('was erased')]);
  });

  it('is forgotten when the gateway was killed in the middle of it, with the next start', async () => {
    expect((await site.api.devices()).find(({ device }) => device === 'clip-of-otto')?.subject).toEqual({ kind: 'patient', id: 'otto-example' });
    await site.gateway.kill();
    const keyring = keyringIn(site.gatewayData, { readOnly: false });
    const store = new SealedStore(await openRocksStore(join(site.gatewayData, 'store')), { keyring, random });
    await new StoredErasures(store).begin({ subject: { kind: 'patient', id: 'otto-example' }, by: { id: 'command line', role: 'administrator' }, devices: ['clip-of-otto' as DeviceId] });
    await store.close();
    await site.startGateway();
    expect(keyringIn(site.gatewayData, { readOnly: true }).all().filter(({ about }) => about.includes('patient/otto-example'))).toEqual([]);
    expect((await site.api.devices()).find(({ device }) => device === 'clip-of-otto')?.subject ?? null).toBeNull();
    expect((await vitalgate('verify', 'chain', site.gatewayData)).stdout).toContain('good');
    expect(site.gateway.stderr).toContain('an erasure was interrupted');
  });

  it('stays forgotten after kill -9 and a new start, and can come back as a new person', async () => {
    await site.gateway.kill();
    await site.startGateway();
    expect(foundIn(site.gatewayData, spoken)).toEqual([]);
    await vitalgate('device', 'bind', 'clip-of-anna', '--patient', 'anna-example', '--config', site.config);
    const before = (await site.totals()).readings;
    await say(anna, 71.5);
    await site.untilReadings(before + 1);
    expect(foundIn(site.gatewayData, spoken)).toEqual([]);
  });

  it('is looked for in what flows keep for themselves, which is theirs: whoever erases is told where', async () => {
    const kept = join(site.gatewayData, 'nodered', 'kept.json');
    writeFileSync(kept, '{"nights of anna-example":3}', { mode: 0o600 });
    const { code, stderr } = await vitalgate('erase', '--patient', 'anna-example', '--yes', '--config', site.config);
    expect([code, stderr]).toEqual([0, expect.stringContaining(`anna-example is still named in what flows keep`)]);
    expect(stderr).toContain(`  ${kept}\n`);
    rmSync(kept);
  });
});
