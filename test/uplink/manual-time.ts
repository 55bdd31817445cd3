import { Millis } from '../../gateway/quantity.ts';
import type { RelayTime } from '../../gateway/uplink/retry.ts';

type Sleeper = Readonly<{ delay: Millis; wake: () => void }>;

/** Time that stands still until the test says otherwise. */
export class ManualTime implements RelayTime {
  #now = 0;
  readonly #sleepers: Sleeper[] = [];
  #fellAsleep = Promise.withResolvers<void>();

  now = (): Millis => Millis(this.#now);

  sleep(delay: Millis, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) return Promise.resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#sleepers.push({ delay, wake: resolve });
    this.#fellAsleep.resolve();
    this.#fellAsleep = Promise.withResolvers<void>();
    return promise;
  }

  /** Waits until somebody sleeps. */
  async asleep(): Promise<void> {
    while (this.#sleepers.length === 0) await this.#fellAsleep.promise;
  }

  /** Waits until somebody sleeps, then lets their time pass. Returns how long they slept. */
  async pass(): Promise<Millis> {
    await this.asleep();
    const sleeper = this.#sleepers.shift() as Sleeper;
    this.#now += sleeper.delay;
    sleeper.wake();
    return sleeper.delay;
  }

  /** Lets nobody's time but the clock's pass. */
  advance(delay: Millis): void {
    this.#now += delay;
  }
}
