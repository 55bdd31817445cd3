import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from '../debian-packages.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { startPostgres } from '../postgres.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { run, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const SECRET = 'correct-horse';
const needed = needs('postgresql');

/** Says which packages are asked for. */
const WATCH = `data:text/javascript,${encodeURIComponent("import { registerHooks } from 'node:module'; registerHooks({ resolve(name, context, next) { if (/^(pg|@nats-io)\\b/.test(name)) console.log('loaded', name); return next(name, context); } });")}`;

describe('the clients of databases', () => {
  it('are loaded by a hospital that has one, and by nobody else', async () => {
    const { code, stdout } = await run(process.execPath, '--import', WATCH, join(import.meta.dirname, '../../gateway/main.ts'), '--help');
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('loaded')]);
    expect((await run(process.execPath, '--import', WATCH, '--input-type=module', '-e', `await import(${JSON.stringify(join(import.meta.dirname, '../../gateway/store/postgres.ts'))})`)).stdout).toContain('loaded pg');
  });
});

describe('a hospital node whose database does not answer', () => {
  const NOWHERE = ['--store', `postgres://hospital:${SECRET}@127.0.0.1:1/vitalgate`] as const;

  it('prints its key all the same', async () => {
    await using site = await Site.prepare();
    const { code, stdout } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData, ...NOWHERE);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^0[23][0-9a-f]{64}\n$/)]);
  });

  it('ends and says which, and nothing of the password', async () => {
    await using site = await Site.prepare();
    const { code, stdout, stderr } = await vitalgate('upstream', '--gateways', 'open', '--data', site.hospitalData, ...NOWHERE);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^vitalgate: no server of postgres:\/\/127\.0\.0\.1:1\/vitalgate takes writes \(.*ECONNREFUSED.*\)\n$/)]);
    expect(stdout + stderr).not.toContain(SECRET);
  });
});

describe.skipIf(needed.missing)(`a hospital node over PostgreSQL${needed.note}`, () => {
  it('takes what a gateway gives it, waits while the database is away, and shows what it has', async () => {
    await using postgres = await startPostgres();
    await using site = await Site.prepare();
    const { stdout: key } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    const { gateway, upstream } = site.sections(key.trim());
    const [hospital] = gateway['hospitals'] as readonly object[];
    const store = postgres.url.replace('postgres@', `postgres:${SECRET}@`);
    site.writeConfig({ gateway: { ...gateway, hospitals: [{ ...hospital, payloads: 'summary' }] }, upstream: { ...upstream, store, durability: 'local' } });
    await Promise.all([site.startHospital(), site.startGateway()]);
    const { topic, password } = await site.addDevice('clip', 'anna');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'clip', username: 'clip', password });
    const publish = async (seq: number): Promise<void> => void (await client.publish({ topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value: 78 + seq, unit: '%' }) }));
    await publish(1);
    await site.settled();
    await postgres.primary.kill();
    await publish(2);
    const ready = async (): Promise<number> => (await nodeFetch(`${site.hospitalUrl}/readyz`)).status;
    await until('the node says that it cannot', async () => (await ready()) === 503);
    await until('a block was refused', () => site.hospital.stderr.includes('the store fails'));
    expect(site.hospital.isOver).toBe(false);
    await postgres.primary.start();
    await site.settled();
    expect(await ready()).toBe(200);
    await until('an alarm can be opened', async () => {
      const { code, stdout } = await vitalgate('released', '--config', site.config);
      return code === 0 && stdout.includes('"kind":"event"');
    });
    expect(site.hospital.stdout + site.hospital.stderr).not.toContain(SECRET);
    expect(await vitalgate('verify', 'chain', site.hospitalUrl)).toMatchObject({ code: 0, stderr: '' });
  });
});
