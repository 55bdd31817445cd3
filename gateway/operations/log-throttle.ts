import { Seconds, type Millis } from '../quantity.ts';

export type LogThrottleOptions = Readonly<{
  /** Monotonic clock. */
  uptime: () => Millis;
  /** At most one line for a topic in this time. Default 10 s. */
  every?: Millis;
  /** Topics remembered; when there are more, all are forgotten and may be logged again. Default 1000. */
  maxTopics?: number;
}>;

/** Keeps a device that does the same wrong thing a thousand times a second from filling the log, and the SD card with it. */
export class LogThrottle {
  readonly #uptime: () => Millis;
  readonly #every: Millis;
  readonly #maxTopics: number;
  readonly #topics = new Map<string, { loggedAt: Millis; suppressed: number }>();

  constructor(options: LogThrottleOptions) {
    this.#uptime = options.uptime;
    this.#every = options.every ?? Seconds(10);
    this.#maxTopics = options.maxTopics ?? 1000;
  }

  /** How many lines about `topic` were left out since the last one, when another may be written now; undefined when not. */
  admit(topic: string): number | undefined {
    const now = this.#uptime();
    const known = this.#topics.get(topic);
    if (known !== undefined && now - known.loggedAt < this.#every) {
      known.suppressed += 1;
      return undefined;
    }
    if (known === undefined && this.#topics.size >= this.#maxTopics) this.#topics.clear();
    this.#topics.set(topic, { loggedAt: now, suppressed: 0 });
    return known?.suppressed ?? 0;
  }
}
