import { encode, type CborValue } from '../ledger/cbor.ts';
import { commitment, encodeEntry, type EntryKind, type FieldValue } from '../ledger/entry.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Lane, Subject } from '../reading.ts';
import type { DerivedEntry } from './derive-store.ts';
import type { SubjectSecrets } from './secrets.ts';

export type EntryDraft = Readonly<{
  lane: Lane;
  kind: EntryKind;
  time: UnixMillis;
  /** In clear in the block: nothing about a person. */
  fields: Readonly<Record<string, FieldValue>>;
  subject?: Subject;
  /** Beside the block, behind a commitment. CBOR, or what becomes a CBOR map. */
  payload?: Readonly<Record<string, CborValue>> | Uint8Array;
}>;

/** Makes entries of what derivation has to say, numbered in order. */
export class Drafts {
  readonly #secrets: SubjectSecrets;
  #sequence: number;
  #entries: DerivedEntry[] = [];

  constructor(secrets: SubjectSecrets, sequence: number) {
    this.#secrets = secrets;
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

  /** Returns the entry's number. */
  add(draft: EntryDraft): number {
    const sequence = ++this.#sequence;
    const payload = draft.payload instanceof Uint8Array || draft.payload === undefined ? draft.payload : encode(new Map(Object.entries(draft.payload)), { floats: true });
    const secret = payload === undefined ? undefined : { salt: this.#secrets.entrySalt(draft.subject, sequence), payload };
    const bytes = encodeEntry({
      kind: draft.kind,
      sequence,
      time: draft.time,
      fields: new Map(Object.entries(draft.fields)),
      ...(draft.subject === undefined ? {} : { subject: this.#secrets.pseudonym(draft.subject) }),
      ...(secret === undefined ? {} : { commit: commitment(secret.salt, secret.payload) }),
    });
    this.#entries.push({ lane: draft.lane, sequence, bytes, ...(secret === undefined ? {} : { secret }) });
    return sequence;
  }

  /** The entries since the last call. */
  take(): readonly DerivedEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }
}
