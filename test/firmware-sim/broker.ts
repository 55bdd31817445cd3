/** A real Aedes broker on a free port, and a cable to it that a test can cut. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

import { Aedes } from 'aedes';

/** One PUBLISH as the broker saw it, before its PUBACK. */
export type Arrival = Readonly<{ device: string; topic: string; seq: number; payload: string; dup: boolean; qos: number }>;

export type BrokerOptions = Readonly<{
  /** Which credentials are right. Default: any. */
  password?: string;
  /** Awaited between the arrival of a message and its PUBACK; the argument counts arrivals from 1. Default nothing. */
  onArrival?: (count: number, arrival: Arrival) => Promise<void> | void;
}>;

export type TestBroker = AsyncDisposable & Readonly<{ url: string; port: number; arrivals: Arrival[]; clients: () => number }>;

export async function startBroker({ password, onArrival }: BrokerOptions = {}): Promise<TestBroker> {
  const broker = await Aedes.createBroker();
  const arrivals: Arrival[] = [];
  broker.authenticate = (_client, _user, given, done) => done(null, password === undefined || given?.toString() === password);
  broker.authorizePublish = (client, packet, done) => {
    const payload = packet.payload.toString();
    const { seq } = JSON.parse(payload) as { seq: number };
    const arrival: Arrival = { device: client?.id ?? '', topic: packet.topic, seq, payload, dup: packet.dup, qos: packet.qos };
    arrivals.push(arrival);
    void Promise.resolve(onArrival?.(arrivals.length, arrival)).then(() => done(null));
  };
  const server = createServer(broker.handle);
  const port = await listen(server);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    arrivals,
    clients: () => broker.connectedClients,
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => broker.close(resolve));
      await closeServer(server);
    },
  };
}

/** Forwards bytes both ways until {@link TestCable.cut}; afterwards new connections work again. */
export type TestCable = AsyncDisposable & Readonly<{ url: string; cut: () => void; connections: () => number }>;

export async function layCable(toPort: number): Promise<TestCable> {
  const open = new Set<Socket>();
  let connections = 0;
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  const server = createServer((near) => {
    connections += 1;
    const far = connect(toPort, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const port = await listen(server);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    cut,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      cut();
      await closeServer(server);
    },
  };
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
