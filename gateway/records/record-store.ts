import type { StoreError } from '../errors.ts';
import type { ReleasedKey } from '../ledger/release.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Lane, Subject } from '../reading.ts';
import type { RecordKind } from './record.ts';
import type { RecordFilter } from './record-log.ts';

/** A payload by where it lies: under which content key (8 bytes) of which chain, for which entry. */
export type PayloadPlace = Readonly<{ chain: Uint8Array; key: Uint8Array; entry: number }>;

/** What a release brought that is not projected yet. Named, and ordered, by when it arrived, chain, number and part. */
export type Arrival = Readonly<{
  arrived: UnixMillis;
  chain: Uint8Array;
  /** Of the release; 0 for what was here before arrivals were written down. */
  number: number;
  /** 0 for what came; greater for what it brought to light. */
  part: number;
  /** Content keys, new or sealed once more. */
  keys: readonly Uint8Array[];
  payloads: readonly Readonly<{ key: Uint8Array; entries: readonly number[] }>[];
  /** Content keys that are erased. */
  erased: readonly Uint8Array[];
  /** Everything that lies under this content key, from this entry on. */
  under?: Readonly<{ key: Uint8Array; from: number }>;
}>;

/** A record without what it says: where its entry stands and where its payload lies. Nothing that was measured. */
export type RecordRow = PayloadPlace & Readonly<{
  number: number;
  arrived: UnixMillis;
  lane: Lane;
  height: number;
  blockHash: Uint8Array;
  kind: RecordKind;
  time: UnixMillis;
  /** Commitment of the entry. */
  commit: Uint8Array;
  /** As it was known when this row was written. */
  person: string;
  /** The payload fitted the commitment then. */
  isWhole: boolean;
  /** Of a summary, from the entry. */
  seconds?: number;
  late?: number;
}>;

/** Somebody, or a room, by the first pseudonym that was heard; or, with `into`, one who turned out to be somebody known before. */
export type PersonRow = Readonly<{
  person: string;
  kind: Subject['kind'];
  /** Whoever was heard of first has the lower one. */
  order: number;
  /** Where they were heard of first. */
  chain: Uint8Array;
  /** Every pseudonym that is theirs. */
  pseudonyms: readonly string[];
  /** Content keys of theirs, chain and id in hexadecimal: 48 digits. */
  keys: readonly string[];
  /** Persons that turned out to be this one. */
  also: readonly string[];
  into?: string;
}>;

/** A payload that does not open or does not fit, or (entry 0) a content key that does not open. */
export type BadRow = PayloadPlace & Readonly<{ why: string }>;

/** How far it has come. `people`: how many were ever heard of. `opened`: how many records were ever made. */
export type ProjectionState = Readonly<{ newest: number; people: number; opened: number; bad: number; /** What was here before arrivals were written down is among them: so it is in every state that was ever written. */ hasQueuedOld: boolean }>;

/** What one step of the projector changes: all of it or nothing. */
export type ProjectionChanges = Readonly<{
  /** As it was read, and as it is then. */
  before: ProjectionState;
  state: ProjectionState;
  records: readonly RecordRow[];
  gone: readonly RecordRow[];
  people: readonly PersonRow[];
  /** With everything that leads to them, their identity in this hospital among it. */
  forgotten: readonly PersonRow[];
  bad: readonly BadRow[];
  mended: readonly PayloadPlace[];
  done: readonly Arrival[];
  /** New ones, or what is left of one. */
  queued: readonly Arrival[];
}>;

/** The index of records, beside the releases themselves. Throws {@link StoreError}. */
export interface RecordStore {
  state(): Promise<ProjectionState>;
  /** In their order, at most `limit`; `after`: only those behind that one. */
  arrivals(limit: number, after?: Arrival): Promise<readonly Arrival[]>;
  /** MUST be durable when it resolves to true. False: the state is not what it was before, so another process projects; nothing was written. */
  write(changes: ProjectionChanges): Promise<boolean>;

  /** Undefined where it is erased. */
  sealedKey(chain: Uint8Array, key: Uint8Array): Promise<ReleasedKey | undefined>;
  /** Every content key of a chain, by id. */
  keysOf(chain: Uint8Array): AsyncIterable<Uint8Array>;
  /** Undefined where it is erased. */
  sealedPayload(place: PayloadPlace): Promise<Uint8Array | undefined>;
  /** Entries from `from` on that have a payload under this content key, ascending. */
  entriesUnder(chain: Uint8Array, key: Uint8Array, from: number): AsyncIterable<number>;

  row(number: number): Promise<RecordRow | undefined>;
  /** The number of the record of an entry. */
  numberOf(chain: Uint8Array, entry: number): Promise<number | undefined>;
  /** In order of their numbers, those after `number`. */
  rowsAfter(number: number): AsyncIterable<RecordRow>;
  /** Of one person, not of whom they turned out to be, by time. */
  rowsOf(person: string, filter: RecordFilter): AsyncIterable<RecordRow>;
  /** What is under a content key. */
  rowsUnder(chain: Uint8Array, key: Uint8Array): AsyncIterable<RecordRow>;
  hasRowsOf(person: string): Promise<boolean>;

  person(person: string): Promise<PersonRow | undefined>;
  /** Whom a pseudonym belongs to. */
  personBehind(pseudonym: string): Promise<string | undefined>;
  /** Whose content key it is; undefined for one that was not opened. */
  personWith(chain: Uint8Array, key: Uint8Array): Promise<string | undefined>;
  people(): AsyncIterable<PersonRow>;

  isBad(place: PayloadPlace): Promise<boolean>;
  /** Under one content key, itself among them. */
  badUnder(chain: Uint8Array, key: Uint8Array): Promise<readonly PayloadPlace[]>;
  /** How many arrivals there are, counted up to `most`; `after`: only those behind that one. */
  countArrivals(most: number, after?: Arrival): Promise<number>;
}
