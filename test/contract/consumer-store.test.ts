import { describe, expect, it } from 'vitest';
import { SEQUENCES, type KeptConsumer, type Positions } from '../../gateway/flows/consumers.ts';
import { StoredConsumers } from '../../gateway/store/consumer-store.ts';
import { STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';

const at = (position: number): Positions => Object.fromEntries(SEQUENCES.map((name) => [name, position])) as unknown as Positions;
const consumer = (person: string, name: string, position = 0): KeptConsumer => ({ person, name, acknowledged: at(position), handedOver: at(position + 1) });

describe.each(STORES)('a store of consumers, $name', ({ open }) => {
  it('keeps how far each has come, and no two in one place', async () => {
    await using engine = await open();
    const before = new StoredConsumers(engine.store);
    for (const each of [consumer('Ånn', 'kitchen'), consumer('Ånn', 'hall'), consumer('Ånnkit', 'chen'), consumer('Ånn', 'kitchen', 7)]) await before.put(each);
    const after = new StoredConsumers(await engine.reopen());
    expect((await after.list()).toSorted((a, b) => (a.person + a.name).localeCompare(b.person + b.name))).toEqual([consumer('Ånn', 'hall'), consumer('Ånn', 'kitchen', 7), consumer('Ånnkit', 'chen')]);
    await after.remove('Ånn', 'kitchen');
    await after.remove('Ånn', 'nobody');
    expect(await after.list()).toHaveLength(2);
  });

  it('says when the disk fails', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    faulty.writeFaults.push('nothing written');
    await expect(new StoredConsumers(faulty).put(consumer('ann', 'a'))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await new StoredConsumers(faulty).list()).toEqual([]);
  });
});
