import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListedPerson } from '../../gateway/web/control-patients.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { type Ended, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

describe('people at a hospital', () => {
  let site: Site;
  let seq = 0;

  beforeAll(async () => {
    site = await Site.prepare();
    const [key = ''] = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.split('\n');
    site.writeConfig(site.sections(key, { gateway: { hospitals: [{ name: 'north', url: site.hospitalUrl, key, payloads: 'events' }] } }));
    await Promise.all([site.startHospital(), site.startGateway()]);
    for (const [device, name] of [['clip', 'anna-maria'], ['band', 'otto-heinrich']] as const) await alarm(await site.addDevice(device, name));
    await site.settled();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  async function alarm({ device, topic, password }: Readonly<{ device: string; topic: string; password: string }>): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
    for (const value of [79, 78]) await client.publish({ topic, payload: JSON.stringify({ seq: (seq += 1), time: Date.now(), measurement: 'spo2', value, unit: '%' }) });
  }

  const patient = (...words: readonly string[]): Promise<Ended> => vitalgate('patient', ...words, '--data', site.hospitalData);

  async function listed(): Promise<readonly ListedPerson[]> {
    const { code, stdout } = await patient('list', '--json');
    expect(code).toBe(0);
    return stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ListedPerson);
  }

  it('are listed by pseudonym beside the running node as soon as a gateway has given something of them', async () => {
    await until('both are there', async () => (await listed()).length === 2);
    const people = await listed();
    expect(people.map(({ kind, identity }) => [kind, identity])).toEqual([['patient', null], ['patient', null]]);
    expect(JSON.stringify(people)).not.toMatch(/anna|otto/);
    const { stderr } = await until('all is opened', async () => {
      const said = await patient('list');
      return !said.stderr.includes('not opened yet') && said;
    });
    expect(stderr).toBe('');
    expect((await patient('list')).stdout).toMatch(/^PSEUDONYM +KIND +LAST \(UTC\) +IDENTIFIER +NAME\n/);
  });

  it('are known by the pseudonym that the gateway says, which is written down there, and get an identifier by it', async () => {
    const { stdout } = await vitalgate('pseudonym', '--patient', 'anna-maria', '--hospital', 'north', '--json', '--config', site.config);
    const { pseudonym } = JSON.parse(stdout) as { pseudonym: string };
    expect((await listed()).map(({ person }) => person)).toContain(pseudonym);
    expect((await vitalgate('disclosures', '--patient', 'anna-maria', '--config', site.config)).stdout).toMatch(/pseudonym/);
    const mapped = await patient('map', pseudonym, '--identifier', 'urn:oid:1.2.3|17', '--name', 'Anna M.');
    expect([mapped.code, mapped.stdout]).toEqual([0, `${pseudonym} is urn:oid:1.2.3|17 (Anna M.)\n`]);
    expect((await listed()).find(({ person }) => person === pseudonym)?.identity).toEqual({ system: 'urn:oid:1.2.3', value: '17', name: 'Anna M.' });
    expect((await listed()).filter(({ identity }) => identity === null)).toHaveLength(1);
  });

  it('are refused words that are no pseudonym, no identifier, or nobody', async () => {
    const { code, stderr } = await vitalgate('pseudonym', '--patient', 'nobody', '--hospital', 'north', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringContaining('nothing was said of patient/nobody yet')]);
    expect((await vitalgate('pseudonym', '--patient', 'anna-maria', '--hospital', 'south', '--config', site.config)).stderr).toContain('names no hospital "south"');
    const [one] = await listed();
    for (const [identifier, said] of [['17', 'Give --identifier'], ['no uri|17', 'does not say who gives'], ['urn:x|a\nb', 'Give --identifier'], ['urn:x|a\tb', 'without control characters']] as const) {
      const refused = await patient('map', one?.person ?? '', '--identifier', identifier);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(said)]);
    }
    expect((await patient('map', '../x', '--identifier', 'urn:x|1')).stderr).toContain('is no pseudonym');
    expect((await patient('unmap', 'ab'.repeat(16))).stderr).toContain('nobody is mapped');
  });

  it('are there with everybody who came meanwhile, however often the node is killed', async () => {
    const before = await listed();
    for (let round = 0; round < 4; round++) {
      const killed = site.hospital.kill();
      await alarm(await site.addDevice('clip', `guest-${round}`));
      await killed;
      await site.startHospital();
    }
    const people = await until('all are there', async () => {
      const now = await listed();
      return now.length === before.length + 4 && now;
    });
    expect(people.filter(({ identity }) => identity?.value === '17')).toHaveLength(1);
    expect(people.map(({ person }) => person)).toEqual(expect.arrayContaining(before.map(({ person }) => person)));
    await site.settled();
    await site.hospital.stop();
    // Without a node the folder is read itself.
    expect(await listed()).toHaveLength(people.length);
    expect((await vitalgate('released', '--data', site.hospitalData)).code).toBe(0);
    await site.startHospital();
  });

  it('are gone from the list, and their identifier with them, when the gateway erases them', async () => {
    const there = (await listed()).length;
    expect((await vitalgate('erase', '--patient', 'anna-maria', '--yes', '--config', site.config)).code).toBe(0);
    await until('she is gone', async () => (await listed()).length === there - 1, 90_000);
    expect((await listed()).every(({ identity }) => identity === null)).toBe(true);
  });
});
