import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { clockIn, isWithin, minuteIn, timeOfDay } from '../../../flows/lib/quiet.js';
import { UnderWay } from '../../../flows/lib/under-way.js';
import { Bench, ToldGateway } from './bench.ts';

beforeAll(() => Bench.startServer());
afterAll(() => Bench.stopServer());
afterEach(() => vi.useRealTimers());

const anna = { kind: 'patient', id: 'anna' };
const bert = { kind: 'patient', id: 'bert' };
const BELOW = { path: 'payload', comparison: 'below', limit: '90', dwell: '0', back: '92' };
/** Deliveries between nodes take turns of the event loop. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};
const payloads = (bench: Bench, output: number): unknown[] => (bench.outputs[output]?.got ?? []).map(({ payload }) => payload);

describe('when', () => {
  it('tells once that a value is beyond the limit, and once that it is back for good', async () => {
    await using bench = await Bench.load('when', BELOW);
    for (const payload of [95, 89, 88, 91, 89, 92, 91, 89]) bench.receive({ payload, subject: anna });
    await turns();
    expect([payloads(bench, 0), payloads(bench, 1)]).toEqual([[89, 89], [92]]);
  });

  it('waits until it has lasted, and sends the latest', async () => {
    await using bench = await Bench.load('when', { ...BELOW, dwell: '30' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    bench.receive({ payload: 80, subject: anna });
    vi.advanceTimersByTime(29_000);
    bench.receive({ payload: 95, subject: anna });
    bench.receive({ payload: 81, subject: anna });
    vi.advanceTimersByTime(29_000);
    bench.receive({ payload: 82, subject: anna });
    await turns();
    expect(payloads(bench, 0)).toEqual([]);
    vi.advanceTimersByTime(1000);
    await turns();
    expect(payloads(bench, 0)).toEqual([82]);
  });

  it('judges everybody, and everything measured, by itself', async () => {
    await using bench = await Bench.load('when', BELOW);
    for (const [payload, subject, topic] of [[80, anna, 'spo2'], [81, bert, 'spo2'], [82, anna, 'heart_rate'], [83, anna, 'spo2']] as const) bench.receive({ payload, subject, topic });
    await turns();
    expect(payloads(bench, 0)).toEqual([80, 81, 82]);
  });

  it.each([
    [{ payload: '85' }, 'msg.payload: expected a number, found "85"'],
    [{ payload: Number.NaN }, 'msg.payload: expected a number, found null'],
    [{ payload: { __proto__: null, value: 1n } }, 'msg.payload: expected a number, found object'],
    [{}, 'msg.payload: expected a number, found nothing'],
    [{ payload: 80, subject: 'anna' }, 'msg.subject: expected'],
  ])('refuses %s in words', async (message, words) => {
    await using bench = await Bench.load('when', BELOW);
    bench.receive(message);
    expect(await bench.caught.next()).toMatchObject({ error: { message: expect.stringContaining(words) as unknown } });
  });

  it('keeps so many apart and no more', async () => {
    await using bench = await Bench.load('when', BELOW);
    for (let i = 0; i <= 1000; i++) bench.receive({ payload: 95, subject: { kind: 'patient', id: `p${i}` } });
    expect(await bench.caught.next()).toMatchObject({ error: { message: 'This node keeps 1000 people, rooms and measurements apart, and no more' }, subject: { id: 'p1000' } });
  });

  it.each([
    [{ limit: '' }, 'limit: expected a number'],
    [{ back: '85' }, 'Over again at: expected a value'],
    [{ comparison: 'toString' }, 'Is: expected below'],
    [{ dwell: '-1' }, 'dwell: expected a number'],
  ])('says what is wrong with %j', async (config, words) => {
    await using bench = await Bench.load('when', { ...BELOW, ...config });
    expect(bench.said.at(-1)).toContain(words);
  });
});

describe('no data for', () => {
  it('tells once that nothing came, and that data come again', async () => {
    await using bench = await Bench.load('no-data', { minutes: 10, patient: '', measurement: '' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    bench.receive({ topic: 'spo2', payload: 96, subject: anna });
    bench.receive({ topic: 'spo2', payload: 96, subject: bert });
    vi.advanceTimersByTime(9 * 60_000);
    bench.receive({ topic: 'spo2', payload: 97, subject: bert });
    vi.advanceTimersByTime(2 * 60_000);
    await turns();
    expect(bench.outputs[0]?.got).toMatchObject([{ payload: 'anna spo2: no data for 10 min', subject: anna, topic: 'spo2' }]);
    bench.receive({ topic: 'spo2', payload: 95, subject: anna });
    await turns();
    expect(payloads(bench, 1)).toEqual([95]);
  });

  it('notices that nothing ever came of whoever is named', async () => {
    await using bench = await Bench.load('no-data', { minutes: 0.01, patient: 'anna', measurement: 'spo2' });
    bench.receive({ topic: 'spo2', payload: 96, subject: bert });
    expect(await bench.outputs[0]?.next()).toMatchObject({ payload: 'anna spo2: no data for 0.01 min', subject: anna });
  });
});

describe('quiet hours', () => {
  it('keep back at night, except for what is urgent', async () => {
    let now = '';
    await using bench = await Bench.load('quiet-hours', { begin: '22:00', end: '06:30', zone: 'Europe/Berlin' }, { now: () => new Date(now) });
    for (const [time, payload, priority] of [['2026-01-10T20:59Z', 1, 'low'], ['2026-01-10T21:00Z', 2, 'medium'], ['2026-01-11T05:29Z', 3, 'high'], ['2026-01-11T05:29Z', 4, undefined], ['2026-01-11T05:30Z', 5, 'low']] as const) {
      now = time;
      bench.receive({ payload, ...(priority === undefined ? {} : { alarm: { priority } }) });
    }
    await turns();
    expect([payloads(bench, 0), payloads(bench, 1)]).toEqual([[1, 3, 5], [2, 4]]);
  });

  it('are as long as they are, over midnight, too', () => {
    fc.assert(fc.property(fc.nat(1439), fc.nat(1439), (begin, end) => {
      const minutes = Array.from({ length: 1440 }, (_, minute) => minute).filter((minute) => isWithin(minute, begin, end)).length;
      expect(minutes).toBe((end - begin + 1440) % 1440);
    }));
  });

  it.each(['25:00', '24:01', '9', '', '12:60'])('refuse %j as a time', (text) => {
    expect(() => minuteIn(text, 'begin')).toThrow('badTime');
  });

  it.each([
    ['an hour shorter when clocks are put forward', '2026-03-28T12:00Z', 8],
    ['an hour longer when clocks are put back', '2026-10-24T12:00Z', 10],
    ['as filled in on any other night', '2026-01-10T12:00Z', 9],
  ])('are %s', async (_, noon, hours) => {
    let minute = 0;
    await using bench = await Bench.load('quiet-hours', { begin: '22:00', end: '07:00', zone: 'Europe/Berlin' }, { now: () => new Date(Date.parse(noon) + minute * 60_000) });
    for (; minute < 24 * 60; minute++) bench.receive({ payload: minute });
    await turns();
    const quiet = payloads(bench, 1);
    expect([quiet.length, payloads(bench, 0).length]).toEqual([hours * 60, 24 * 60 - hours * 60]);
    // One night, from local 22:00 on without a gap.
    expect(quiet).toEqual(Array.from({ length: hours * 60 }, (__, i) => (quiet[0] as number) + i));
    expect(clockIn('Europe/Berlin')(new Date(Date.parse(noon) + (quiet[0] as number) * 60_000))).toBe(22 * 60);
  });

  it('go by the clock of the gateway unless a zone is filled in', async () => {
    await using gateway = await ToldGateway.open();
    gateway.timeZone = 'Asia/Kathmandu';
    // 22:10 in Kathmandu (UTC+5:45).
    await using bench = await Bench.load('quiet-hours', { begin: '22:00', end: '22:15', zone: '' }, { place: gateway.place, now: () => new Date('2026-01-10T16:25Z') });
    bench.receive({ payload: 'night there' });
    expect(await bench.outputs[1]?.next()).toMatchObject({ payload: 'night there' });
  });

  it('go by the clock of this machine where no gateway says where it stands', async () => {
    const now = new Date('2026-01-10T16:25Z');
    const [here] = [clockIn('')(now)];
    await using bench = await Bench.load('quiet-hours', { begin: timeOfDay(here), end: timeOfDay((here + 1) % 1440), zone: '' }, { now: () => now });
    bench.receive({ payload: 'night here' });
    expect(await bench.outputs[1]?.next()).toMatchObject({ payload: 'night here' });
  });

  it('say that there is no such zone', async () => {
    await using bench = await Bench.load('quiet-hours', { begin: '22:00', end: '06:00', zone: 'Moon/Sea' });
    expect(bench.said.at(-1)).toContain('Time zone: expected such as');
  });
});

describe('what is under way', () => {
  it('acknowledges nothing before all that came before it is done, and everything at last', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }).chain((count) => fc.shuffledSubarray(Array.from({ length: count }, (_, i) => i + 1), { minLength: count })), (order) => {
      const underWay = new UnderWay();
      const done = new Set<number>();
      let acknowledged = 0;
      for (let i = 1; i <= order.length; i++) expect(underWay.take(`alarm-${i}`)).toBe(true);
      for (const each of order) {
        underWay.done(`alarm-${each}`);
        done.add(each);
        const ids = underWay.acknowledgeable;
        const [last = `alarm-${acknowledged}`] = ids;
        acknowledged = Number(last.slice('alarm-'.length));
        for (let i = 1; i <= acknowledged; i++) expect(done.has(i)).toBe(true);
        expect(done.has(acknowledged + 1)).toBe(false);
        underWay.forget(ids);
      }
      expect([acknowledged, underWay.acknowledgeable]).toEqual([order.length, []]);
    }));
  });
});
