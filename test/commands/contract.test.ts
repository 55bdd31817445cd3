import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contractCommand } from '../../gateway/commands/contract.ts';
import type { Environment } from '../../gateway/commands/command.ts';

const PACK = `pack: small
version: 1
rules:
  - id: low
    when: spo2 < 92
    clear: spo2 >= 94
    for: 1min
    fresh: 2min
    priority: high
    message: "SpO2 {spo2} %"
    source: "test"
  - id: hot
    when: body_temperature > 39
    priority: low
    message: "hot"
    source: "test"
`;
const SCENES = `scenes:
  - name: low for long
    readings:
      - { at: 0s, every: 10s, for: 3min, values: { spo2: [90, 91] } }
      - { at: 3min, values: { spo2: 95 } }
    expect:
      - { at: 1min, raised: low }
      - { at: 3min, cleared: low }
  - name: one low value, and none after it
    near: [low]
    readings:
      - { at: 0s, values: { spo2: 93 } }
      - { at: 30s, values: { spo2: 91, heart_rate: { from: 60, to: 60 } } }
      - { at: 70s, values: { spo2: 93 } }
`;

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'contract-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

async function run(...positionals: readonly string[]): Promise<Readonly<{ code: number; lines: readonly string[] }>> {
  const lines: string[] = [];
  const environment = { out: (line: string) => lines.push(line) } as unknown as Environment;
  const code = await Promise.resolve().then(() => contractCommand.run({ values: {}, positionals }, environment));
  return { code, lines: lines.map((line) => line.replaceAll(`${folder}/`, '')) };
}

describe('contract test', () => {
  it('plays the scenes beside a pack, by either name of the two, and says which rules no scene raises', async () => {
    const [pack, scenes] = [put('good.yaml', PACK), put('good.test.yaml', SCENES)];
    const lines = ['pass  low for long', 'pass  one low value, and none after it', 'good.test.yaml: 2 scenes, all as expected', 'good.test.yaml: no scene raises hot'];
    expect(await run('test', pack)).toEqual({ code: 0, lines });
    expect(await run('test', scenes)).toEqual({ code: 0, lines });
  });

  it('ends with 1 and says what came instead, as the file would write it', async () => {
    const pack = put('bad.yaml', PACK.replace('for: 1min', 'for: 90s'));
    put('bad.test.yaml', SCENES);
    expect(await run('test', pack)).toEqual({ code: 1, lines: [
      'FAIL  low for long', '      expected, did not come:  { at: 1min, raised: low }', '      came, was not expected:  { at: 90s, raised: low }: SpO2 91 %',
      'pass  one low value, and none after it', 'bad.test.yaml: 2 scenes, 1 not as expected', 'bad.test.yaml: no scene raises hot',
    ] });
  });

  it('keeps a value for as long as the rule says it is fresh', async () => {
    const scene = 'scenes:\n  - name: a value and silence\n    readings:\n      - { at: 0s, values: { spo2: 90 } }\n';
    const expected = '    expect:\n      - { at: 3min, raised: low }\n';
    put('fresh.test.yaml', scene);
    expect((await run('test', put('fresh.yaml', PACK.replace('for: 1min', 'for: 3min')))).code).toBe(0);
    put('long.test.yaml', scene + expected);
    expect((await run('test', put('long.yaml', PACK.replace('for: 1min', 'for: 3min').replace('fresh: 2min', 'fresh: 4min')))).code).toBe(0);
  });

  const wrong: readonly [what: string, from: string, to: string, problem: RegExp][] = [
    ['a measurement nobody has', 'spo2: 95', 'sp02: 95', /5:37: scenes\[0\]\.readings\[1\]\.values\.sp02: unknown measurement 'sp02'; did you mean 'spo2'\?/],
    ['a duration without unit', 'at: 3min, cleared', 'at: 3, cleared', /expected a duration/],
    ['a finding that is neither raised nor cleared', 'at: 3min, cleared: low', 'at: 3min', /expected one of raised and cleared/],
    ['a mistyped key', 'near:', 'nera:', /unknown key 'nera'.*did you mean 'near'/],
    ['a time nobody can read', 'name: low for long', 'name: x\n    starts: "noon"', /starts: expected a local time/],
    ['more readings than anybody can watch', 'every: 10s, for: 3min', 'every: 1ms, for: 1h', /at most 500000 readings/],
  ];
  it.each(wrong)('refuses scenes with %s, with the line', async (_, from, to, problem) => {
    const pack = put('wrong.yaml', PACK);
    put('wrong.test.yaml', SCENES.replace(from, to));
    await expect(run('test', pack)).rejects.toThrow(problem);
  });

  it('says which file is missing', async () => {
    await expect(run('test', put('alone.yaml', PACK))).rejects.toThrow('cannot read the scenes');
  });
});

describe('contract diff', () => {
  it('says rule by rule what is different, and ends with 1', async () => {
    const [a, b] = [put('a.yaml', PACK), put('b.yaml', PACK.replace('version: 1', 'version: 2').replace('spo2 < 92', 'spo2 < 90').replace('for: 1min', 'for: 2min').replace('    fresh: 2min\n', '').replace('id: hot', 'id: hotter'))];
    expect(await run('diff', a, b)).toEqual({ code: 1, lines: [
      'version 1 → 2', 'removed hot (low): body_temperature > 39, for 0 ms', 'added hotter (low): body_temperature > 39, for 0 ms',
      'low: when spo2 < 92 → spo2 < 90', 'low: for 1 min → 2 min', 'low: fresh 2 min → nothing',
    ] });
  });

  it('ends with 0 when both say the same, in whatever words of YAML', async () => {
    expect(await run('diff', put('a.yaml', PACK), put('c.yaml', PACK.replace('for: 1min', 'for: 60s')))).toEqual({ code: 0, lines: ['no difference'] });
    expect(await run('diff', 'starter', 'starter')).toEqual({ code: 0, lines: ['no difference'] });
  });
});
