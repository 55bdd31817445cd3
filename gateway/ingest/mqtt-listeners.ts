import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ConfigError, messageOf } from '../errors.ts';
import type { Bytes, Millis } from '../quantity.ts';
import { PLAIN, type Layer, type ListenerHooks, type ServerCertificate } from './mqtt-layer.ts';

export type Address = Readonly<{ host: string; port: number }>;

export type ListenerOptions = Readonly<{
  /** Plain TCP; "none": nowhere. */
  listen: Address | 'none';
  /** MQTT in TLS; needs {@link serverCertificate}. Default: nowhere. */
  tls?: Readonly<{ listen: Address | 'none'; requireCertificate: boolean }> | undefined;
  /** MQTT in WebSocket, and that in TLS when `tls` says so, which needs {@link serverCertificate}. Default: nowhere. */
  webSocket?: Readonly<{ listen: Address; tls: boolean }> | undefined;
  serverCertificate?: ServerCertificate | undefined;
  /** Connections at a time, over all listeners; further ones are closed at once. */
  maxConnections: number;
  /** A connection that has not come through TLS, or WebSocket, by then is closed. */
  connectTimeout: Millis;
  /** Largest WebSocket message: it is collected in memory. */
  maxMessage: Bytes;
}>;

/** Where each of them listens, as far as it does. */
export type ListenerAddresses = Readonly<{ tcp?: AddressInfo; tls?: AddressInfo; webSocket?: AddressInfo }>;
export type Listeners = Readonly<{ addresses: ListenerAddresses; close: () => Promise<void> }>;

/** Opens every listener, or none. Throws {@link ConfigError} when an address cannot be taken. */
export async function openListeners(options: ListenerOptions, hooks: ListenerHooks): Promise<Listeners> {
  const gate = new Gate(options.maxConnections, hooks);
  const addresses: { -readonly [Name in keyof ListenerAddresses]: ListenerAddresses[Name] } = {};
  try {
    const { listen, tls, webSocket } = options;
    if (listen !== 'none') addresses.tcp = await gate.open('MQTT', listen, hooks.arrived);
    if (tls !== undefined && tls.listen !== 'none') addresses.tls = await gate.open('MQTT over TLS', tls.listen, await tlsLayer(options, hooks, hooks.arrived));
    if (webSocket !== undefined) addresses.webSocket = await gate.open('MQTT over WebSocket', webSocket.listen, await webSocketLayer(options, hooks));
  } catch (error) {
    await gate.close();
    throw error;
  }
  return { addresses, close: () => gate.close() };
}

/** Loaded when needed: most gateways have neither. */
async function tlsLayer(options: ListenerOptions, hooks: ListenerHooks, next: Layer): Promise<Layer> {
  if (options.serverCertificate === undefined) throw new ConfigError('MQTT over TLS needs a server certificate');
  const { acceptTls } = await import('./mqtt-tls.ts');
  const { serverCertificate, connectTimeout, tls } = options;
  return acceptTls({ ...serverCertificate, connectTimeout, requireCertificate: tls?.requireCertificate ?? false }, hooks, next);
}

async function webSocketLayer(options: ListenerOptions, hooks: ListenerHooks): Promise<Layer> {
  const { acceptWebSockets } = await import('./mqtt-web-socket.ts');
  const upgrade = acceptWebSockets(options, hooks);
  return options.webSocket?.tls === true ? await tlsLayer(options, hooks, upgrade) : upgrade;
}

/** Counts the connections of all listeners together, before anything is known about them. */
class Gate {
  readonly #maxConnections: number;
  readonly #hooks: ListenerHooks;
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];

  constructor(maxConnections: number, hooks: ListenerHooks) {
    this.#maxConnections = maxConnections;
    this.#hooks = hooks;
  }

  async open(name: string, { host, port }: Address, enter: Layer): Promise<AddressInfo> {
    const server = createServer((socket) => this.#admit(socket, enter));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, resolve);
      });
    } catch (cause) {
      throw new ConfigError(`${name} cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
    }
    this.#servers.push(server);
    return server.address() as AddressInfo;
  }

  #admit(socket: Socket, enter: Layer): void {
    if (this.#sockets.size >= this.#maxConnections) {
      socket.destroy();
      return this.#hooks.refused('too_many_connections', `${this.#maxConnections} are open`);
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    enter(socket, PLAIN);
  }

  /** Listens no more and ends every connection, also one that is nobody's yet and could hold the server open for ever. */
  async close(): Promise<void> {
    const closed = this.#servers.splice(0).map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }
}
