/**
 * How much the node takes on at a time. Asked before a body is read: what would not fit is told when to come again (RFC 9110 §10.2.3), instead of being
 * kept in memory until everything is late. Alarms have a part of their own that a flood of records never fills.
 */

import type { Lane } from '../reading.ts';
import { type Bytes, formatBytes, MiB, type Millis, Seconds } from '../quantity.ts';
import { RequestError } from '../web/request-error.ts';

export type IntakeLimits = Readonly<{
  /** Bodies that are being received or judged, together. */
  memory: Bytes;
  /** Requests that are being received or judged. */
  requests: number;
  /** Of one gateway. */
  perGateway: number;
}>;

export const INTAKE_LIMITS: IntakeLimits = { memory: MiB(64), requests: 1024, perGateway: 4 };

/** Part of everything that only alarms may use. */
const FOR_ALARMS = 1 / 4;
const SOONEST: Millis = Seconds(1);
const LATEST: Millis = Seconds(10);

/** `lane`: absent for what goes along with blocks. `size`: bytes of the body, or the most it may have. */
export type Incoming = Readonly<{ chain: string; lane?: Lane; size: number }>;

export class Intake {
  readonly #limits: IntakeLimits;
  readonly #random: () => number;
  readonly #byGateway = new Map<string, number>();
  #bytes = 0;
  #requests = 0;

  /** `random`: from 0 to 1, so that those who are sent away do not come back together. */
  constructor(limits: IntakeLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Requests that are inside. */
  get inside(): number {
    return this.#requests;
  }

  /** Lets a request in; call what is returned, once, when it is answered or gone. Throws {@link RequestError} 429 or 503 with when to try again. */
  enter({ chain, lane, size }: Incoming): () => void {
    const { perGateway, memory, requests } = this.#limits;
    const ofGateway = this.#byGateway.get(chain) ?? 0;
    if (ofGateway >= perGateway) throw new RequestError(429, 'too_many_requests', `${ofGateway} requests of this gateway are under way: expected at most ${perGateway}`, { retryAfter: SOONEST });
    const share = lane === 'alarm' ? 1 : 1 - FOR_ALARMS;
    const isFull = this.#requests + 1 > requests * share || (this.#bytes + size > memory * share && this.#requests > 0);
    if (isFull) {
      const message = `the node is judging ${this.#requests} requests of ${formatBytes(this.#bytes as Bytes)} together, as many as it takes on at a time`;
      throw new RequestError(503, 'busy', message, { retryAfter: (SOONEST + this.#random() * (LATEST - SOONEST)) as Millis });
    }
    this.#byGateway.set(chain, ofGateway + 1);
    this.#bytes += size;
    this.#requests += 1;
    return () => this.#leave(chain, size);
  }

  #leave(chain: string, size: number): void {
    const left = (this.#byGateway.get(chain) ?? 1) - 1;
    if (left > 0) this.#byGateway.set(chain, left);
    else this.#byGateway.delete(chain);
    this.#bytes -= size;
    this.#requests -= 1;
  }
}
