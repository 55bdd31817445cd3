import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Site } from './site.ts';
import { Program, vitalgate } from './program.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const OTHER_KEY = '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';

describe('the first run of a gateway', () => {
  it('makes folder, keys and chain, private to their owner, and says where', async () => {
    await using site = await Site.prepare();
    const gateway = await site.startGateway();
    const line = await gateway.ready();
    expect(line).toMatch(new RegExp(`chain [0-9a-f]{32}, data ${site.gatewayData}$`));
    expect(modeOf(site.gatewayData)).toBe('700');
    const keys = readdirSync(site.gatewayData).filter((name) => name.endsWith('.key'));
    expect(keys.sort()).toEqual(['gateway.key', 'node-tls.key', 'vault.key']);
    for (const name of [...keys, 'control.sock']) expect(modeOf(join(site.gatewayData, name))).toBe('600');
    expect(gateway.stderr).toContain(`"folder":"${site.gatewayData}"`);
    expect(gateway.stderr).toContain('gateway.key');
    expect(modeOf(join(site.hospitalData, 'hospital.key'))).toBe('600');
  });

  it('is followed by runs of the same chain, after a stop and after a kill', async () => {
    await using site = await Site.prepare();
    const chainOf = (line: string): string => /chain ([0-9a-f]+)/.exec(line)?.[1] ?? '';
    const first = await site.startGateway();
    const chain = chainOf(await first.ready());
    expect(chain).toHaveLength(32);
    expect((await first.stop()).code).toBe(0);
    const second = await site.startGateway();
    expect(chainOf(await second.ready())).toBe(chain);
    await second.kill();
    const third = await site.startGateway();
    expect(chainOf(await third.ready())).toBe(chain);
    expect((await third.stop('SIGINT')).code).toBe(0);
  });
});

describe('a gateway with a passphrase', () => {
  it('seals its keys, those that lay in clear too, and does not start without it or with another', async () => {
    await using site = await Site.prepare();
    await (await site.startGateway()).stop();
    const clear = readFileSync(join(site.gatewayData, 'gateway.key'), 'utf8').trim();
    const passphrase = join(site.folder, 'passphrase');
    writeFileSync(passphrase, 'correct horse battery', { mode: 0o600 });
    const env = { VITALGATE_PASSPHRASE_FILE: passphrase };
    await using gateway = new Program(['gateway', '--config', site.config], { env });
    const line = await gateway.ready();
    for (const name of ['gateway.key', 'node-tls.key', 'vault.key']) expect(readFileSync(join(site.gatewayData, name), 'utf8')).toMatch(/^vitalgate-sealed-key-1 /);
    expect(readFileSync(join(site.gatewayData, 'gateway.key'), 'utf8')).not.toContain(clear);
    await gateway.stop();
    const without = await vitalgate('gateway', '--config', site.config);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('vitalgate-passphrase')]);
    writeFileSync(passphrase, 'incorrect horse battery', { mode: 0o600 });
    await using other = new Program(['gateway', '--config', site.config], { env });
    expect(await other.ended).toMatchObject({ code: 2, stderr: expect.stringContaining('the passphrase is another') as string });
    writeFileSync(passphrase, 'correct horse battery', { mode: 0o600 });
    await using again = new Program(['gateway', '--config', site.config], { env });
    expect(await again.ready()).toBe(line);
    expect((await vitalgate('check', '--config', site.config)).stdout).toContain('3 key files are sealed');
  });
});

describe('a gateway does not start', () => {
  it('when hospitals were changed under its chain, and says what to do', async () => {
    await using site = await Site.prepare();
    await (await site.startGateway()).stop();
    site.writeConfig(site.sections(OTHER_KEY));
    const { code, stderr } = await vitalgate('gateway', '--config', site.config);
    expect(code).toBe(2);
    expect(stderr).toContain('contradicts the configuration');
    expect(stderr).toContain('its hospital north');
  });

  it('over a data folder or a key that others can read, and says the command that mends it', async () => {
    await using site = await Site.prepare();
    mkdirSync(site.gatewayData, { mode: 0o755 });
    chmodSync(site.gatewayData, 0o755);
    const wide = await vitalgate('gateway', '--config', site.config);
    expect([wide.code, wide.stderr]).toEqual([2, expect.stringContaining(`chmod 700 ${site.gatewayData}`)]);
    chmodSync(site.gatewayData, 0o700);
    await (await site.startGateway()).stop();
    const key = join(site.gatewayData, 'gateway.key');
    chmodSync(key, 0o640);
    const readable = await vitalgate('gateway', '--config', site.config);
    expect([readable.code, readable.stderr]).toEqual([2, expect.stringContaining(`chmod 600 ${key}`)]);
  });

  it('twice on one data folder', async () => {
    await using site = await Site.prepare();
    await site.startGateway();
    const second = await vitalgate('gateway', '--config', site.config);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('in use by another process');
  });
});
