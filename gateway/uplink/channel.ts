/** One connection to one node: every request ends by its deadline, and a connection that was in doubt is not used again. */

import type { LookupFunction } from 'node:net';
import { PeerError, reasonOf } from '../errors.ts';
import { type Bytes, formatBytes, formatDuration, KiB, type Millis, Seconds } from '../quantity.ts';
import { connectToNode, type ConnectorOptions } from '../tls/connector.ts';
import { type Line, lineOver } from './line.ts';

export type ChannelOptions = Readonly<{
  /** Base address of the node, for example `https://hospital.example:9090`. */
  url: string;
  /** How long one request may take from first byte to last, with connecting; TCP alone notices a dead link after minutes. Default 10 s. */
  deadline?: Millis;
  /** Most bytes read of one answer. Default 64 KiB. */
  maxAnswer?: Bytes;
  /** Hears of bytes that went over the connection, without what TLS and TCP add. Default: nobody counts. */
  count?: (sent: number, received: number) => void;
}> & Partial<Pick<ConnectorOptions, 'peer' | 'certificate' | 'ca' | 'localAddress'>> & Readonly<{ lookup?: LookupFunction }>;

/** `body` with its media type and, where it is compressed, how. `deadline` replaces the channel's. */
export type Asked = Readonly<{
  method: 'GET' | 'PUT' | 'POST';
  path: string;
  body?: Uint8Array;
  type?: string;
  encoding?: 'zstd';
  deadline?: Millis;
}>;

/** `type` is the media type, in lower case and without parameters; `retryAfter`: what the node asks for before the next try. */
export type Reply = Readonly<{ status: number; type: string; body: Uint8Array; retryAfter: Millis | undefined }>;

const SLOWEST_BYTES_PER_MS = 4;
/** Longest wait that a node may ask for. */
const LONGEST_RETRY_AFTER: Millis = Seconds(600);

export class Channel implements Disposable {
  readonly #options: ChannelOptions;
  readonly #address: URL;
  readonly #prefix: string;
  readonly #deadline: Millis;
  readonly #maxAnswer: Bytes;
  #opening: Opening | undefined;
  #underWay = 0;
  #isRetired = false;

  constructor(options: ChannelOptions) {
    const address = new URL(options.url);
    this.#options = options;
    this.#address = address;
    this.#prefix = address.pathname.replace(/\/+$/, '');
    this.#deadline = options.deadline ?? Seconds(10);
    this.#maxAnswer = options.maxAnswer ?? KiB(64);
  }

