/** Work of one kind: a few at a time, in the order it came. */
export class Lane {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Whether more would have to wait than may. */
  get isFull(): boolean {
    return this.#busy >= this.#most && this.#waiting.length >= this.#mostWaiting;
  }

  /** Resolves or rejects as `work` does, which begins when its turn has come. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // Whoever waited takes over this place.
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}
