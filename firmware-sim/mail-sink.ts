/** A mail server that carries nothing on: it takes mail (SMTP, RFC 5321) as a provider's would, with its troubles, and shows what came. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export type MailSinkOptions = Readonly<{
  /** Default: a free one. */
  port?: number;
  /** PEM. With it STARTTLS is offered. */
  tls?: Readonly<{ key: string; certificate: string }>;
  /** TLS from the beginning. */
  isImplicit?: boolean;
  /** Who alone may send. Default: anybody. */
  login?: Readonly<{ user: string; password: string }>;
  /** What the server says of a recipient it does not want. */
  refuses?: (address: string) => string | undefined;
  /** Where it says nothing more: to whoever connects, or to a mail it was sent. */
  hangs?: 'greeting' | 'mail';
  onMail?: (mail: SunkMail) => void;
}>;

export type SunkMail = Readonly<{ to: readonly string[]; from: string; subject: string; text: string; messageId: string; headers: ReadonlyMap<string, string>; /** Over TLS. */ isSafe: boolean; user: string | undefined }>;

export class MailSink implements AsyncDisposable {
  readonly mails: SunkMail[] = [];
  readonly #server: SMTPServer;

  static async open(options: MailSinkOptions = {}): Promise<MailSink> {
    const sink = new MailSink(options);
    sink.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(sink.#server.server, 'listening');
    return sink;
  }

  private constructor({ tls, isImplicit = false, login, refuses, hangs, onMail }: MailSinkOptions) {
    const hanging = <Answer extends unknown[]>(where: typeof hangs, answer: (...said: Answer) => void) => (hangs === where ? () => undefined : answer);
    this.#server = new SMTPServer({
      ...(tls === undefined ? {} : { key: tls.key, cert: tls.certificate }),
      secure: isImplicit,
      disabledCommands: [...(tls === undefined || isImplicit ? ['STARTTLS'] : []), ...(login === undefined ? ['AUTH'] : [])],
      authOptional: login === undefined,
      disableReverseLookup: true,
      closeTimeout: 100,
      onConnect: (_, answer) => hanging('greeting', answer)(),
      onAuth: ({ username, password }, _, answer) => {
        if (username === login?.user && password === login?.password) answer(null, { user: username });
        else answer(new Error('Invalid username or password'));
      },
      onRcptTo: ({ address }, _, answer) => {
        const refusal = refuses?.(address);
        answer(refusal === undefined ? null : Object.assign(new Error(refusal), { responseCode: 550 }));
      },
      onData: (stream, { envelope, secure, user }, answer) => {
        void this.#read(stream, { to: envelope.rcptTo.map(({ address }) => address), isSafe: secure, user: typeof user === 'string' ? user : undefined }).then((mail) => {
          onMail?.(mail);
          hanging('mail', answer)(null, `2.0.0 taken as ${this.mails.length}`);
        });
      },
    });
    // Whoever connects may leave as they like.
    this.#server.on('error', () => undefined);
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  async #read(stream: Readable, received: Pick<SunkMail, 'to' | 'isSafe' | 'user'>): Promise<SunkMail> {
    const { from, subject = '', text = '', messageId = '', headers } = await PostalMime.parse(await buffer(stream));
    const mail = { ...received, from: from?.address ?? '', subject, text: text.trim(), messageId, headers: new Map(headers.map(({ key, value }) => [key, value])) };
    this.mails.push(mail);
    return mail;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
