import { describe, expect, it } from 'vitest';
import { Takeovers } from '../../gateway/ingest/takeovers.ts';
import { Seconds } from '../../gateway/quantity.ts';

const at = Seconds;

describe('taking over a client id', () => {
  it('is granted three times in 30 s, and then not before the first of them is 30 s ago', () => {
    const takeovers = new Takeovers();
    expect([0, 1, 2, 3, 29.9].map((time) => takeovers.take('clip/x', at(time)))).toEqual([true, true, true, false, false]);
    expect([30, 30, 31, 31.5, 32].map((time) => takeovers.take('clip/x', at(time)))).toEqual([true, false, true, false, true]);
  });

  it('of one id says nothing about another', () => {
    const takeovers = new Takeovers();
    for (const time of [0, 1, 2]) takeovers.take('clip/x', at(time));
    expect([takeovers.take('clip/x', at(3)), takeovers.take('clip/y', at(3)), takeovers.take('band/x', at(3))]).toEqual([false, true, true]);
  });

  it('that is put off by a storm is granted again when it has passed', () => {
    const takeovers = new Takeovers();
    const granted = Array.from({ length: 3000 }, (_, i) => takeovers.take('clip/x', at(i / 10))).filter(Boolean);
    // 300 s of ten newcomers a second.
    expect(granted.length).toBe(30);
    expect(takeovers.take('clip/x', at(400))).toBe(true);
  });
});
