import type { AuditedRead, AuditTrail, NumberedRead } from '../fhir/audit-trail.ts';
import { Turns } from '../turns.ts';
import type { KeyValueStore, RangeBounds } from './key-value.ts';
import { allOf, auditedSubjectKey, auditKey, numberAt, startingWith } from './keys.ts';

const PERSON_BYTES = 16;

/** Who saw what, over any engine, as JSON under ascending numbers. One process writes at a time. */
export class StoredAuditTrail implements AuditTrail {
  readonly #store: KeyValueStore;
  readonly #turns = new Turns();
  #last: number | undefined;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async note(reads: readonly AuditedRead[]): Promise<void> {
    if (reads.length > 0) await this.#turns.take('note', () => this.#append(reads));
  }

  async #append(reads: readonly AuditedRead[]): Promise<void> {
    const first = (this.#last ?? await this.#newestNumber()) + 1;
    // Unknown until the write has succeeded: after a failure the store says what it has.
    this.#last = undefined;
    const changes = reads.flatMap((read, i) => {
      const value = Buffer.from(JSON.stringify(read), 'utf8');
      const { subject } = read;
      return [
        { key: auditKey(first + i), value },
        ...(subject === undefined ? [] : [{ key: auditedSubjectKey(subject.kind, Buffer.from(subject.person, 'hex'), first + i), value: new Uint8Array() }]),
      ];
    });
    await this.#store.write(changes, { sync: true });
    this.#last = first + reads.length - 1;
  }

  async #newestNumber(): Promise<number> {
    for await (const [key] of this.#store.range({ ...allOf('u'), reverse: true, limit: 1 })) return numberAt(key, 1);
    return 0;
  }

  async newest({ subject, before = Number.MAX_SAFE_INTEGER, limit }: Parameters<AuditTrail['newest']>[0]): Promise<readonly NumberedRead[]> {
    const prefix = subject === undefined ? undefined : auditedSubjectKey(subject.kind, Buffer.from(subject.person, 'hex'));
    const end = subject === undefined ? auditKey(before) : auditedSubjectKey(subject.kind, Buffer.from(subject.person, 'hex'), before);
    const bounds: RangeBounds = { ...(prefix === undefined ? allOf('u') : startingWith(prefix)), lt: end, reverse: true, limit };
    const numbers: number[] = [];
    for await (const [key] of this.#store.range(bounds)) numbers.push(numberAt(key, prefix === undefined ? 1 : 2 + PERSON_BYTES));
    const reads = await Promise.all(numbers.map((number) => this.read(number)));
    return reads.filter((read) => read !== undefined);
  }

  async read(number: number): Promise<NumberedRead | undefined> {
    const value = await this.#store.get(auditKey(number));
    return value === undefined ? undefined : { ...(JSON.parse(Buffer.from(value).toString('utf8')) as AuditedRead), number };
  }
}
