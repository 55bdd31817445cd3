import { describe, expect, it } from 'vitest';
import { Allowance } from '../../gateway/flows/allowance.ts';
import { Millis } from '../../gateway/quantity.ts';

describe('what somebody’s flows may ask', () => {
  it('is a hundred at once, then each in its turn, then no more; and others are not held up', async () => {
    const waits: Millis[] = [];
    const allowance = new Allowance(() => Millis(0), (time) => {
      waits.push(time);
      return new Promise(() => undefined);
    });
    for (let i = 0; i < 100; i++) expect(await allowance.take('flo')).toBe(true);
    for (let i = 0; i < 32; i++) void allowance.take('flo');
    expect(waits.slice(0, 3)).toEqual([50, 100, 150]);
    expect(await allowance.take('flo')).toBe(false);
    expect(await allowance.take('ann')).toBe(true);
  });

  it('comes back with time', async () => {
    let now = Millis(0);
    const allowance = new Allowance(() => now, () => Promise.resolve());
    for (let i = 0; i < 100; i++) await allowance.take('flo');
    now = Millis(1000);
    let waited = 0;
    const slow = new Allowance(() => now, async () => void (waited += 1));
    for (let i = 0; i < 100; i++) await slow.take('flo');
    now = Millis(2000);
    for (let i = 0; i < 20; i++) expect(await slow.take('flo')).toBe(true);
    expect(waited).toBe(0);
  });
});
