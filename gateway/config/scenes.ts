/** Scenes of a rule pack: YAML beside the pack, judged as strictly as the pack. */

import { z } from 'zod';
import type { Scene, SceneReadings, SceneValues } from '../context/scene.ts';
import { ConfigError } from '../errors.ts';
import { Millis, Minutes, UnixMillis } from '../quantity.ts';
import { DOUBTS } from '../reading.ts';
import { count, duration, line, name, number, word } from './fields.ts';
import { nearest } from './nearest.ts';
import { problemAt, problemsOf, tell } from './problems.ts';
import { readText, readYaml } from './yaml-file.ts';

const LONGEST = Minutes(60 * 24 * 60);
const MOST_READINGS = 500_000;
const STARTS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;

const time = (): z.ZodType<Millis, string> => duration(Millis(0), LONGEST);

const values = z.union([
  number('a number'),
  z.array(number('a number'), { error: 'expected a number, a list of numbers, or { from, to }' }).min(1, { error: 'expected at least one number' }),
  z.strictObject({ from: number('a number'), to: number('a number') }),
], { error: 'expected a number, a list of numbers, or { from, to }' });

const readings = z
  .strictObject({
    at: time().describe('When they begin, from the beginning of the scene.'),
    every: z.prefault(time(), '0ms').describe('Repeated this often.'),
    for: z.prefault(time(), '0ms').describe('Repeated for so long.'),
    days: z.prefault(count('days', 1, 60), 1).describe('The same again on so many days. Default 1.'),
    device: z.prefault(name('a device id'), 'device').describe('Which device. Default "device".'),
    room: name('a room id').optional().describe('The room whose sensor it is, and in which the person lives.'),
    doubt: word(...DOUBTS).optional().describe('Why no alarm may rest on it.'),
    late: z.prefault(time(), '0ms').describe('How long before it came it was measured. Default 0ms.'),
    values: z.record(z.string(), values, { error: 'expected values by measurement' }).describe('What is measured: a number, numbers one after the other, or a straight line { from, to }.'),
  })
  .describe('Readings of one sensor.');

const happening = z
  .strictObject({
    at: time().describe('When.'),
    raised: line('the id of a rule', 200).optional().describe('What is raised.'),
    cleared: line('the id of a rule', 200).optional().describe('What is cleared.'),
  })
  .refine(({ raised, cleared }) => (raised === undefined) !== (cleared === undefined), { error: 'expected one of raised and cleared', params: { relation: true } });

const roomKind = (): z.ZodType<Scene['person']['rooms'][string], string> => word('bedroom', 'bathroom', 'kitchen', 'living_room', 'hall', 'other');

const scene = z
  .strictObject({
    name: line('what happens', 200).describe('What happens, in words.'),
    subject: z.prefault(word('patient', 'room'), 'patient').describe('patient or room. Default patient.'),
    spo2Scale: z.prefault(z.union([z.literal(1), z.literal(2)], { error: 'expected 1 or 2' }), 1).describe('SpO2 scale of NEWS2. Default 1.'),
    rooms: z.prefault(z.record(name('a room id'), roomKind()), {}).describe('Rooms in which the person lives alone, by id. Default none.'),
    starts: z.prefault(z.string({ error: 'expected a local time such as "2026-11-23T22:00", or unknown' }).refine((text) => text === 'unknown' || startOf(text) !== undefined, { error: 'expected a local time such as "2026-11-23T22:00", or unknown' }), '2026-11-23T12:00')
      .describe('What local clocks show at the beginning, or unknown. Default 2026-11-23T12:00.'),
    readings: z.array(readings, { error: 'expected a list of readings' }).min(1, { error: 'expected at least one' }).describe('What is measured.'),
    near: z.prefault(z.array(line('the id of a rule', 200), { error: 'expected a list of rules' }), []).describe('Rules that it comes near to and that are not raised. For people, and for counting what was tried.'),
    until: time().optional().describe('How long it is watched. Default: to five minutes after the last reading.'),
    expect: z.prefault(z.array(happening, { error: 'expected a list of what is raised and cleared' }), []).describe('What is found, all of it. Default nothing.'),
  })
  .describe('A scene.');

const file = z.strictObject({ scenes: z.array(scene, { error: 'expected a list of scenes' }).min(1, { error: 'expected at least one scene' }).describe('The scenes.') });

function startOf(text: string): UnixMillis | undefined {
  const instant = STARTS.test(text) ? Date.parse(`${text}:00Z`) : Number.NaN;
  return Number.isNaN(instant) ? undefined : UnixMillis(instant);
}

export type ScenesOptions = Readonly<{
  /** Names of measurements: handed in, because config knows no decoder. */
  measurements: readonly string[];
  /** How many readings a scene has (context/scene.ts). */
  sizeOf: (scene: Scene) => number;
}>;

/** Reads and judges the scenes of a pack. Throws {@link ConfigError}: they cannot be read, or a list of every problem with its line. */
export function loadScenes(path: string, options: ScenesOptions): readonly Scene[] {
  return parseScenes(readText(path, 'the scenes'), path, options);
}

function parseScenes(text: string, path: string, { measurements, sizeOf }: ScenesOptions): readonly Scene[] {
  const { lines, document, content } = readYaml(text, path);
  const result = file.safeParse(content, { reportInput: true });
  if (!result.success) {
    const schema = z.toJSONSchema(file, { io: 'input', target: 'draft-2020-12' });
    throw new ConfigError(tell(path, lines, result.error.issues.flatMap((issue) => problemsOf(issue, { document, schema }))));
  }
  const scenes = result.data.scenes.map(sceneOf);
  const problems = result.data.scenes.flatMap((each, i) => each.readings.flatMap((told, j) => Object.keys(told.values).filter((key) => !measurements.includes(key)).map((key) => {
    const meant = nearest(key, measurements);
    return problemAt(['scenes', i, 'readings', j, 'values', key], `unknown measurement '${key}'${meant === undefined ? '' : `; did you mean '${meant}'?`}`, document);
  })));
  const large = scenes.flatMap((each, i) => (sizeOf(each) > MOST_READINGS ? [problemAt(['scenes', i], `a scene has at most ${MOST_READINGS} readings`, document)] : []));
  if (problems.length + large.length > 0) throw new ConfigError(tell(path, lines, [...problems, ...large]));
  return scenes;
}

function sceneOf({ name: title, subject, spo2Scale, rooms, starts, readings: told, near, until, expect }: z.infer<typeof scene>): Scene {
  const all = told.map((each): SceneReadings => ({ ...each, values: Object.fromEntries(Object.entries(each.values).map(([key, value]) => [key, valuesOf(value)])) }));
  const last = Math.max(...all.map(({ at, for: lasting, days }) => at + lasting + (days - 1) * Minutes(24 * 60)));
  const expected = expect.map(({ at, raised, cleared }) => ({ at, rule: raised ?? cleared ?? '', phase: raised === undefined ? 'cleared' as const : 'raised' as const }));
  return { name: title, person: { kind: subject, spo2Scale, rooms }, starts: startOf(starts), readings: all, near, until: until ?? Millis(last + Minutes(5)), expected };
}

const valuesOf = (value: z.infer<typeof values>): SceneValues => (typeof value === 'number' ? [value] : value);
