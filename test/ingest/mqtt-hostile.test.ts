import { describe, expect, it } from 'vitest';
import { Millis } from '../../gateway/quantity.ts';
import { BrokerUnderTest, PASSWORD } from './broker-fixture.ts';
import { connectPacket, lengthField, packetOf, publishPacket, pubrelPacket, RawClient, subscribePacket, text, uint16, PINGREQ } from './mqtt-wire.ts';

const TOPIC = 'devices/clip/readings';
const LOGIN = { clientId: 'clip', username: 'clip', password: PASSWORD };

type Attack = Readonly<{
  bytes: Uint8Array;
  reason: string;
  /** Log in first. Default false. */
  loggedIn?: boolean;
  /** The attacker ends its half of the connection after the bytes. Default false. */
  hangsUp?: boolean;
}>;

const ATTACKS: Readonly<Record<string, Attack>> = {
  'an HTTP request': { bytes: Buffer.from('GET / HTTP/1.1\r\nHost: gateway\r\n\r\n'), reason: 'malformed_packet' },
  'a TLS hello': { bytes: Buffer.from('160301020001000001fc0303', 'hex'), reason: 'malformed_packet' },
  'packet type 0': { bytes: packetOf(0x00, Buffer.from('x')), reason: 'malformed_packet' },
  'packet type 15': { bytes: packetOf(0xf0, Buffer.from('x')), reason: 'malformed_packet' },
  'CONNECT with another protocol name': { bytes: connectPacket({ ...LOGIN, protocol: 'MQTTX' }), reason: 'malformed_packet' },
  'CONNECT with a protocol level of the future': { bytes: connectPacket({ ...LOGIN, level: 9 }), reason: 'malformed_packet' },
  'CONNECT of MQTT 5': { bytes: packetOf(0x10, text('MQTT'), Buffer.of(5, 2), uint16(60), Buffer.of(0), text('clip')), reason: 'malformed_packet' },
  'CONNECT with the reserved flag': { bytes: connectPacket({ ...LOGIN, extraFlags: 1 }), reason: 'malformed_packet' },
  'CONNECT with a will of QoS 3': {
    bytes: connectPacket({ ...LOGIN, extraFlags: 0x18, will: { topic: 'devices/clip/status', payload: 'x' } }),
    reason: 'malformed_packet',
  },
  'CONNECT without a body': { bytes: packetOf(0x10), reason: 'malformed_packet' },
  'CONNECT that ends inside its client id': { bytes: packetOf(0x10, text('MQTT'), Buffer.of(4, 2), uint16(60), uint16(99)), reason: 'malformed_packet' },
  'CONNECT that promises a password and has none': {
    bytes: packetOf(0x10, text('MQTT'), Buffer.of(4, 0xc2), uint16(60), text('clip'), text('clip')),
    reason: 'malformed_packet',
  },
  'CONNECT with wrong header flags': { bytes: Buffer.concat([Buffer.of(0x1f), connectPacket(LOGIN).subarray(1)]), reason: 'malformed_packet' },
  'half a CONNECT': { bytes: connectPacket(LOGIN).subarray(0, 12), hangsUp: true, reason: 'client_error' },
  'PUBLISH before CONNECT': { bytes: publishPacket({ topic: TOPIC }), reason: 'malformed_packet' },
  'SUBSCRIBE before CONNECT': { bytes: subscribePacket(1, 'devices/#'), reason: 'malformed_packet' },
  'PINGREQ before CONNECT': { bytes: PINGREQ, reason: 'malformed_packet' },
  'a length field of five bytes': { bytes: Buffer.from('308080808001', 'hex'), loggedIn: true, reason: 'malformed_packet' },
  'a length of 256 MiB': { bytes: Buffer.from('30ffffff7f', 'hex'), loggedIn: true, reason: 'oversized_packet' },
  'a length of 256 MiB before CONNECT': { bytes: Buffer.from('10ffffff7f', 'hex'), reason: 'oversized_packet' },
  'a payload over the limit': { bytes: publishPacket({ topic: TOPIC, payload: Buffer.alloc(64 * 1024) }), loggedIn: true, reason: 'oversized_packet' },
  'the announcement of a payload over the limit': {
    bytes: Buffer.concat([Buffer.of(0x32), lengthField(64 * 1024)]),
    loggedIn: true,
    reason: 'oversized_packet',
  },
  'a second CONNECT': { bytes: connectPacket(LOGIN), loggedIn: true, reason: 'malformed_packet' },
  'a topic that is no UTF-8': { bytes: publishPacket({ topic: Buffer.concat([Buffer.from('devices/clip/'), Buffer.of(0xc3, 0x28)]) }), loggedIn: true, reason: 'malformed_packet' },
  'a topic with a surrogate': {
    bytes: publishPacket({ topic: Buffer.concat([Buffer.from('devices/clip/'), Buffer.of(0xed, 0xa0, 0x80)]) }),
    loggedIn: true,
    reason: 'malformed_packet',
  },
  'a topic with a null character': { bytes: publishPacket({ topic: 'devices/clip/\0' }), loggedIn: true, reason: 'malformed_packet' },
  'an empty topic': { bytes: publishPacket({ topic: '' }), loggedIn: true, reason: 'malformed_packet' },
  'a topic longer than the limit': { bytes: publishPacket({ topic: `devices/clip/${'x'.repeat(1100)}` }), loggedIn: true, reason: 'foreign_topic' },
  'a topic length beyond the packet': { bytes: packetOf(0x32, uint16(5000), Buffer.from(TOPIC)), loggedIn: true, reason: 'malformed_packet' },
  'PUBLISH with QoS 3': { bytes: Buffer.concat([Buffer.of(0x36), publishPacket({ topic: TOPIC }).subarray(1)]), loggedIn: true, reason: 'malformed_packet' },
  'PUBLISH without a packet id': { bytes: packetOf(0x32, text(TOPIC)), loggedIn: true, reason: 'malformed_packet' },
  'PUBLISH with packet id 0': { bytes: publishPacket({ topic: TOPIC, id: 0 }), loggedIn: true, reason: 'malformed_packet' },
  'half a PUBLISH': { bytes: publishPacket({ topic: TOPIC, payload: 'x'.repeat(100) }).subarray(0, 60), loggedIn: true, hangsUp: true, reason: 'client_error' },
  'SUBSCRIBE without a filter': { bytes: packetOf(0x82, uint16(1)), loggedIn: true, reason: 'malformed_packet' },
  'SUBSCRIBE with a broken wildcard': { bytes: subscribePacket(1, 'devices/clip/a#b'), loggedIn: true, reason: 'malformed_packet' },
  'SUBSCRIBE with QoS 3': { bytes: packetOf(0x82, uint16(1), text(TOPIC), Buffer.of(3)), loggedIn: true, reason: 'malformed_packet' },
  'SUBSCRIBE to a filter of 200 levels': { bytes: subscribePacket(1, `devices/clip/${'a/'.repeat(200)}`), loggedIn: true, reason: 'malformed_packet' },
  'a packet only a broker sends': { bytes: packetOf(0x90, uint16(1), Buffer.of(0)), loggedIn: true, reason: 'malformed_packet' },
};

