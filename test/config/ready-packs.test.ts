import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadPack } from '../../gateway/config/pack.ts';
import { READY_PACKS, pathOfPack } from '../../gateway/config/ready-packs.ts';
import { loadScenes } from '../../gateway/config/scenes.ts';
import { mistakesIn } from '../../gateway/context/contract.ts';
import { readContracts } from '../../gateway/context/read-contracts.ts';
import { sizeOf, tryScene, type Scene } from '../../gateway/context/scene.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';

const inPlaceOf = (name: string, ending: string): string => pathOfPack(name).replace(/\.yaml$/, ending);

describe('the ready packs', () => {
  it('are found by name, and everything else is a path', () => {
    expect(pathOfPack('starter')).toMatch(/^\/.*packs\/starter\.yaml$/);
    for (const each of ['nonsense', './starter', 'starter.yaml', '../config/ready-packs']) expect(pathOfPack(each)).toBe(each);
  });
});

describe.each(READY_PACKS)('the pack %s', (name) => {
  const pack = loadPack(pathOfPack(name), { mistakesIn });
  const scenes = loadScenes(inPlaceOf(name, '.test.yaml'), { measurements: [...MEASUREMENTS.keys()], sizeOf });
  const page = readFileSync(inPlaceOf(name, '.md'), 'utf8');
  const ids = pack.rules.map(({ id }) => id);

  it('is called like its file, and names a source for every rule', () => {
    expect(pack.pack).toBe(name);
    for (const { source } of pack.rules) expect(source.length).toBeGreaterThan(20);
  });

  it('is the same when it is read from the journal', () => {
    expect(readContracts([JSON.parse(JSON.stringify(pack))])).toEqual([pack]);
  });

  it('has a page that explains every rule with its priority, and says that this is no medical device', () => {
    const explained = new Map([...page.matchAll(/^\| `([a-z0-9-]+)` \|.*\| (high|medium|low)[^|]*\|$/gm)].map(([, id, priority]) => [id, priority]));
    expect([...explained]).toEqual(pack.rules.map(({ id, priority }) => [id, priority]));
    expect(page).toContain('**Not a medical device.**');
    expect(page).toContain('What it does not do');
  });

  it('has a scene that raises every rule, and one that comes near and does not', () => {
    const raised = new Set(scenes.flatMap(({ expected }) => expected.filter(({ phase }) => phase === 'raised').map(({ rule }) => rule)));
    const near = new Set(scenes.flatMap((scene) => scene.near));
    expect(ids.filter((id) => !raised.has(id))).toEqual([]);
    expect(ids.filter((id) => !near.has(id))).toEqual([]);
    expect([...near].filter((id) => !ids.includes(id))).toEqual([]);
    for (const scene of scenes) expect(scene.expected.filter(({ rule }) => scene.near.includes(rule))).toEqual([]);
  });

  it.each(scenes.map((scene): [string, Scene] => [scene.name, scene]))('%s', (_, scene) => {
    const { missing, unexpected } = tryScene(scene, pack);
    expect({ missing, unexpected: unexpected.map(({ at, rule, phase }) => ({ at, rule, phase })) }).toEqual({ missing: [], unexpected: [] });
  });
});

describe('the pack starter', () => {
  it('watches for what a gateway without configuration always watched for, and waits for nothing', () => {
    const { rules } = loadPack(pathOfPack('starter'), { mistakesIn });
    expect(rules.map(({ id, when, clear, priority }) => [id, when, clear, priority])).toEqual([
      ['low-oxygen', 'spo2 < 92', 'spo2 >= 94', 'high'],
      ['fast-pulse', 'heart_rate > 130', 'heart_rate <= 120', 'medium'],
      ['slow-pulse', 'heart_rate < 40', 'heart_rate >= 45', 'high'],
      ['fast-pulse-oximeter', 'pulse_rate > 130', 'pulse_rate <= 120', 'medium'],
      ['slow-pulse-oximeter', 'pulse_rate < 40', 'pulse_rate >= 45', 'high'],
      ['fast-breathing', 'respiratory_rate > 25', 'respiratory_rate <= 22', 'high'],
      ['fever', 'body_temperature > 39', 'body_temperature <= 38.5', 'medium'],
      ['stale-air', 'co2 > 2000', 'co2 <= 1500', 'low'],
    ]);
    expect(rules.every((rule) => rule.for === 0 && rule.clearFor === 0)).toBe(true);
  });
});
