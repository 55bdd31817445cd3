import { formatDuration } from '../quantity.ts';
import type { Contract, ContractRule } from './contract.ts';

/** What is different in `after`, rule by rule and in words; nothing when both say the same. */
export function differencesOf(before: Contract, after: Contract): readonly string[] {
  const [old, new_] = [byId(before), byId(after)];
  return [
    ...changed('pack', before.pack, after.pack),
    ...changed('version', before.version, after.version),
    ...changed('description', before.description, after.description),
    ...before.rules.filter(({ id }) => !new_.has(id)).map((rule) => `removed ${summaryOf(rule)}`),
    ...after.rules.filter(({ id }) => !old.has(id)).map((rule) => `added ${summaryOf(rule)}`),
    ...after.rules.flatMap((rule) => {
      const was = old.get(rule.id);
      return was === undefined ? [] : FIELDS.flatMap((field) => changed(`${rule.id}: ${field}`, shown(was, field), shown(rule, field)));
    }),
  ];
}

const FIELDS = ['when', 'clear', 'unless', 'for', 'clearFor', 'atMostEvery', 'fresh', 'priority', 'kind', 'message', 'source'] as const satisfies readonly (keyof ContractRule)[];

const byId = ({ rules }: Contract): ReadonlyMap<string, ContractRule> => new Map(rules.map((rule) => [rule.id, rule]));

const summaryOf = (rule: ContractRule): string => `${rule.id} (${rule.priority}): ${rule.when}, for ${formatDuration(rule.for)}`;

function shown(rule: ContractRule, field: (typeof FIELDS)[number]): string | undefined {
  const value = rule[field];
  return typeof value === 'number' ? formatDuration(value) : value;
}

function changed(what: string, before: string | number | undefined, after: string | number | undefined): readonly string[] {
  if (before === after) return [];
  return [`${what} ${before ?? 'nothing'} → ${after ?? 'nothing'}`];
}
