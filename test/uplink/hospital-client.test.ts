import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Bytes, Millis } from '../../gateway/quantity.ts';
import type { ChannelOptions } from '../../gateway/uplink/channel.ts';
import type { HospitalClient } from '../../gateway/uplink/hospital-client.ts';
import { clientAt } from './client-at.ts';

const ID = { chain: new Uint8Array(16).fill(0xab), lane: 'record' as const };
const HASH = 'cd'.repeat(32);
const BLOCK = Uint8Array.of(1, 2, 3);

type Facing = HospitalClient & AsyncDisposable & Readonly<{ url: string }>;
type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A server that does what it likes, and a client of it. */
async function facing(listener: Listener, options: Partial<ChannelOptions> = {}): Promise<Facing> {
  const server = createServer((request, response) => void listener(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return Object.assign(clientAt(url, options), {
    url,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

const answering = (status: number, type: string, body: string | Uint8Array): Listener => (_request, response) =>
  response.writeHead(status, { 'content-type': type }).end(body);
const saying = (status: number, body: object): Listener => answering(status, 'application/json; charset=utf-8', JSON.stringify(body));
const unreachable = (text: string): object => ({ outcome: 'unreachable', message: expect.stringContaining(text) as string });
const never = (): AbortSignal => new AbortController().signal;

describe('offering a block', () => {
  it('sends the bytes to the place of the block and takes the receipt', async () => {
    const seen: unknown[] = [];
    await using client = await facing(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      seen.push(request.method, request.url, request.headers['content-type'], Buffer.concat(pieces).toString('hex'));
      response.writeHead(201, { 'content-type': 'application/cbor' }).end(Buffer.of(9));
    });
    expect(await client.put(ID, 12, BLOCK, never())).toEqual({ outcome: 'accepted', receipt: Buffer.of(9) });
    expect(seen).toEqual(['PUT', `/v1/chains/${'ab'.repeat(16)}/record/blocks/12`, 'application/cbor', '010203']);
  });

  it.each([
    [409, { error: 'gap', message: 'm', head: { height: 1, hash: HASH } }, { outcome: 'behind', message: 'm' }],
    [404, { error: 'unknown_chain', message: 'm' }, { outcome: 'behind', message: 'm' }],
    [422, { error: 'fork', reason: 'fork', message: 'm' }, { outcome: 'forked', message: 'm' }],
    [422, { error: 'rejected', reason: 'bad_signature', message: 'm' }, { outcome: 'refused', reason: 'bad_signature', message: 'm' }],
    [403, { error: 'not_admitted', message: 'm' }, { outcome: 'refused', reason: 'not_admitted', message: 'm' }],
    [413, { error: 'too_large', message: 'm' }, { outcome: 'refused', reason: 'too_large', message: 'm' }],
    [503, { error: 'store_fault', message: 'm' }, { outcome: 'unreachable', message: 'status 503: m' }],
    [429, { error: 'busy', message: 'm' }, { outcome: 'unreachable', message: 'status 429: m' }],
  ])('understands status %i %o', async (status, body, outcome) => {
    await using client = await facing(saying(status, body));
    expect(await client.put(ID, 0, BLOCK, never())).toEqual(outcome);
  });

  it.each([
    ['a login page with status 200', answering(200, 'text/html', '<html>pay for the network</html>')],
    ['a login page with status 403', answering(403, 'text/html', '<html>forbidden</html>')],
    ['a proxy that says 404 in JSON of its own', saying(404, { code: 404 })],
    ['an answer without content', answering(204, '', '')],
    ['broken JSON', answering(422, 'application/json', '{"error":')],
    ['a connection that is cut', (request: IncomingMessage) => void request.socket.destroy()],
    ['an answer that breaks off', (_: IncomingMessage, r: ServerResponse) => {
      r.writeHead(201, { 'content-type': 'application/cbor', 'content-length': '50' });
      r.write(Buffer.of(1), () => r.destroy());
    }],
  ])('counts %s as no answer at all', async (_case, listener) => {
    await using client = await facing(listener);
    const answer = await client.put(ID, 0, BLOCK, never());
    expect(answer).toMatchObject({ outcome: 'unreachable', message: expect.stringMatching(/.{10,}/) });
  });

  it('follows no redirection, for the block is meant for that address and no other', async () => {
    await using elsewhere = await facing(answering(201, 'application/cbor', Uint8Array.of(9)));
    expect(await elsewhere.put(ID, 0, BLOCK, never())).toMatchObject({ outcome: 'accepted' });
    await using client = await facing((_request, response) => response.writeHead(307, { location: elsewhere.url }).end());
    expect(await client.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('status 307'));
  });

  it('reads no more than its limit of an endless answer', async () => {
    await using client = await facing((_request, response) => {
      response.writeHead(201, { 'content-type': 'application/cbor' });
      const pour = (): void => void response.write(Buffer.alloc(4096), (error) => (error ? undefined : pour()));
      pour();
    }, { maxAnswer: Bytes(10_000) });
    expect(await client.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('longer than'));
  });

  it('gives up at its deadline, before and within an answer', async () => {
    await using silent = await facing(() => undefined, { deadline: Millis(30) });
    expect(await silent.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('no answer within 30 ms'));
    const begin: Listener = (_request, response) => response.writeHead(200, { 'content-type': 'application/cbor' }).write('x');
    await using slow = await facing(begin, { deadline: Millis(30) });
    expect(await slow.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('no answer within 30 ms'));
  });

  it('takes a deadline that was measured, and is no whole number', async () => {
    await using silent = await facing(() => undefined, { deadline: 20.25 as Millis });
    expect(await silent.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('no answer within 21 ms'));
  });

  it('ends at once when it is told to stop', async () => {
    const stop = new AbortController();
    await using client = await facing(() => stop.abort());
    expect(await client.put(ID, 0, BLOCK, stop.signal)).toMatchObject({ outcome: 'unreachable' });
  });

  it('says why nobody is there', async () => {
    const client = await facing(() => undefined);
    await client[Symbol.asyncDispose]();
    expect(await client.put(ID, 0, BLOCK, never())).toMatchObject(unreachable('ECONNREFUSED'));
  });

  it('keeps a stranger\'s text short', async () => {
    await using client = await facing(saying(422, { error: 'rejected', reason: 'r'.repeat(5000), message: 'm'.repeat(5000) }));
    const answer = await client.put(ID, 0, BLOCK, never());
    expect(JSON.stringify(answer).length).toBeLessThan(800);
  });
});

describe('asking for the head', () => {
  it('reads height, hash and receipt', async () => {
    await using client = await facing(saying(200, { height: 4, hash: HASH, treeSize: 9, receipt: 'AQI=' }));
    expect(await client.head(ID, never())).toEqual({
      outcome: 'head', height: 4, hash: Uint8Array.from(Buffer.from(HASH, 'hex')), receipt: Uint8Array.of(1, 2),
    });
  });

  it('reads a head without a receipt, and an unknown chain', async () => {
    await using bare = await facing(saying(200, { height: 4, hash: HASH, receipt: null }));
    expect(await bare.head(ID, never())).toMatchObject({ outcome: 'head', receipt: undefined });
    await using empty = await facing(saying(404, { error: 'unknown_chain', message: 'm' }));
    expect(await empty.head(ID, never())).toEqual({ outcome: 'unknown_chain' });
  });

  it.each([
    [{ height: -1, hash: HASH, receipt: null }],
    [{ height: 1.5, hash: HASH, receipt: null }],
    [{ height: 2 ** 53, hash: HASH, receipt: null }],
    [{ height: 1, hash: HASH.slice(2), receipt: null }],
    [{ height: 1, hash: HASH, receipt: 'not base64!' }],
    [{ height: 1, hash: HASH }],
    [[]],
  ])('counts %o as no answer at all', async (body) => {
    await using client = await facing(saying(200, body));
    expect(await client.head(ID, never())).toMatchObject({ outcome: 'unreachable' });
  });
});