async function attack(broker: BrokerUnderTest, { bytes, loggedIn = false, hangsUp = false }: Attack): Promise<void> {
  await using client = loggedIn ? await broker.login('clip') : await RawClient.open(broker.port);
  client.send(bytes);
  if (hangsUp) client.finish();
  await client.closed;
}

describe('bytes no device should send', () => {
  it.each(Object.entries(ATTACKS))('%s: the connection ends, it is counted once, a device beside is unharmed', async (_name, each) => {
    await using broker = await BrokerUnderTest.start({ connectTimeout: Millis(60_000) });
    await using beside = await broker.login('beside');
    expect(await beside.publish({ topic: 'devices/beside/readings' })).toBe(true);
    await attack(broker, each);
    await broker.observed.until(() => broker.observed.refusals.length > 0);
    expect(await beside.publish({ topic: 'devices/beside/readings' })).toBe(true);
    await broker.observed.until(() => broker.observed.connections === 1);
    expect(broker.observed.reasons).toEqual([each.reason]);
    expect(broker.frames.map(({ device }) => device)).toEqual(['beside', 'beside']);
  });

  it('any bytes at all: a device beside is unharmed', async () => {
    await using broker = await BrokerUnderTest.start();
    await using beside = await broker.login('beside');
    let state = 20_260_101;
    const byte = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
    for (let round = 0; round < 50; round++) {
      const noise = Buffer.from(Array.from({ length: 200 }, byte));
      await using client = round % 2 === 0 ? await RawClient.open(broker.port) : await broker.login('clip');
      client.send(noise);
      client.finish();
      await client.closed;
    }
    expect(await beside.publish({ topic: 'devices/beside/readings' })).toBe(true);
    expect(broker.observed.connections).toBe(1);
  });

  it('a connection that says nothing is closed in time and counted', async () => {
    await using broker = await BrokerUnderTest.start({ connectTimeout: Millis(100) });
    await using client = await RawClient.open(broker.port);
    await client.closed;
    expect(broker.observed.reasons).toEqual(['client_error']);
  });

  it('QoS 2 messages that are never released end the connection at the limit', async () => {
    await using broker = await BrokerUnderTest.start({ maxInFlight: 3 });
    await using client = await broker.login('clip');
    for (let id = 1; id <= 4; id++) client.send(publishPacket({ topic: TOPIC, qos: 2, id }));
    await client.closed;
    expect(broker.observed.reasons).toEqual(['malformed_packet']);
    await using honest = await broker.login('clip');
    for (let id = 1; id <= 10; id++) {
      honest.send(publishPacket({ topic: TOPIC, qos: 2, id }));
      await honest.next();
      honest.send(pubrelPacket(id));
      await honest.next();
    }
    expect(broker.observed.reasons).toHaveLength(1);
  });
});
