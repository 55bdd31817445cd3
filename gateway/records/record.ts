/** What a hospital was given beside the blocks, opened: the noun that standard records are made of. */

import type { UnixMillis } from '../quantity.ts';
import type { Lane, Subject } from '../reading.ts';

/** JSON, as a payload has it; bytes in hexadecimal. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

/**
 * Somebody, or a room, as this hospital knows them: the first pseudonym it ever heard of them, 32 hexadecimal digits. Pseudonyms change with every
 * epoch; this one stays, because each content key tells the pseudonym of the epoch before.
 */
export type KnownSubject = Readonly<{ kind: Subject['kind']; person: string }>;

/** Kinds of entries whose payloads a hospital gets. */
export const RECORD_KINDS = ['event', 'acknowledgement', 'summary'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** One payload with the entry it belongs to and where that stands. */
export type HospitalRecord = Readonly<{
  /** In the order in which this hospital came to know them, from 1; ascending, not without gaps. */
  number: number;
  /** This hospital's clock. */
  arrived: UnixMillis;
  /** 32 hexadecimal digits. */
  chain: string;
  lane: Lane;
  height: number;
  /** Of the block, 64 hexadecimal digits. */
  blockHash: string;
  entry: number;
  kind: RecordKind;
  /** Of the entry, the gateway's clock. */
  time: UnixMillis;
  subject: KnownSubject;
  /** It fits the commitment that hospitals have countersigned; otherwise it is an excerpt, for which the gateway alone vouches. */
  whole: boolean;
  /**
   * A summary: `{from, to, seconds?, measurements: {name: {unit, count, doubtful, lowest?, highest?, mean?, last?}}}` (derive/summary.ts).
   * A waveform: `{measurement, samples, …}`. An event or an acknowledgement: a step of an alarm (derive/step-entry.ts).
   */
  payload: { readonly [name: string]: Plain };
}>;
