import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { controlIdOf } from '../../gateway/hl7/header.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { fuzzRuns, fuzzTimeout } from '../fuzz-runs.ts';
import { acknowledgement, frame, RawEngine, Sender, type Received } from './engine.ts';
import { alarmStep, quarter, statistics } from './records.ts';

/** What an engine may do with a message. The first ones take it. */
const DEEDS = {
  accepts: ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AA', id))),
  'accepts in pieces': ({ id, socket }: Received): void => {
    const bytes = frame(acknowledgement('AA', id));
    for (let at = 0; at < bytes.length; at += 7) socket.write(bytes.slice(at, at + 7));
  },
  'accepts after another': ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AR', 'x', 'ERR|||200^x|E')) + frame(acknowledgement('AA', id))),
  'takes it and breaks the connection': ({ socket }: Received): void => void socket.destroy(),
  'takes it and says nothing': (): void => undefined,
  'takes it and closes its side': ({ socket }: Received): void => void socket.end(),
  'has an error': ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AE', id, 'ERR|||207^x|E'))),
  refuses: ({ id, socket }: Received): void => void socket.write(frame(acknowledgement('AR', id, 'ERR|||200^x|E'))),
} as const;
type Deed = keyof typeof DEEDS;
/** Among these a message may be set aside. */
const REFUSALS: readonly Deed[] = ['has an error', 'refuses'];

const RUNS = fuzzRuns(40);
const HASTY = { times: { connect: Seconds(5), acknowledgement: Millis(40) }, retry: { base: Millis(1), cap: Millis(2) } };

const deeds = fc.array(fc.constantFrom(...(Object.keys(DEEDS) as Deed[])), { maxLength: 30 });
const kinds = fc.array(fc.boolean(), { minLength: 1, maxLength: 10 });
/** After how many messages that the engine got the sender is stopped and started again. */
const restarts = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 });

/** What is known to have been answered, the naive way: by order of arrival at the engine, and what it answered. */
type Seen = Readonly<{ id: string; deed: Deed }>;

describe('whatever an engine does, and however often the sender is started again,', () => {
  it('every message is acknowledged or set aside, none skipped, each for the first time in its turn', async () => {
    await fc.assert(
      fc.asyncProperty(deeds, kinds, restarts, async (misdeeds, areAlarms, stops) => {
        const records = areAlarms.map((isAlarm, i): HospitalRecord => (isAlarm ? alarmStep(i + 1) : quarter(i + 1, { spo2: statistics('%', 97) })));
        const seen: Seen[] = [];
        const todo = [...misdeeds];
        await using engine = await RawEngine.listen((received) => {
          const deed = todo.shift() ?? 'accepts';
          seen.push({ id: received.id, deed });
          DEEDS[deed](received);
        });
        await using sender = await new Sender(engine.port, HASTY).started();
        sender.log.add(...records);
        let through = 0;
        for (const after of stops) {
          through += after;
          const isDone = (): boolean => sender.outcomes.filter((each) => each === 'acknowledged' || each === 'set_aside').length >= records.length;
          await Promise.race([engine.has(through), sender.happenings.until(isDone)]);
          await sender.stop();
          await sender.started();
        }
        while (await isBehind(sender, records)) await new Promise((resolve) => setTimeout(resolve, 1));
        await sender.stop();

        const aside = new Set((await sender.setAside()).map(({ controlId }) => controlId));
        const took = new Set(seen.filter(({ deed }) => deed.startsWith('accepts')).map(({ id }) => id));
        for (const record of records) expect([record.number, took.has(controlIdOf(record)) || aside.has(controlIdOf(record))]).toEqual([record.number, true]);
        // Only what was refused is set aside, or what broke connections while others got through.
        for (const id of aside) expect(seen.some((each) => each.id === id && (REFUSALS.includes(each.deed) || each.deed.startsWith('takes')))).toBe(true);
        for (const kind of [true, false]) {
          const own = records.filter((_, i) => areAlarms[i] === kind).map(controlIdOf);
          const firsts = [...new Set(seen.map(({ id }) => id))].filter((id) => own.includes(id));
          expect(firsts).toEqual(own);
          // A message is not sent any more once a later one of its order was.
          expect(seen.filter(({ id }) => own.includes(id)).map(({ id }) => own.indexOf(id))).toEqual(seen.filter(({ id }) => own.includes(id)).map(({ id }) => own.indexOf(id)).sort((a, b) => a - b));
        }
      }),
      { numRuns: RUNS },
    );
  }, fuzzTimeout(RUNS * 20));
});

async function isBehind(sender: Sender, records: readonly HospitalRecord[]): Promise<boolean> {
  const last = (kind: string): number => records.findLast((record) => (record.kind === 'summary') === (kind === 'observations'))?.number ?? 0;
  return (await sender.cursor('alarms')) < last('alarms') || (await sender.cursor('observations')) < last('observations');
}
