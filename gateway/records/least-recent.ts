/** Remembers what was used last, as far as there is room; what was not used for longest goes first. */
export class LeastRecent<K, V> {
  readonly #room: number;
  readonly #weigh: (value: V) => number;
  readonly #kept = new Map<K, V>();
  #weight = 0;

  /** `room`: most of what values weigh together, by default as many as that. One that weighs more alone is kept until the next. */
  constructor(room: number, weigh: (value: V) => number = () => 1) {
    this.#room = room;
    this.#weigh = weigh;
  }

  get(key: K): V | undefined {
    const value = this.#kept.get(key);
    if (value === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#kept.set(key, value);
    this.#weight += this.#weigh(value);
    for (const oldest of this.#kept.keys()) {
      if (this.#weight <= this.#room || this.#kept.size === 1) break;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const value = this.#kept.get(key);
    if (value === undefined) return;
    this.#kept.delete(key);
    this.#weight -= this.#weigh(value);
  }
}
