import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Consumers, SEQUENCES, idOf, placeOf, type Positions } from '../../gateway/flows/consumers.ts';
import { Delivery } from '../../gateway/flows/delivery.ts';
import type { Current, FlowSource, FlowView, Numbered } from '../../gateway/flows/desk.ts';
import type { Message, MessageOf, Topic } from '../../gateway/flows/messages.ts';
import { Millis } from '../../gateway/quantity.ts';
import type { Subject } from '../../gateway/reading.ts';
import { StoredConsumers } from '../../gateway/store/consumer-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';

const NONE = Object.fromEntries(SEQUENCES.map((name) => [name, 0])) as unknown as Positions;
const patient = (id: string): Subject => ({ kind: 'patient', id });
const stepOf = (step: number, subject: Subject): MessageOf<'alarm'>['alarm'] => ({
  step, time: '', alarm: 1, revision: 1, why: 'raised', from: 'none', to: 'active', subject, rule: 'a/b', kind: 'physiological', priority: 'high', message: 'm', count: 1, evidence: null, told: null, untold: null, by: null, refusal: null,
});

/** Steps of alarms that were, and values as they come. */
class House implements FlowSource {
  readonly steps: Subject[] = [];
  readonly #numbered = new Set<() => void>();
  readonly #current = new Set<(current: readonly Current[]) => void>();

