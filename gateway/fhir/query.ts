/** Reads what is searched for (FHIR R4, 3.1.1). */

import { readDate, type DateCondition } from './dates.ts';
import { refused } from './outcome.ts';

/** `system|code`, `|code` (of no system), `code` (of any), `system|` (any of it). */
export type Token = Readonly<{ system?: string; code?: string }>;

export type ParameterType = 'token' | 'date' | 'reference';
export type Parameters = Readonly<Record<string, ParameterType>>;

/** Values of one parameter, any of which may hold; several of a name stand for conditions that all hold. */
export type Condition =
  | Readonly<{ name: string; type: 'token'; any: readonly Token[] }>
  | Readonly<{ name: string; type: 'date'; any: readonly DateCondition[] }>
  | Readonly<{ name: string; type: 'reference'; any: readonly string[] }>
  /** `patient.identifier`: of whoever is referred to. */
  | Readonly<{ name: string; type: 'chained'; any: readonly Token[] }>;

export type Query = Readonly<{
  conditions: readonly Condition[];
  /** Resources on a page. */
  count: number;
  /** A name of a parameter, with `-` before it for the last first. */
  sort?: string;
  /** Of what was asked, what is heeded: names and values. */
  used: readonly (readonly [name: string, value: string])[];
}>;

const MOST_COUNT = 500;
const USUAL_COUNT = 50;
const MOST_PARAMETERS = 64;
const MOST_VALUES = 200;
const LONGEST_VALUE = 2000;

/** Not of one type of resource. */
const COMMON: Parameters = { _id: 'token' };
/** Asked of every search, and answered elsewhere. */
const ELSEWHERE: readonly string[] = ['_format', '_pretty', '_cursor'];

export type QueryOptions = Readonly<{ parameters: Parameters; sorts: readonly string[]; /** Refuse what is not known here; else leave it out. */ strict: boolean }>;

/** Throws {@link RequestError} 400. */
export function readQuery(given: readonly (readonly [string, string])[], { parameters, sorts, strict }: QueryOptions): Query {
  if (given.length > MOST_PARAMETERS) throw refused(400, 'invalid', `${given.length} parameters: expected at most ${MOST_PARAMETERS}`);
  const conditions: Condition[] = [];
  const used: (readonly [string, string])[] = [];
  let count = USUAL_COUNT;
  let sort: string | undefined;
  for (const [name, value] of given) {
    if (ELSEWHERE.includes(name)) continue;
    if (value.length > LONGEST_VALUE) throw refused(400, 'value', `${shown(name)}: expected at most ${LONGEST_VALUE} characters`);
    if (name === '_count') count = readCount(value);
    else if (name === '_sort') sort = readSort(value, sorts);
    else {
      const condition = conditionIn(name, value, { ...COMMON, ...parameters });
      if (condition === undefined) {
        if (strict) throw refused(400, 'not-supported', `parameter ${shown(name)} is not known here: see /fhir/metadata`);
        continue;
      }
      conditions.push(condition);
    }
    used.push([name, value]);
  }
  return { conditions, count, ...(sort !== undefined && { sort }), used };
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 40));

function conditionIn(name: string, value: string, parameters: Parameters): Condition | undefined {
  const [base = '', chained] = name.split('.');
  const [plain = '', modifier] = base.split(':');
  const type = Object.hasOwn(parameters, plain) ? parameters[plain] : undefined;
  if (type === undefined) return undefined;
  // What a modifier means must not be left out: the answer would be another one (3.1.1.4.4).
  if (modifier !== undefined) throw refused(400, 'not-supported', `modifier of ${shown(name)} is not known here`);
  const values = valuesIn(value);
  if (values.length > MOST_VALUES) throw refused(400, 'value', `${shown(name)}: expected at most ${MOST_VALUES} values`);
  if (chained !== undefined) {
    if (type !== 'reference' || name !== `${plain}.identifier`) throw refused(400, 'not-supported', `${shown(name)} is not known here: expected ${plain}.identifier`);
    return { name: plain, type: 'chained', any: values.map(tokenIn) };
  }
  switch (type) {
    case 'token': return { name: plain, type, any: values.map(tokenIn) };
    case 'date': return { name: plain, type, any: values.map((each) => readDate(plain, unescaped(each))) };
    case 'reference': return { name: plain, type, any: values.map(unescaped) };
  }
}

/** Separated by commas that no backslash is before; an escape stays in for whoever takes the value apart. */
const valuesIn = (text: string): readonly string[] => (text.match(/(?:\\[^]|[^\\,])+/g) ?? []);
const unescaped = (text: string): string => text.replaceAll(/\\([\\,|$])/g, '$1');

function tokenIn(text: string): Token {
  const at = /^(?:\\[^]|[^\\|])*\|/.exec(text)?.[0].length;
  if (at === undefined) return { code: unescaped(text) };
  const [system, code] = [unescaped(text.slice(0, at - 1)), unescaped(text.slice(at))];
  return { system, ...(code !== '' && { code }) };
}

function readCount(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw refused(400, 'value', `_count=${text.slice(0, 20)}: expected a whole number`);
  return Math.min(MOST_COUNT, Number(text));
}

function readSort(text: string, sorts: readonly string[]): string {
  if (!sorts.includes(text.replace(/^-/, ''))) throw refused(400, 'not-supported', `_sort=${text.slice(0, 40)}: expected ${sorts.length === 0 ? 'none' : `one of ${sorts.join(', ')}, or with - before it`}`);
  return text;
}

/** Whether one of a resource's codes or identifiers is meant. */
export const isToken = ({ system, code }: Token, found: Readonly<{ system?: string; value?: string }>): boolean =>
  (system === undefined || (found.system ?? '') === system) && (code === undefined || found.value === code);
