import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from '../../gateway/config/nearest.ts';

/** The definition, tried out literally: which is shortest of all ways to treat the last letters. */
function naiveDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const ways = [
    naiveDistance(a.slice(0, -1), b) + 1,
    naiveDistance(a, b.slice(0, -1)) + 1,
    naiveDistance(a.slice(0, -1), b.slice(0, -1)) + (a.at(-1) === b.at(-1) ? 0 : 1),
  ];
  const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
  if (swapped) ways.push(naiveDistance(a.slice(0, -2), b.slice(0, -2)) + 1);
  return Math.min(...ways);
}

describe('the distance between two words', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });

  it('is what the definition says', () => {
    fc.assert(fc.property(word, word, (a, b) => editDistance(a, b) === naiveDistance(a, b)), { numRuns: 300 });
  });

  it('is the same in both directions and nothing only between equal words', () => {
    fc.assert(fc.property(word, word, (a, b) => editDistance(a, b) === editDistance(b, a) && (editDistance(a, b) === 0) === (a === b)));
  });
});

describe('the nearest word', () => {
  const typos = [['hospitls', 'hospitals'], ['maxpayload', 'maxPayload'], ['lsiten', 'listen'], ['quorom', 'quorum']] as const;
  it.each(typos)('for %s is %s', (typed, meant) => {
    expect(nearest(typed, ['listen', 'hospitals', 'maxPayload', 'quorum'])).toBe(meant);
  });

  it('is none when everything is far', () => {
    expect(nearest('password', ['listen', 'data'])).toBeUndefined();
    expect(nearest('x', ['on', 'at'])).toBeUndefined();
    expect(nearest('anything', [])).toBeUndefined();
  });
});
