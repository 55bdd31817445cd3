import { encode, type CborValue } from '../ledger/cbor.ts';
import { commitment, encodeEntry, type EntryKind, type FieldValue } from '../ledger/entry.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Lane, Subject } from '../reading.ts';
import type { DerivedEntry } from './derive-store.ts';
import { ownerOf, type SubjectKeys } from './subject-keys.ts';
import { sealPayload } from '../vault/payload.ts';

export type EntryDraft = Readonly<{
  lane: Lane;
  kind: EntryKind;
  time: UnixMillis;
  /** In clear in the block: nothing about a person. */
  fields: Readonly<Record<string, FieldValue>>;
  subject?: Subject;
  /** Beside the block, sealed, behind a commitment. CBOR, or what becomes a CBOR map. */
  payload?: Readonly<Record<string, CborValue>> | Uint8Array;
}>;

/** Makes entries of what derivation has to say, numbered in order. */
export class Drafts {
  readonly #keys: SubjectKeys;
  #sequence: number;
  #entries: DerivedEntry[] = [];

  constructor(keys: SubjectKeys, sequence: number) {
    this.#keys = keys;
    this.#sequence = sequence;
  }

  /** The last entry's number. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Entries up to this one are committed: another version of this program may have made more of the same frames than this one. */
  continueAfter(sequence: number): void {
    this.#sequence = Math.max(this.#sequence, sequence);
  }

  /** Sets numbers aside for entries that are to come, and returns the first. */
  reserve(count: number): number {
    this.#sequence += count;
    return this.#sequence - count + 1;
  }

  /** Returns the entry's number: the next, or one that was set aside. */
  add(draft: EntryDraft, reserved?: number): number {
    const sequence = reserved ?? ++this.#sequence;
    const payload = draft.payload instanceof Uint8Array || draft.payload === undefined ? draft.payload : encode(new Map(Object.entries(draft.payload)), { floats: true });
    const key = this.#keys.current(ownerOf(draft.subject));
    const secret = payload === undefined ? undefined : { salt: this.#keys.salt(key, sequence), payload };
    const commit = secret === undefined ? undefined : commitment(secret.salt, secret.payload);
    const bytes = encodeEntry({
      kind: draft.kind,
      sequence,
      time: draft.time,
      fields: new Map(Object.entries(draft.fields)),
      ...(draft.subject === undefined ? {} : { subject: this.#keys.tag(key, sequence) }),
      ...(commit === undefined ? {} : { commit }),
    });
    const sealed = secret === undefined || commit === undefined ? {} : { sealed: sealPayload(key, draft.kind, { entry: bytes, commit }, secret) };
    this.#entries.push({ lane: draft.lane, sequence, bytes, ...sealed });
    return sequence;
  }

  /** The entries since the last call. */
  take(): readonly DerivedEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }
}
