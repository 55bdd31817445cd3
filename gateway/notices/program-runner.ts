import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environmentFor, type Program } from './programs.ts';
import type { FromRunner, ToRunner } from './runner-words.ts';

const PROCESS = fileURLToPath(new URL('./runner-process.ts', import.meta.url));

type Waiting = Readonly<{ resolve: (said: string) => void; reject: (error: Error) => void }>;

/**
 * Has programs run by a small process of its own: starting one copies the tables of all memory that whoever starts it has, and a gateway that
 * did so itself would stand still for tens of milliseconds each time. A runner that is gone is started again for the next program.
 */
export class ProgramRunner {
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #number = 0;
  #isStopping = false;

  /** Starts the process, so that the first program does not wait for that. */
  start(): void {
    if (this.#child === undefined && !this.#isStopping) this.#child = this.#launch();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** As {@link runProgram}. */
  async run(program: Program, text: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    this.start();
    const child = this.#child;
    if (child === undefined) throw new Error('the gateway is stopping');
    const number = ++this.#number;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.set(number, { resolve, reject });
    const giveUp = (): void => this.#send(child, { giveUp: number });
    signal.addEventListener('abort', giveUp, { once: true });
    this.#send(child, { number, program, text });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
      this.#waiting.delete(number);
    }
  }

  /** Ends it, and what it runs. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    if (child.connected) child.disconnect();
    await ended;
  }

  #launch(): ChildProcess {
    const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: ['--max-old-space-size=32'], env: environmentFor() });
    child.on('message', (told: FromRunner) => {
      const waiting = this.#waiting.get(told.number);
      if ('said' in told) waiting?.resolve(told.said);
      else waiting?.reject(new Error(told.why));
    });
    // One that could not be started at all says so here, and never exits.
    child.once('error', (error) => this.#gone(child, error.message));
    child.once('exit', (code, killed) => this.#gone(child, killed ?? `exit code ${code}`));
    return child;
  }

  #send(child: ChildProcess, order: ToRunner): void {
    if (child.connected) child.send(order, () => undefined);
  }

  #gone(child: ChildProcess, how: string): void {
    if (this.#child === child) this.#child = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Error(`the process that runs programs ended (${how}): nobody knows what the program did`));
  }
}
