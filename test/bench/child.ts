import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const STOP_WITHIN_MS = 20_000;
const READY_WITHIN_MS = 120_000;
const POLL_MS = 5;

/** A process under test. It ends with this one (those that listen to their channel do, however this one ends), and by pid. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly #process: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  /** What it writes goes to `log`. */
  constructor(name: string, command: string, args: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env) {
    this.name = name;
    this.#log = log;
    const output = openSync(log, 'a', 0o600);
    this.startedAt = performance.now();
    this.#process = spawn(command, args, { stdio: ['ignore', output, output, 'ipc'], env });
    closeSync(output);
    this.#ended = new Promise((resolve) => this.#process.once('exit', () => resolve()));
    if (this.#process.pid === undefined) throw new Error(`${name} could not be started: ${command}`);
    this.pid = this.#process.pid;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Polls until `isReady`. Throws, with the end of its log, when the process ends before or takes too long. */
  async until(what: string, isReady: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await isReady())) {
      signal.throwIfAborted();
      if (this.hasEnded || performance.now() > deadline) {
        throw new Error(`${this.name}: no ${what}\n${readFileSync(this.#log, 'utf8').slice(-2000)}`);
      }
      await pause(POLL_MS);
    }
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks it to end, and ends it when it takes too long. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.#process.kill('SIGTERM');
    const force = setTimeout(() => this.#process.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.#ended;
    clearTimeout(force);
  }
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether somebody accepts connections on the port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
