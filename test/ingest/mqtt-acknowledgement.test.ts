import { describe, expect, it } from 'vitest';
import { BrokerUnderTest } from './broker-fixture.ts';
import { PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, publishPacket, pubrelPacket } from './mqtt-wire.ts';

const TOPIC = 'devices/clip/readings';

describe('the acknowledgement of a message', () => {
  it('is sent for QoS 1 only after accept resolved', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    broker.holding = true;
    client.send(publishPacket({ topic: TOPIC, payload: 'x', id: 7 }));
    await broker.untilHeld(1);
    // The broker answers a ping meanwhile, and nothing else.
    client.send(PINGREQ);
    expect((await client.next())?.type).toBe(PINGRESP);
    expect(client.unread).toEqual([]);
    broker.held[0]?.resolve();
    const answer = await client.next();
    expect([answer?.type, answer?.body.readUInt16BE(0)]).toEqual([PUBACK, 7]);
    expect(broker.observed.acceptedCount).toBe(1);
  });

  it('is sent for QoS 2 as PUBREC only after accept resolved, and completes', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    broker.holding = true;
    client.send(publishPacket({ topic: TOPIC, payload: 'x', qos: 2, id: 9 }));
    await broker.untilHeld(1);
    client.send(PINGREQ);
    expect((await client.next())?.type).toBe(PINGRESP);
    expect(client.unread).toEqual([]);
    broker.held[0]?.resolve();
    expect((await client.next())?.type).toBe(PUBREC);
    client.send(pubrelPacket(9));
    expect((await client.next())?.type).toBe(PUBCOMP);
    expect(broker.frames).toHaveLength(1);
  });

  it.each([1, 2] as const)('is never sent with QoS %i when the store fails: the connection is closed instead', async (qos) => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    await using other = await broker.login('other');
    broker.holding = true;
    client.send(publishPacket({ topic: TOPIC, payload: 'x', qos }));
    await broker.untilHeld(1);
    broker.held[0]?.reject();
    expect(await client.next()).toBeUndefined();
    broker.holding = false;
    expect(await other.publish({ topic: 'devices/other/readings' })).toBe(true);
    expect(broker.observed.refusals).toEqual([{ reason: 'store_fault', device: 'clip', message: 'the disk is full' }]);
    expect(broker.observed.acceptedCount).toBe(1);
  });

  it('comes for every message of a burst, in any number of TCP segments', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    const ids = Array.from({ length: 200 }, (_, i) => i + 1);
    const stream = Buffer.concat(ids.map((id) => publishPacket({ topic: TOPIC, payload: `reading ${id}`, id })));
    for (let at = 0; at < stream.length; at += 37) client.send(stream.subarray(at, at + 37));
    const acknowledged = new Set<number>();
    while (acknowledged.size < ids.length) acknowledged.add((await client.next())?.body.readUInt16BE(0) ?? 0);
    expect(acknowledged).toEqual(new Set(ids));
    expect(broker.frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual(ids.map((id) => `reading ${id}`));
  });

  it('does not exist for QoS 0: what there is no room for is counted', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    client.send(publishPacket({ topic: TOPIC, payload: 'a', qos: 0 }));
    await broker.observed.until(() => broker.observed.receivedCount === 1);
    expect(broker.offered.map(({ qos, payload }) => [qos, Buffer.from(payload).toString()])).toEqual([[0, 'a']]);
    broker.takesOffers = false;
    client.send(publishPacket({ topic: TOPIC, payload: 'b', qos: 0 }));
    await broker.observed.until(() => broker.observed.refusals.length === 1);
    expect(broker.observed.refusals).toEqual([{ reason: 'qos0_dropped', device: 'clip' }]);
    // The connection stands.
    expect(await client.publish({ topic: TOPIC })).toBe(true);
  });

  it('is not missed when the device hangs up while its message is being written: the frame counts all the same', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip');
    broker.holding = true;
    client.send(publishPacket({ topic: TOPIC, payload: 'x' }));
    await broker.untilHeld(1);
    client.cut();
    await broker.observed.until(() => broker.observed.connections === 0);
    broker.held[0]?.resolve();
    await broker.observed.until(() => broker.observed.acceptedCount === 1);
    await using again = await broker.login('clip');
    broker.holding = false;
    expect(await again.publish({ topic: TOPIC, payload: 'x', dup: true })).toBe(true);
    expect(broker.frames.map(({ dup }) => dup)).toEqual([false, true]);
    expect(broker.observed.reasons.filter((reason) => reason !== 'client_error')).toEqual([]);
  });
});

describe('a frame', () => {
  it('carries the device that logged in, the topic, and the bytes as they were sent', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip', { clientId: 'another name' });
    const payload = Buffer.from([0, 255, 128, 10]);
    await client.publish({ topic: `${TOPIC}/raw`, payload });
    expect(broker.frames).toMatchObject([
      { source: 'mqtt', device: 'clip', topic: `${TOPIC}/raw`, qos: 1, dup: false, receivedAt: 1_800_000_000_000, clockTrust: 'synchronised' },
    ]);
    expect(Buffer.from(broker.frames[0]?.payload ?? [])).toEqual(payload);
  });

  it('may be empty, and may be as large as the limit', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    expect(await client.publish({ topic: TOPIC })).toBe(true);
    expect(await client.publish({ topic: TOPIC, payload: Buffer.alloc(4096, 'x') })).toBe(true);
    expect(broker.frames.map(({ payload }) => payload.length)).toEqual([0, 4096]);
  });
});
