import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../gateway/upstream/fair-queue.ts';

const URGENCIES = ['now', 'soon', 'later'];

describe('work that waits', () => {
  it('is done by urgency, and within one urgency everybody takes turns', () => {
    const queue = new FairQueue<string>(URGENCIES);
    for (const work of ['a1', 'a2', 'a3']) queue.add('later', 'a', work);
    queue.add('later', 'b', 'b1');
    queue.add('now', 'c', 'c1');
    queue.add('later', 'b', 'b2');
    const order = Array.from({ length: queue.size }, () => queue.take());
    expect(order).toEqual(['c1', 'a1', 'b1', 'a2', 'b2', 'a3']);
    expect(queue.take()).toBeUndefined();
  });

  it('is all done, that of one in its order, and nobody waits for a second turn of another', () => {
    const some = fc.array(fc.record({ urgency: fc.constantFrom(...URGENCIES), whose: fc.constantFrom('a', 'b', 'c', 'd') }), { maxLength: 60 });
    fc.assert(fc.property(some, (all) => {
      const queue = new FairQueue<{ urgency: string; whose: string; number: number }>(URGENCIES);
      const added = all.map((each, number) => ({ ...each, number }));
      for (const each of added) queue.add(each.urgency, each.whose, each);
      const done = added.map(() => queue.take());
      expect(queue.size).toBe(0);
      for (const urgency of URGENCIES) {
        const ofUrgency = done.filter((each) => each?.urgency === urgency);
        for (const whose of ['a', 'b', 'c', 'd']) {
          const [expected, found] = [added, ofUrgency].map((list) => list.filter((each) => each?.urgency === urgency && each.whose === whose));
          expect(found).toEqual(expected);
        }
        // A naive twin: the rounds in which everybody who has something left does one.
        const rounds: number[] = [];
        const seen = new Map<string, number>();
        for (const each of ofUrgency) {
          const round = (seen.get(each?.whose ?? '') ?? 0) + 1;
          seen.set(each?.whose ?? '', round);
          rounds.push(round);
        }
        expect(rounds).toEqual(rounds.toSorted((a, b) => a - b));
      }
      const levels = done.map((each) => URGENCIES.indexOf(each?.urgency ?? ''));
      expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    }));
  });
});
