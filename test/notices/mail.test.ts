import { randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { MailSink } from '../../firmware-sim/mail-sink.ts';
import { sendMail, type MailServer } from '../../gateway/notices/mail.ts';
import { issueServerCertificate, makeAuthority } from '../../gateway/tls/certificate-issue.ts';

const random = (size: number): Uint8Array => randomBytes(size);
const MAIL = { to: 'dora@example.org', title: 'Sturz: Frau Müller', text: 'Frau Müller ist gestürzt.\nBitte antworten.', id: 'flows\nn1 alarm-4' };
const LOGIN = { user: 'gateway', password: 'pass word' };
const login = { user: LOGIN.user, password: () => LOGIN.password };

describe('a mail', () => {
  let authority: Awaited<ReturnType<typeof makeAuthority>>;
  let tls: Readonly<{ key: string; certificate: string }>;
  beforeAll(async () => {
    authority = await makeAuthority(random);
    tls = await issueServerCertificate(authority, ['127.0.0.1', 'localhost'], random);
  });

  const serverOf = ({ port }: Readonly<{ port: number }>, more: Partial<MailServer> = {}): MailServer => ({ host: '127.0.0.1', port, security: 'starttls', ca: () => authority.certificate, from: 'vitalgate@example.org', ...more });
  const within = (milliseconds: number): AbortSignal => AbortSignal.timeout(milliseconds);

  it.each([['starttls', false], ['tls', true]] as const)('goes over a safe connection (%s), as its user, and says by its number that it is the same', async (security, isImplicit) => {
    await using sink = await MailSink.open({ tls, isImplicit, login: LOGIN });
    expect(await sendMail(serverOf(sink, { security, login }), MAIL, within(20_000))).toBe('the mail server says 250 2.0.0 taken as 1');
    await sendMail(serverOf(sink, { security, login }), MAIL, within(20_000));
    await sendMail(serverOf(sink, { security, login }), { ...MAIL, id: 'another' }, within(20_000));
    const [first, again, another] = sink.mails;
    expect(first).toMatchObject({ to: ['dora@example.org'], from: 'vitalgate@example.org', subject: MAIL.title, text: MAIL.text, isSafe: true, user: 'gateway' });
    expect(first?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(first?.messageId).toMatch(/^<[0-9a-f]{40}@example\.org>$/);
    expect([again?.messageId === first?.messageId, another?.messageId === first?.messageId]).toEqual([true, false]);
  });

  it('goes in clear to a server of this machine, and to no other one that offers nothing better', async () => {
    await using sink = await MailSink.open();
    await sendMail(serverOf(sink, { security: 'none' }), MAIL, within(20_000));
    expect(sink.mails).toMatchObject([{ isSafe: false, subject: MAIL.title }]);
    await expect(sendMail(serverOf(sink), MAIL, within(20_000))).rejects.toThrow(/^the mail server gives no safe connection: /);
    expect(sink.mails).toHaveLength(1);
  });

  it('does not go to a server that another authority, or nobody, vouches for', async () => {
    await using sink = await MailSink.open({ tls, login: LOGIN });
    const other = await makeAuthority(random);
    await expect(sendMail(serverOf(sink, { ca: () => other.certificate, login }), MAIL, within(20_000))).rejects.toThrow(/^the mail server/);
    await expect(sendMail(serverOf(sink, { ca: undefined, login }), MAIL, within(20_000))).rejects.toThrow(/certificate/);
    expect(sink.mails).toEqual([]);
  });

  it('says what is wrong with the password, and with the recipient, without the address', async () => {
    await using sink = await MailSink.open({ tls, login: LOGIN, refuses: (address) => `5.1.1 <${address.toUpperCase()}> nobody here` });
    await expect(sendMail(serverOf(sink, { login: { user: 'gateway', password: () => 'wrong' } }), MAIL, within(20_000))).rejects.toThrow(/^the mail server takes neither user nor password: 535 /);
    await expect(sendMail(serverOf(sink, { login }), MAIL, within(20_000))).rejects.toThrow(/^the mail server refuses the recipient or the sender: 550 5\.1\.1 <…> nobody here$/);
    expect(sink.mails).toEqual([]);
  });

  it.each(['greeting', 'mail'] as const)('is given up when the server hangs (%s)', async (hangs) => {
    await using sink = await MailSink.open({ tls, hangs });
    await expect(sendMail(serverOf(sink), MAIL, within(700))).rejects.toThrow(/^the mail server/);
  });

  it('is given up when the server says a little for ever, and when nobody is there', async () => {
    const sockets: Socket[] = [];
    const dripping = createServer((socket) => {
      sockets.push(socket);
      const drip = setInterval(() => socket.write('2'), 20);
      socket.on('error', () => undefined).on('close', () => clearInterval(drip));
    }).listen(0, '127.0.0.1');
    await once(dripping, 'listening');
    const { port } = dripping.address() as AddressInfo;
    await expect(sendMail(serverOf({ port }), MAIL, within(500))).rejects.toThrow(/^the mail server/);
    await expect.poll(() => sockets.length > 0 && sockets.every(({ destroyed }) => destroyed), { timeout: 20_000 }).toBe(true);
    dripping.close();
    await once(dripping, 'close');
    await expect(sendMail(serverOf({ port }), MAIL, within(5000))).rejects.toThrow(/^the mail server cannot be reached: .*ECONNREFUSED/);
  });

  it('has no more recipients, headers or files than it was given, whatever its words are', async () => {
    await using sink = await MailSink.open();
    await sendMail(serverOf(sink, { security: 'none' }), { to: 'dora@example.org', title: 'a\r\nBcc: eve@example.org', text: '.\r\nMAIL FROM:<x@y>\r\n{"path":"/etc/passwd"}' }, within(20_000));
    expect(sink.mails).toMatchObject([{ to: ['dora@example.org'], text: '.\nMAIL FROM:<x@y>\n{"path":"/etc/passwd"}' }]);
    expect(sink.mails[0]?.headers.has('bcc')).toBe(false);
  });
});
