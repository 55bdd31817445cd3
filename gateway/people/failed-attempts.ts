import { isIPv6 } from 'node:net';
import { Millis, Seconds } from '../quantity.ts';

/** Failures one address may have in a row, and how long until it may have one more. Choices of this project. */
const BURST = 10;
const PER_FAILURE = Seconds(6);
const MOST_ADDRESSES = 1024;

/**
 * Counts refused attempts by address, so that a program that tries again and again learns to wait. It keeps out nobody who has a valid
 * token: 256 bits cannot be guessed, and a page that was logged out must not silence the alarms of the others behind the same address.
 * Bounded: the address that failed longest ago is forgotten first. `now`: milliseconds that never go back.
 */
export class FailedAttempts {
  readonly #failures = new Map<string, Readonly<{ level: number; at: Millis }>>();

  /** Notes a failure. Returns how long the address should wait before the next; 0: it need not. */
  note(address: string, now: Millis): Millis {
    const network = networkOf(address);
    const before = this.#failures.get(network);
    const left = before === undefined ? 0 : Math.max(0, before.level - (now - before.at) / PER_FAILURE);
    const level = Math.min(BURST + 1, left + 1);
    this.#failures.delete(network);
    this.#failures.set(network, { level, at: now });
    for (const [oldest] of this.#failures) {
      if (this.#failures.size <= MOST_ADDRESSES) break;
      this.#failures.delete(oldest);
    }
    return Millis(level > BURST ? Math.ceil((level - BURST) * PER_FAILURE) : 0);
  }
}

/** Of IPv6 the /64, which one machine has for itself (RFC 4291 §2.5.1). */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(8 - front.length - back.length).fill('0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
