import type { StoreError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { HospitalRecord, KnownSubject } from './record.ts';

/** Which records of a subject. */
export type RecordFilter = Readonly<{
  /** By the time of the entry, both ends included. Default: all. */
  from?: UnixMillis;
  to?: UnixMillis;
  /** Newest first. Default: oldest first. */
  newestFirst?: boolean;
}>;

/** What a hospital holds and may open. Whatever is erased is in none of these any more. Throws {@link StoreError}. */
export interface RecordLog {
  /** In order of their numbers, those after `number`, at most `limit`. */
  after(number: number, limit: number): Promise<readonly HospitalRecord[]>;
  /** Of one subject, by time; any pseudonym of theirs will do. Opens them as they are asked for, a few ahead where many are. */
  of(subject: KnownSubject, filter?: RecordFilter): AsyncIterable<HospitalRecord>;
  /** One record. */
  record(chain: string, entry: number): Promise<HospitalRecord | undefined>;
  /** Everybody of whom there is a record, and every room. */
  subjects(): Promise<readonly KnownSubject[]>;
  /** The number of the newest; 0 before the first. */
  newest(): Promise<number>;
  /** Calls back when there may be more. Returns what ends it. */
  onMore(listener: () => void): () => void;
}

/** How far something that leaves this hospital has come, by its name: durable when it resolves. Throws {@link StoreError}. */
export interface OutputCursors {
  /** 0 before the first. */
  load(output: string): Promise<number>;
  save(output: string, number: number): Promise<void>;
}
