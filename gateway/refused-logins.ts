import type { RefusalReason } from './ingest/mqtt-broker.ts';
import type { UnixMillis } from './quantity.ts';

/** Somebody who tried to log in under a name, and could not. */
export type RefusedLogin = Readonly<{ device: string; reason: RefusalReason; times: number; last: UnixMillis }>;

const REASONS: ReadonlySet<RefusalReason> = new Set(['wrong_credentials', 'missing_credentials', 'wrong_certificate', 'missing_certificate']);
/** Names remembered; the one that tried longest ago makes room. */
const MOST_KEPT = 64;

/** Who tried to log in since this start: a new device that was not added yet, or one with an old password. */
export class RefusedLogins {
  readonly #logins = new Map<string, RefusedLogin>();

  note(device: string, reason: RefusalReason, at: UnixMillis): void {
    if (!REASONS.has(reason) || device === '') return;
    const times = (this.#logins.get(device)?.times ?? 0) + 1;
    this.#logins.delete(device);
    this.#logins.set(device, { device, reason, times, last: at });
    if (this.#logins.size > MOST_KEPT) this.#logins.delete(this.#logins.keys().next().value as string);
  }

  /** The last one first. */
  get all(): readonly RefusedLogin[] {
    return [...this.#logins.values()].toReversed();
  }
}
