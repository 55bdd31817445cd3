/** Runs programs for the gateway, in a process of its own: see program-runner.ts. */

import { messageOf } from '../errors.ts';
import { runProgram } from './programs.ts';
import type { FromRunner, ToRunner } from './runner-words.ts';

const running = new Map<number, AbortController>();
const tell = (told: FromRunner): void => void (process.connected && process.send?.(told));

process.on('message', (order: ToRunner) => {
  if ('giveUp' in order) return running.get(order.giveUp)?.abort();
  void run(order);
});
// Without the gateway nobody waits for them.
process.on('disconnect', () => {
  for (const each of running.values()) each.abort();
  process.exit(0);
});

async function run({ number, program, text }: Extract<ToRunner, { number: number }>): Promise<void> {
  const stop = new AbortController();
  running.set(number, stop);
  try {
    tell({ number, said: await runProgram(program, text, stop.signal) });
  } catch (error) {
    tell({ number, why: messageOf(error) });
  } finally {
    running.delete(number);
  }
}
