import { Millis } from '../quantity.ts';

/** What somebody's flows may ask: choices of this project. A flow that floods is slowed down, then refused; ingest never waits for it. */
const ASKS_PER_SECOND = 20;
const AT_ONCE = 100;
const MOST_WAITING = 32;

type Bucket = { level: number; at: Millis; waiting: number };

/** How fast each person's flows may ask (a token bucket for each). */
export class Allowance {
  readonly #now: () => Millis;
  readonly #wait: (time: Millis) => Promise<void>;
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => Millis, wait: (time: Millis) => Promise<void>) {
    this.#now = now;
    this.#wait = wait;
  }

  /** Resolves when somebody's turn has come: true. False at once when too many of theirs wait already. */
  async take(person: string): Promise<boolean> {
    const bucket = this.#filled(person);
    if (bucket.waiting >= MOST_WAITING) return false;
    bucket.level -= 1;
    if (bucket.level >= 0) return true;
    bucket.waiting += 1;
    await this.#wait(Millis(Math.ceil((-bucket.level * 1000) / ASKS_PER_SECOND)));
    bucket.waiting -= 1;
    return true;
  }

  #filled(person: string): Bucket {
    const now = this.#now();
    const bucket = this.#buckets.get(person) ?? { level: AT_ONCE, at: now, waiting: 0 };
    bucket.level = Math.min(AT_ONCE, bucket.level + ((now - bucket.at) * ASKS_PER_SECOND) / 1000);
    bucket.at = now;
    this.#buckets.set(person, bucket);
    return bucket;
  }
}
