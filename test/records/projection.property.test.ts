import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Release } from '../../gateway/ledger/release.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { GivingGateway, START } from './given.ts';
import { OpeningHospital } from './opened.ts';

const EPOCHS = [1, 2, 3] as const;
const OWNERS = ['patient/anna', 'patient/otto', 'room/7'] as const;
type Content = Readonly<{ owner: (typeof OWNERS)[number]; epoch: (typeof EPOCHS)[number] }>;

/** What may happen, in any order: a release of keys and payloads (by index, whole or as an excerpt), an erasure, or time for the projector. */
type Deed =
  | Readonly<{ deed: 'give'; keys: readonly number[]; payloads: readonly Readonly<{ index: number; isWhole: boolean }>[] }>
  | Readonly<{ deed: 'erase'; key: number }>
  | Readonly<{ deed: 'project' }>;

const contents: readonly Content[] = OWNERS.flatMap((owner) => EPOCHS.map((epoch) => ({ owner, epoch })));
const PER_CONTENT = 3;

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 5, arbitrary: fc.record({
    deed: fc.constant('give' as const),
    keys: fc.uniqueArray(fc.nat(contents.length - 1), { maxLength: 4 }),
    payloads: fc.array(fc.record({ index: fc.nat(contents.length * PER_CONTENT - 1), isWhole: fc.boolean() }), { maxLength: 8 }),
  }) },
  { weight: 1, arbitrary: fc.record({ deed: fc.constant('erase' as const), key: fc.nat(contents.length - 1) }) },
  { weight: 2, arbitrary: fc.constant({ deed: 'project' as const }) },
);

/** The naive twin: which payload lies under which key now, and nothing else. */
class Twin {
  readonly keys = new Set<number>();
  readonly payloads = new Map<number, boolean>();

  do(each: Deed): void {
    if (each.deed === 'give') {
      for (const key of each.keys) this.keys.add(key);
      for (const { index, isWhole } of each.payloads) this.payloads.set(index, isWhole);
    } else if (each.deed === 'erase') {
      this.keys.delete(each.key);
      for (const index of this.payloads.keys()) if (Math.floor(index / PER_CONTENT) === each.key) this.payloads.delete(index);
    }
  }

  /** Index and whether it is whole. */
  get shown(): readonly (readonly [number, boolean])[] {
    return [...this.payloads].filter(([index]) => this.keys.has(Math.floor(index / PER_CONTENT))).sort(([a], [b]) => a - b);
  }
}

describe('whatever a hospital is given, in whatever order, and again, and erased', () => {
  it('shows what a naive twin shows: each payload once, under a key that is here, of one person where keys join', async () => {
    await fc.assert(fc.asyncProperty(fc.array(deed, { maxLength: 20 }), async (deeds) => {
      const hospital = new OpeningHospital(openMemoryStore());
      const gateway = new GivingGateway();
      const entries: number[] = [];
      for (const epoch of EPOCHS) {
        gateway.enter(epoch);
        for (const [index, content] of contents.entries()) {
          if (content.epoch === epoch) for (let n = 0; n < PER_CONTENT; n++) entries[index * PER_CONTENT + n] = gateway.write(content.owner, { time: START + n });
        }
      }
      for (const lane of ['record', 'alarm'] as const) await gateway.seal(hospital.blocks, lane);
      const twin = new Twin();
      for (const each of deeds) {
        twin.do(each);
        if (each.deed === 'project') await hospital.settled();
        else await hospital.releases.put(await releaseOf(gateway, each, entries));
        // Nothing that is erased is shown, also before the projector has heard of it.
        if (each.deed === 'erase') for (const { entry } of await hospital.records.after(0, 1000)) expect(Math.floor(entries.indexOf(entry) / PER_CONTENT)).not.toBe(each.key);
      }
      await hospital.settled();
      const records = await hospital.records.after(0, 1000);
      expect(records.map(({ entry, whole }) => [entries.indexOf(entry), whole] as const).sort(([a], [b]) => a - b)).toEqual(twin.shown);
      expect(records.map(({ number }) => number)).toEqual(records.map(({ number }) => number).sort((a, b) => a - b));
      const found: number[] = [];
      for (const subject of await hospital.records.subjects()) {
        const hers = await Array.fromAsync(hospital.records.of(subject));
        expect(hers.length).toBeGreaterThan(0);
        expect(hers.map(({ time }) => time)).toEqual(hers.map(({ time }) => time).sort((a, b) => a - b));
        expect(new Set(hers.map(({ entry }) => ownerOf(entries, entry))).size).toBe(1);
        expect(hers.every((record) => record.subject.person === subject.person)).toBe(true);
        found.push(...hers.map(({ entry }) => entry));
      }
      expect(found.sort((a, b) => a - b)).toEqual(records.map(({ entry }) => entry).sort((a, b) => a - b));
      await hospital.projector.stop();
    }), { numRuns: 100 });
  }, 120_000);
});

const ownerOf = (entries: readonly number[], entry: number): string => contents[Math.floor(entries.indexOf(entry) / PER_CONTENT)]?.owner ?? '';

async function releaseOf(gateway: GivingGateway, each: Exclude<Deed, { deed: 'project' }>, entries: readonly number[]): Promise<Release> {
  if (each.deed === 'erase') return gateway.release({ erased: [gateway.keyOf(entries[each.key * PER_CONTENT] ?? 0)] });
  const keys = await Promise.all(each.keys.map((key) => gateway.sealedKey(contents[key]?.owner ?? '', contents[key]?.epoch)));
  return gateway.release({ keys, payloads: each.payloads.map(({ index, isWhole }) => gateway.sealedPayload(entries[index] ?? 0, isWhole ? {} : { excerpt: new Map([['says', 'little']]) })) });
}
