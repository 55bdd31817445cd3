/** What the layers below MQTT (TCP, TLS, WebSocket) have in common. */

import type { Duplex } from 'node:stream';
import type { DeviceCertificate } from './device-certificate.ts';

/** The certificate this gateway shows, its key, and the authority that signed it and the devices' certificates. All PEM. */
export type ServerCertificate = Readonly<{ certificate: string; key: string; ca: string }>;

/** What the layers below MQTT say about who is there. */
export type Security = Readonly<{
  /** A certificate that proves a device, one that proves none, or none at all. */
  certificate: DeviceCertificate | 'unacceptable' | 'none';
  /** Whether nobody gets in without one. */
  required: boolean;
}>;

export const PLAIN: Security = { certificate: 'none', required: false };

export type ListenerHooks = Readonly<{
  /** A stream on which MQTT is spoken. */
  arrived: (stream: Duplex, security: Security) => void;
  /** A connection on which it never came to that, once for each. */
  refused: (reason: 'too_many_connections' | 'failed_handshake', message: string) => void;
}>;

/** Takes a connection through one layer, to whoever is next. */
export type Layer = (stream: Duplex, security: Security) => void;
