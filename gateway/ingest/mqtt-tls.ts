import { X509Certificate } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import type { Millis } from '../quantity.ts';
import { readDeviceCertificate } from './device-certificate.ts';
import type { Layer, ListenerHooks, Security, ServerCertificate } from './mqtt-layer.ts';

export type TlsOptions = ServerCertificate & Readonly<{ connectTimeout: Millis; requireCertificate: boolean }>;

/**
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) for connections that come in. Every client is asked for a certificate; what it shows is
 * judged by device-certificate.ts and not by TLS, which would go by the date, so that the reason of a refusal reaches CONNACK,
 * metrics and log.
 */
export function acceptTls(options: TlsOptions, hooks: ListenerHooks, next: Layer): Layer {
  const { certificate, key, ca, connectTimeout, requireCertificate } = options;
  const authority = new X509Certificate(ca);
  const server = createServer({
    cert: certificate,
    key,
    ca,
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: connectTimeout,
  });
  server.on('secureConnection', (socket) => {
    // Who it is was settled now; nobody may become another later (RFC 5246 §7.4.1.1).
    socket.disableRenegotiation();
    next(socket, { certificate: certificateOf(socket, authority), required: requireCertificate });
  });
  server.on('tlsClientError', (error, socket) => {
    hooks.refused('failed_handshake', `TLS: ${error.message}`);
    // After a timeout it would stay open.
    socket.destroy();
  });
  return (socket) => {
    // Each error reaches the TLS socket too.
    socket.on('error', () => undefined);
    server.emit('connection', socket);
  };
}

function certificateOf(socket: TLSSocket, authority: X509Certificate): Security['certificate'] {
  const shown = socket.getPeerX509Certificate();
  return shown === undefined ? 'none' : (readDeviceCertificate(shown, authority) ?? 'unacceptable');
}
