import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { Seconds } from '../../gateway/quantity.ts';
import { issueSelfSigned } from '../../gateway/tls/certificate-issue.ts';
import { makeNodeCertificate, type NodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { Channel, type Reply } from '../../gateway/uplink/channel.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChainWriter, GATEWAY, keyOf } from './gateway-chain.ts';
import { lanePath, startHospital } from './hospital.ts';

const random = countingBytes();
const running = new AbortController().signal;
const NORTH = keyOf('north');
let north: NodeCertificate;

beforeAll(async () => {
  north = await makeNodeCertificate(NORTH, random);
});

/** Asks over one connection, as a gateway with that certificate. */
async function ask(url: string, certificate: NodeCertificate | undefined, asked: Parameters<Channel['request']>[0]): Promise<Reply> {
  const channel = new Channel({ url, peer: NORTH.publicKey, ...(certificate && { certificate: () => Promise.resolve(certificate) }) });
  try {
    return await channel.request(asked, running);
  } finally {
    channel.reset();
  }
}

const offering = (writer: ChainWriter) => ({ method: 'PUT', path: `${lanePath(writer.id)}/blocks/0`, type: 'application/cbor', body: writer.at(0).bytes }) as const;
const errorIn = ({ body }: Reply): unknown => (JSON.parse(Buffer.from(body).toString()) as { error?: string }).error;

describe('whoever offers blocks to a hospital', () => {
  it('shows a certificate that is bound to the key of a gateway it admits', async () => {
    await using hospital = await startHospital('north', { tls: north, gateways: [GATEWAY.publicKey] });
    const writer = await ChainWriter.of(1);
    expect((await ask(hospital.address, await makeNodeCertificate(GATEWAY, random), offering(writer))).status).toBe(201);
  });

  it('is refused without a certificate, with one of nobody, and with one of a gateway that is not admitted', async () => {
    await using hospital = await startHospital('north', { tls: north, gateways: [GATEWAY.publicKey] });
    const writer = await ChainWriter.of(1);
    const cases = [
      [undefined, 401, 'no_certificate'],
      [await issueSelfSigned('nobody', () => 'https://example.org/', random), 401, 'unknown_certificate'],
      [await makeNodeCertificate(keyOf('stranger'), random), 403, 'not_admitted'],
    ] as const;
    for (const [certificate, status, error] of cases) {
      const reply = await ask(hospital.address, certificate, offering(writer));
      expect([reply.status, errorIn(reply)]).toEqual([status, error]);
    }
    expect(await hospital.blocks.head(writer.id)).toBeUndefined();
  });

  it('cannot show the certificate of an admitted gateway without its key', async () => {
    await using hospital = await startHospital('north', { tls: north, gateways: [GATEWAY.publicKey] });
    const stolen = { certificate: (await makeNodeCertificate(GATEWAY, random)).certificate, key: (await makeNodeCertificate(GATEWAY, random)).key };
    await expect(ask(hospital.address, stolen, offering(await ChainWriter.of(1)))).rejects.toThrow(/key values mismatch/);
  });
});

describe('the hospital\'s connection', () => {
  it('speaks HTTP/2 and HTTP/1.1 alike, and tells a link from where it came', async () => {
    await using hospital = await startHospital('north', { tls: north });
    const overH2 = await ask(hospital.address, undefined, { method: 'GET', path: '/v1/ping' });
    expect(JSON.parse(Buffer.from(overH2.body).toString())).toEqual({ from: '127.0.0.1', time: expect.any(Number) as number });

    const session = connectHttp2(hospital.address, { rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const stream = session.request({ [constants.HTTP2_HEADER_PATH]: '/v1/key' });
    const text = (await stream.setEncoding('utf8').toArray()).join('');
    session.close();
    expect(JSON.parse(text)).toMatchObject({ name: 'north' });
  });

  it('closes in time though somebody holds a connection that never gets to TLS', async () => {
    const hospital = await startHospital('north', { tls: north, closeTimeout: Seconds(0.2), requestTimeout: Seconds(600) });
    const { port } = new URL(hospital.address);
    const socket = connect(Number(port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    await hospital[Symbol.asyncDispose]();
    await new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
    expect(socket.destroyed).toBe(true);
  });
});
