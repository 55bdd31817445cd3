import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../gateway/turns.ts';

const hops = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

describe('turns', () => {
  it('do the work of one name one after the other in the order given, whatever fails', async () => {
    const job = fc.record({ name: fc.constantFrom('a', 'b', 'c'), length: fc.nat(5), fails: fc.boolean() });
    await fc.assert(fc.asyncProperty(fc.array(job, { maxLength: 15 }), async (jobs) => {
      const turns = new Turns();
      const running = new Set<string>();
      const order = new Map<string, number[]>();
      const outcomes = jobs.map(({ name, length, fails }, i) => turns.take(name, async () => {
        expect(running.has(name)).toBe(false);
        running.add(name);
        order.set(name, [...(order.get(name) ?? []), i]);
        await hops(length);
        running.delete(name);
        if (fails) throw new Error(`job ${i}`);
        return i;
      }));
      const settled = await Promise.allSettled(outcomes);
      for (const [i, { fails }] of jobs.entries()) {
        expect(settled[i]).toEqual(fails ? { status: 'rejected', reason: new Error(`job ${i}`) } : { status: 'fulfilled', value: i });
      }
      for (const ran of order.values()) expect(ran).toEqual(ran.toSorted((a, b) => a - b));
    }));
  });

  it('do the work of different names at the same time', async () => {
    const turns = new Turns();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const waiting = turns.take('a', async () => {
      await opened;
      return 'a went on';
    });
    await turns.take('b', async () => open());
    expect(await waiting).toBe('a went on');
  });

  it('are settled when no work is left, work given meanwhile included', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const first = turns.take('a', async () => {
      await hops(3);
      done.push('first');
      void turns.take('a', async () => void done.push('second'));
      throw new Error('no matter');
    });
    await Promise.all([turns.settled(), expect(first).rejects.toThrow('no matter')]);
    expect(done).toEqual(['first', 'second']);
    await turns.settled();
  });
});
