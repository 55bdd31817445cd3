/** One connection to a node, and HTTP over it: HTTP/2 where TLS agreed on that, else HTTP/1.1, one request after the other. */

import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp1, type RequestOptions } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants, type IncomingHttpStatusHeader, type IncomingHttpHeaders as Http2Headers } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { PeerError } from '../errors.ts';

export type LineRequest = Readonly<{ method: string; path: string; headers: Readonly<Record<string, string>>; body?: Uint8Array }>;
export type LineAnswer = Readonly<{ status: number; headers: IncomingHttpHeaders; body: Readable }>;

export interface Line {
  readonly socket: Socket;
  /** Whether nothing can be asked over it any more. */
  readonly isOver: boolean;
  /** Resolves with the head of the answer. Rejects when there is none, or the signal is aborted; its body fails then too. */
  send(request: LineRequest, signal: AbortSignal): Promise<LineAnswer>;
  /** Ends the connection, and with it what is under way. */
  end(): void;
}

/** `origin`: scheme, host and port that the socket leads to. */
export function lineOver(socket: Socket, origin: string): Line {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2' ? new Http2Line(socket, origin) : new Http1Line(socket, origin);
}

class Http2Line implements Line {
  readonly socket: Socket;
  readonly #session: ClientHttp2Session;

  constructor(socket: Socket, origin: string) {
    this.socket = socket;
    this.#session = connectHttp2(origin, { createConnection: () => socket, settings: { enablePush: false } });
    // Whoever waits hears of it from a stream; an error of a session that nobody listens to would end the process.
    this.#session.on('error', () => undefined);
  }

  get isOver(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  async send({ method, path, headers, body }: LineRequest, signal: AbortSignal): Promise<LineAnswer> {
    signal.throwIfAborted();
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const stream = this.#session.request({ ...headers, ...length, ':method': method, ':path': path }, { endStream: body === undefined });
    // A stream may fail whenever its session does, also after its answer was read or given up.
    stream.on('error', () => undefined);
    const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', cancel, { once: true });
    stream.once('close', () => signal.removeEventListener('abort', cancel));
    if (body !== undefined) stream.end(body);
    const answered = await headOf<Http2Headers & IncomingHttpStatusHeader>(stream);
    return { status: Number(answered[':status']), headers: answered, body: stream };
  }

  end(): void {
    this.#session.destroy();
    this.socket.destroy();
  }
}

async function headOf<T>(stream: ClientHttp2Stream): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  stream.once('response', (headers) => resolve(headers as T));
  stream.once('error', reject);
  stream.once('close', () => reject(closed()));
  return await promise;
}

class Http1Line implements Line {
  readonly socket: Socket;
  readonly #origin: URL;
  readonly #agent: OneConnection;

  constructor(socket: Socket, origin: string) {
    this.socket = socket;
    this.#origin = new URL(origin);
    this.#agent = new OneConnection(socket);
  }

  get isOver(): boolean {
    return this.socket.destroyed || !this.socket.writable;
  }

  async send({ method, path, headers, body }: LineRequest, signal: AbortSignal): Promise<LineAnswer> {
    signal.throwIfAborted();
    const { hostname, port, host } = this.#origin;
    const asked: RequestOptions = { agent: this.#agent, hostname, port, method, path, signal, headers: { host, ...headers, ...(body !== undefined && { 'content-length': body.length }) } };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = requestHttp1(asked, resolve);
    request.on('error', reject);
    request.once('close', () => reject(closed()));
    request.end(body);
    const answer = await promise;
    // As with streams of HTTP/2: it may fail when nobody reads it any more.
    answer.on('error', () => undefined);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: answer };
  }

  end(): void {
    this.#agent.destroy();
    this.socket.destroy();
  }
}

/** Lets requests wait for the one connection there is, and never makes another. */
class OneConnection extends Agent {
  readonly #socket: Socket;
  #isTaken = false;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  // Told by the callback: what is thrown here ends the process when it is the end of the connection that asks for another.
  override createConnection(_options: unknown, callback?: (error: Error | null, socket: Duplex) => void): Duplex | undefined {
    if (!this.#isTaken && !this.#socket.destroyed) {
      this.#isTaken = true;
      return this.#socket;
    }
    callback?.(closed(), this.#socket);
    return undefined;
  }
}

const closed = (): PeerError => new PeerError('VG_PEER_UNREACHABLE', 'the connection was closed before an answer came');
