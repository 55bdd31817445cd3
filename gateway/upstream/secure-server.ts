import type { RequestListener, Server } from 'node:http';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { type Millis, Minutes } from '../quantity.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';

/** How long a connection over which nothing is asked stays. */
const IDLE: Millis = Minutes(2);

/**
 * TLS 1.3 with HTTP/2, and HTTP/1.1 for whoever reads with a browser or curl. Clients are asked for a certificate and may have none: the routes
 * judge. It closes as fastify expects of a server of node:http.
 */
export function secureServer({ certificate: cert, key }: NodeCertificate, handshakeTimeout: Millis, handler: RequestListener): Server {
  const server = createSecureServer({ cert, key, allowHTTP1: true, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', handshakeTimeout }, handler as never);
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  // Before TLS: one that never gets there would hold up closing until the handshake has timed out.
  server.on('connection', (socket) => keepWhileOpen(sockets, socket));
  server.on('session', (session) => keepWhileOpen(sessions, session));
  return Object.assign(server as unknown as Server, {
    // Nodes of other hospitals ask every few seconds over HTTP/1.1, and each handshake is ten times what they ask and hear.
    keepAliveTimeout: IDLE,
    closeIdleConnections: () => {
      for (const session of sessions) session.close();
    },
    closeAllConnections: () => {
      for (const socket of sockets) socket.destroy();
    },
  });
}

function keepWhileOpen<T extends Socket | ServerHttp2Session>(all: Set<T>, each: T): void {
  all.add(each);
  each.once('close', () => all.delete(each));
}
