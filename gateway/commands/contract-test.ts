import { loadPack } from '../config/pack.ts';
import { loadScenes } from '../config/scenes.ts';
import { mistakesIn } from '../context/contract.ts';
import { sizeOf, tryScene, type Expectation, type Outcome, type Scene } from '../context/scene.ts';
import { MEASUREMENTS } from '../decode/measurements.ts';
import type { Millis } from '../quantity.ts';
import { counted, type Environment } from './command.ts';

const SCENES = '.test.yaml';

/**
 * Plays the scenes of one pack and tells how each went; true when all went as expected. `path`: of the pack or of its scenes, the
 * one lies beside the other. Throws ConfigError when either cannot be read.
 */
export function testPack(path: string, out: Environment['out']): boolean {
  const [pack, file] = path.endsWith(SCENES) ? [`${path.slice(0, -SCENES.length)}.yaml`, path] : [path, `${path.replace(/\.ya?ml$/, '')}${SCENES}`];
  const contract = loadPack(pack, { mistakesIn });
  const scenes = loadScenes(file, { measurements: [...MEASUREMENTS.keys()], sizeOf });
  const outcomes = scenes.map((scene) => [scene, tryScene(scene, contract)] as const);
  for (const [scene, outcome] of outcomes) tell(scene, outcome, out);
  const failed = outcomes.filter(([, outcome]) => !isGood(outcome)).length;
  const raised = new Set(outcomes.flatMap(([, { happened }]) => happened.map(({ rule }) => rule)));
  const untried = contract.rules.map(({ id }) => id).filter((id) => !raised.has(id));
  out(`${file}: ${counted(scenes.length, 'scene')}, ${failed === 0 ? 'all as expected' : `${failed} not as expected`}`);
  if (untried.length > 0) out(`${file}: no scene raises ${untried.join(', ')}`);
  return failed === 0;
}

const isGood = ({ missing, unexpected }: Outcome): boolean => missing.length + unexpected.length === 0;

function tell({ name }: Scene, outcome: Outcome, out: Environment['out']): void {
  out(`${isGood(outcome) ? 'pass' : 'FAIL'}  ${name}`);
  for (const each of outcome.missing) out(`      expected, did not come:  ${inWords(each)}`);
  for (const each of outcome.unexpected) out(`      came, was not expected:  ${inWords(each)}: ${each.finding.message}`);
}

/** As a file of scenes writes it. */
const inWords = ({ at, phase, rule }: Expectation): string => `{ at: ${spell(at)}, ${phase}: ${rule} }`;

function spell(at: Millis): string {
  for (const [unit, length] of [['h', 3_600_000], ['min', 60_000], ['s', 1000]] as const) if (at % length === 0) return `${at / length}${unit}`;
  return `${at}ms`;
}
