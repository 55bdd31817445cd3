/** Programs that the configuration names, such as a buzzer: run as they stand there, without a shell, and told the text in a way that cannot become a word of the command. */

import { spawn } from 'node:child_process';
import type { Millis } from '../quantity.ts';

export type Program = Readonly<{
  name: string;
  kind: 'buzzer' | 'command';
  /** The program and its words. */
  run: readonly string[];
  /** It is killed after so long. */
  within: Millis;
}>;

/** Of what it says, the beginning. */
const MOST_SAID = 400;
/** All that it gets of the gateway's environment. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ'];

export const environmentFor = (): Record<string, string | undefined> => Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

/**
 * Resolves when it has ended well. Rejects with its exit code and what it said. The text comes on standard input and as VITALGATE_TEXT. It is
 * killed, with what it started, after its time and with the signal.
 */
export function runProgram({ run, within }: Program, text: string, signal: AbortSignal): Promise<string> {
  const [file = '', ...words] = run;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // A group of its own, so that whatever it starts ends with it.
  const child = spawn(file, words, { stdio: ['pipe', 'ignore', 'pipe'], detached: true, env: { ...environmentFor(), VITALGATE_TEXT: text } });
  let said = '';
  let isLate = false;
  const kill = (): void => killGroup(child.pid);
  const late = setTimeout(() => {
    isLate = true;
    kill();
  }, within);
  signal.addEventListener('abort', kill, { once: true });
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said = (said + part).slice(0, MOST_SAID)));
  // One that does not read is no failure.
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${text}\n`);
  const end = (): void => {
    clearTimeout(late);
    signal.removeEventListener('abort', kill);
  };
  child.once('error', (error) => {
    end();
    reject(new Error(`${file} cannot be started: ${error.message}`));
  });
  child.once('exit', (code, killed) => {
    end();
    // What it left running would go on for ever.
    kill();
    child.stderr.destroy();
    const more = said.trim() === '' ? '' : `: ${said.trim()}`;
    if (code === 0) resolve(`${file} ended well${more}`);
    else if (isLate) reject(new Error(`${file} was killed after its time (within in the configuration)${more}`));
    else reject(new Error(`${file} ended with ${killed ?? `exit code ${code}`}${more}`));
  });
  return promise;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
