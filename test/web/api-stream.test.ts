import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { Millis } from '../../gateway/quantity.ts';
import { NOTICE } from '../../gateway/web/api-schemas.ts';
import { raised } from '../alarm/scenes.ts';
import { until } from '../path/program.ts';
import { CareSite } from './care-site.ts';
import { EventReader } from './event-reader.ts';

let site: CareSite | undefined;
const readers: EventReader[] = [];
const open = async (...given: Parameters<typeof CareSite.open>): Promise<CareSite> => (site = await CareSite.open(...given));
const follow = async (care: CareSite, lastEventId?: number, who = 'vera'): Promise<EventReader> => {
  const headers = { authorization: `Bearer ${care.token(who)}`, ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }) };
  const reader = await EventReader.open(`${care.address}/api/stream`, headers);
  readers.push(reader);
  return reader;
};
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const happen = (care: CareSite, from: number, to: number, padding = ''): void => {
  for (let each = from; each <= to; each++) care.ward.happens(each, raised({ rule: `rule-${each}`, priority: 'high', message: `message ${each}${padding}` }));
};
const idsOf = (events: readonly { id: string | undefined }[]): (string | undefined)[] => events.map(({ id }) => id);

describe('the stream', () => {
  it('begins with what is there, then tells every step as it happens', async () => {
    const care = await open();
    happen(care, 1, 2);
    const reader = await follow(care);
    expect(['content-type', 'cache-control', 'x-accel-buffering'].map((name) => reader.response.headers.get(name))).toEqual(['text/event-stream; charset=utf-8', 'no-store, no-transform', 'no']);
    expect(await reader.next()).toEqual({ event: 'snapshot', id: '2', data: { notice: NOTICE, lastStep: 2, resumedAfter: null, alarms: care.ward.feed.lists() } });
    happen(care, 3, 3);
    expect(await reader.next()).toEqual({ event: 'step', id: '3', data: care.ward.past[2] });
    expect((await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 })).status).toBe(200);
    expect(await reader.next()).toMatchObject({ event: 'step', id: '4', data: { why: 'acknowledged', by: { id: 'ann' } } });
  });

  it('goes on after the last step that was seen, from memory or from the chain, without gap or repetition', async () => {
    const care = await open({ ward: { keep: 5 } });
    happen(care, 1, 20);
    for (const seen of [0, 3, 15, 18, 20]) {
      const reader = await follow(care, seen);
      const snapshot = await reader.next();
      // Whoever is cut off now comes back with the id they had.
      expect([snapshot?.event, snapshot?.id, snapshot?.data['resumedAfter'], snapshot?.data['lastStep']]).toEqual(['snapshot', undefined, seen, 20]);
      expect(idsOf(await reader.take(20 - seen))).toEqual(Array.from({ length: 20 - seen }, (_, i) => String(seen + 1 + i)));
    }
    expect(care.ward.historyReads).toBeGreaterThan(0);
  });

  it('begins anew for a step that never was', async () => {
    const care = await open();
    happen(care, 1, 3);
    expect(await (await follow(care, 99)).next()).toMatchObject({ id: '3', data: { resumedAfter: null } });
  });

  it('misses nothing that happens while it reads the past', async () => {
    const care = await open({ ward: { keep: 10 } });
    happen(care, 1, 500);
    const reader = await follow(care, 0);
    await reader.next();
    const first = await reader.take(50);
    happen(care, 501, 700);
    expect(idsOf([...first, ...(await reader.take(650))])).toEqual(Array.from({ length: 700 }, (_, i) => String(i + 1)));
  });

  it('says now and then that it lives', async () => {
    const care = await open({ stream: { heartbeat: Millis(5) } });
    const reader = await follow(care);
    await reader.next();
    await reader.commented(3);
    happen(care, 1, 1);
    expect(await reader.next()).toMatchObject({ event: 'step', id: '1' });
  });

  it('ends at once for who has no access any more', async () => {
    const care = await open();
    const [revoked, gone, staying] = [await follow(care, undefined, 'ann'), await follow(care, undefined, 'cho'), await follow(care)];
    for (const reader of [revoked, gone, staying]) await reader.next();
    await care.people.revoke('ann');
    expect(await revoked.next()).toBeUndefined();
    care.people.configure([{ name: 'vera', access: 'viewer' }]);
    expect(await gone.next()).toBeUndefined();
    happen(care, 1, 1);
    expect(await staying.next()).toMatchObject({ id: '1' });
  });

  it('is for so many at a time', async () => {
    const care = await open({ stream: { most: 1 } });
    const first = await follow(care);
    await first.next();
    const second = await care.ask('vera', '/api/stream');
    expect([second.status, second.json['error'], second.headers.get('retry-after')]).toEqual([503, 'too_many_streams', '5']);
    await first[Symbol.asyncDispose]();
    await until('there is room again', async () => {
      const reader = await follow(care);
      return reader.response.status === 200;
    });
  });

  it('cuts off who does not read, and holds up nobody else', async () => {
    const care = await open({ stream: { patience: Millis(50), most: 2 } });
    const { port, hostname } = new URL(care.address);
    const stuck: Socket = connect(Number(port), hostname);
    await once(stuck, 'connect');
    stuck.pause();
    stuck.on('error', () => undefined);
    stuck.write(`GET /api/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${care.token('vera')}\r\n\r\n`);
    const reader = await follow(care);
    await reader.next();
    const padding = 'x'.repeat(20_000);
    let next = 0;
    await until('the reader that is stuck is cut off', async () => {
      next += 1;
      happen(care, next, next, padding);
      expect(await reader.next()).toMatchObject({ event: 'step' });
      return (await follow(care)).response.status === 200;
    });
    stuck.destroy();
  });
});
