import type { Resync } from './derive/derive-store.ts';
import type { Clock } from './ingest/clock.ts';
import { Minutes, type Millis } from './quantity.ts';

export type RebirthOptions = Readonly<{
  clock: Pick<Clock, 'now' | 'uptime'>;
  /** The first frame that came after this start: what an older one missed, its sender may have said again long ago. */
  since: number;
  /** Publishes the request at the connection the message came from; `topic` as the journal has it, below `devices/<connection>/`. */
  send: (resync: Resync, topic: string, payload: Uint8Array) => void;
  /** At most one request to an edge node in this time. Default 60 s. */
  every?: Millis;
  /** Edge nodes behind one connection that may be asked in that time. Default 64: so many the decoder remembers. */
  maxNodes?: number;
}>;

/**
 * Asks Sparkplug edge nodes to say their births again (Sparkplug 3.0 §5.17) when a message of theirs could not be understood
 * without, and not more often than they can answer: a birth that is too large is as large when it is said again. It stands
 * outside of derivation, which has no clock; the next message that is not understood asks anew.
 */
export class Rebirths {
  readonly #options: RebirthOptions;
  readonly #every: Millis;
  readonly #maxNodes: number;
  /** By connection, so that none can use up the turns of another: when each edge node was asked, the longest ago first. */
  readonly #askedAt = new Map<string, Map<string, Millis>>();

  constructor(options: RebirthOptions) {
    this.#options = options;
    this.#every = options.every ?? Minutes(1);
    this.#maxNodes = options.maxNodes ?? 64;
  }

  async take(resyncs: readonly Resync[]): Promise<void> {
    if (resyncs.length === 0) return;
    const { clock, since, send } = this.#options;
    // Decoders belong to the thread that derives; here they are loaded by those who need one only: they cost memory.
    const { commandTopic, rebirthRequest } = await import('./decode/sparkplug.ts');
    for (const resync of resyncs) {
      // Nobody listens on a serial line.
      const topic = resync.sequence < since || resync.source === 'serial' ? undefined : commandTopic(resync.topic, resync.address);
      if (topic !== undefined && this.#admit(`${resync.source} ${resync.connection}`, topic)) send(resync, topic, rebirthRequest(clock.now()));
    }
  }

  #admit(connection: string, node: string): boolean {
    const now = this.#options.clock.uptime();
    const askedAt = this.#askedAt.get(connection) ?? new Map<string, Millis>();
    for (const [known, at] of askedAt) {
      if (now - at < this.#every) break;
      askedAt.delete(known);
    }
    if (askedAt.has(node) || askedAt.size >= this.#maxNodes) return false;
    askedAt.set(node, now);
    this.#askedAt.set(connection, askedAt);
    return true;
  }
}
