import { createConnection } from 'node:net';
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { IssuedCertificate } from '../../gateway/ingest/device-ca.ts';
import { Millis } from '../../gateway/quantity.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { needs } from '../debian-packages.ts';
import { PASSWORD } from './broker-fixture.ts';
import { Folder, newCa } from './certificates.ts';
import { connectPacket, DISCONNECT, RawClient } from './mqtt-wire.ts';
import { SecureBroker } from './secure-broker.ts';

const TOPIC = 'devices/clip/readings';
const CLIP = 'clip' as DeviceId;
const NOT_AUTHORISED = { code: 5 };

describe('a device over TLS', () => {
  it('is let in by its password, and its messages are acknowledged', async () => {
    await using broker = await SecureBroker.start();
    const client = await broker.connect('mqtts', broker.login('clip'));
    for (const qos of [0, 1, 2] as const) await client.publishAsync(TOPIC, `${qos}`, { qos });
    await client.endAsync();
    expect(broker.under.frames.map(({ device, qos }) => [device, qos])).toEqual([['clip', 1], ['clip', 2]]);
    expect(broker.under.offered.map(({ device }) => device)).toEqual(['clip']);
    await expect(broker.connect('mqtts', broker.login('clip', 'guess'))).rejects.toMatchObject(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual(['wrong_credentials']);
  });

  it('sends what plain devices send, as fast as they: the short cut is taken', async () => {
    await using broker = await SecureBroker.start();
    const client = await broker.connect('mqtts', broker.login('clip'));
    await Promise.all(Array.from({ length: 500 }, (_, i) => client.publishAsync(TOPIC, `${i}`, { qos: 1 })));
    await client.endAsync();
    expect(broker.under.frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
    expect(Math.max(...broker.under.groups)).toBeGreaterThan(1);
  });

  it('recognises the gateway: a device that trusts another authority does not talk to it', async () => {
    await using broker = await SecureBroker.start();
    await expect(broker.connect('mqtts', { ...broker.login('clip'), ca: await newCa().certificate() })).rejects.toMatchObject({ code: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED/) });
    await broker.untilRefused(1);
    expect(broker.under.observed.reasons).toEqual(['failed_handshake']);
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('is refused %s, and let in with 1.2 and 1.3', async (old) => {
    await using broker = await SecureBroker.start();
    // The client's own library would not even try at its usual level of security.
    await expect(broker.openTls({ minVersion: 'TLSv1', maxVersion: old, ciphers: 'DEFAULT:@SECLEVEL=0' })).rejects.toThrow(/alert protocol version/);
    await broker.untilRefused(1);
    expect(broker.under.observed.reasons).toEqual(['failed_handshake']);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await broker.openTls({ minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
  });
});

const needed = needs('openssl');

describe.skipIf(needed.missing)(`a device with a certificate${needed.note}`, () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is let in by it alone over %s, with its id as user name or without', async (version) => {
    await using broker = await SecureBroker.start({ requireCertificate: true });
    const issued = await broker.enrol('clip');
    for (const more of [{}, { username: 'clip' }, { username: 'clip', password: 'whatever' }]) {
      const client = await broker.connect('mqtts', broker.showing(issued, { minVersion: version, maxVersion: version, ...more }));
      await client.publishAsync(TOPIC, 'x', { qos: 1 });
      await client.endAsync();
    }
    expect(broker.under.frames.map(({ device }) => device)).toEqual(['clip', 'clip', 'clip']);
    expect(broker.under.observed.reasons).toEqual([]);
  });

  it('made for its own request is let in too', async () => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    const csr = folder.openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'clip.key', '-subj', '/CN=other');
    const issued = await broker.enrol('clip', csr);
    const client = await broker.connect('mqtts', broker.showing({ ...issued, privateKey: folder.openssl('pkey', '-in', 'clip.key') }));
    await client.publishAsync(TOPIC, 'x', { qos: 1 });
    await client.endAsync();
    expect(broker.under.frames.map(({ device }) => device)).toEqual(['clip']);
  });

  it('publishes under its own topics only', async () => {
    await using broker = await SecureBroker.start();
    const client = await broker.connect('mqtts', broker.showing(await broker.enrol('clip')));
    const closed = broker.closed(client);
    client.publish('devices/other/readings', 'x', { qos: 1 }, () => undefined);
    await closed;
    expect(broker.under.observed.refusals).toMatchObject([{ reason: 'foreign_topic', device: 'clip' }]);
    await client.endAsync(true);
  });

  const REFUSED: readonly (readonly [string, (broker: SecureBroker) => Promise<IssuedCertificate>])[] = [
    ['of another authority', () => newCa().issue(CLIP)],
    ['of this authority that is not registered', (broker) => broker.ca.issue(CLIP)],
    ['that was replaced by another', async (broker) => {
      const old = await broker.enrol('clip');
      await broker.enrol('clip');
      return old;
    }],
    ['that was revoked', async (broker) => {
      const revoked = await broker.enrol('clip');
      broker.under.certificates.delete('clip');
      return revoked;
    }],
    ['it made itself', async () => {
      using folder = new Folder();
      folder.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'self.key', '-out', 'self.crt', '-subj', '/CN=clip', '-addext', 'extendedKeyUsage=clientAuth');
      return { certificate: folder.openssl('x509', '-in', 'self.crt'), privateKey: folder.openssl('pkey', '-in', 'self.key'), fingerprint: new Uint8Array(32), ca: '' };
    }],
    ['of the gateway itself', async (broker) => {
      const { certificate, key, ca } = await broker.ca.serverCertificate(['clip'], undefined);
      return { certificate, privateKey: key, fingerprint: new Uint8Array(32), ca };
    }],
  ];
  it.each(REFUSED)('%s is refused, whatever password it has besides', async (_what, shown) => {
    await using broker = await SecureBroker.start();
    const options = broker.showing(await shown(broker));
    await expect(broker.connect('mqtts', options)).rejects.toMatchObject(NOT_AUTHORISED);
    await expect(broker.connect('mqtts', { ...options, username: 'clip', password: PASSWORD })).rejects.toMatchObject(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual(['wrong_certificate', 'wrong_certificate']);
    expect(broker.under.frames).toEqual([]);
  });

  it('of another device is refused under this name', async () => {
    await using broker = await SecureBroker.start();
    const other = broker.showing(await broker.enrol('other'), { username: 'clip', password: PASSWORD });
    await expect(broker.connect('mqtts', other)).rejects.toMatchObject(NOT_AUTHORISED);
    expect(broker.under.observed.refusals).toEqual([{ reason: 'wrong_certificate', device: 'other' }]);
  });

  it('is the only one let in where certificates are required', async () => {
    await using broker = await SecureBroker.start({ requireCertificate: true, wss: true });
    for (const scheme of ['mqtts', 'wss'] as const) await expect(broker.connect(scheme, broker.login('clip'))).rejects.toMatchObject(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual(['missing_certificate', 'missing_certificate']);
    // Plain TCP has none to ask for.
    await using client = await broker.under.login('clip');
    expect(await client.publish({ topic: TOPIC })).toBe(true);
  });

  it('that was revoked is not let in by a session TLS remembers either', async () => {
    await using broker = await SecureBroker.start();
    const issued = await broker.enrol('clip');
    const shown = { cert: issued.certificate, key: issued.privateKey ?? '', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    const log = async (socket: TLSSocket): Promise<number | undefined> => {
      socket.write(connectPacket({ clientId: 'clip' }));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer[3];
    };
    const first = await broker.openTls(shown);
    const session = first.getSession();
    expect(await log(first)).toBe(0);
    const resume = session === undefined ? shown : { ...shown, session };
    const again = await broker.openTls(resume);
    expect(again.isSessionReused()).toBe(true);
    expect(await log(again)).toBe(0);
    broker.under.certificates.delete('clip');
    const revoked = await broker.openTls(resume);
    expect(revoked.isSessionReused()).toBe(true);
    expect(await log(revoked)).toBe(5);
  });

  it('has a name space of client ids like every device', async () => {
    await using broker = await SecureBroker.start();
    const clip = await broker.connect('mqtts', broker.showing(await broker.enrol('clip'), { clientId: 'same' }));
    const band = await broker.connect('mqtts', broker.showing(await broker.enrol('band'), { clientId: 'same' }));
    await clip.publishAsync(TOPIC, 'x', { qos: 1 });
    await band.publishAsync('devices/band/readings', 'x', { qos: 1 });
    await Promise.all([clip.endAsync(), band.endAsync()]);
    expect(broker.under.observed.reasons).toEqual([]);
  });
});

describe('the port for TLS', () => {
  it.each<[string, Buffer]>([
    ['MQTT without TLS', connectPacket({ clientId: 'clip', username: 'clip', password: PASSWORD })],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['half a hello', Buffer.from('160301020001000001fc0303', 'hex')],
    ['zeros', Buffer.alloc(5000)],
    ['a record of a length that is none', Buffer.from('1603014800ff', 'hex')],
  ])('ends a connection with %s and counts it once; a device beside is unharmed', async (_what, bytes) => {
    await using broker = await SecureBroker.start();
    const beside = await broker.connect('mqtts', broker.login('beside'));
    const socket = createConnection(broker.under.tlsPort, '127.0.0.1');
    socket.on('error', () => undefined).resume().end(bytes);
    await once(socket, 'close');
    await broker.untilRefused(1);
    await beside.publishAsync('devices/beside/readings', 'x', { qos: 1 });
    await beside.endAsync();
    expect(broker.under.observed.reasons).toEqual(['failed_handshake']);
  });

  it('ends bytes no device should send, inside TLS too', async () => {
    await using broker = await SecureBroker.start();
    const socket = await broker.openTls();
    socket.on('error', () => undefined).resume();
    socket.write(Buffer.alloc(100));
    await once(socket, 'close');
    expect(broker.under.observed.reasons).toEqual(['malformed_packet']);
  });

  it('ends a connection that does not finish the handshake in time, and one that then says nothing', async () => {
    await using broker = await SecureBroker.start({ connectTimeout: Millis(200) });
    const silent = createConnection(broker.under.tlsPort, '127.0.0.1');
    silent.on('error', () => undefined).resume();
    await once(silent, 'close');
    const secured = await broker.openTls();
    secured.on('error', () => undefined).resume();
    await once(secured, 'close');
    expect(broker.under.observed.reasons).toEqual(['failed_handshake', 'client_error']);
  });

  it('ends with the broker, whoever is connected and however far it came', async () => {
    await using broker = await SecureBroker.start();
    const [silent, secured] = [createConnection(broker.under.tlsPort, '127.0.0.1'), await broker.openTls()];
    const client = await broker.connect('mqtts', broker.login('clip'));
    const closed = [silent, secured].map((socket) => once(socket.on('error', () => undefined).resume(), 'close'));
    const ended = broker.closed(client);
    await broker.under.stop();
    await Promise.all([...closed, ended]);
    await expect(broker.openTls()).rejects.toThrow('ECONNREFUSED');
    await client.endAsync(true);
  });
});

describe('the limit of connections', () => {
  it('counts those of all listeners together', async () => {
    await using broker = await SecureBroker.start({ maxConnections: 3 });
    await using plain = await broker.under.login('one');
    const [secured, webSocket] = [await broker.connect('mqtts', broker.login('two')), await broker.connect('ws', broker.login('three'))];
    for (const port of [broker.under.port, broker.under.tlsPort, broker.under.webSocketPort]) {
      await using fourth = await RawClient.open(port);
      await fourth.closed;
    }
    expect(broker.under.observed.reasons).toEqual(Array.from({ length: 3 }, () => 'too_many_connections'));
    plain.send(DISCONNECT);
    await plain.closed;
    await broker.under.observed.until(() => broker.under.observed.connections === 2);
    const again = await broker.connect('mqtts', broker.login('four'));
    await again.publishAsync('devices/four/readings', 'x', { qos: 1 });
    await Promise.all([secured, webSocket, again].map((client) => client.endAsync()));
  });
});
