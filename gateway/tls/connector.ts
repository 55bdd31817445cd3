/** How one gets a connection to a node: TLS with the certificates of this room, from an address of ours, over names that are known. */

import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { messageOf, PeerError } from '../errors.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { fingerprint } from '../ledger/es256k.ts';
import { formatDuration, type Millis } from '../quantity.ts';
import { type NodeCertificate, nodeKeyOf } from './node-certificate.ts';

export type ConnectorOptions = Readonly<{
  /**
   * Who the peer has to be, 33 bytes: it shows a certificate bound to that key, or one of an authority for its name. `anyone`: where all
   * that comes is judged by signatures of its own, and TLS only keeps others from listening.
   */
  peer: Uint8Array | 'anyone';
  /** What we show. Asked for with every connection, since keys change. Default: nothing. */
  certificate?: () => Promise<NodeCertificate>;
  /** Certificate authorities (PEM) of peers that have ordinary certificates. Default: those of the machine. */
  ca?: string;
  /** The address to connect from: it chooses the link. Default: the machine chooses. */
  localAddress?: string;
  /** How names become addresses. Default: the machine's resolver. */
  lookup?: LookupFunction;
  /** What we can speak, the best first (RFC 7301). Default: HTTP/2 and HTTP/1.1. */
  protocols?: readonly ('h2' | 'http/1.1')[];
  /** How long connecting may take, with TLS. */
  timeout: Millis;
  /** Gives up connecting when it is aborted. Default: only time does. */
  signal?: AbortSignal;
}>;

export type NodeAddress = Readonly<{ protocol: string; hostname: string; port: string }>;

/** Connects to a node. Rejects with a {@link PeerError} that says why, or with what the system says. */
export async function connectToNode({ hostname, protocol, port }: NodeAddress, options: ConnectorOptions): Promise<Socket> {
  const { localAddress, lookup, ca, protocols = ['h2', 'http/1.1'] } = options;
  const secure = protocol === 'https:';
  // URL keeps the brackets of an IPv6 address.
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(port) || (secure ? 443 : 80), ...(localAddress !== undefined && { localAddress, family: isIP(localAddress) }), ...(lookup && { lookup }) };
  if (!secure) return await whenReady(connectTcp(target), 'connect', options);
  const own = await options.certificate?.();
  const socket = connectTls({
    ...target,
    ALPNProtocols: [...protocols],
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.3',
    // Judged below, since a certificate that is bound to a key signs itself.
    rejectUnauthorized: false,
    ...(own !== undefined && { cert: own.certificate, key: own.key }),
    ...(ca !== undefined && { ca }),
  });
  await whenReady(socket, 'secureConnect', options);
  const fault = options.peer === 'anyone' ? undefined : faultOf(socket, options.peer);
  if (fault === undefined) return socket;
  socket.destroy();
  throw new PeerError('VG_PEER_REFUSED', fault);
}

async function whenReady<S extends Socket>(socket: S, event: string, { timeout, signal }: ConnectorOptions): Promise<S> {
  socket.setNoDelay(true);
  const { promise, resolve, reject } = Promise.withResolvers<S>();
  const timer = setTimeout(() => reject(new PeerError('VG_PEER_UNREACHABLE', `no connection within ${formatDuration(timeout)}`)), timeout);
  const fail = (error: Error): void => reject(error);
  const giveUp = (): void => reject(new PeerError('VG_PEER_UNREACHABLE', 'connecting was given up'));
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  socket.once(event, () => resolve(socket));
  socket.once('error', fail);
  socket.once('close', () => reject(new PeerError('VG_PEER_UNREACHABLE', 'the connection was closed before it was ready')));
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    // Another listener is HTTP's from here on; a socket that fails in between must not end the process.
    socket.off('error', fail);
    socket.on('error', () => undefined);
  }
}

/** Why the peer is not the node with that key, or undefined. */
function faultOf(socket: TLSSocket, expected: Uint8Array): string | undefined {
  const shown = socket.getPeerX509Certificate();
  const key = shown && nodeKeyOf(shown);
  if (key !== undefined) return equalBytes(key, expected) ? undefined : `the node there has key ${fingerprint(key)}, expected ${fingerprint(expected)}`;
  if (socket.authorized) return undefined;
  // Typed as an Error; it is the code of one.
  return `its TLS certificate is neither bound to the key of the node nor trusted: ${messageOf(socket.authorizationError)}`;
}
