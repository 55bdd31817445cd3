/** A pseudo-terminal that is there for as long as this process: the far end of a serial line that needs no cable. By socat. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { UsageError } from '../gateway/errors.ts';
import { Millis } from '../gateway/quantity.ts';

/** What a simulated device speaks over. */
export type SerialEnd = Readonly<{ write: (bytes: Uint8Array) => void; onData: (take: (bytes: Buffer) => void) => void; close: () => Promise<void> }>;

const LOOK_EVERY = Millis(20);
const PATIENCE = 250;

/** Makes `path` a name for the other end. Throws {@link UsageError} where there is no socat, or the path cannot be made. */
export async function makePseudoTerminal(path: string): Promise<SerialEnd> {
  // A name that an earlier one left would look like ours.
  rmSync(path, { force: true });
  // It ends with its standard input, however this process ends. Who closes the other end may open it again.
  const socat = spawn('socat', ['-t', '0', `pty,raw,echo=0,wait-slave=0,link=${path}`, '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let failure: Error | undefined;
  socat.once('error', (error) => (failure = error));
  const ended = once(socat, 'close').catch(() => undefined);
  // The pipe breaks when it ends first.
  socat.stdin.on('error', () => undefined);
  for (let tries = 0; !existsSync(path); tries++) {
    if (failure !== undefined || socat.exitCode !== null || tries > PATIENCE) throw new UsageError(`no pseudo-terminal at ${path}: ${failure?.message ?? 'socat could not make it'}; is the Debian package socat installed?`);
    await pause(LOOK_EVERY);
  }
  return {
    write: (bytes) => void socat.stdin.write(bytes),
    onData: (take) => void socat.stdout.on('data', take),
    close: async () => {
      socat.kill('SIGTERM');
      await ended;
    },
  };
}
