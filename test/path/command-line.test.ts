import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vitalgate } from './program.ts';

const COMMANDS = ['gateway', 'upstream', 'device', 'person', 'quarantine', 'contract', 'reload', 'consent', 'approval', 'break-glass', 'flows', 'disclosures', 'key', 'authority', 'patient', 'pseudonym', 'released', 'backup', 'restore', 'erase', 'trace', 'fhir', 'hl7', 'links', 'status', 'verify', 'prove', 'export', 'check', 'config', 'sim', 'demo'];

describe('the command line', () => {
  it('lists every command, and each says how it is called', async () => {
    const overview = await vitalgate('--help');
    expect(overview.code).toBe(0);
    const listed = [...overview.stdout.matchAll(/^ {2}([a-z0-9-]+) {2}/gm)].map(([, name]) => name);
    expect(listed).toEqual(COMMANDS);
    const helps = await Promise.all(COMMANDS.map((command) => vitalgate(command, '--help')));
    for (const [i, { code, stdout, stderr }] of helps.entries()) {
      expect([code, stdout, stderr]).toEqual([0, expect.stringContaining(`Usage: vitalgate ${COMMANDS[i]}`), '']);
    }
  });

  it.each([
    [['nonsense'], 'unknown command "nonsense"'],
    [['gateway', '--colour', 'red'], '--colour'],
    [['demo', '--seconds', 'soon'], '--seconds takes a whole number'],
    [['trace'], 'which device'],
    [['trace', 'clip', '--last', '--sequence', '3'], 'not both'],
    [['trace', 'clip', '--sequence', '0'], 'counts from 1'],
    [['device', 'paint'], 'expected add, bind, discover, list or revoke'],
    [['device', 'bind', 'clip'], 'exactly one of --patient and --room'],
    [['device', 'add', 'clip', '--patient', 'anna', '--room', 'kitchen'], 'not both'],
    [['device', 'add', 'clip', '--certificate', '--csr', 'x'], 'one of --password-file, --certificate and --csr'],
    [['device', 'add', 'clip', '--csr', '/nowhere/clip.csr'], 'cannot read the certificate request'],
    [['device', 'add', 'clip', '--out', '/nowhere'], '--out is for certificates'],
    [['device', 'add', 'clip', '--qr', '--json'], '--qr is for people'],
    [['device', 'add', 'clip', '--svg', '/nowhere/clip.svg'], 'cannot write /nowhere/clip.svg'],
    [['device', 'remove', 'clip'], 'expected add, bind, discover, list or revoke'],
    [['device', 'revoke'], 'which device'],
    [['device', 'add', '.hidden', '--patient', 'anna'], 'no device id'],
    [['device', 'add', 'clip', '--patient', 'a/b'], 'no patient id'],
    [['contract', 'tear'], 'expected one of check, test, diff, sign, activate, list, replay'],
    [['contract', 'diff', 'starter'], 'takes two packs'],
    [['contract', 'check'], 'which pack'],
    [['quarantine', 'burn'], 'expected list, show or retry'],
    [['quarantine', 'retry'], 'Give one sequence, or --all'],
    [['quarantine', 'list', '--reason', 'bad luck'], 'is no reason'],
    [['verify', 'chain'], 'expected: verify chain'],
    [['verify', 'proof', 'x'], 'whom do you believe'],
    [['verify', 'luck', 'x'], 'expected: verify chain'],
    [['prove', 'luck'], 'expected entry, frame, receipt, growth or policy'],
    [['erase', '--patient', 'a', '--room', 'b'], 'about whom? Give --patient or --room'],
    [['export', 'x'], 'expected: export'],
    [['consent', 'wish'], 'expected keygen, enrol, unenrol, grant, deny, revoke, submit, read, show or decide'],
    [['consent', 'grant', '--patient', 'anna', '--key', '/nowhere/anna.key'], 'consent keygen --key /nowhere/anna.key'],
    [['consent', 'submit'], 'give the files'],
    [['approval', 'buy'], 'expected ask, sign or submit'],
    [['break-glass', 'smash'], 'expected open, end, review or list'],
    [['break-glass', 'review', 'x'], 'which episode'],
    [['break-glass', 'open', '--patient', 'anna'], '--by is missing'],
    [['backup'], 'for whom'],
    [['backup', '--to', 'age1x', '--out', '/nowhere/x.age'], 'is no public key of age'],
    [['restore'], 'expected: restore FILE'],
    [['restore', '/nowhere/x.age', '--identity', '/nowhere/key'], '/nowhere/key cannot be read'],
    [['config'], '--check FILE or --schema'],
    [['sim'], '--credentials FILE'],
    [['gateway', '--config', '/nowhere/vitalgate.yaml'], '/nowhere/vitalgate.yaml'],
  ])('refuses %j with exit code 2 and one line that says why', async (words, message) => {
    const { code, stdout, stderr } = await vitalgate(...words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('says how it is called when nothing was asked', async () => {
    const { code, stdout } = await vitalgate();
    expect([code, stdout]).toEqual([2, expect.stringContaining('Usage: vitalgate <command>')]);
  });
});

describe('"vitalgate config"', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('tells every problem of a file with its line and the nearest key', async () => {
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'gateway:\n  data: ./x\n  mqtt:\n    lisen: 127.0.0.1:1883\n  seal:\n    age: 5\n');
    const { code, stderr } = await vitalgate('config', '--check', file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/:4:5: .*unknown key 'lisen'.*did you mean 'listen'\?/);
    expect(stderr).toMatch(/:6:\d+: .*age/);
    const started = await vitalgate('gateway', '--config', file);
    expect([started.code, started.stderr]).toEqual([2, stderr]);
  });

  it('finds a good file good, and prints a JSON Schema that describes it', async () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'gateway:\n  data: ./x\n');
    expect(await vitalgate('config', '--check', file)).toMatchObject({ code: 0, stdout: `${file}: good\n` });
    const { code, stdout } = await vitalgate('config', '--schema');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', properties: { gateway: {}, upstream: {} } });
  });
});
