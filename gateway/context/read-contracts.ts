import { DecodeError } from '../errors.ts';
import type { Millis } from '../quantity.ts';
import { mistakesIn, type Contract, type ContractRule } from './contract.ts';
import { KINDS, PRIORITIES } from './finding.ts';

type Fields = Readonly<Record<string, unknown>>;

const MOST_RULES = 1000;

/**
 * The contracts of an `operator` frame. A journal outlives the program that wrote it, so what stands there is checked before it is
 * applied; members of later versions are left out. Throws {@link DecodeError} `wrong_shape` for the first thing this version cannot apply.
 */
export function readContracts(values: readonly unknown[]): readonly Contract[] {
  const contracts = values.map(readContract);
  const names = contracts.map(({ pack }) => pack);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw wrong(`two packs are called ${twice}`);
  if (contracts.reduce((sum, { rules }) => sum + rules.length, 0) > MOST_RULES) throw wrong(`more than ${MOST_RULES} rules`);
  return contracts;
}

function readContract(value: unknown): Contract {
  const { pack, version, description, rules } = fieldsOf(value);
  if (!isText(pack) || !Number.isSafeInteger(version) || !Array.isArray(rules)) throw wrong('a pack has a name, a version and rules');
  const read = rules.map((rule) => readRule(fieldsOf(rule), pack));
  const ids = read.map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw wrong(`two rules of ${pack} have one id`);
  return { pack: canonical(pack), version: version as number, ...(isText(description) ? { description: canonical(description) } : {}), rules: read };
}

function readRule(rule: Fields, pack: string): ContractRule {
  const { id, when, clear, unless, message, source } = rule;
  const [priority, kind] = [PRIORITIES.find((each) => each === rule['priority']), KINDS.find((each) => each === rule['kind'])];
  const [held, clearFor, atMostEvery] = [durationOf(rule['for']), durationOf(rule['clearFor']), durationOf(rule['atMostEvery'])];
  const fresh = rule['fresh'] === undefined ? undefined : durationOf(rule['fresh']);
  if (fresh === undefined && rule['fresh'] !== undefined) throw wrong(`a rule of ${pack} is none of this version`);
  const complete = isText(id) && isText(when) && isTextOrAbsent(clear) && isTextOrAbsent(unless) && isText(message) && isText(source);
  if (!complete || priority === undefined || kind === undefined || held === undefined || clearFor === undefined || atMostEvery === undefined) {
    throw wrong(`a rule of ${pack} is none of this version`);
  }
  const texts = { when, ...(clear === undefined ? {} : { clear }), ...(unless === undefined ? {} : { unless }) };
  const [mistake] = mistakesIn({ ...texts, message });
  if (mistake !== undefined) throw wrong(`${pack}/${id}, ${mistake.field}: ${mistake.message}`);
  return { id: canonical(id), ...texts, for: held, clearFor, atMostEvery, ...(fresh === undefined ? {} : { fresh }), priority, kind, message: canonical(message), source: canonical(source) };
}

const wrong = (what: string): DecodeError => new DecodeError('wrong_shape', `the contracts cannot be applied: ${what}`);
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTextOrAbsent = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string';
const durationOf = (value: unknown): Millis | undefined => (Number.isFinite(value) && (value as number) >= 0 ? (value as Millis) : undefined);

/** Text as the ledger encodes it (ledger/cbor.ts): well-formed, Unicode normalisation form C, no byte order mark in front. */
const canonical = (text: string): string => text.toWellFormed().replace(/^\uFEFF+/, '').normalize('NFC');
