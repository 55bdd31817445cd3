import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../gateway/context/condition.ts';
import { DERIVED } from '../../gateway/context/vocabulary.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';

const PAGE = readFileSync(new URL('../../gateway/context/vocabulary.md', import.meta.url), 'utf8');
/** Every table of the page in one: cells by the name in the first. */
const rows = new Map([...PAGE.matchAll(/^\| `([a-z0-9_]+)` \| (.*) \|$/gm)].map(([, name = '', rest = '']) => [name, rest.split(' | ')]));

describe('the page of the vocabulary', () => {
  it('has a row for every name that is worked out, with its type, unit, range, meaning and when it is known', () => {
    for (const [name, { type, unit, range, words, meaning, known }] of DERIVED) {
      const values = type === 'bool' ? 'true, false' : words === undefined ? `${range?.[0]} to ${range?.[1]}` : words.join(', ');
      expect([name, rows.get(name)]).toEqual([name, [type === 'number' ? unit : '', values, meaning, known]]);
    }
  });

  it('has a row for every measurement, with its unit and range', () => {
    for (const [name, { unit, plausible: [lowest, highest] }] of MEASUREMENTS) expect([name, rows.get(name)]).toEqual([name, [unit, `${lowest} to ${highest}`]]);
  });

  it('names nothing else', () => {
    expect([...rows.keys()].filter((name) => !DERIVED.has(name) && !MEASUREMENTS.has(name))).toEqual([]);
  });

  it('has only examples that can be activated', () => {
    const examples = [...PAGE.matchAll(/^ {4}(\S.*)$/gm)].map(([, text = '']) => text);
    expect(examples.length).toBeGreaterThan(5);
    for (const each of examples) compileCondition(each);
  });
});

describe('a name that is worked out', () => {
  it('is called like no measurement, and changes with measurements there are', () => {
    for (const [name, { changesWith, shows }] of DERIVED) {
      expect(MEASUREMENTS.has(name)).toBe(false);
      for (const each of [...changesWith, ...shows]) expect(MEASUREMENTS.has(each)).toBe(true);
    }
  });

  it('can be compared within its range and its words only, on either side', () => {
    for (const [name, { type, range, words }] of DERIVED) {
      if (type === 'bool') compileCondition(`${name} || !${name}`);
      for (const word of words ?? []) compileCondition(`"${word}" == ${name} || ${name} in ["${word}"]`);
      if (words !== undefined) for (const text of [`${name} == "roof"`, `${name} in ["roof"]`]) expect(() => compileCondition(text)).toThrow('is one of');
      if (range === undefined) continue;
      for (const limit of range) compileCondition(`${name} >= ${limit} || ${limit} < ${name}`);
      expect(() => compileCondition(`${name} > ${range[1] + 1}`)).toThrow('the same whatever is measured');
      expect(() => compileCondition(`${range[0] - 1} < ${name}`)).toThrow('the same whatever is measured');
    }
  });
});
