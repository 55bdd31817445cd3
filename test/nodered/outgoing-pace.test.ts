import { describe, expect, it } from 'vitest';
import { Pace, type PaceOptions } from '../../gateway/nodered/outgoing-pace.ts';

/** A pace on a clock of its own, and what was done when. */
function onOwnClock(options: Pick<PaceOptions, 'perSecond' | 'atOnce' | 'mostWaiting' | 'mostTaken'>) {
  let time = 0;
  const planned: Readonly<{ at: number; act: () => void }>[] = [];
  const pace = new Pace({ ...options, now: () => time, after: (wait, act) => void planned.push({ at: time + wait, act }) });
  const done: (readonly [what: string, at: number])[] = [];
  const until = (end: number): void => {
    for (;;) {
      const next = planned.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      planned.splice(planned.indexOf(next), 1);
      time = next.at;
      next.act();
    }
    time = end;
  };
  return { pace, done, until, take: (what: string, turns?: number): boolean => pace.take(() => void done.push([what, time]), turns) };
}

describe('the pace of what flows reach out with', () => {
  it('lets through at once what was saved up, then one after the other, in order', () => {
    const { take, done, until } = onOwnClock({ perSecond: 10, atOnce: 2 });
    for (const what of ['a', 'b', 'c', 'd', 'e']) expect(take(what)).toBe(true);
    until(10_000);
    expect(done.map(([what]) => what).join('')).toBe('abcde');
    expect(done.slice(0, 2).map(([, at]) => at)).toEqual([0, 0]);
    expect(done.at(-1)?.[1]).toBeGreaterThanOrEqual(200);
    expect(done.at(-1)?.[1]).toBeLessThanOrEqual(300);
  });

  it('lets through no more in the long run, whatever the pieces are', () => {
    const { take, done, until } = onOwnClock({ perSecond: 40, atOnce: 400 });
    for (let i = 0; i < 1000; i++) take('piece', 1 + (i % 7));
    until(60_000);
    const turns = done.reduce((sum, _, i) => sum + 1 + (i % 7), 0);
    expect(turns).toBeGreaterThan(60 * 40);
    expect(turns).toBeLessThanOrEqual(400 + 60 * 40 + 7);
  });

  it('refuses at once when too many wait', () => {
    const { take, done, until } = onOwnClock({ perSecond: 1, atOnce: 1, mostWaiting: 2 });
    expect(['a', 'b', 'c', 'd', 'e'].map((what) => take(what))).toEqual([true, true, true, true, false]);
    until(10_000);
    expect(done.map(([what]) => what).join('')).toBe('abcd');
    expect(take('f')).toBe(true);
  });

  it('goes on when a turn is given back, where only so many are taken', () => {
    const { pace, take, done, until } = onOwnClock({ perSecond: 10, atOnce: 10, mostTaken: 2 });
    for (const what of ['a', 'b', 'c']) take(what);
    until(10_000);
    expect(done.map(([what]) => what)).toEqual(['a', 'b']);
    pace.giveBack();
    expect(done.map(([what]) => what)).toEqual(['a', 'b', 'c']);
  });
});
