import { describe, expect, it } from 'vitest';
import { LeastRecent } from '../../gateway/records/least-recent.ts';

describe('what was used last', () => {
  it('stays, and what was not used for longest makes room', () => {
    const kept = new LeastRecent<string, number>(2);
    kept.set('a', 1);
    kept.set('b', 2);
    expect(kept.get('a')).toBe(1);
    kept.set('c', 3);
    expect(['a', 'b', 'c'].map((key) => kept.get(key))).toEqual([1, undefined, 3]);
    kept.delete('a');
    kept.set('d', 4);
    expect(['a', 'c', 'd'].map((key) => kept.get(key))).toEqual([undefined, 3, 4]);
  });

  it('is weighed: replaced values weigh no more, and one that is too heavy is kept alone until the next', () => {
    const kept = new LeastRecent<string, string>(5, ({ length }) => length);
    kept.set('a', 'xxxx');
    kept.set('a', 'x');
    kept.set('b', 'xxxx');
    expect([kept.get('a'), kept.get('b')]).toEqual(['x', 'xxxx']);
    kept.set('c', 'xxxxxxx');
    expect([kept.get('a'), kept.get('b'), kept.get('c')]).toEqual([undefined, undefined, 'xxxxxxx']);
    kept.set('d', 'x');
    expect([kept.get('c'), kept.get('d')]).toEqual([undefined, 'x']);
  });
});
