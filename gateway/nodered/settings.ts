/**
 * The settings of Node-RED (https://nodered.org/docs/user-guide/runtime/configuration), loaded inside its process. They let in nobody but
 * the gateway, reach nobody by themselves, and answer the gateway's pings, so that it knows whether the event loop turns.
 */

import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Server, Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { DOOR_HEADER, PERSON_HEADER, START_FD, type FromChild, type StartWords, type ToChild } from './child-words.ts';
import { Pace } from './outgoing-pace.ts';

const HOST = '127.0.0.1';
/** Of Node-RED's own: fatal 10, error 20, warn 30. */
const ERRORS = 20;
const WARNINGS = 30;
/** Lines of its log that are passed on in a second: a flow that floods the log floods nobody else's. */
const LINES_PER_SECOND = 20;
const LONGEST_LINE = 500;
/** What flows reach out with, all together: connections, and pieces of what is written to them. Who floods waits here, where it costs the gateway nothing. */
const CONNECTIONS = { perSecond: 20, atOnce: 100, mostTaken: 128, mostWaiting: 200 };
const WRITES = { perSecond: 40, atOnce: 400 };
const PIECE_BYTES = 65_536;

const { folder, palettes, exclude, credentialSecret, doorSecret, api, functionTimeout } = JSON.parse(readFileSync(START_FD, 'utf8')) as StartWords;

const tell = (message: FromChild): void => void (process.connected && process.send?.(message));

process.on('message', ({ ping }: ToChild) => tell({ type: 'pong', ping, rss: process.memoryUsage.rss() }));
// Without the gateway there is no reason to run, and nobody to watch over it.
process.on('disconnect', () => process.exit(0));
new Worker(new URL('./orphan-watch.ts', import.meta.url), { workerData: process.ppid }).unref();
process.prependListener('uncaughtException', (error: unknown) => tell({ type: 'log', level: 'error', message: line(error instanceof Error ? (error.stack ?? error.message) : error) }));
tell({ type: 'loading' });

const after = (time: number, act: () => void): void => void setTimeout(act, time).unref();
const connections = new Pace({ ...CONNECTIONS, now: () => performance.now(), after });
const writes = new Pace({ ...WRITES, now: () => performance.now(), after });

type Connect = (this: Socket, ...args: unknown[]) => Socket;
// Sockets of this machine's other programs, the control socket of the gateway among them, are no flow's business.
const connect = Reflect.get(Socket.prototype, 'connect') as Connect;
Socket.prototype.connect = function connectOverNetwork(this: Socket, ...args: unknown[]): Socket {
  const [first] = (Array.isArray(args[0]) ? args[0] : args) as readonly unknown[];
  const isPath = typeof first === 'string' ? !/^\d+$/.test(first) : typeof first === 'object' && first !== null && 'path' in first && Boolean(first.path);
  if (isPath) return this.destroy(new Error('flows reach nothing over sockets of this machine'));
  let isWaiting = false;
  const isTaken = connections.take(() => {
    if (this.destroyed) return connections.giveBack();
    this.once('close', () => connections.giveBack());
    try {
      connect.apply(this, args);
    } catch (error) {
      // Who waited for its turn hears of a mistake as of any other failure.
      this.destroy(error as Error);
      if (!isWaiting) throw error;
    }
  });
  if (!isTaken) return this.destroy(new Error(`flows begin more connections than ${CONNECTIONS.perSecond} a second, or have ${CONNECTIONS.mostTaken} open`));
  isWaiting = true;
  slowDown(this);
  // What is written meanwhile waits, as it does for any connection that is not there yet.
  if (!this.destroyed) Reflect.set(this, 'connecting', true);
  return this;
};

type Write = (chunk: Uint8Array | string, encoding: string, done: (error?: Error | null) => void) => void;
type WriteAll = (chunks: readonly Readonly<{ chunk: Uint8Array | string }>[], done: (error?: Error | null) => void) => void;

const slow = new WeakSet<Socket>();

/** Of a socket that connects: what is written goes in its turn. Other sockets answer somebody, and are not held up. */
function slowDown(socket: Socket): void {
  if (slow.has(socket)) return;
  slow.add(socket);
  const [write, writeAll] = [Reflect.get(socket, '_write') as Write, Reflect.get(socket, '_writev') as WriteAll];
  Reflect.set(socket, '_write', ((chunk, encoding, done) => void writes.take(() => write.call(socket, chunk, encoding, done), piecesOf(chunk.length))) satisfies Write);
  Reflect.set(socket, '_writev', ((chunks, done) => void writes.take(() => writeAll.call(socket, chunks, done), piecesOf(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0)))) satisfies WriteAll);
}

const piecesOf = (length: number): number => Math.max(1, Math.ceil(length / PIECE_BYTES));

type Listen = (this: Server, ...args: unknown[]) => Server;
const listen = Reflect.get(Server.prototype, 'listen') as Listen;
Server.prototype.listen = function listenAndTell(this: Server, ...args: unknown[]): Server {
  if (args[0] === 0 && args[1] === HOST) {
    this.once('listening', () => {
      const address = this.address();
      if (typeof address === 'object' && address !== null) tell({ type: 'listening', port: address.port });
    });
  }
  return listen.apply(this, args);
};

