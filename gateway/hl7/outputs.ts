/** All destinations of a hospital node that are sent HL7 v2. */

import { Output, type Destination, type OutputOptions, type OutputStatus } from './output.ts';
import type { SetAside } from './set-aside.ts';

export interface Hl7Outputs {
  /** As of the last look; cheap. */
  status(): readonly OutputStatus[];
  /** What is set aside for a destination, by number of the record: those after `number`, at most `limit`. Throws StoreError. */
  setAside(destination: string, number: number, limit: number): Promise<readonly SetAside[]>;
  /** Tries again what was set aside for a destination: the message of one record, or all. Returns how many. Throws StoreError. */
  sendAgain(destination: string, number?: number): Promise<number>;
  /** Ends all connections; what is not acknowledged is sent again after the next start. */
  stop(): Promise<void>;
}

/** Begins to send to each destination, on its own. Nothing is thrown later: {@link Hl7Outputs.status} says what is wrong. */
export function startHl7Outputs({ destinations, ...options }: OutputOptions & Readonly<{ destinations: readonly Destination[] }>): Hl7Outputs {
  const outputs = destinations.map((destination) => new Output(destination, options));
  return {
    status: () => outputs.map((output) => output.status()),
    setAside: async (destination, number, limit) => await options.setAside.after(destination, number, limit),
    sendAgain: async (destination, number) => {
      const asked = await options.setAside.askAgain(destination, number);
      outputs.find(({ name }) => name === destination)?.ring();
      return asked;
    },
    stop: async () => void (await Promise.all(outputs.map((output) => output.stop()))),
  };
}
