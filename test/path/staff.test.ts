import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { Program, vitalgate } from './program.ts';

describe('the staff of a hospital', () => {
  let folder: string;
  let config: string;
  const programs: Program[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-staff-'));
    config = join(folder, 'vitalgate.yaml');
    const people = '[{ name: otto, role: administrator }, { name: cho, role: clinician }]';
    writeFileSync(config, `upstream:\n  { name: north, data: ${join(folder, 'hospital')}, listen: "127.0.0.1:0", gateways: open, people: ${people} }\n`, { mode: 0o600 });
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.kill()));
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<string> {
    const program = new Program(['upstream', '--config', config]);
    programs.push(program);
    return /https:\/\/[^,]+/.exec(await program.ready())?.[0] ?? '';
  }

  async function token(...words: readonly string[]): Promise<{ secret: string; id: string }> {
    const { code, stdout, stderr } = await vitalgate('upstream', 'token', ...words, '--json', '--config', config);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as { secret: string; id: string };
  }

  async function who(address: string, secret: string): Promise<unknown> {
    return await (await nodeFetch(new URL('/v1/session', address), { headers: { authorization: `Bearer ${secret}` } })).json();
  }

  it('gets tokens before the node runs and while it does, and loses them at once', async () => {
    const before = await token('otto');
    const address = await start();
    expect(statSync(join(folder, 'hospital', 'control.sock')).mode & 0o777).toBe(0o600);
    const meanwhile = await token('cho', '--expires', '1h');
    expect([await who(address, before.secret), await who(address, meanwhile.secret)]).toEqual([{ person: 'otto', role: 'administrator' }, { person: 'cho', role: 'clinician' }]);
    const { stdout } = await vitalgate('upstream', 'tokens', '--config', config);
    expect(stdout.split('\n').map((line) => line.split(/\s+/).slice(0, 3))).toEqual([['ID', 'PERSON', 'ACCESS'], [meanwhile.id, 'cho', 'clinician'], [before.id, 'otto', 'administrator'], ['']]);
    const revoked = await vitalgate('upstream', 'revoke', 'cho', '--config', config);
    expect([revoked.code, revoked.stdout]).toEqual([0, `revoked ${meanwhile.id} of cho\n`]);
    expect(await who(address, meanwhile.secret)).toMatchObject({ error: 'invalid_token' });
  });

  it('is who the configuration says, and nobody else gets one', async () => {
    const { code, stderr } = await vitalgate('upstream', 'token', 'eve', '--config', config);
    expect([code, stderr]).toEqual([2, 'vitalgate: "eve" is nobody in upstream.people of the configuration: there are otto, cho\n']);
    for (const [words, message] of [
      [['token'], 'whose token? Give a name of upstream.people'], [['revoke', 'cho'], '"vitalgate upstream tokens" lists them'], [['chair'], 'upstream chair: expected nothing, or one of'],
    ] as const) {
      const refused = await vitalgate('upstream', ...words, '--config', config);
      expect([words, refused.code]).toEqual([words, 2]);
      expect(refused.stderr).toContain(message);
    }
    const twice = await vitalgate('upstream', 'tokens', '--config', config, '--json');
    expect([twice.code, twice.stdout, existsSync(join(folder, 'hospital', 'control.sock'))]).toEqual([0, '[]\n', false]);
  });
});