  /** Resolves with whatever answers. Rejects with {@link PeerError} when nothing does in time, or the signal is aborted. */
  async request(asked: Asked, signal: AbortSignal): Promise<Reply> {
    // Node takes whole milliseconds only.
    const span = Math.ceil(asked.deadline ?? withTimeFor(asked.body, this.#deadline)) as Millis;
    const deadline = AbortSignal.timeout(span);
    const opening = this.#line();
    this.#underWay += 1;
    try {
      return await unlessAborted((stop) => this.#ask(opening, asked, stop), AbortSignal.any([signal, deadline]));
    } catch (cause) {
      if (cause instanceof PeerError && cause.code === 'VG_PEER_MALFORMED') throw cause;
      // Who asked gave up; that says nothing about the connection.
      if (!signal.aborted) this.#drop(opening);
      const why = deadline.aborted ? `no answer within ${formatDuration(span)}` : reasonOf(cause);
      throw new PeerError(cause instanceof PeerError ? cause.code : 'VG_PEER_UNREACHABLE', `${this.#address.origin}: ${why}`, { cause });
    } finally {
      this.#count(opening);
      this.#underWay -= 1;
      if (this.#isRetired && this.#underWay === 0) this.reset();
    }
  }

  /** Nobody asks anything more: ends the connection when what is under way has ended. */
  retire(): void {
    this.#isRetired = true;
    if (this.#underWay === 0) this.reset();
  }

  /** Ends the connection, and with it what is under way; the next request opens another. */
  reset(): void {
    if (this.#opening !== undefined) this.#drop(this.#opening);
  }

  /** A connection that is left open keeps the process running. */
  [Symbol.dispose](): void {
    this.reset();
  }

  async #ask(opening: Opening, { method, path, body, type, encoding }: Asked, signal: AbortSignal): Promise<Reply> {
    const line = await opening.line;
    const headers = { ...(type !== undefined && { 'content-type': type }), ...(encoding !== undefined && { 'content-encoding': encoding }) };
    const answer = await line.send({ method, path: this.#prefix + path, headers, ...(body !== undefined && { body }) }, signal);
    const read = await readCapped(answer.body, this.#maxAnswer, `${this.#address.origin}${path}`);
    const typed = (answer.headers['content-type'] ?? '').split(';', 1)[0] ?? '';
    return { status: answer.status, type: typed.trim().toLowerCase(), body: read, retryAfter: waitIn(answer.headers['retry-after']) };
  }

  /** The connection that requests go over: the one there is, or another where that has ended. */
  #line(): Opening {
    if (this.#opening?.ready?.isOver === true) this.#drop(this.#opening);
    return (this.#opening ??= this.#open());
  }

  #open(): Opening {
    const { peer = 'anyone', certificate, ca, localAddress, lookup } = this.#options;
    const stopping = new AbortController();
    const connecting = connectToNode(this.#address, {
      peer,
      timeout: this.#deadline,
      signal: stopping.signal,
      ...(certificate && { certificate }),
      ...(ca !== undefined && { ca }),
      ...(localAddress !== undefined && { localAddress }),
      ...(lookup && { lookup }),
    });
    const opening: Opening = { line: connecting.then((socket) => (opening.ready = lineOver(socket, this.#address.origin))), stopping, ready: undefined, counted: { sent: 0, received: 0 } };
    // Whoever waits for it hears of it there; everybody may have given up before.
    opening.line.catch(() => undefined);
    return opening;
  }

  #count(opening: Opening): void {
    const { bytesWritten = 0, bytesRead = 0 } = opening.ready?.socket ?? {};
    const { sent, received } = opening.counted;
    if (bytesWritten > sent || bytesRead > received) this.#options.count?.(Math.max(0, bytesWritten - sent), Math.max(0, bytesRead - received));
    opening.counted = { sent: Math.max(sent, bytesWritten), received: Math.max(received, bytesRead) };
  }

  #drop(opening: Opening): void {
    if (this.#opening === opening) this.#opening = undefined;
    this.#count(opening);
    opening.stopping.abort();
    opening.line.then((line) => line.end(), () => undefined);
  }
}

/** A connection from when it is wanted; `ready` once it is there. */
type Opening = {
  readonly line: Promise<Line>;
  readonly stopping: AbortController;
  ready: Line | undefined;
  counted: Readonly<{ sent: number; received: number }>;
};

/** The caller waits no longer, whether or not connecting can be stopped. */
async function unlessAborted<T>(ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([ask(signal), promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** A long body gets what it takes on the slowest link that is any use. */
const withTimeFor = (body: Uint8Array | undefined, deadline: Millis): Millis => (deadline + Math.floor((body?.length ?? 0) / SLOWEST_BYTES_PER_MS)) as Millis;

/** Reads no more than the limit, whatever Content-Length says. */
async function readCapped(body: AsyncIterable<Uint8Array>, limit: Bytes, where: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw new PeerError('VG_PEER_MALFORMED', `${where}: the answer is longer than ${formatBytes(limit)}`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** RFC 9110 §10.2.3, in seconds; a date is not heeded, since our clock may be wrong. */
function waitIn(header: string | readonly string[] | undefined): Millis | undefined {
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Seconds(Number(header)), LONGEST_RETRY_AFTER) as Millis;
}
