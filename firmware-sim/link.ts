/** What carries a lone device's messages: an MQTT connection or a serial line, seen alike. */

import type { Message } from './families/family.ts';
import type { Transmission } from './faults.ts';

export type LinkCounts = Readonly<{
  /** Messages and frames put on the network, damaged and repeated ones included. */
  sent: number;
  /** Messages whose acknowledgement came (PUBACK, or ack of the COBS protocol). */
  acknowledged: number;
  /** Sent again because no acknowledgement had come. */
  repeated: number;
  /** Values told by messages that went out undamaged, or that go out until they do; each message once. */
  values: number;
  /** Values told by doubles of such messages: a format without identities cannot know. */
  valuesAgain: number;
  /** Connections that stood, or times the line was opened. */
  connections: number;
}>;

export type Link = Readonly<{
  /** Resolves when the device may speak, with the number of the connection from 1; with undefined when the signal is aborted. */
  ready: () => Promise<number | undefined>;
  /** Hands a message over; `spared` ones meet no faults. */
  send: (message: Message, spared?: boolean) => void;
  /** Breaks the connection off; it comes back by itself. */
  cut: () => void;
  /** Resolves when nothing waits for an acknowledgement any more, or the signal is aborted. */
  drained: () => Promise<void>;
  /** Says `farewell` and ends for good. */
  close: (farewell: readonly Message[]) => Promise<void>;
  counts: LinkCounts;
}>;

export class Tally {
  readonly #counts = { sent: 0, acknowledged: 0, repeated: 0, values: 0, valuesAgain: 0, connections: 0 };

  get counts(): LinkCounts {
    return { ...this.#counts };
  }

  add(what: keyof LinkCounts, count = 1): void {
    this.#counts[what] += count;
  }

  /** One transmission of a message. */
  transmitted({ kind }: Transmission, { tells }: Message): void {
    this.add('sent');
    if (kind === 'good') this.add('values', tells.length);
    if (kind === 'again') this.add('valuesAgain', tells.length);
  }
}

/** Wakes whoever waits for a change. */
export class Bell {
  #rung = Promise.withResolvers<void>();

  ring(): void {
    this.#rung.resolve();
    this.#rung = Promise.withResolvers<void>();
  }

  /** Waits until `ask` gives an answer, asking anew whenever the bell rings. */
  async until<T>(ask: () => T | undefined): Promise<T> {
    for (;;) {
      const answer = ask();
      if (answer !== undefined) return answer;
      await this.#rung.promise;
    }
  }
}
