import { MEASUREMENTS } from '../decode/measurements.ts';
import type { Millis } from '../quantity.ts';
import { compileCondition, ConditionProblem } from './condition.ts';
import type { Kind, Priority } from './finding.ts';
import { DERIVED } from './vocabulary.ts';

/** One rule of a pack, checked. Conditions are texts (condition.ts). */
export type ContractRule = Readonly<{
  id: string;
  /** Raised when this holds for `for`, unless `unless` holds. */
  when: string;
  /** Cleared when this holds for `clearFor`. Default: when `when` does not. */
  clear?: string | undefined;
  unless?: string | undefined;
  for: Millis;
  clearFor: Millis;
  /** At least this long from one raise to the next. */
  atMostEvery: Millis;
  /** Measured values older than this do not count for it. Default: as long as their measurement usually stands (subject-state.ts). */
  fresh?: Millis | undefined;
  priority: Priority;
  kind: Kind;
  /** For people, with places for what decided: `SpO2 {spo2} % < 92 % for {for}, {activity}, {room}`. */
  message: string;
  /** Where the numbers come from. */
  source: string;
}>;

/** A rule pack, as it is activated and as its hash is taken. */
export type Contract = Readonly<{ pack: string; version: number; description?: string | undefined; rules: readonly ContractRule[] }>;

/** What is wrong with a rule: at a field of it. */
export type RuleMistake = Readonly<{ field: 'when' | 'clear' | 'unless' | 'message'; message: string }>;

/** Everything that is wrong with a rule's conditions and message, each at its field; nothing, when it can be activated. */
export function mistakesIn(rule: Pick<ContractRule, 'when' | 'clear' | 'unless' | 'message'>): readonly RuleMistake[] {
  const conditions = (['when', 'clear', 'unless'] as const).flatMap((field) => {
    const text = rule[field];
    const message = text === undefined ? undefined : problemWith(text);
    return message === undefined ? [] : [{ field, message }];
  });
  const places = unknownPlaces(rule.message).map((place): RuleMistake => ({ field: 'message', message: `{${place}} is no measurement, no name of the vocabulary and none of ${OTHER_PLACES.map((each) => `{${each}}`).join(', ')}` }));
  return [...conditions, ...places];
}

function problemWith(text: string): string | undefined {
  try {
    compileCondition(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConditionProblem)) throw error;
    const { message, start, end } = error;
    const part = text.slice(start, end);
    return part === '' || part === text ? message : `${message}, at "${part}"`;
  }
}

const OTHER_PLACES: readonly string[] = ['for', 'activity', 'room'];
const PLACE = /\{([^{}]*)\}/g;

const unknownPlaces = (message: string): readonly string[] =>
  [...message.matchAll(PLACE)].map(([, place = '']) => place).filter((place) => !MEASUREMENTS.has(place) && !DERIVED.has(place) && !OTHER_PLACES.includes(place));

/** A rule's message with its places filled in; "?" where nothing is known. */
export function wordingOf({ message }: Pick<ContractRule, 'message'>, fill: (place: string) => string | undefined): string {
  return message.replace(PLACE, (_, place: string) => fill(place) ?? '?');
}
