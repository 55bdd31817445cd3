/** All destinations of a hospital node that are sent HL7 v2. */

import { Output, type Destination, type OutputOptions, type OutputStatus } from './output.ts';

export interface Hl7Outputs {
  status(): Promise<readonly OutputStatus[]>;
  /** Tries again what was set aside for a destination: the message of one record, or all. Returns how many; undefined: no such destination. */
  sendAgain(destination: string, number?: number): Promise<number | undefined>;
  /** Ends all connections; what is not acknowledged is sent again after the next start. */
  stop(): Promise<void>;
}

/** Begins to send to each destination, on its own. Throws StoreError. */
export async function startHl7Outputs({ destinations, ...options }: OutputOptions & Readonly<{ destinations: readonly Destination[] }>): Promise<Hl7Outputs> {
  await using starting = new AsyncDisposableStack();
  const outputs: Output[] = [];
  for (const destination of destinations) outputs.push(starting.adopt(await Output.start(destination, options), (output) => output.stop()));
  starting.move();
  return {
    status: () => Promise.all(outputs.map((output) => output.status())),
    sendAgain: async (destination, number) => await outputs.find(({ name }) => name === destination)?.sendAgain(number),
    stop: async () => void (await Promise.all(outputs.map((output) => output.stop()))),
  };
}