  happens(...subjects: readonly Subject[]): void {
    this.steps.push(...subjects);
    for (const each of this.#numbered) each();
  }

  measures(value: number, subject = patient('anna')): void {
    const vital = { subject, measurement: 'spo2', value, unit: '%', measuredAt: '', device: 'w', doubt: null, skipped: 0 };
    for (const each of this.#current) each([{ key: `${subject.id} spo2`, id: `vital-${value}-spo2`, subject, topic: 'vital', vital }]);
  }

  async heads(): Promise<Positions> {
    return { ...NONE, alarm: this.steps.length };
  }

  async after(sequence: string, position: number, limit: number): Promise<readonly Numbered[]> {
    if (sequence !== 'alarm') return [];
    return this.steps.slice(position, position + limit).map((subject, i) => ({ position: position + i + 1, subject, topic: 'alarm', alarm: stepOf(position + i + 1, subject) }));
  }

  onNumbered(listener: () => void): () => void {
    this.#numbered.add(listener);
    return () => this.#numbered.delete(listener);
  }

  onCurrent(_: readonly Topic[], listener: (current: readonly Current[]) => void): () => void {
    this.#current.add(listener);
    return () => this.#current.delete(listener);
  }
}

const everything: FlowView = { maySee: () => true, maySeeValue: () => true, disclose: () => Promise.resolve() };

/** One connection of a consumer that reads until it has had enough, or is cut off. */
async function connection(house: House, consumers: Consumers, { topics = ['alarm'], view = everything, take }: { topics?: readonly Topic[]; view?: FlowView; take: (message: Message) => boolean | Promise<boolean> }): Promise<void> {
  const { consumer } = await consumers.begin('flo', 'c', NONE);
  let open = true;
  const delivery = new Delivery({
    source: house, consumers, consumer, topics, view, heartbeat: Millis(20),
    mayGoOn: () => open,
    send: async (messages) => {
      for (const message of messages) open &&= await take(message);
      return open;
    },
  });
  await delivery.follow();
}

describe('delivery', () => {
  it('leaves out nothing and marks what comes again, wherever connections break and whatever was acknowledged', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.record({ more: fc.nat(5), reads: fc.integer({ min: 1, max: 6 }), acknowledges: fc.nat(6) }), { minLength: 1, maxLength: 20 }), async (cuts) => {
      const house = new House();
      const store = new StoredConsumers(openMemoryStore());
      const got = new Map<string, number>();
      const run = async (reads: number, acknowledges: number): Promise<void> => {
        // Opened anew, as after a restart.
        const consumers = await Consumers.open(store);
        const { acknowledged } = (await consumers.begin('flo', 'c', NONE)).consumer;
        let left = Math.min(reads, house.steps.length - acknowledged.alarm);
        let last = acknowledged.alarm;
        if (left <= 0) return;
        await connection(house, consumers, {
          take: async (message) => {
            const position = placeOf(message.id)?.position ?? 0;
            expect(position).toBe(last + 1);
            last = position;
            const times = got.get(message.id) ?? 0;
            if (times > 0) expect(message.redelivered).toBe(true);
            got.set(message.id, times + 1);
            if (position <= acknowledged.alarm + acknowledges) await consumers.acknowledge('flo', 'c', { alarm: position });
            return --left > 0;
          },
        });
      };
      for (const { more, reads, acknowledges } of cuts) {
        house.happens(...Array.from({ length: more }, () => patient('anna')));
        await run(reads, acknowledges);
      }
      while ((await Consumers.open(store)).find('flo', 'c')?.acknowledged.alarm !== house.steps.length && house.steps.length > 0) await run(100, 100);
      expect([...got.keys()].sort()).toEqual(house.steps.map((_, i) => idOf('alarm', i + 1)).sort());
    }), { numRuns: 60 });
  });

  it('goes on past what somebody may not see, and does not bring it again', async () => {
    const house = new House();
    const consumers = await Consumers.open(new StoredConsumers(openMemoryStore()));
    house.happens(...Array.from({ length: 600 }, () => patient('bert')), patient('anna'));
    const seen: string[] = [];
    await connection(house, consumers, { view: { ...everything, maySee: (subject) => subject?.id === 'anna' }, take: (message) => seen.push(message.id) < 1 });
    expect(seen).toEqual(['alarm-601']);
    expect(consumers.find('flo', 'c')?.acknowledged.alarm).toBeGreaterThan(500);
  });

  it('waits for acknowledgements when many messages are under way', async () => {
    const house = new House();
    const consumers = await Consumers.open(new StoredConsumers(openMemoryStore()));
    house.happens(...Array.from({ length: 300 }, () => patient('anna')));
    let got = 0;
    await connection(house, consumers, {
      take: async () => {
        if (++got === 256) setTimeout(() => void consumers.acknowledge('flo', 'c', { alarm: 200 }), 30);
        return got < 300;
      },
    });
    expect([got, consumers.find('flo', 'c')?.acknowledged.alarm]).toEqual([300, 200]);
  });

  it('tells a slow reader the newest value, and how many it was not told', async () => {
    const house = new House();
    const consumers = await Consumers.open(new StoredConsumers(openMemoryStore()));
    const values: (readonly [number, number])[] = [];
    setTimeout(() => house.measures(1), 5);
    await connection(house, consumers, {
      topics: ['vital'],
      take: (message) => {
        if (message.topic !== 'vital') return true;
        values.push([message.vital.value, message.vital.skipped]);
        for (let value = 2; value <= 100 && values.length === 1; value++) house.measures(value);
        return values.length < 2;
      },
    });
    expect(values).toEqual([[1, 0], [100, 98]]);
  });
});

describe('a consumer', () => {
  it('cannot acknowledge what it was never given', async () => {
    const consumers = await Consumers.open(new StoredConsumers(openMemoryStore()));
    await consumers.begin('flo', 'c', NONE);
    await consumers.handOver('flo', 'c', { alarm: 3 });
    expect((await consumers.acknowledge('flo', 'c', { alarm: 9, 'sealed-record': 4 }))?.acknowledged).toEqual({ ...NONE, alarm: 3 });
  });

  it('is one of a bounded number', async () => {
    const consumers = await Consumers.open(new StoredConsumers(openMemoryStore()));
    for (let i = 0; i < 32; i++) await consumers.begin('flo', `c${i}`, NONE);
    await expect(consumers.begin('flo', 'one-more', NONE)).rejects.toThrow('already');
    expect(await consumers.remove('flo', 'c0')).toBe(true);
    expect((await consumers.begin('flo', 'one-more', NONE)).isNew).toBe(true);
  });

  it.each(['alarm', 'alarm-0', 'alarm-x', 'vital-3-spo2', '__proto__-1', 'alarm-1-2'])('has no message of the id %s', (id) => {
    expect(placeOf(id)).toBeUndefined();
  });
});
