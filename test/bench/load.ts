/** The load generator, seen from the bench: a process of its own (load-process.ts), so that it does not wait for the bench. */

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Login } from './raw-device.ts';

export type LoadOptions = Readonly<{
  port: number;
  /** One connection for each. */
  devices: readonly Login[];
  /** Readings a connection has unacknowledged at most. */
  window: number;
  /** How long readings are sent, in seconds; what is then in flight is still waited for. */
  seconds: number;
  /** Readings per second of all devices together, evenly spread. Absent: as fast as acknowledgements come. */
  rate?: number;
  coalesce: boolean;
  /** The first reading of every device has this sequence; loads on one broker MUST NOT repeat them. */
  firstSequence: number;
}>;

export type LoadResult = Readonly<{
  acks: number;
  acks_per_s: number;
  ack_p50_ms: number;
  ack_p99_ms: number;
  ack_max_ms: number;
  /** CPU seconds of the generator itself. */
  load_cpu_s: number;
}>;

export type LoadMessage = Readonly<{ ready: true } | { result: LoadResult } | { fault: string }>;

/** Connects all devices, calls `begin`, sends, and resolves when the last reading is acknowledged. */
export async function runLoad(options: LoadOptions, signal: AbortSignal, begin: () => void = () => undefined): Promise<LoadResult> {
  const generator = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)));
  const onAbort = (): void => void generator.kill();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    generator.send(options);
    return await resultOf(generator, begin);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (generator.exitCode === null) generator.kill();
  }
}

function resultOf(generator: ChildProcess, begin: () => void): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    generator.once('exit', (code) => reject(new Error(`the load generator ended with code ${code}`)));
    generator.on('message', (message: LoadMessage) => {
      if ('result' in message) resolve(message.result);
      else if ('fault' in message) reject(new Error(`load generator: ${message.fault}`));
      else {
        begin();
        generator.send('begin');
      }
    });
  });
}
