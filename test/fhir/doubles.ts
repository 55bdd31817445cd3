/** What a hospital has around the FHIR room, in memory; with consent as a test says it. */

import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { IdentityMap, MappedIdentity } from '../../gateway/records/identity.ts';
import type { OutputGate, OutputRecipient } from '../../gateway/records/output-gate.ts';
import type { HospitalRecord, KnownSubject } from '../../gateway/records/record.ts';
import type { OutputCursors, RecordFilter, RecordLog } from '../../gateway/records/record-log.ts';
import type { BlockProof, BlockProofs } from '../../gateway/fhir/provenance.ts';
import { StoredAuditTrail } from '../../gateway/store/audit-store.ts';
import { StoredLeases } from '../../gateway/store/lease-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredSetAsides } from '../../gateway/store/set-aside-store.ts';

class MemoryRecords implements RecordLog {
  all: HospitalRecord[];
  readonly #listeners = new Set<() => void>();

  constructor(records: readonly HospitalRecord[] = []) {
    this.all = [...records];
  }

  add(...records: readonly HospitalRecord[]): void {
    this.all.push(...records);
    for (const listener of this.#listeners) listener();
  }

  after(number: number, limit: number): Promise<readonly HospitalRecord[]> {
    return Promise.resolve(this.all.filter((record) => record.number > number).slice(0, limit));
  }

  async *of({ kind, person }: KnownSubject, { from = -Infinity as UnixMillis, to = Infinity as UnixMillis, newestFirst = false }: RecordFilter = {}): AsyncIterable<HospitalRecord> {
    const found = this.all.filter(({ subject, time }) => subject.kind === kind && subject.person === person && time >= from && time <= to).sort((a, b) => a.time - b.time || a.number - b.number);
    yield* newestFirst ? found.reverse() : found;
  }

  record(chain: string, entry: number): Promise<HospitalRecord | undefined> {
    return Promise.resolve(this.all.find((record) => record.chain === chain && record.entry === entry));
  }

  subjects(): Promise<readonly KnownSubject[]> {
    return Promise.resolve([...new Map(this.all.map(({ subject }) => [`${subject.kind} ${subject.person}`, subject])).values()]);
  }

  newest(): Promise<number> {
    return Promise.resolve(this.all.at(-1)?.number ?? 0);
  }

  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

class MemoryCursors implements OutputCursors {
  readonly numbers = new Map<string, number>();
  load(output: string): Promise<number> {
    return Promise.resolve(this.numbers.get(output) ?? 0);
  }
  save(output: string, number: number): Promise<void> {
    this.numbers.set(output, number);
    return Promise.resolve();
  }
}

/** Consent as `permits` says; everything that was shown is written down. */
class TestGate implements OutputGate {
  permits: (record: HospitalRecord, recipient: OutputRecipient) => HospitalRecord | undefined = (record) => record;
  hides: (subject: KnownSubject) => boolean = () => false;
  readonly shown: Readonly<{ recipient: OutputRecipient; numbers: readonly number[] }>[] = [];

  show(recipient: OutputRecipient, records: readonly HospitalRecord[]): Promise<readonly HospitalRecord[]> {
    const shown = records.filter(({ subject }) => !this.hides(subject)).flatMap((record) => this.permits(record, recipient) ?? []);
    this.shown.push({ recipient, numbers: shown.map(({ number }) => number) });
    return Promise.resolve(shown);
  }

  mayKnow(_recipient: OutputRecipient, subject: KnownSubject): Promise<boolean> {
    return Promise.resolve(!this.hides(subject));
  }
}

class MemoryIdentities implements IdentityMap {
  readonly known = new Map<string, MappedIdentity>();
  identifierOf({ person }: KnownSubject): Promise<MappedIdentity | undefined> {
    return Promise.resolve(this.known.get(person));
  }
  peopleWith(system: string, value: string): Promise<readonly KnownSubject[]> {
    return Promise.resolve([...this.known].flatMap(([person, each]) => (each.system === system && each.value === value ? [{ kind: 'patient' as const, person }] : [])));
  }
}

const PROOF: BlockProof = { signed: Uint8Array.of(0xd2, 0x84, 0x44), sealed: UnixMillis(1_780_000_000_000), key: 'aa'.repeat(16), receipt: { signed: Uint8Array.of(0xd2, 0x84, 0x45), key: 'bb'.repeat(16) } };
const proofs: BlockProofs = { of: () => Promise.resolve(PROOF) };

/** Everything around the room. */
export function surroundings(records: readonly HospitalRecord[] = []) {
  const store = openMemoryStore();
  return {
    records: new MemoryRecords(records), cursors: new MemoryCursors(), gate: new TestGate(), identities: new MemoryIdentities(), proofs,
    trail: new StoredAuditTrail(store), asides: new StoredSetAsides(store), leases: new StoredLeases(store, () => UnixMillis(0)),
    now: () => UnixMillis(1_790_000_000_000), sleep: () => Promise.resolve(), random: () => 0, uptime: () => Millis(0),
  };
}

const CHAIN = '00112233445566778899aabbccddeeff';
export const PERSON = 'a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0';
export const ROOM = 'b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0';
export const START = Date.UTC(2026, 5, 1, 12);

/** A record of that payload: number, entry and time count up together. */
export function recordOf(number: number, payload: HospitalRecord['payload'], more: Partial<HospitalRecord> = {}): HospitalRecord {
  const time = UnixMillis(START + 60_000 * number);
  return {
    number, arrived: UnixMillis(time + 5000), chain: CHAIN, lane: 'record', height: number, blockHash: 'f'.repeat(64), entry: number * 2, kind: 'summary', time,
    subject: { kind: 'patient', person: PERSON }, whole: true, payload, ...more,
  };
}

const single = (value: number, unit: string) => ({ unit, count: 1, doubtful: 0, lowest: value, highest: value, mean: value, last: value });

/** A minute's summary with one value for each measurement. */
export function minute(number: number, values: Readonly<Record<string, readonly [number, string]>>, more: Partial<HospitalRecord> = {}): HospitalRecord {
  const to = START + 60_000 * number;
  return recordOf(number, { from: to - 50_000, to, measurements: Object.fromEntries(Object.entries(values).map(([name, [value, unit]]) => [name, single(value, unit)])) }, more);
}

export function alarmStep(number: number, step: HospitalRecord['payload'] = {}, more: Partial<HospitalRecord> = {}): HospitalRecord {
  return recordOf(number, {
    alarm: 7, why: 'raised', from: 'none', to: 'active', rule: 'home/low-oxygen', kind: 'physiological', priority: 'high', message: 'SpO2 84 % is 85 % or less', count: 1, raisedAt: 1000,
    evidence: { condition: 'spo2 <= 85', values: [{ measurement: 'spo2', value: 84, unit: '%', limit: 85 }, { measurement: 'heart_rate', value: 9, unit: 'min' }], frames: [1, 2] },
    told: { level: 1, levels: 2, to: ['nora'] }, notice: 'Do not rely on it alone.', ...step,
  }, { kind: 'event', lane: 'alarm', ...more });
}
