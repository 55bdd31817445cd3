import { describe, expect, it } from 'vitest';
import { Batches, type BatchOptions } from '../../gateway/store/batches.ts';

/** Work that waits to be told to end, and what it was given. */
function held(options: Partial<BatchOptions<string, string>> = {}): { batches: Batches<string, string>; given: (readonly string[])[]; end: (() => void)[] } {
  const given: (readonly string[])[] = [];
  const end: (() => void)[] = [];
  const work = async (items: readonly string[]): Promise<readonly string[]> => {
    given.push(items);
    await new Promise<void>((resolve) => end.push(resolve));
    return items.map((item) => item.toUpperCase());
  };
  return { batches: new Batches({ lines: 1, most: 3, work, ...options }), given, end };
}

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(() => setImmediate(resolve)); });

describe('batches', () => {
  it('take what comes in one turn together, and what comes meanwhile next, no more than they may', async () => {
    const { batches, given, end } = held();
    const first = ['a', 'b'].map((item) => batches.add(item));
    await turn();
    const next = ['c', 'd', 'e', 'f'].map((item) => batches.add(item));
    await turn();
    expect(given).toEqual([['a', 'b']]);
    end[0]?.();
    expect(await Promise.all(first)).toEqual(['A', 'B']);
    await turn();
    expect(given).toEqual([['a', 'b'], ['c', 'd', 'e']]);
    end[1]?.();
    await turn();
    end[2]?.();
    expect(await Promise.all(next)).toEqual(['C', 'D', 'E', 'F']);
    expect(given[2]).toEqual(['f']);
  });

  it('use further lines while the first is busy', async () => {
    const { batches, given, end } = held({ lines: 2 });
    const all = [batches.add('a')];
    await turn();
    all.push(batches.add('b'));
    await turn();
    all.push(batches.add('c'));
    await turn();
    expect(given).toEqual([['a'], ['b']]);
    end[1]?.();
    await turn();
    expect(given).toEqual([['a'], ['b'], ['c']]);
    for (const each of end) each();
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C']);
  });

  it('are no heavier than they may be, unless an item is by itself', async () => {
    const { batches, given, end } = held({ most: 9, weight: ({ length }) => length, heaviest: 4 });
    const all = ['aaaaaa', 'bb', 'cc', 'd'].map((item) => batches.add(item));
    for (let n = 0; n < 3; n++) {
      await turn();
      end[n]?.();
    }
    await Promise.all(all);
    expect(given).toEqual([['aaaaaa'], ['bb', 'cc'], ['d']]);
  });

  it('fail together, or each by itself when one of them is to blame', async () => {
    const failing = (isFaultOfOne?: (thrown: unknown) => boolean): Batches<string, string> => new Batches({
      lines: 1, most: 9, ...(isFaultOfOne && { isFaultOfOne }),
      work: (items) => (items.includes('bad') ? Promise.reject(new Error('bad')) : Promise.resolve(items)),
    });
    const outcomes = async (batches: Batches<string, string>): Promise<string[]> => (await Promise.allSettled(['a', 'bad', 'c'].map((item) => batches.add(item)))).map(({ status }) => status);
    expect(await outcomes(failing())).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await outcomes(failing(() => true))).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
