/** A real Aedes broker that lets everybody in and remembers what it was told, wills included. */

import { createServer, type Socket } from 'node:net';
import { Aedes, type PublishPacket } from 'aedes';
import { closeServer, listen } from './broker.ts';

export type Heard = Readonly<{ topic: string; payload: Buffer; qos: number; retain: boolean; dup: boolean }>;

export type OpenBroker = AsyncDisposable & Readonly<{
  url: string;
  heard: Heard[];
  /** Says something to whoever subscribed. */
  say: (topic: string, payload: Uint8Array) => void;
  /** Breaks all connections; the next are welcome. */
  cut: () => void;
  /** While true, nothing is acknowledged and nothing remembered. */
  setDeaf: (deaf: boolean) => void;
}>;

export async function startOpenBroker(): Promise<OpenBroker> {
  const broker = await Aedes.createBroker();
  const heard: Heard[] = [];
  const sockets = new Set<Socket>();
  let isDeaf = false;
  broker.authorizePublish = (_client, packet: PublishPacket, done) => {
    if (isDeaf) return;
    const { topic, payload, qos, retain, dup } = packet;
    heard.push({ topic, payload: Buffer.from(payload), qos, retain, dup });
    done(null);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  const port = await listen(server);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    heard,
    say: (topic, payload) => broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, retain: false, dup: false }, () => undefined),
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    setDeaf: (deaf) => {
      isDeaf = deaf;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => broker.close(resolve));
      await closeServer(server);
    },
  };
}
