import { describe, expect, it } from 'vitest';
import { Seconds, UnixMillis } from '../../gateway/quantity.ts';
import type { Leases } from '../../gateway/records/lease.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { until } from '../path/program.ts';
import { GivingGateway, START } from './given.ts';
import { OpeningHospital } from './opened.ts';

async function given(hospital: OpeningHospital, gateway: GivingGateway, count: number): Promise<readonly number[]> {
  const entries = Array.from({ length: count }, () => gateway.write('patient/anna'));
  await gateway.seal(hospital.blocks);
  for (const entry of entries) await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [gateway.sealedPayload(entry)] }));
  return entries;
}

const entriesIn = async (hospital: OpeningHospital): Promise<number[]> => (await hospital.records.after(0, 1000)).map(({ entry }) => entry);

describe('several processes over one store', () => {
  it('let one of them project, which another does as soon as that ends; all hear of more', async () => {
    const engine = openMemoryStore();
    const gateway = new GivingGateway();
    const [one, two] = [new OpeningHospital(engine, { holder: 'one' }), new OpeningHospital(engine, { holder: 'two' })];
    await one.settled();
    two.projector.start();
    const heard = new Promise<void>((resolve) => two.records.onMore(resolve));
    const first = await given(one, gateway, 3);
    await one.settled();
    await heard;
    expect([(await one.projector.status()).projects, (await two.projector.status()).projects]).toEqual([true, false]);
    expect(await entriesIn(two)).toEqual(first);
    await one.projector.stop();
    const second = await given(two, gateway, 2);
    await two.settled();
    expect((await two.projector.status()).projects).toBe(true);
    expect(await entriesIn(one)).toEqual([...first, ...second]);
    await two.projector.stop();
  });

  it('take over from one that died when its lease is over', async () => {
    const engine = openMemoryStore();
    let now = START;
    let refused = 0;
    const dead = new OpeningHospital(engine, { holder: 'one', now: () => now });
    const counting: Leases = {
      hold: async (...lease) => {
        const holds = await dead.leases.hold(...lease);
        if (!holds) refused += 1;
        return holds;
      },
      release: (...lease) => dead.leases.release(...lease),
    };
    const two = new OpeningHospital(engine, { holder: 'two', leases: counting });
    expect(await dead.leases.hold('projector', 'one', Seconds(15))).toBe(true);
    const entries = await given(dead, new GivingGateway(), 2);
    two.projector.start();
    await until('it was refused the lease', () => refused > 0);
    expect(await entriesIn(two)).toEqual([]);
    now = UnixMillis(now + 15_001);
    await two.settled();
    expect(await entriesIn(two)).toEqual(entries);
    await two.projector.stop();
  });

  it('make every record once, also where two believe that they hold the lease', async () => {
    const engine = openMemoryStore();
    const gateway = new GivingGateway();
    const leases = { hold: () => Promise.resolve(true), release: () => Promise.resolve() };
    const all = ['one', 'two', 'three'].map((holder) => new OpeningHospital(engine, { holder, leases }));
    const [one] = all as [OpeningHospital];
    for (const { projector } of all) projector.start();
    const entries = await given(one, gateway, 150);
    await Promise.all(all.map((each) => each.settled()));
    const records = await one.records.after(0, 1000);
    expect(records.map(({ entry }) => entry)).toEqual(entries);
    expect(records.map(({ number }) => number)).toEqual(entries.map((_, n) => n + 1));
    expect((await one.store.state()).opened).toBe(entries.length);
    for (const { projector } of all) await projector.stop();
  });
});

describe('a store that fails', () => {
  it('is told of, and what was under way is done again: nothing is lost, nothing twice', async () => {
    const faulty = new FaultyStore(openMemoryStore());
    await using hospital = new OpeningHospital(faulty);
    await hospital.settled();
    await hospital.projector.stop();
    const entries = await given(hospital, new GivingGateway(), 5);
    const again = new OpeningHospital(faulty);
    faulty.writeFaults.push('nothing written', 'written all the same', 'written all the same');
    again.projector.start();
    await until('it has failed', () => again.faults.length > 0);
    await again.settled();
    await until('all are there', async () => {
      again.projector.ring();
      return (await entriesIn(again)).length === entries.length;
    });
    expect(await entriesIn(again)).toEqual(entries);
    expect(new Set(again.faults)).toEqual(new Set(['VG_STORE_WRITE']));
    expect(again.log.messages('error')[0]).toContain('it is tried again');
    await again.projector.stop();
  });
});
