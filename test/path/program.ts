/** The real program as child processes: run to their end, or running until they are told, or killed, to end. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const MAIN = join(import.meta.dirname, '../../gateway/main.ts');
/** As the launcher gateway/vitalgate does: stripping types anew costs every start half a second. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'vitalgate-compile-cache') };
const POLL_MS = 10;
const PATIENCE_MS = 60_000;
const INTERNAL_ERROR = 70;
/** How Node.js ends the trace of an exception that nobody caught. */
const CRASH = /^Node\.js v\d+/m;

export type Ended = Readonly<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;

/** `vitalgate <words>` as a process that runs. Disposing of it ends it by its pid. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #output = { stdout: '', stderr: '' };
  readonly #heard: (() => void)[] = [];
  #over = false;

  /** `under`: the command that starts it, for example in a network namespace. */
  constructor(words: readonly string[], { env: more, under = [], ...options }: Readonly<{ cwd?: string; env?: Readonly<Record<string, string>>; under?: readonly string[] }> = {}) {
    this.name = words[0] ?? '';
    // The channel ends the child when this process is gone, however that happens.
    const [command = process.execPath, ...rest] = [...under, process.execPath, MAIN, ...words];
    this.#process = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...env, ...more }, ...options });
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#process[stream]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[stream] += text;
        this.#wake();
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => {
        this.#over = true;
        this.#wake();
        // A crash is nobody's expectation, and the test that meets it knows only of what did not come after it.
        if (code === INTERNAL_ERROR || CRASH.test(this.#output.stderr)) console.error(`vitalgate ${this.name} crashed:\n${this.#output.stderr}`);
        resolve({ code, signal, ...this.#output });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Resolves when it has ended by itself or otherwise. */
  get ended(): Promise<Ended> {
    return this.#ended;
  }

  /** The first line on standard output, which commands that serve print when they are ready. Throws when it ends before. */
  async ready(): Promise<string> {
    const [line = ''] = (await this.hears('stdout', /.*\n/)).split('\n');
    return line;
  }

  /** Waits until what it has written on a stream matches, and returns the match. Throws when it ends before. */
  async hears(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#output[stream]);
      if (match !== null) return match[0];
      if (this.#over) throw new Error(`vitalgate ${this.name} ended without saying ${pattern}:\n${this.#output.stdout}${this.#output.stderr}`);
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<Ended> {
    this.#process.kill('SIGKILL');
    return await this.#ended;
  }

  /** Asks it to end, and waits. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<Ended> {
    this.#process.kill(signal);
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #wake(): void {
    for (const wake of this.#heard.splice(0)) wake();
  }
}

/** Runs `vitalgate <words>` to its end. */
export async function vitalgate(...words: readonly string[]): Promise<Ended> {
  return await new Program(words).ended;
}

/** Runs another program to its end. */
export function run(command: string, ...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Ports nobody listens on now, each another. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Asks again until the answer is what is waited for, and returns it. A question that fails is asked again. Throws after a minute. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false> | T | undefined | false, withinMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + withinMs;
  let failure: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      failure = error;
    }
    await pause(POLL_MS);
  }
  throw new Error(`waited ${withinMs} ms in vain until ${what}`, { cause: failure });
}
