import type { AuditedRead, AuditTrail, NumberedRead } from '../fhir/audit-trail.ts';
import { Turns } from '../turns.ts';
import type { KeyValueStore, Put } from './key-value.ts';
import { auditedSubjectKey, auditKey, lastAuditKey, numberAt } from './keys.ts';

const LETTERS = 2;
/** Between the letters of a key and its number: kind and person. */
const SUBJECT_BYTES = 17;

/** Who saw what, over any engine, as JSON under ascending numbers; several processes may note at a time. */
export class StoredAuditTrail implements AuditTrail {
  readonly #store: KeyValueStore;
  readonly #turns = new Turns();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async note(reads: readonly AuditedRead[]): Promise<void> {
    // One after the other here, so that only other processes are raced with.
    if (reads.length > 0) await this.#turns.take('note', () => this.#append(reads));
  }

  async #append(reads: readonly AuditedRead[]): Promise<void> {
    for (;;) {
      const from = await this.#store.get(lastAuditKey());
      const last = from === undefined ? 0 : numberAt(from, 0);
      if (await this.#store.swap({ key: lastAuditKey(), from, to: numberBytes(last + reads.length) }, reads.flatMap((read, i) => rowsOf(read, last + 1 + i)))) return;
    }
  }

  async newest({ subject, before = Number.MAX_SAFE_INTEGER, limit }: Parameters<AuditTrail['newest']>[0]): Promise<readonly NumberedRead[]> {
    const keyFor = (number?: number): Uint8Array => (subject === undefined ? auditKey(number) : auditedSubjectKey(subject.kind, subject.person, number));
    const numbers: number[] = [];
    for await (const [key] of this.#store.range({ gte: keyFor(), lt: keyFor(before), reverse: true, limit })) numbers.push(numberAt(key, LETTERS + (subject === undefined ? 0 : SUBJECT_BYTES)));
    const reads = await Promise.all(numbers.map((number) => this.read(number)));
    return reads.filter((read) => read !== undefined);
  }

  async read(number: number): Promise<NumberedRead | undefined> {
    const value = await this.#store.get(auditKey(number));
    return value === undefined ? undefined : { ...(JSON.parse(Buffer.from(value).toString('utf8')) as AuditedRead), number };
  }
}

function rowsOf(read: AuditedRead, number: number): readonly Put[] {
  const { subject } = read;
  return [
    { key: auditKey(number), value: Buffer.from(JSON.stringify(read), 'utf8') },
    ...(subject === undefined ? [] : [{ key: auditedSubjectKey(subject.kind, subject.person, number), value: Uint8Array.of(1) }]),
  ];
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}
