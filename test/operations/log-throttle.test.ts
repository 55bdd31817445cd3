import { describe, expect, it } from 'vitest';
import { LogThrottle } from '../../gateway/operations/log-throttle.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

function throttleAt(start: number, options: { maxTopics?: number } = {}): { throttle: LogThrottle; wait: (by: Millis) => void } {
  let now = start;
  const wait = (by: Millis): void => {
    now += by;
  };
  return { throttle: new LogThrottle({ uptime: () => Millis(now), every: Seconds(10), ...options }), wait };
}

describe('log throttle', () => {
  it('admits the first line about a topic and counts what it leaves out', () => {
    const { throttle, wait } = throttleAt(0);
    expect(throttle.admit('foreign_topic wrist-7')).toBe(0);
    expect(throttle.admit('foreign_topic wrist-7')).toBeUndefined();
    expect(throttle.admit('foreign_topic wrist-7')).toBeUndefined();
    wait(Seconds(10));
    expect(throttle.admit('foreign_topic wrist-7')).toBe(2);
  });

  it('judges every topic by itself', () => {
    const { throttle } = throttleAt(0);
    expect(throttle.admit('a')).toBe(0);
    expect(throttle.admit('b')).toBe(0);
    expect(throttle.admit('a')).toBeUndefined();
  });

  it('remembers a bounded number of topics', () => {
    const { throttle } = throttleAt(0, { maxTopics: 2 });
    for (const topic of ['a', 'b', 'c']) expect(throttle.admit(topic)).toBe(0);
    expect(throttle.admit('a'), 'forgotten when the third came').toBe(0);
  });
});
