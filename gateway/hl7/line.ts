/** A connection to an integration engine, and one message at a time over it. */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf, PeerError } from '../errors.ts';
import { formatDuration, KiB, Seconds, type Millis } from '../quantity.ts';
import { acceptOf, readAcknowledgement, verdictOf, type Acknowledgement } from './acknowledgement.ts';
import type { Acknowledgements } from './header.ts';
import { framed, FrameReader } from './mllp.ts';

/** PEM. */
export type EngineTls = Readonly<{ /** Default: the authorities of this machine. */ ca?: string; own?: Readonly<{ certificate: string; key: string }> }>;

export type EngineAddress = Readonly<{ host: string; port: number; tls?: EngineTls }>;

export type LineTimes = Readonly<{
  /** For TCP and TLS. */
  connect: Millis;
  /** For an acknowledgement; where two are asked for, for each. */
  acknowledgement: Millis;
}>;

/** What an acknowledgement was that was not waited for; for a log. */
export type Stray = 'no acknowledgement' | 'of another message' | 'of none';

export type LineOptions = Readonly<{
  address: EngineAddress;
  times: LineTimes;
  signal: AbortSignal;
  /** MSH-7 of what is answered to acknowledgements. */
  now: () => string;
  onStray: (stray: Stray) => void;
}>;

const LONGEST_ANSWER = KiB(64);
const KEEP_ALIVE_AFTER = Seconds(30);

type Waiting = Readonly<{ about: string; application: boolean; settle: (answer: Acknowledgement | PeerError) => void; again: () => void }>;

export class Line {
  readonly #options: LineOptions;
  readonly #socket: Socket;
  readonly #reader = new FrameReader(LONGEST_ANSWER);
  #waiting: Waiting | undefined;
  #over: PeerError | undefined;

  private constructor(options: LineOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#end(unreachable(error.message, error)));
    // An engine that has closed its side reads nothing any more: half a connection is none.
    socket.on('end', () => this.#end(unreachable('it has closed the connection')));
    socket.on('close', () => this.#end(unreachable('the connection is closed')));
  }

  /** Rejects with {@link PeerError} when there is no connection in time, or the signal is aborted. */
  static async open(options: LineOptions): Promise<Line> {
    const { address, times, signal } = options;
    const socket = dial(address);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const give = (error: PeerError) => (): void => reject(error);
    const late = setTimeout(give(unreachable(`no connection in ${formatDuration(times.connect)}`)), times.connect);
    const stop = give(unreachable('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    socket.once(address.tls === undefined ? 'connect' : 'secureConnect', resolve);
    socket.once('error', (error) => reject(unreachable(messageOf(error), error)));
    socket.once('close', give(unreachable('it has closed the connection')));
    try {
      if (signal.aborted) stop();
      await promise;
    } catch (thrown) {
      socket.destroy();
      throw thrown;
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
    }
    return new Line(options, socket);
  }

  /** Whether nothing can be sent over it any more. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /**
   * Sends a message and resolves with the acknowledgement that decides over it. Rejects with {@link PeerError} when none comes: then nobody
   * knows whether it was taken, and the line is over. One at a time.
   */
  async send(message: string, controlId: string, asked: Acknowledgements): Promise<Acknowledgement> {
    if (this.#over !== undefined) throw this.#over;
    const { signal, times } = this.#options;
    const { promise, resolve } = Promise.withResolvers<Acknowledgement | PeerError>();
    const late = (): NodeJS.Timeout => setTimeout(() => this.#end(unreachable(`no acknowledgement in ${formatDuration(times.acknowledgement)}`)), times.acknowledgement);
    let timer = late();
    const stop = (): void => this.#end(unreachable('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    this.#waiting = {
      about: controlId,
      application: asked === 'application' || asked === 'both',
      settle: resolve,
      again: () => {
        clearTimeout(timer);
        timer = late();
      },
    };
    try {
      if (signal.aborted) stop();
      this.#socket.write(framed(message));
      const answer = await promise;
      if (answer instanceof PeerError) throw answer;
      return answer;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#waiting = undefined;
    }
  }

  /** Ends the connection. */
  end(): void {
    this.#end(unreachable('ended'));
  }

  #end(why: PeerError): void {
    this.#over ??= why;
    this.#socket.destroy();
    this.#waiting?.settle(this.#over);
  }

  #read(chunk: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#answered(readAcknowledgement(frame));
    } catch (thrown) {
      this.#end(thrown instanceof PeerError ? thrown : unreachable(messageOf(thrown)));
    }
  }

  #answered(answer: Acknowledgement | undefined): void {
    if (answer?.wantsAnswer !== undefined && !this.isOver) this.#socket.write(framed(acceptOf(answer.wantsAnswer, this.#options.now())));
    const waiting = this.#waiting;
    if (answer === undefined) this.#options.onStray('no acknowledgement');
    else if (waiting === undefined) this.#options.onStray('of none');
    else if (answer.about !== waiting.about) this.#options.onStray('of another message');
    else if (verdictOf(answer) === 'commit' && waiting.application) waiting.again();
    else waiting.settle(answer);
  }
}

function dial({ host, port, tls }: EngineAddress): Socket {
  if (tls === undefined) return connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER });
  const socket = connectTls({
    host, port, minVersion: 'TLSv1.2',
    ...(isIP(host) === 0 && { servername: host }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.own !== undefined && { cert: tls.own.certificate, key: tls.own.key }),
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_AFTER);
  return socket;
}

function unreachable(why: string, cause?: unknown): PeerError {
  return new PeerError('VG_PEER_UNREACHABLE', why, { cause });
}
