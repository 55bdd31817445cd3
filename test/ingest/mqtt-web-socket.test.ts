import { once } from 'node:events';
import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Bytes, KiB, Millis } from '../../gateway/quantity.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { PASSWORD } from './broker-fixture.ts';
import { connectPacket, PUBACK, publishPacket, readPackets } from './mqtt-wire.ts';
import { SecureBroker } from './secure-broker.ts';

const TOPIC = 'devices/clip/readings';
const LOGIN = connectPacket({ clientId: 'clip', username: 'clip', password: PASSWORD });

/** A WebSocket by hand; resolves when it is open. */
async function open(broker: SecureBroker, path = '/mqtt', protocols: string[] = ['mqtt']): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${broker.under.webSocketPort}${path}`, protocols);
  await once(socket, 'open');
  return socket;
}

/** What the broker answers to these bytes on a TCP connection, until it closes it. */
async function answerTo(broker: SecureBroker, text: string): Promise<string> {
  const socket = createConnection(broker.under.webSocketPort, '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined).on('data', (part: Buffer) => (answer += part.toString('latin1')));
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const upgrade = (path: string, ...headers: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: gateway', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', ...headers, '', ''].join('\r\n');

describe('a device over WebSocket', () => {
  it.each(['ws', 'wss'] as const)('is let in by its password over %s, and its messages are acknowledged', async (scheme) => {
    await using broker = await SecureBroker.start({ wss: scheme === 'wss' });
    const client = await broker.connect(scheme, broker.login('clip'));
    for (const qos of [0, 1, 2] as const) await client.publishAsync(TOPIC, `${qos}`, { qos });
    await Promise.all(Array.from({ length: 300 }, (_, i) => client.publishAsync(TOPIC, `${i}`, { qos: 1 })));
    await client.endAsync();
    expect(broker.under.frames).toHaveLength(302);
    await expect(broker.connect(scheme, broker.login('clip', 'guess'))).rejects.toMatchObject({ code: 5 });
    expect(broker.under.observed.reasons).toEqual(['wrong_credentials']);
  });

  it('is let in by its certificate over wss', async () => {
    await using broker = await SecureBroker.start({ wss: true, requireCertificate: true });
    const issued = await broker.enrol('clip');
    const client = await broker.connect('wss', { ...broker.showing(issued), wsOptions: { ca: broker.caPem, cert: issued.certificate, key: issued.privateKey } });
    await client.publishAsync(TOPIC, 'x', { qos: 1 });
    await client.endAsync();
    broker.under.certificates.delete('clip');
    const refused = broker.connect('wss', { ...broker.showing(issued), wsOptions: { ca: broker.caPem, cert: issued.certificate, key: issued.privateKey } });
    await expect(refused).rejects.toMatchObject({ code: 5 });
    expect(broker.under.observed.reasons).toEqual(['wrong_certificate']);
  });

  it('may cut its packets into messages as it likes [MQTT-6.0.0-2]', async () => {
    await using broker = await SecureBroker.start();
    const socket = await open(broker, '/');
    expect(socket.protocol).toBe('mqtt');
    const stream = Buffer.concat([LOGIN, ...[1, 2, 3].map((id) => publishPacket({ topic: TOPIC, payload: `${id}`, id }))]);
    let heard = Buffer.alloc(0);
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        heard = Buffer.concat([heard, data]);
        if (readPackets(heard).packets.filter(({ type }) => type === PUBACK).length === 3) resolve();
      });
    });
    for (let at = 0; at < stream.length; at += 7) socket.send(stream.subarray(at, at + 7));
    await answered;
    socket.terminate();
    expect(broker.under.frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['1', '2', '3']);
  });

  it('that is too fast is read more slowly and loses nothing', async () => {
    await using broker = await SecureBroker.start({ maxRate: 200 });
    const began = performance.now();
    const client = await broker.connect('ws', broker.login('clip'));
    await Promise.all(Array.from({ length: 600 }, (_, i) => client.publishAsync(TOPIC, `${i}`, { qos: 1 })));
    await client.endAsync();
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(broker.under.frames).toHaveLength(600);
    expect(broker.under.observed.reasons).toEqual([]);
  });

  it('is closed at once when it is disconnected', async () => {
    await using broker = await SecureBroker.start();
    const client = await broker.connect('ws', broker.login('clip'));
    const closed = broker.closed(client);
    expect(broker.under.broker?.disconnect('clip' as DeviceId)).toBe(1);
    await closed;
    await client.endAsync(true);
  });

  it('gets its pings answered', async () => {
    await using broker = await SecureBroker.start();
    const socket = await open(broker);
    socket.ping('are you there');
    const [data] = (await once(socket, 'pong')) as [Buffer];
    expect(data.toString()).toBe('are you there');
    socket.terminate();
  });
});

describe('the port for WebSocket', () => {
  it.each<[string, string, RegExp]>([
    ['no HTTP', `${LOGIN.toString('latin1')}\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['a request for a page', 'GET / HTTP/1.1\r\nHost: gateway\r\n\r\n', /^HTTP\/1\.1 426 /],
    ['a request with a body', 'POST /mqtt HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n\r\nhello', /^HTTP\/1\.1 426 /],
    ['two requests at once', 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 426 /],
    ['another path', upgrade('/admin', 'Sec-WebSocket-Protocol: mqtt'), /^HTTP\/1\.1 404 /],
    ['no subprotocol', upgrade('/mqtt'), /^HTTP\/1\.1 400 /],
    ['another subprotocol', upgrade('/mqtt', 'Sec-WebSocket-Protocol: chat, mqttv3.1'), /^HTTP\/1\.1 400 /],
    ['a subprotocol that is no token', upgrade('/mqtt', 'Sec-WebSocket-Protocol: mqtt,,'), /^HTTP\/1\.1 400 /],
    ['a WebSocket of another version', upgrade('/mqtt', 'Sec-WebSocket-Protocol: mqtt').replace('Version: 13', 'Version: 99'), /^HTTP\/1\.1 400 /],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`, /^HTTP\/1\.1 400 /],
  ])('answers %s with an error, counts it once, and a device beside is unharmed', async (_what, text, answer) => {
    await using broker = await SecureBroker.start();
    const beside = await broker.connect('ws', broker.login('beside'));
    expect(await answerTo(broker, text)).toMatch(answer);
    await beside.publishAsync('devices/beside/readings', 'x', { qos: 1 });
    await beside.endAsync();
    expect(broker.under.observed.reasons).toEqual(['failed_handshake']);
  });

  it.each<[string, string, (socket: WebSocket) => void]>([
    ['a text message [MQTT-6.0.0-1]', 'malformed_packet', (socket) => socket.send('hello')],
    ['bytes that are no MQTT', 'malformed_packet', (socket) => socket.send(Buffer.alloc(50))],
    ['a message larger than may be', 'oversized_packet', (socket) => socket.send(Buffer.alloc(KiB(200), 0x30))],
    ['a packet larger than may be', 'oversized_packet', (socket) => socket.send(publishPacket({ topic: TOPIC, payload: Buffer.alloc(KiB(6)) }))],
  ])('ends a connection with %s and counts it once', async (_what, reason, send) => {
    await using broker = await SecureBroker.start({ maxPayload: Bytes(4096) });
    const socket = await open(broker);
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    send(socket);
    await closed;
    await broker.untilRefused(1);
    expect(broker.under.observed.reasons).toEqual([reason]);
  });

  it('ends a connection with frames that are no WebSocket', async () => {
    await using broker = await SecureBroker.start();
    const answer = await answerTo(broker, `${upgrade('/mqtt', 'Sec-WebSocket-Protocol: mqtt')}${'\xff'.repeat(100)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    await broker.untilRefused(1);
    expect(broker.under.observed.reasons).toEqual(['malformed_packet']);
  });

  it.each([false, true])('ends a connection that does not come to its upgrade in time (wss: %s)', async (wss) => {
    await using broker = await SecureBroker.start({ wss, connectTimeout: Millis(200) });
    const socket = wss ? connectTls({ host: '127.0.0.1', port: broker.under.webSocketPort, ca: broker.caPem }) : createConnection(broker.under.webSocketPort, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write('GET /mqtt HTTP/1.1\r\n');
    await once(socket, 'close');
    expect(broker.under.observed.refusals).toMatchObject([{ reason: 'failed_handshake', message: expect.stringContaining('in time') }]);
  });

  it('ends with the broker, whoever is connected and however far it came', async () => {
    await using broker = await SecureBroker.start();
    const silent = createConnection(broker.under.webSocketPort, '127.0.0.1');
    silent.on('error', () => undefined).resume();
    const [opened, client] = [await open(broker), await broker.connect('ws', broker.login('clip'))];
    const closed = [once(silent, 'close'), once(opened, 'close'), broker.closed(client)];
    await broker.under.stop();
    await Promise.all(closed);
    expect(broker.under.observed.connections).toBe(0);
    await client.endAsync(true);
  });
});
