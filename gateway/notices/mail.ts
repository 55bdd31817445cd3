/** Mail to a server that carries it on: SMTP submission (RFC 6409) with STARTTLS (RFC 3207), or TLS from the beginning (RFC 8314). */

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { SMTPTransportOptions } from 'nodemailer';
import { messageOf } from '../errors.ts';
import { without } from './line.ts';

export type MailServer = Readonly<{
  host: string;
  port: number;
  /** `none`: in clear, for a server on the same machine. */
  security: 'starttls' | 'tls' | 'none';
  /** Certificate authority in PEM. Default: those of this machine. Both are read for every mail: a changed file counts at once. */
  ca?: (() => string) | undefined;
  login?: Readonly<{ user: string; password: () => string }> | undefined;
  from: string;
}>;

export type Mail = Readonly<{ to: string; title: string; text: string; /** The same for what is said once more. */ id?: string | undefined }>;

/** What a machine sent, so that no other machine answers it (RFC 3834). */
const HEADERS = { 'Auto-Submitted': 'auto-generated' };

/**
 * Resolves with what the server said when it has taken the mail. Rejects with the reason, without the address. Every mail has a connection of its own,
 * which ends with the signal, whatever the server does.
 */
export async function sendMail(server: MailServer, { to, title, text, id }: Mail, signal: AbortSignal): Promise<string> {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport(optionsOf(server, signal));
  const domain = server.from.slice(server.from.lastIndexOf('@') + 1);
  try {
    const { response } = await transport.sendMail({
      from: { name: 'Vitalgate', address: server.from }, to: { name: '', address: to }, subject: title, text, headers: HEADERS, disableFileAccess: true, disableUrlAccess: true,
      ...(id === undefined ? {} : { messageId: `<${createHash('sha256').update(id, 'utf8').digest('hex').slice(0, 40)}@${domain}>` }),
    });
    return without(to, `the mail server says ${response}`);
  } catch (error) {
    throw new Error(without(to, reasonFor(error)), { cause: error });
  } finally {
    transport.close();
  }
}

function optionsOf({ host, port, security, ca, login }: MailServer, signal: AbortSignal): SMTPTransportOptions {
  return {
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca: ca() }) },
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password() } }),
    // A socket that ends with the signal: nodemailer's own times are for silence, and a server may always say a little.
    getSocket: (_, callback) => {
      const socket = connect({ host, port, signal });
      socket.once('error', (error) => callback(error));
      socket.once('connect', () => callback(null, { connection: socket }));
    },
  };
}

type MailError = Readonly<{ code?: string; response?: string }>;

function reasonFor(error: unknown): string {
  const { code, response } = error as MailError;
  const said = response ?? messageOf(error);
  switch (code) {
    case 'EAUTH': return `the mail server takes neither user nor password: ${said}`;
    case 'EENVELOPE': return `the mail server refuses the recipient or the sender: ${said}`;
    case 'EMESSAGE': return `the mail server refuses the mail: ${said}`;
    case 'ETLS': return `the mail server gives no safe connection: ${said}`;
    default: return response === undefined ? `the mail server cannot be reached: ${said}` : `the mail server says ${said}`;
  }
}
