// oxlint-disable-next-line import/no-unassigned-import -- what it changes is asked for by a library of @peculiar/x509, before that one
import 'reflect-metadata';
import { createServer } from 'node:net';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyObject, webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { Fleet } from './fleet.ts';
import { vitalgate } from './program.ts';

const DAY = 24 * 60 * 60 * 1000;

async function checked(fleet: Fleet): Promise<Readonly<{ code: number | null; stdout: string }>> {
  return await vitalgate('check', '--config', fleet.config);
}

/** A self-signed certificate that ends so many days from now. */
async function writeCertificate(folder: string, days: number): Promise<Readonly<{ certificateFile: string; keyFile: string }>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({ name: 'CN=north', keys, signingAlgorithm: algorithm, notBefore: new Date(Date.now() - 400 * DAY), notAfter: new Date(Date.now() + days * DAY) });
  const [certificateFile, keyFile] = [join(folder, 'north.crt'), join(folder, 'north.key')];
  writeFileSync(certificateFile, made.toString('pem'));
  writeFileSync(keyFile, KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { certificateFile, keyFile };
}

describe('"vitalgate check" for a hospital node', () => {
  it('finds everything good before the first run, beside the running node, and after it', async () => {
    await using fleet = new Fleet();
    const before = await checked(fleet);
    expect([before.code, before.stdout]).toEqual([0, expect.stringMatching(/^ok +ports +the hospital node can listen on 127\.0\.0\.1:0/m)]);
    expect(before.stdout).toMatch(/^ok +store +empty/m);
    expect(before.stdout).toMatch(/^ok +tls +with a certificate of its own/m);
    expect(before.stdout).toMatch(/^warning +gateways +any new chain is taken/m);
    expect(before.stdout).not.toMatch(/MQTT/);
    await fleet.start();
    await fleet.send('ward-1', fleet.writer('ward-1'), 2);
    const running = await checked(fleet);
    expect([running.code, running.stdout]).toEqual([0, expect.stringMatching(/^ok +ports +a hospital node runs on this data folder/m)]);
    expect(running.stdout).toMatch(/^ok +store +readable, 1 chain$/m);
    await fleet.stop();
    renameSync(join(fleet.data, 'hospital.key'), join(fleet.folder, 'hospital.key'));
    const lost = await checked(fleet);
    expect([lost.code, lost.stdout]).toEqual([1, expect.stringMatching(/^FAILED +keys +there is a store in .+ and no hospital\.key/m)]);
  });

  it('finds a fork, and a port that is taken', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    try {
      await using fleet = new Fleet();
      await fleet.start();
      const writer = fleet.writer('ward-1');
      await fleet.send('ward-1', writer, 2);
      const twin = writer.copy(1);
      await twin.seal('another story');
      await fleet.offer('ward-1', twin, 1);
      await fleet.stop();
      fleet.configure({ listen: `127.0.0.1:${(squatter.address() as { port: number }).port}`, people: [] });
      const { code, stdout } = await checked(fleet);
      expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAILED +ports +the hospital node cannot listen/m)]);
      expect(stdout).toMatch(/^warning +store +readable, 1 chain; 1 lane with two histories/m);
      expect(stdout).toMatch(/^warning +people +upstream\.people names no administrator/m);
    } finally {
      squatter.close();
    }
  });

  it('says how long a certificate of files is good, and what is wrong with it', async () => {
    await using fleet = new Fleet();
    mkdirSync(fleet.data, { mode: 0o700 });
    for (const [days, code, expected] of [[400, 0, /^ok +tls +.+ is good until \d{4}-\d\d-\d\d, \d+ days from now/m], [10, 0, /^warning +tls +.+ is good until/m], [-1, 1, /^FAILED +tls +.+ ended on \d{4}/m]] as const) {
      fleet.configure({ tls: await writeCertificate(fleet.folder, days) });
      expect([days, await checked(fleet)]).toMatchObject([days, { code, stdout: expect.stringMatching(expected) as string }]);
    }
    const files = await writeCertificate(fleet.folder, 400);
    rmSync(files.keyFile);
    expect(await checked(fleet)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^FAILED +tls +.+ cannot be read/m) as string });
    fleet.configure({ tls: 'none', listen: '0.0.0.0:0' });
    expect(await checked(fleet)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^FAILED +tls +none, on 0\.0\.0\.0/m) as string });
  });
});
