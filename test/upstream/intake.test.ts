import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Lane } from '../../gateway/reading.ts';
import { KiB, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { makeNodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { Channel } from '../../gateway/uplink/channel.ts';
import { Intake } from '../../gateway/upstream/intake.ts';
import { RequestError } from '../../gateway/web/request-error.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChainWriter, GATEWAY, keyOf, parametersOf } from './gateway-chain.ts';
import { ask, lanePath, offerFrom, startHospital } from './hospital.ts';

const LIMITS = { memory: KiB(64), requests: 8, perGateway: 4 };
const record = (chain: string, size = 100): { chain: string; lane: Lane; size: number } => ({ chain, lane: 'record', size });

/** What an intake answers whom it sends away. */
function refusalOf(enter: () => unknown): Readonly<{ status: number; error: string; retryAfter: number | undefined }> {
  try {
    enter();
  } catch (thrown) {
    if (thrown instanceof RequestError) return { status: thrown.status, error: thrown.error, retryAfter: thrown.retryAfter };
    throw thrown;
  }
  throw new Error('it was let in');
}

describe('the intake', () => {
  it('lets a gateway have so many requests at a time, and others go on', () => {
    const intake = new Intake(LIMITS, () => 0.5);
    const leave = [1, 2, 3, 4].map(() => intake.enter(record('a')));
    expect(refusalOf(() => intake.enter(record('a')))).toEqual({ status: 429, error: 'too_many_requests', retryAfter: 1000 });
    intake.enter(record('b'));
    leave[0]?.();
    intake.enter(record('a'));
    expect(intake.inside).toBe(5);
  });

  it('sends records away when it has enough to do, each to another moment, and takes alarms still', () => {
    const chances = [0, 0.5, 1];
    const intake = new Intake(LIMITS, () => chances.shift() ?? 0);
    for (let i = 0; i < 6; i++) intake.enter(record(`g${i}`));
    const sentAway = [1, 2, 3].map(() => refusalOf(() => intake.enter(record('late'))));
    expect(sentAway).toEqual([1000, 5500, 10_000].map((retryAfter) => ({ status: 503, error: 'busy', retryAfter })));
    intake.enter({ ...record('late'), lane: 'alarm' });
  });

  it('counts the bytes of bodies, and takes one however long when there is no other', () => {
    const intake = new Intake(LIMITS, () => 0);
    const leave = intake.enter(record('a', KiB(64)));
    expect(refusalOf(() => intake.enter(record('b', KiB(1)))).status).toBe(503);
    leave();
    intake.enter(record('b', KiB(40)));
    expect(refusalOf(() => intake.enter(record('c', KiB(10)))).status).toBe(503);
    intake.enter({ chain: 'c', lane: 'alarm', size: KiB(10) });
  });
});

/** Begins to offer a block and does not go on. */
function halfSent(address: string, writer: ChainWriter): Promise<string> {
  const { hostname, port } = new URL(address);
  const { bytes } = writer.at(0);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(`PUT ${lanePath(writer.id)}/blocks/0 HTTP/1.1\r\nHost: h\r\nContent-Type: application/cbor\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes.subarray(0, 20));
    });
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part;
    });
    socket.once('close', () => resolve(answer)).once('error', reject);
  });
}

describe('a hospital', () => {
  it('says 429 with Retry-After to a gateway with too many requests', async () => {
    const stalled = Promise.withResolvers<undefined>();
    const limits = { ...LIMITS, perGateway: 1 };
    const refused: string[] = [];
    await using hospital = await startHospital('north', { limits, onRefused: (_id, error) => refused.push(error), testingOnlyStall: (point) => (point === 'checked' ? stalled.promise : Promise.resolve()) });
    const writer = await ChainWriter.of(1);
    const first = offerFrom(hospital.address, writer, 0);
    // Whichever of the two comes in first stands still until the other was refused.
    const second = await fetch(`${hospital.address}${lanePath(writer.id)}/blocks/0`, { method: 'PUT', headers: { 'content-type': 'application/cbor' }, body: writer.at(0).bytes as Uint8Array<ArrayBuffer> }).then(
      (response) => ({ status: response.status, after: response.headers.get('retry-after') }),
    ).finally(() => stalled.resolve(undefined));
    const statuses = [(await first).status, second.status].toSorted((a, b) => a - b);
    expect(statuses).toEqual([201, 429]);
    expect(refused).toEqual(['too_many_requests']);
    if (second.status === 429) expect(second.after).toBe('1');
    // What was refused can be offered again.
    expect((await offerFrom(hospital.address, writer, 0)).status).toBe(200);
  }, 20_000);

  it('says 503 with Retry-After when it is busy, and nothing of what it took is lost', async () => {
    const stalled = Promise.withResolvers<undefined>();
    const entered = Promise.withResolvers<undefined>();
    const limits = { ...LIMITS, requests: 4 };
    let inside = 0;
    await using hospital = await startHospital('north', { limits, testingOnlyStall: async (point) => {
      if (point !== 'checked') return;
      inside += 1;
      if (inside === 3) entered.resolve(undefined);
      await stalled.promise;
    } });
    const writers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => ChainWriter.of(1, 'record', parametersOf(['north'], keyOf(name)), keyOf(name))));
    const [a, b, c, d] = writers as [ChainWriter, ChainWriter, ChainWriter, ChainWriter];
    const taken = [a, b, c].map((writer) => offerFrom(hospital.address, writer, 0));
    await entered.promise;
    const busy = await offerFrom(hospital.address, d, 0);
    expect([busy.status, busy.json['error']]).toEqual([503, 'busy']);
    const alarm = await ChainWriter.of(1, 'alarm', parametersOf(['north'], keyOf('d')), keyOf('d'));
    const alarmTaken = offerFrom(hospital.address, alarm, 0);
    stalled.resolve(undefined);
    expect((await Promise.all([...taken, alarmTaken])).map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  }, 20_000);

  it('gives up a block that does not arrive, over HTTP/1.1 and HTTP/2, and keeps nothing of it', async () => {
    const writer = await ChainWriter.of(1);
    await using plain = await startHospital('north', { requestTimeout: Seconds(0.2) });
    expect(await halfSent(plain.address, writer)).toMatch(/^HTTP\/1\.1 408 /);
    expect(await plain.blocks.head(writer.id)).toBeUndefined();

    const random = countingBytes();
    await using secure = await startHospital('north', { requestTimeout: Seconds(0.2), tls: await makeNodeCertificate(keyOf('north'), random) });
    const gateway = await makeNodeCertificate(GATEWAY, random);
    const session = connectHttp2(secure.address, { rejectUnauthorized: false, cert: gateway.certificate, key: gateway.key });
    const stream = session.request({ ':method': 'PUT', ':path': `${lanePath(writer.id)}/blocks/0`, 'content-type': 'application/cbor' });
    let status: unknown;
    stream.on('error', () => undefined).on('response', (headers) => {
      status = headers[':status'];
    }).resume();
    stream.write(writer.at(0).bytes.subarray(0, 20));
    await new Promise((resolve) => stream.once('close', resolve));
    session.close();
    expect(status).toBe(408);
    expect(await secure.blocks.head(writer.id)).toBeUndefined();
    expect((await ask(plain.address, '/healthz')).status).toBe(200);
  }, 20_000);

  it('refuses a certificate whose time is over by its own clock', async () => {
    const random = countingBytes();
    const gateway = await makeNodeCertificate(GATEWAY, random);
    const writer = await ChainWriter.of(1);
    await using hospital = await startHospital('north', { tls: await makeNodeCertificate(keyOf('north'), random), now: () => UnixMillis(Date.parse('2050-02-01T00:00:00Z')) });
    const channel = new Channel({ url: hospital.address, peer: keyOf('north').publicKey, certificate: () => Promise.resolve(gateway) });
    const reply = await channel.request({ method: 'PUT', path: `${lanePath(writer.id)}/blocks/0`, type: 'application/cbor', body: writer.at(0).bytes }, new AbortController().signal);
    channel.reset();
    expect([reply.status, (JSON.parse(Buffer.from(reply.body).toString()) as { error: string }).error]).toEqual([401, 'expired_certificate']);
  });

  it('refuses what is announced to be too long before it comes', async () => {
    await using hospital = await startHospital('north', { maxBlock: KiB(8) });
    const { hostname, port } = new URL(hospital.address);
    const { id } = await ChainWriter.of(1);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write(`PUT ${lanePath(id)}/blocks/0 HTTP/1.1\r\nHost: h\r\nContent-Type: application/cbor\r\nContent-Length: 100000000\r\n\r\n`));
      socket.setEncoding('latin1').once('data', (part: string) => {
        socket.destroy();
        resolve(part);
      }).once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});
