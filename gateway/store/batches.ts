/**
 * Puts what is asked for at the same time into one piece of work. What comes while all lines are busy waits for the next that is free and goes
 * with everything else that waited, so batches grow with the load, and alone nothing waits.
 */
export class Batches<Item, Result> {
  readonly #options: BatchOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #busy = 0;
  #scheduled = false;

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options;
  }

  /** Resolves or rejects with what became of the batch that the item was in. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Whatever arrives in the same turn of the event loop goes together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#busy < this.#options.lines && this.#waiting.length > 0) void this.#run(this.#take());
    });
  }

  #take(): Waiting<Item, Result>[] {
    const { most, weight, heaviest } = this.#options;
    let total = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      total += weight?.(item) ?? 0;
      if (count === most || (count > 0 && heaviest !== undefined && total > heaviest)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #run(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#busy += 1;
    try {
      const results = await this.#options.work(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (thrown) {
      if (batch.length > 1 && this.#options.isFaultOfOne?.(thrown) === true) await this.#runEach(batch);
      else for (const { reject } of batch) reject(thrown);
    } finally {
      this.#busy -= 1;
      this.#schedule();
    }
  }

  /** Whoever is to blame fails, and nobody else. */
  async #runEach(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    for (const { item, resolve, reject } of batch) {
      try {
        const [result] = await this.#options.work([item]);
        resolve(result as Result);
      } catch (thrown) {
        reject(thrown);
      }
    }
  }
}

type Waiting<Item, Result> = Readonly<{ item: Item; resolve: (result: Result) => void; reject: (reason: unknown) => void }>;

export type BatchOptions<Item, Result> = Readonly<{
  /** Batches under way at the same time, at most. */
  lines: number;
  /** Items of a batch, at most. */
  most: number;
  /** What an item counts towards `heaviest`, for example its bytes. An item alone may be heavier. Default: nothing. */
  weight?: (item: Item) => number;
  heaviest?: number;
  /** Whether a batch has failed because of an item that was in it, with nothing done: then each is tried by itself. Default: never. */
  isFaultOfOne?: (thrown: unknown) => boolean;
  /** One result for each item, in their order. */
  work: (items: readonly Item[]) => Promise<readonly Result[]>;
}>;
