import { Seconds, type Millis } from '../quantity.ts';

const MOST = 3;
const WITHIN = Seconds(30);

/**
 * Who may take over the connection of a client id. [MQTT-3.1.4-2] says every newcomer; but two programs with one id would
 * throw each other out for ever. So at most {@link MOST} do within {@link WITHIN}, and then whoever is connected stays.
 */
export class Takeovers {
  /** When an id was taken over; the id that was taken over last is the last. */
  readonly #times = new Map<string, readonly Millis[]>();

  /** Whether a newcomer may take over now; if so, it is counted. `now` never goes back. */
  take(id: string, now: Millis): boolean {
    this.#forget(now);
    const times = (this.#times.get(id) ?? []).filter((time) => now - time < WITHIN);
    if (times.length >= MOST) return false;
    this.#times.delete(id);
    this.#times.set(id, [...times, now]);
    return true;
  }

  #forget(now: Millis): void {
    for (const [id, times] of this.#times) {
      if (now - (times.at(-1) ?? 0) < WITHIN) return;
      this.#times.delete(id);
    }
  }
}
