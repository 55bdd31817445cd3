import { array, assert, constant, integer, nat, oneof, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { RingBuffer } from '../../firmware-sim/ring-buffer.ts';

const numbered = (seq: number): Buffer => Buffer.from(`message ${seq}`);
const held = (ring: RingBuffer): number[] => {
  const seqs = [];
  for (let seq = ring.oldest; seq < ring.next; seq++) if (ring.get(seq) !== undefined) seqs.push(seq);
  return seqs;
};

describe('RingBuffer', () => {
  it('numbers messages from the first sequence on', () => {
    const ring = new RingBuffer(10, 41);
    expect([ring.push(numbered), ring.push(numbered)]).toEqual([41, 42]);
    expect(ring.get(42)?.payload.toString()).toBe('message 42');
  });

  it('overwrites the oldest when full and counts it', () => {
    const ring = new RingBuffer(3);
    for (let i = 0; i < 5; i++) ring.push(numbered);
    expect(held(ring)).toEqual([3, 4, 5]);
    expect(ring.overwritten).toBe(2);
  });

  it('does not count a message as acknowledged that it had overwritten', () => {
    const ring = new RingBuffer(1);
    ring.push(numbered);
    ring.push(numbered);
    expect(ring.acknowledge(1)).toBe(false);
    expect(ring.acknowledge(2)).toBe(true);
    expect(ring.acknowledge(2)).toBe(false);
    expect(ring.size).toBe(0);
  });

  it('refuses a capacity or first sequence that is not a whole number from 1', () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) {
      expect(() => new RingBuffer(bad)).toThrow('expected a whole number from 1');
      expect(() => new RingBuffer(1, bad)).toThrow('expected a whole number from 1');
    }
  });

  it('behaves like a plain list under any pushes and acknowledgements', () => {
    const action = oneof(constant('push' as const), nat(40));
    assert(property(integer({ min: 1, max: 8 }), array(action, { maxLength: 60 }), (capacity, actions) => {
      const ring = new RingBuffer(capacity);
      const answers: boolean[] = [];
      let list: number[] = [];
      let pushed = 0;
      let lost = 0;
      for (const one of actions) {
        if (one === 'push') {
          ring.push(numbered);
          pushed += 1;
          list.push(pushed);
          if (list.length > capacity) {
            list.shift();
            lost += 1;
          }
        } else {
          answers.push(ring.acknowledge(one) === list.includes(one));
          list = list.filter((seq) => seq !== one);
        }
        expect(answers).not.toContain(false);
        expect(held(ring)).toEqual(list);
        expect(ring.oldest).toBe(list[0] ?? pushed + 1);
        expect([ring.size, ring.overwritten]).toEqual([list.length, lost]);
      }
    }));
  });
});
