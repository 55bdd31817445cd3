import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Bytes, Millis, MiB, Minutes, Seconds } from '../quantity.ts';
import { START_FD, type FromChild, type StartWords, type ToChild } from './child-words.ts';
import { NODE_RED_FOLDER, type FlowFiles } from './flow-files.ts';

/** Nodes that reach beyond the flows, and the files of Node-RED they are in. */
const RISKY: Readonly<Record<string, string>> = { exec: '90-exec.js', file: '10-file.js', watch: '23-watch.js', tcp: '31-tcpin.js', udp: '32-udp.js' };

/** Pages that people draw. Node-RED looks beside this program, too, where its tests have it; whoever wants it installs it into the folder. */
const PAGES = '@flowfuse/node-red-dashboard';

export type NodeRedOptions = Readonly<{
  files: FlowFiles;
  heap: Bytes;
  /** It is killed when it does not answer for so long. */
  stall: Millis;
  /** How long it has to run well until a failure is over. */
  settle: Millis;
  /** Risky nodes that are loaded all the same. */
  allow: readonly string[];
  deny: readonly string[];
  palettes: readonly string[];
  /** By which flows know what time of day it is: IANA name. */
  timeZone: string;
  /** For every start anew. */
  startWords: () => Pick<StartWords, 'credentialSecret' | 'doorSecret' | 'api'>;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
  log: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }>;
}>;

/** `starting`: for the first time, or after a failure. `safe`: the editor is there, and no flow runs until somebody deploys. */
export type NodeRedState = 'starting' | 'running' | 'safe' | 'waiting' | 'stopped';

/** `ended`: killed from outside; `crashed`: it ended by itself; `stalled`: no sign of life; `memory`: it took too much. */
export type Failure = 'ended' | 'crashed' | 'stalled' | 'memory';

export type NodeRedStatus = Readonly<{
  state: NodeRedState;
  pid: number | null;
  rss: Bytes | null;
  /** Starts after the first. */
  restarts: number;
  /** The last failures, the newest last, and how long ago they were. */
  failures: readonly Readonly<{ why: Failure; detail: string; ago: Millis }>[];
  /** Lines of its log, the newest last. */
  log: readonly string[];
}>;

/** Choices of this project. */
const PING_EVERY = Seconds(0.5);
/** Loading hundreds of modules on a small machine takes its time, in which nothing is answered. */
const START_PATIENCE = Minutes(1);
/** Of the usual patience, from when flows run until the first answer after that. */
const FIRST_ANSWER_SHARE = 2;
const FIRST_WAIT = Seconds(0.5);
const LONGEST_WAIT = Seconds(30);
/** So many failures of its own doing within that time, and flows stay off until somebody changes them. */
const SAFE_AFTER = 3;
const SAFE_WITHIN = Minutes(10);
const STOP_PATIENCE = Seconds(5);
/** Whoever deployed through the gateway is known by then. */
const SLOWEST_DEPLOY = Seconds(2);
const MOST_FAILURES = 20;
const MOST_LINES = 50;
/** Behind everything of the gateway in the queue for a core, with all its threads: those that collect garbage, too, so that it has to begin so (nice(1)). */
const NICENESS = 19;
/** Of the heap, and what Node.js takes beside it. */
const RSS_SHARE = 3;
const LEAST_RSS = MiB(512);

type Failed = Readonly<{ why: Failure; detail: string; at: Millis }>;

/**
 * Keeps Node-RED running in a process of its own: with a limit of memory, without anything of the gateway's environment, and with a file
 * system of its own folder alone (Node.js permission model). One that does not answer is killed; one that ends is started again,
 * later every time; one that fails again and again by what its flows do is started without them.
 */
export class NodeRed {
  readonly #options: NodeRedOptions;
  readonly #require = createRequire(import.meta.url);
  readonly #timer: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #state: NodeRedState = 'stopped';
  #port: number | undefined;
  #rss: Bytes | null = null;
  #ping = 0;
  #lastSign = Millis(0);
  #isUp = false;
  #answers = false;
  #wellSince = Millis(0);
  #killedFor: Failure | undefined;
  #starts = 0;
  #inARow = 0;
  #isSafe = false;
  #isStopping = false;
  #failed: Failed[] = [];
  #lines: string[] = [];
  #waiting: NodeJS.Timeout | undefined;
  #keptAt: number | undefined;
  /** The flows as they were written last, and since when that is known. */
  #seenAt: number | undefined;
  #seenSince = Millis(0);
  #changing: Promise<unknown> = Promise.resolve();
  #crash: string | undefined;

