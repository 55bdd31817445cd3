import { assert, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { approach, Random, Wander, xoshiro128, type XoshiroState } from '../../firmware-sim/random.ts';
import { at } from './at.ts';

const MASK = 0xffff_ffffn;
const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & MASK;
type BigState = [bigint, bigint, bigint, bigint];

/** The generator transcribed from its definition, in big integers. */
function naive(s: BigState): bigint {
  const result = (rotl((s[1] * 5n) & MASK, 7n) * 9n) & MASK;
  const t = (s[1] << 9n) & MASK;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 11n);
  return result;
}

const draw = (random: Random, n: number): number[] => Array.from({ length: n }, () => random.next());

describe('xoshiro128**', () => {
  it('gives the published numbers for the state 1, 2, 3, 4', () => {
    const state: XoshiroState = [1, 2, 3, 4];
    expect(Array.from({ length: 6 }, () => xoshiro128(state))).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
  });

  it('agrees with the definition from any state', () => {
    const word = integer({ min: 0, max: 2 ** 32 - 1 });
    assert(property(tuple(word, word, word, word), (words) => {
      const state: XoshiroState = [...words];
      const twin: BigState = [BigInt(words[0]), BigInt(words[1]), BigInt(words[2]), BigInt(words[3])];
      for (let i = 0; i < 20; i++) expect(BigInt(xoshiro128(state))).toBe(naive(twin));
    }), { numRuns: 50 });
  });
});

describe('Random', () => {
  it('repeats itself for the same seed and differs for another', () => {
    expect(draw(new Random(7), 5)).toEqual(draw(new Random(7), 5));
    expect(draw(new Random(7), 5)).not.toEqual(draw(new Random(8), 5));
  });

  it('splits into streams that do not depend on what was drawn before', () => {
    const used = new Random('seed');
    draw(used, 100);
    expect(draw(used.split('heart'), 5)).toEqual(draw(new Random('seed').split('heart'), 5));
    expect(draw(used.split('heart'), 5)).not.toEqual(draw(used.split('breath'), 5));
  });

  it('stays in [0, 1) and fills it evenly', () => {
    const random = new Random(1);
    const tenths = Map.groupBy(draw(random, 20_000), (x) => Math.floor(x * 10));
    expect([...tenths.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const { length } of tenths.values()) expect(Math.abs(length - 2000)).toBeLessThan(250);
  });

  it('draws normal values with mean 0 and deviation 1', () => {
    const random = new Random(2);
    const values = Array.from({ length: 20_000 }, () => random.gaussian());
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  });

  it('draws waiting times with the mean asked for', () => {
    const random = new Random(3);
    const sum = Array.from({ length: 20_000 }, () => random.exponential(60)).reduce((a, b) => a + b, 0);
    expect(Math.abs(sum / 20_000 - 60)).toBeLessThan(2);
  });
});

describe('Wander', () => {
  it('keeps its deviation and forgets with its time constant', () => {
    const wander = new Wander(2, 20, new Random(4));
    const values = Array.from({ length: 50_000 }, () => wander.step());
    const covariance = (lag: number): number => values.slice(lag).reduce((sum, x, i) => sum + x * at(values, i), 0) / (values.length - lag);
    expect(Math.sqrt(covariance(0))).toBeCloseTo(2, 0);
    expect(covariance(20) / covariance(0)).toBeCloseTo(Math.exp(-1), 1);
  });
});

describe('approach', () => {
  it('has covered 63 % of the way after one time constant', () => {
    let value = 0;
    for (let second = 0; second < 30; second++) value = approach(value, 100, 30);
    expect(value).toBeCloseTo(100 * (1 - Math.exp(-1)), 6);
  });
});
