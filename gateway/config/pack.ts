/** Rule packs: YAML files of their own, judged as strictly as the configuration file and with the same messages. */

import { z } from 'zod';
import type { Contract, ContractRule, RuleMistake } from '../context/contract.ts';
import { ConfigError } from '../errors.ts';
import { Millis, Minutes, Seconds } from '../quantity.ts';
import { count, duration, line, name, word } from './fields.ts';
import { problemAt, problemsOf, tell, type Problem } from './problems.ts';
import { readText, readYaml } from './yaml-file.ts';

const MOST_RULES = 1000;
const LONGEST_DWELL = Minutes(7 * 24 * 60);
const condition = (): z.ZodType<string, string> => line('a condition such as "spo2 < 92 && activity != \\"walk\\""', 1000);
const wait = (meaning: string): z.ZodPrefault<z.ZodType<Millis, string>> => z.prefault(duration(Millis(0), LONGEST_DWELL), '0ms').describe(`${meaning}, a duration. Default 0ms.`);

const rule = z
  .strictObject({
    id: name('a rule id').describe('Name of the rule in events; unique in its pack.'),
    when: condition().describe('Raised when this holds (CEL).'),
    clear: condition().optional().describe('Cleared when this holds (CEL). Default: when "when" does not.'),
    unless: condition().optional().describe('Not raised while this holds (CEL).'),
    for: wait('How long "when" must hold before it is raised'),
    clearFor: wait('How long "clear" must hold before it is cleared'),
    atMostEvery: wait('How long from one raise to the next at least'),
    fresh: duration(Seconds(1), LONGEST_DWELL).optional().describe('How old a measured value may be to count for it, a duration. Default: by measurement.'),
    priority: word('high', 'medium', 'low').describe('Priority of the alarm condition (IEC 60601-1-8).'),
    kind: z.prefault(word('physiological', 'technical'), 'physiological').describe('physiological or technical (IEC 60601-1-8). Default physiological.'),
    message: line('a message for people', 300).describe('What is told, with places such as {spo2}, {for}, {activity}, {room}.'),
    source: line('the source of the numbers', 1000).describe('Where the numbers come from.'),
  })
  .describe('A rule of a pack.');

const pack = z
  .strictObject({
    pack: name('the name of a pack').describe('Name of the pack.'),
    version: count('versions', 1, 1_000_000).describe('Counts up with every change.'),
    description: line('a description', 2000).optional().describe('Whom it is for.'),
    rules: z
      .array(rule, { error: 'expected a list of rules' })
      .min(1, { error: 'expected at least one rule' })
      .max(MOST_RULES, { error: `expected at most ${MOST_RULES} rules` })
      .describe('The rules.'),
  })
  .describe('A rule pack of Vitalgate.');

export type PackOptions = Readonly<{
  /** What is wrong with a rule's conditions and message: handed in, because config knows no condition. */
  mistakesIn: (rule: Pick<ContractRule, 'when' | 'clear' | 'unless' | 'message'>) => readonly RuleMistake[];
}>;

/** Reads and judges a rule pack. Throws {@link ConfigError} when it cannot be read, and otherwise as {@link parsePack}. */
export function loadPack(path: string, options: PackOptions): Contract {
  return parsePack(readText(path, 'the rule pack'), path, options);
}

/** Judges the text of a rule pack. Throws one {@link ConfigError} that lists every problem with its line, as parseConfig does. */
export function parsePack(text: string, file: string, { mistakesIn }: PackOptions): Contract {
  const { lines, document, content } = readYaml(text, file);
  const result = pack.safeParse(content, { reportInput: true });
  const schema = z.toJSONSchema(pack, { io: 'input', target: 'draft-2020-12' });
  const problems: Problem[] = result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(issue, { document, schema }));
  for (const { path, message } of mistakesOfRules(content, mistakesIn)) problems.push(problemAt(path, message, document));
  if (!result.success || problems.length > 0) throw new ConfigError(tell(file, lines, problems));
  return result.data;
}

/** Looked for in the file as it was written, so that they are told together with all others. */
function mistakesOfRules(content: unknown, mistakesIn: PackOptions['mistakesIn']): Readonly<{ path: readonly PropertyKey[]; message: string }>[] {
  const rules = fieldsOf(content)['rules'];
  if (!Array.isArray(rules)) return [];
  const ids = rules.map((each) => textOf(fieldsOf(each)['id']));
  return rules.flatMap((each, index) => {
    const { when, clear, unless, message } = fieldsOf(each);
    const texts = { when: textOf(when) ?? 'true', clear: textOf(clear), unless: textOf(unless), message: textOf(message) ?? '' };
    const id = ids[index];
    const twice = id !== undefined && ids.indexOf(id) < index ? [{ path: ['rules', index, 'id'], message: `rule id '${id}' is used twice` }] : [];
    return [...twice, ...mistakesIn(texts).map(({ field, message: text }) => ({ path: ['rules', index, field], message: text }))];
  });
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {});
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
