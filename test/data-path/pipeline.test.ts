import { describe, expect, it } from 'vitest';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { ENGINES } from '../contract/engines.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { bind, HIGH_PULSE, message, pulse, rules, START } from '../derive/story.ts';
import { MemoryShelf } from '../vault/known-keys.ts';
import { House } from './house.ts';

const MESSAGES = Array.from({ length: 300 }, (_, i) => message('w', pulse(60 + (i % 40), { seq: i, time: START + i })));
const rulesAction = rules(HIGH_PULSE).payload;
const bindAction = bind('w').payload;

describe.each(ENGINES)('the data path, $name', ({ open }) => {
  it('seals every accepted message exactly once, in a chain that verifies', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    await house.pipeline.decide(bindAction);
    await house.seal(...MESSAGES);
    const evidence = (await house.audit('record')).filter(({ kind }) => kind === 'evidence');
    let covered = 0;
    for (const { fields } of evidence) {
      expect(fields.get('first')).toBe(covered + 1);
      covered = fields.get('last') as number;
    }
    const messages = evidence.reduce((sum, { fields }) => sum + (fields.get('messages') as number), 0);
    expect([messages, house.accepted, house.pipeline.derived.totals.readings]).toEqual([300, 300, 300]);
    expect(house.faults).toEqual([]);
  });

  it('gives every waiting message a sequence of its own, without gaps', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    const sequences = await Promise.all(MESSAGES.map((frame) => house.pipeline.accept(frame)));
    expect(sequences).toEqual(MESSAGES.map((_, i) => i + 1));
    expect(house.parts.journal.next).toBeGreaterThanOrEqual(301);
  });

  it('seals an event in the alarm lane at once, while the record lane still waits', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store, Millis(3_600_000));
    await house.pipeline.decide(rulesAction);
    await house.pipeline.decide(bindAction);
    await house.pipeline.accept(message('w', pulse(140)));
    await house.until(() => house.sealed.length > 0);
    expect(house.sealed.map(({ state }) => state.lane)).toEqual(['alarm']);
    expect((await house.audit('alarm')).map(({ kind }) => kind)).toEqual(['event']);
    expect(await house.audit('record')).toEqual([]);
  });

  it('goes on after a stop where it was: nothing lost, nothing twice, bindings and rules kept', async () => {
    await using engine = await open();
    const shelf = new MemoryShelf();
    {
      await using house = await House.open(engine.store, undefined, shelf);
      await house.pipeline.decide(rulesAction);
      await house.pipeline.decide(bindAction);
      await Promise.all(MESSAGES.slice(0, 100).map((frame) => house.pipeline.accept(frame)));
    }
    await using house = await House.open(await engine.reopen(), undefined, shelf);
    // The first 50 again, as devices do that heard no acknowledgement.
    await house.seal(...MESSAGES.slice(50), message('w', pulse(140)));
    expect(house.pipeline.derived.totals).toMatchObject({ readings: 301, duplicates: 50, events: 1 });
    const sequences = [
      ...(await house.audit('record')), ...(await house.audit('alarm')),
    ].map(({ sequence }) => sequence).toSorted((a, b) => a - b);
    expect(sequences).toEqual(sequences.map((_, i) => i + 1));
    expect(house.pipeline.derived.subjectAt('w' as never, UnixMillis(Date.now()))).toEqual({ kind: 'patient', id: 'anna' });
  });

  it('refuses what comes after a stop', async () => {
    await using engine = await open();
    const house = await House.open(engine.store);
    await house.pipeline.stop();
    await expect(house.pipeline.accept(MESSAGES[0] as (typeof MESSAGES)[0])).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
    expect(house.pipeline.offer(MESSAGES[0] as (typeof MESSAGES)[0])).toBe(false);
  });

  it('takes best-effort messages into the same journal', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    expect(house.pipeline.offer(message('w', pulse(70), { qos: 0 }))).toBe(true);
    await house.seal(message('w', pulse(71)));
    expect(house.accepted).toBe(2);
  });
});

describe('the data path over a failing store', () => {
  it('refuses while it fails and takes messages again when it recovers, derives and seals all it acknowledged', async () => {
    const [memory] = ENGINES;
    await using engine = await (memory as (typeof ENGINES)[0]).open();
    const disk = new FaultyStore(engine.store);
    await using house = await House.open(disk);
    await house.seal(message('w', pulse(70)));
    disk.writeFaults.push('nothing written');
    await expect(house.pipeline.accept(message('w', pulse(71)))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(house.pipeline.fault).toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(house.pipeline.accept(message('w', pulse(72)))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await house.until(() => house.pipeline.fault === undefined);
    await house.seal(message('w', pulse(73)));
    expect(house.accepted).toBe(2);
    expect(house.faults.map((fault) => fault?.code)).toEqual(['VG_STORE_WRITE', undefined]);
  });
});