// The permission model has no fsync, and Node-RED would say so in everybody's editor; the gateway keeps a synced copy of every deploy.
const requireOfNodeRed = createRequire(createRequire(import.meta.url).resolve('node-red/red.js'));
Object.assign(requireOfNodeRed('fs-extra') as object, { fsync: (_: number, done: (error: null) => void) => done(null) });

type Visit = Readonly<{ headers: Readonly<Record<string, string | readonly string[] | undefined>> }>;
type Refusal = Readonly<{ status: (code: number) => Readonly<{ end: () => void }> }>;
type User = Readonly<{ username: string; permissions: string }>;

/** Whom the gateway speaks for; undefined for everybody who is not the gateway. */
function visitor(pass: unknown): User | undefined {
  const [secret = '', permissions = '', person = ''] = typeof pass === 'string' ? pass.split('.') : [];
  const [given, own] = [Buffer.from(secret, 'utf8'), Buffer.from(doorSecret, 'utf8')];
  if (given.length !== own.length || !timingSafeEqual(given, own)) return undefined;
  return { username: Buffer.from(person, 'base64url').toString('utf8'), permissions };
}

function letIn({ headers }: Visit, reply: Refusal, next: () => void): void {
  if (visitor(headers[DOOR_HEADER]) === undefined) reply.status(401).end();
  else next();
}

/** A page is told who looks at it, and nothing by which it could pass for the gateway. */
function letInToPages(visit: { headers: Record<string, unknown>; rawHeaders: string[]; url: string }, reply: Refusal, next: () => void): void {
  const person = visitor(visit.headers[DOOR_HEADER])?.username;
  if (person === undefined) return reply.status(401).end();
  // What dashboards have of their own asks once more.
  if (!visit.url.startsWith('/dashboard')) {
    delete visit.headers[DOOR_HEADER];
    visit.rawHeaders = [];
    visit.headers[PERSON_HEADER] = person;
  }
  next();
}

type LogLine = Readonly<{ level: number; msg?: unknown; type?: string; name?: string; id?: string }>;
let second = 0;
let lines = 0;

function passOn({ level, msg, type, name, id }: LogLine): void {
  const now = Math.floor(performance.now() / 1000);
  if (now !== second) [second, lines] = [now, 0];
  if (++lines > LINES_PER_SECOND) return;
  const who = [type, name ?? id].filter((each) => each !== undefined).join(':');
  const message = line(msg);
  if (/^\*+$/.test(message)) return;
  tell({ type: 'log', level: level <= ERRORS ? 'error' : level <= WARNINGS ? 'warn' : 'info', message: who === '' ? message : `${who}: ${message}` });
  if (/^Started flows|Flows stopped in safe mode/.test(message)) tell({ type: 'started' });
}

function line(said: unknown): string {
  const message = typeof said === 'object' && said !== null && 'message' in said ? said.message : said;
  return (typeof message === 'string' ? message : (JSON.stringify(message) ?? '')).replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_LINE);
}

const settings = {
  userDir: folder,
  flowFile: 'flows.json',
  // A running flow has secrets of nodes only in this file, encrypted.
  credentialSecret,
  nodesDir: palettes,
  nodesExcludes: exclude,
  uiHost: HOST,
  uiPort: 0,
  httpAdminRoot: '/flows',
  httpNodeRoot: '/',
  httpAdminMiddleware: letIn,
  httpNodeMiddleware: letInToPages,
  adminAuth: { type: 'credentials', users: async () => null, authenticate: async () => null, tokens: async (pass: unknown) => visitor(pass) ?? null, tokenHeader: DOOR_HEADER },
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpdate: false, allowUpload: false }, modules: { allowInstall: false } },
  functionExternalModules: false,
  globalFunctionTimeout: functionTimeout,
  nodeMessageBufferMaxLength: 1000,
  tlsConfigDisableLocalFiles: true,
  // A stop from the editor would outlive a restart, with one line in the log to tell of it.
  runtimeState: { enabled: false, ui: false },
  diagnostics: { enabled: true, ui: false },
  contextStorage: { default: 'memory', memory: { module: 'memory' }, file: { module: 'localfilesystem', config: { flushInterval: 10 } } },
  editorTheme: {
    tours: false,
    page: { title: 'Vitalgate flows' },
    header: { title: 'Vitalgate flows', url: '/flows/' },
    palette: { catalogues: [] },
    projects: { enabled: false },
    codeEditor: { lib: 'monaco' },
  },
  // Pages somebody draws with @flowfuse/node-red-dashboard, if it is there.
  dashboard: {
    middleware: letIn,
    ioMiddleware: ({ handshake }: Readonly<{ handshake: Visit }>, next: (error?: Error) => void) => next(visitor(handshake.headers[DOOR_HEADER]) === undefined ? new Error('not let in') : undefined),
  },
  // What caregivers look for comes first.
  paletteCategories: ['vitalgate', 'subflows', 'common', 'function', 'network', 'sequence', 'parser', 'storage'],
  logging: { console: { level: 'off' }, gateway: { level: 'info', audit: false, handler: () => passOn } },
  vitalgate: api,
};

// What require() of this module gives (https://nodejs.org/api/modules.html#loading-ecmascript-modules-using-require): Node-RED writes into it.
export { settings as 'module.exports' };
