import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdentityRing } from '../../gateway/derive/identity-ring.ts';

type Step = Readonly<{ push: string }> | Readonly<{ drop: number }>;

// Few different characters: identities share their words, and come again.
const identity = fc.string({ unit: fc.constantFrom('\0', '\x01', '\x80', '\xff'), minLength: 8, maxLength: 8 });
const step: fc.Arbitrary<Step> = fc.oneof({ weight: 9, arbitrary: identity.map((push) => ({ push })) }, fc.nat(40).map((drop) => ({ drop })));

describe('a ring of identities', () => {
  it('holds what an array does, whatever is pushed and dropped', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: 'max' }), fc.array(identity, { maxLength: 20 }), (steps, asked) => {
        const ring = new IdentityRing();
        let twin: string[] = [];
        for (const each of steps) {
          if ('push' in each) {
            ring.push(each.push);
            twin.push(each.push);
          } else {
            const count = Math.min(each.drop, twin.length);
            ring.drop(count);
            twin = twin.slice(count);
          }
        }
        expect(ring.length).toBe(twin.length);
        expect(ring.newest(twin.length).toString('latin1')).toBe(twin.join(''));
        for (const each of [...asked, ...twin.slice(0, 20)]) expect(ring.has(each)).toBe(twin.includes(each));
      }),
      { numRuns: 300 },
    );
  });

  it('goes on telling the truth when one identity is in it more often than a counter counts', () => {
    const ring = new IdentityRing();
    for (let i = 0; i < 1000; i++) ring.push('repeated');
    ring.push('another1');
    ring.drop(1000);
    expect([ring.has('repeated'), ring.has('another1'), ring.length]).toEqual([false, true, 1]);
    ring.drop(1);
    expect(ring.has('another1')).toBe(false);
  });
});
