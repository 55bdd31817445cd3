import { createServer, STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, createWebSocketStream, type WebSocket } from 'ws';
import { KiB, type Bytes, type Millis } from '../quantity.ts';
import { PLAIN, type Layer, type ListenerHooks, type Security } from './mqtt-layer.ts';

export type WebSocketOptions = Readonly<{ connectTimeout: Millis; maxMessage: Bytes }>;

/** MQTT 3.1.1 §6: the subprotocol. */
const SUBPROTOCOL = 'mqtt';
const PATHS: ReadonlySet<string> = new Set(['/mqtt', '/']);
/** Answers to pings a client may leave unread; further pings get none. */
const MAX_UNREAD: Bytes = KiB(64);

/** A connection that has not become a WebSocket yet. */
type Waiting = { readonly security: Security; readonly deadline: NodeJS.Timeout; counted: boolean };

/** WebSocket (RFC 6455) for connections that come in: HTTP until their upgrade, then MQTT in binary messages (MQTT 3.1.1 §6). */
export function acceptWebSockets(options: WebSocketOptions, hooks: ListenerHooks): Layer {
  const upgrades = new Upgrades(options, hooks);
  return (stream, security) => upgrades.enter(stream, security);
}

class Upgrades {
  readonly #options: WebSocketOptions;
  readonly #hooks: ListenerHooks;
  readonly #http = createServer();
  readonly #webSockets: WebSocketServer;
  readonly #waiting = new WeakMap<Duplex, Waiting>();

  constructor(options: WebSocketOptions, hooks: ListenerHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: options.maxMessage,
      autoPong: false,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#webSockets.on('wsClientError', (error, socket) => this.#refuse(socket, 400, error.message));
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
    this.#http.on('request', ({ socket }: IncomingMessage) => this.#refuse(socket, 426, 'a request without an upgrade'));
    this.#http.on('clientError', (error, socket) => this.#refuse(socket, 400, error.message));
  }

  enter(stream: Duplex, security: Security): void {
    const deadline = setTimeout(() => {
      this.#count(stream, 'the upgrade did not arrive in time');
      stream.destroy();
    }, this.#options.connectTimeout);
    this.#waiting.set(stream, { security, deadline, counted: false });
    stream.once('close', () => clearTimeout(deadline));
    this.#http.emit('connection', stream);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = request.url?.split('?')[0] ?? '';
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
    if (!PATHS.has(path)) return this.#refuse(socket, 404, `an upgrade of ${path.slice(0, 100)}, which is not /mqtt`);
    // [MQTT-6.0.0-3]
    if (!offered.includes(SUBPROTOCOL)) return this.#refuse(socket, 400, 'an upgrade to another subprotocol than mqtt');
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#begin(webSocket, socket));
  }

  #begin(webSocket: WebSocket, socket: Duplex): void {
    const waiting = this.#waiting.get(socket);
    clearTimeout(waiting?.deadline);
    // It would wait for whoever broke the rules to close the connection.
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('ping', (data) => {
      if (webSocket.bufferedAmount < MAX_UNREAD) webSocket.pong(data);
    });
    webSocket.on('message', (_data, isBinary) => {
      if (!isBinary) stream.destroy(new Error('a text message [MQTT-6.0.0-1]'));
    });
    const stream = createWebSocketStream(webSocket);
    this.#hooks.arrived(stream, waiting?.security ?? PLAIN);
  }

  /** Answers and closes; who does not take the answer is closed at the deadline. */
  #refuse(socket: Duplex, status: number, message: string): void {
    this.#count(socket, message);
    socket.on('error', () => undefined);
    if (!socket.writable) socket.destroy();
    else socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  }

  #count(socket: Duplex, message: string): void {
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined || waiting.counted) return;
    waiting.counted = true;
    this.#hooks.refused('failed_handshake', `WebSocket: ${message}`);
  }
}
