// oxlint-disable-next-line import/no-unassigned-import -- what it changes is asked for by a library of @peculiar/x509, before that one
import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import { issueServerCertificate, makeAuthority, type KeyedCertificate } from '../../gateway/tls/certificate-issue.ts';
import { connectToNode, type ConnectorOptions } from '../../gateway/tls/connector.ts';
import { makeNodeCertificate, nodeKeyOf } from '../../gateway/tls/node-certificate.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { datedCertificate } from './dated-certificate.ts';

const random = countingBytes();
const NORTH = keyOf('north');

type Served = AsyncDisposable & Readonly<{ port: number; met: () => Promise<TLSSocket> }>;

async function serve({ certificate, key }: KeyedCertificate, options: TlsOptions = {}): Promise<Served> {
  const server = createTlsServer({ cert: certificate, key, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', ...options });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    met: async () => (await once(server, 'secureConnection'))[0] as TLSSocket,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function reach(port: number, options: Partial<ConnectorOptions>, hostname = '127.0.0.1', protocol = 'https:'): Promise<Socket> {
  return await connectToNode({ hostname, protocol, port: String(port) }, { peer: NORTH.publicKey, timeout: Seconds(5), ...options });
}

describe('a connection to a node', () => {
  it('is made when its certificate is bound to the expected key, and shows ours', async () => {
    await using server = await serve(await makeNodeCertificate(NORTH, random));
    const own = await makeNodeCertificate(keyOf('gateway'), random);
    const met = server.met();
    const socket = await reach(server.port, { certificate: () => Promise.resolve(own) });
    const shown = (await met).getPeerX509Certificate();
    expect(shown && nodeKeyOf(shown)).toEqual(keyOf('gateway').publicKey);
    socket.destroy();
  });

  it('is refused when the certificate is bound to another key, with both fingerprints', async () => {
    await using server = await serve(await makeNodeCertificate(keyOf('mallory'), random));
    await expect(reach(server.port, {})).rejects.toMatchObject({ code: 'VG_PEER_REFUSED', message: expect.stringMatching(/has key [0-9a-f ]+, expected [0-9a-f ]+$/) as string });
  });

  it('is made to an ordinary certificate of a known authority for that address, and to no other', async () => {
    const authority = await makeAuthority(random);
    await using server = await serve(await issueServerCertificate(authority, ['127.0.0.1'], random));
    (await reach(server.port, { ca: authority.certificate })).destroy();
    await expect(reach(server.port, {})).rejects.toThrow(/neither bound to the key of the node nor trusted/);

    await using other = await serve(await issueServerCertificate(authority, ['hospital.example'], random));
    await expect(reach(other.port, { ca: authority.certificate })).rejects.toThrow(/ERR_TLS_CERT_ALTNAME_INVALID/);
  });

  it('is refused when an ordinary certificate has expired, or is not valid yet', async () => {
    for (const [from, to, why] of [['2020-01-01', '2021-01-01', /CERT_HAS_EXPIRED/], ['2048-01-01', '2049-01-01', /CERT_NOT_YET_VALID/]] as const) {
      const dated = await datedCertificate(from, to);
      await using server = await serve(dated);
      await expect(reach(server.port, { ca: dated.certificate })).rejects.toThrow(why);
    }
  });

  it('takes anybody where what is read is judged by its own signatures', async () => {
    await using server = await serve(await datedCertificate('2020-01-01', '2021-01-01'));
    const socket = await reach(server.port, { peer: 'anyone' });
    expect(socket.readyState).toBe('open');
    socket.destroy();
  });

  it('is given up in time when the other side says nothing, or hangs up', async () => {
    await using silent = await listening(() => undefined);
    await expect(reach(silent.port, { timeout: Millis(50) })).rejects.toMatchObject({ code: 'VG_PEER_UNREACHABLE', message: 'no connection within 50 ms' });
    await using rude = await listening((socket) => socket.end());
    await expect(reach(rude.port, {})).rejects.toThrow(/closed|disconnected|ECONNRESET/);
  });

  it('is not made to a server that speaks only TLS 1.2', async () => {
    await using server = await serve(await makeNodeCertificate(NORTH, random), { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    await expect(reach(server.port, {})).rejects.toThrow();
  });

  it('comes from the address that was asked for, over the names that are known', async () => {
    await using plain = await listening(() => undefined);
    const asked: string[] = [];
    const socket = await reach(plain.port, {
      localAddress: '127.0.0.9',
      lookup: (host, options, callback) => {
        asked.push(host);
        if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
    }, 'hospital.example', 'http:');
    expect([socket.localAddress, asked]).toEqual(['127.0.0.9', ['hospital.example']]);
    socket.destroy();
  });
});

async function listening(onSocket: (socket: Socket) => void): Promise<AsyncDisposable & Readonly<{ port: number }>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
