/** Work that waits, by urgency, and within one urgency by whose it is: they take turns, however much one of them has. */
export class FairQueue<T> {
  /** By urgency, the most urgent first: whose turn is next, in order, each with what waits for it. */
  readonly #levels: ReadonlyMap<string, Map<string, T[]>>;
  #size = 0;

  /** `urgencies`: the most urgent first. */
  constructor(urgencies: readonly string[]) {
    this.#levels = new Map(urgencies.map((urgency) => [urgency, new Map()]));
  }

  get size(): number {
    return this.#size;
  }

  add(urgency: string, whose: string, work: T): void {
    const level = this.#levels.get(urgency) as Map<string, T[]>;
    const waiting = level.get(whose);
    if (waiting === undefined) level.set(whose, [work]);
    else waiting.push(work);
    this.#size += 1;
  }

  /** The next; undefined when nothing waits. */
  take(): T | undefined {
    for (const level of this.#levels.values()) {
      const [turn] = level;
      if (turn === undefined) continue;
      const [whose, waiting] = turn;
      const work = waiting.shift() as T;
      // To the end of the line.
      level.delete(whose);
      if (waiting.length > 0) level.set(whose, waiting);
      this.#size -= 1;
      return work;
    }
    return undefined;
  }
}
