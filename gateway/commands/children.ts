import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { PeerError } from '../errors.ts';
import type { Environment } from './command.ts';

const STOP_WITHIN_MS = 10_000;

/** Another command of this program, as a process of its own. It ends with this one, however this one ends. */
export class ChildCommand {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(name: string, process: ChildProcess) {
    this.name = name;
    this.#process = process;
    this.#ended = new Promise((resolve) => process.once('exit', () => resolve()));
  }

  /**
   * Starts `vitalgate <words>` and resolves with its first line on standard output, which commands that serve print when
   * they are ready. Everything it writes goes to `logFile`. Throws {@link PeerError} when it ends before.
   */
  static async start(
    { self }: Pick<Environment, 'self'>,
    words: readonly string[],
    logFile: string,
  ): Promise<Readonly<{ child: ChildCommand; firstLine: string }>> {
    const name = words[0] ?? '';
    // The channel tells the child when this process is gone, killed or not.
    const process = spawn(self.node, [...self.flags, self.main, ...words], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
    process.stdout?.pipe(log, { end: false });
    process.stderr?.pipe(log, { end: false });
    const child = new ChildCommand(name, process);
    return { child, firstLine: await firstLineOf(process, name, logFile) };
  }

  /** Rejects when the child ends without being asked to. */
  async watch(): Promise<never> {
    await this.#ended;
    throw new PeerError('VG_PEER_UNREACHABLE', `vitalgate ${this.name} ended with code ${this.#process.exitCode ?? this.#process.signalCode}`);
  }

  /** Asks the child to end, and after 10 s ends it. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGTERM');
    const force = setTimeout(() => this.#process.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.#ended;
    clearTimeout(force);
  }
}

function firstLineOf(process: ChildProcess, name: string, logFile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (process.stdout === null) return reject(new PeerError('VG_PEER_UNREACHABLE', `vitalgate ${name} has no output`));
    createInterface({ input: process.stdout }).once('line', resolve);
    process.once('error', reject);
    process.once('exit', (code) => reject(new PeerError('VG_PEER_UNREACHABLE', `vitalgate ${name} ended with code ${code}; see ${logFile}`)));
  });
}