  constructor(options: NodeRedOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), Math.min(PING_EVERY, options.stall / 4));
  }

  /** Starts it; returns at once. */
  start(): void {
    this.#options.files.keep();
    this.#keptAt = this.#options.files.writtenAt;
    this.#isStopping = false;
    this.#launch();
  }

  /** Where it answers the gateway, on this machine; undefined while it does not. */
  get origin(): string | undefined {
    return this.#port === undefined ? undefined : `http://127.0.0.1:${this.#port}`;
  }

  /** `stopped`: it does not run, or has not run well for long enough since it did not. */
  get condition(): 'well' | 'stopped' | 'safe_mode' {
    if (this.#isSafe) return 'safe_mode';
    return this.#failed.length === 0 || this.#hasSettled ? 'well' : 'stopped';
  }

  status(): NodeRedStatus {
    const now = this.#options.uptime();
    return {
      state: this.#state,
      pid: this.#child?.pid ?? null,
      rss: this.#rss,
      restarts: Math.max(0, this.#starts - 1),
      failures: this.#failed.map(({ why, detail, at }) => ({ why, detail, ago: Millis(now - at) })),
      log: this.#lines,
    };
  }

  /** Somebody deployed: a copy is kept, and flows that were off are on again. */
  deployed(by: string | null): void {
    const { files } = this.#options;
    files.keep(by);
    this.#keptAt = files.writtenAt;
    if (!this.#isSafe) return;
    this.#isSafe = false;
    this.#state = 'running';
    this.#wellSince = this.#options.uptime();
  }

  /** Puts flows of a copy in place, and starts with them. */
  async restore(copy: string): Promise<void> {
    const restored = this.#changing.then(async () => {
      const wasStopped = this.#state === 'stopped';
      const putInPlace = this.#options.files.restoration(copy);
      this.#options.files.keep();
      if (!wasStopped) await this.#end();
      putInPlace();
      this.#isSafe = false;
      this.#failed = [];
      this.#inARow = 0;
      if (!wasStopped) this.start();
    });
    this.#changing = restored.catch(() => undefined);
    await restored;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#changing;
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#waiting);
    const child = this.#child;
    if (child !== undefined) {
      const gone = new Promise<void>((done) => child.once('exit', () => done()));
      child.kill('SIGTERM');
      const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE);
      await gone;
      clearTimeout(impatient);
    }
    this.#state = 'stopped';
  }

  #launch(): void {
    const { files, stall, palettes, startWords, timeZone } = this.#options;
    const now = this.#options.uptime();
    this.#starts += 1;
    this.#state = 'starting';
    this.#isUp = false;
    this.#answers = false;
    this.#killedFor = undefined;
    this.#crash = undefined;
    this.#lastSign = now;
    const red = this.#require.resolve('node-red/red.js');
    const child = fork(red, ['--settings', fileURLToPath(new URL('./settings.ts', import.meta.url)), '--userDir', files.folder, ...(this.#isSafe ? ['--safe'] : [])], {
      cwd: files.folder,
      execPath: 'nice',
      execArgv: ['-n', String(NICENESS), process.execPath, ...this.#flags(red)],
      // Whatever flows print goes nowhere: a pipe that nobody empties would stop them, and one that somebody does would cost the gateway.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: files.folder, NODE_ENV: 'production', LANG: process.env['LANG'], TZ: timeZone, NODE_RED_DISABLE_TELEMETRY: '1' },
    });
    this.#child = child;
    child.on('message', (message: FromChild) => this.#hear(child, message));
    // One that could not be started at all: "exit" never comes.
    child.once('error', (error) => child.pid === undefined && this.#ended(child, error.message));
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    const words: StartWords = { folder: files.folder, palettes, exclude: this.#excluded, functionTimeout: Math.max(1, Math.floor((stall * 0.6) / 1000)), ...startWords() };
    const told = child.stdio[START_FD] as Writable;
    told.on('error', () => undefined);
    told.end(JSON.stringify(words));
  }

  /** Memory, and what it may touch of the machine: modules are read, its own folder is read and written. */
  #flags(red: string): string[] {
    const { heap, allow, files, palettes } = this.#options;
    const modules = resolve(dirname(red), '..');
    const program = resolve(dirname(fileURLToPath(import.meta.url)), '..');
    const readable = [...new Set([modules, program, files.folder, ...palettes])];
    return [
      `--max-old-space-size=${Math.floor(heap / MiB(1))}`,
      '--disable-warning=ExperimentalWarning',
      ...(allow.includes('file') || allow.includes('watch') ? ['--allow-fs-read=*', '--allow-fs-write=*'] : [...readable.map((path) => `--allow-fs-read=${path}`), `--allow-fs-write=${files.folder}`]),
      '--permission',
      '--allow-worker',
      ...(allow.includes('exec') ? ['--allow-child-process'] : []),
    ];
  }

  get #excluded(): readonly string[] {
    const { allow, deny, files, palettes } = this.#options;
    const isInstalled = [files.folder, ...palettes].some((path) => existsSync(join(path, 'node_modules', PAGES)) || path.endsWith(PAGES));
    return [...Object.entries(RISKY).flatMap(([name, file]) => (allow.includes(name) ? [] : [file])), ...(isInstalled ? [] : [basename(PAGES)]), ...deny];
  }

  #hear(child: ChildProcess, message: FromChild): void {
    if (child !== this.#child) return;
    this.#lastSign = this.#options.uptime();
    switch (message.type) {
      case 'loading':
        return;
      case 'listening':
        this.#port = message.port;
        this.#isUp = true;
        return this.#becomeWell();
      case 'started':
        this.#isUp = true;
        return this.#becomeWell();
      case 'pong':
        this.#rss = Bytes(message.rss);
        this.#answers = this.#isUp;
        if (message.rss > Math.max(LEAST_RSS, this.#options.heap * RSS_SHARE)) this.#kill('memory');
        return;
      case 'log':
        this.#lines = [...this.#lines, `${message.level}: ${message.message}`].slice(-MOST_LINES);
        if (message.level === 'error') this.#crash = message.message;
        return;
    }
  }

  #becomeWell(): void {
    if (this.#state !== 'starting' || this.#port === undefined) return;
    this.#state = this.#isSafe ? 'safe' : 'running';
    this.#wellSince = this.#options.uptime();
    this.#options.log.info({ pid: this.#child?.pid, state: this.#state }, 'Node-RED runs');
  }

  #look(): void {
    this.#keepDeployed();
    const child = this.#child;
    if (child === undefined || this.#isStopping) return;
    if (child.connected) child.send({ ping: ++this.#ping } satisfies ToChild, () => undefined);
    const { stall } = this.#options;
    const patience = this.#answers ? stall : this.#isUp ? stall * FIRST_ANSWER_SHARE : START_PATIENCE;
    if (this.#options.uptime() - this.#lastSign > patience) this.#kill('stalled');
  }

  get #hasSettled(): boolean {
    return this.#state === 'running' && this.#options.uptime() - this.#wellSince >= this.#options.settle;
  }

  /** However flows come into the folder, there is a copy of them. */
  #keepDeployed(): void {
    const { files, uptime } = this.#options;
    const { writtenAt } = files;
    if (writtenAt !== this.#seenAt) [this.#seenAt, this.#seenSince] = [writtenAt, uptime()];
    if (writtenAt === this.#keptAt || uptime() - this.#seenSince < SLOWEST_DEPLOY) return;
    files.keep();
    this.#keptAt = writtenAt;
  }

  #kill(why: Failure): void {
    if (this.#killedFor !== undefined) return;
    this.#killedFor = why;
    this.#child?.kill('SIGKILL');
  }

  #ended(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    if (this.#hasSettled) this.#inARow = 0;
    const hasRun = this.#state !== 'starting';
    this.#child = undefined;
    this.#port = undefined;
    this.#rss = null;
    if (this.#isStopping) return;
    const why = this.#killedFor ?? (how === 'SIGKILL' || how === 'SIGTERM' ? 'ended' : 'crashed');
    const now = this.#options.uptime();
    const detail = why === 'crashed' && this.#crash !== undefined ? `${how}: ${this.#crash}` : how;
    this.#failed = [...this.#failed, { why, detail, at: now }].slice(-MOST_FAILURES);
    const own = this.#failed.filter((each) => each.why !== 'ended' && now - each.at < SAFE_WITHIN).length;
    const goesSafe = !this.#isSafe && own >= SAFE_AFTER;
    this.#isSafe ||= goesSafe;
    // What ran and was killed by somebody else is not to blame: whoever waits for a message has it back at once.
    const isToBlame = why !== 'ended' || !hasRun;
    const wait = isToBlame ? Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#inARow) : FIRST_WAIT;
    if (isToBlame) this.#inARow += 1;
    this.#state = 'waiting';
    this.#options.log.warn({ why, how, safe: this.#isSafe, wait }, 'Node-RED does not run any more and is started again; the alarms of the gateway go on');
    this.#waiting = setTimeout(() => this.#launch(), wait);
  }
}

/** Where Node-RED lives in a data folder. */
export const nodeRedFolderIn = (data: string): string => resolve(join(data, NODE_RED_FOLDER));
