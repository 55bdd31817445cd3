/** What a hospital was given beside the blocks, opened: the noun that standard records are made of. */

import type { UnixMillis } from '../quantity.ts';
import type { Lane, Subject } from '../reading.ts';

/** JSON, as a payload has it; bytes in hexadecimal. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

/**
 * Somebody, or a room, as this hospital knows them: the first pseudonym it ever heard of them, 32 hexadecimal digits. Pseudonyms change with every
 * epoch; this one stays, because each content key tells the pseudonym before, too.
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
   * A summary: `{from, to, seconds?, late?, measurements: {name: {unit, count, doubtful, lowest?, highest?, mean?, last?}}}` (derive/summary.ts):
   * the last four only where `count` is above 0. `seconds` is 60, or 900 for one over what minutes have said before; absent in one of a message
   * that was understood late. `late` is 1 where a device told of it afterwards. These two stand in the entry, which is public, and not in what was sealed.
   * A waveform, a summary too: `{measurement, unit, rateHz, from, samples: [number], doubt?}` (derive/care.ts).
   * A step of an alarm (derive/step-entry.ts), an event, or with `by` an acknowledgement: `{alarm, why, from, to, rule?, kind?, priority?, message?,
   * evidence?, count?, raisedAt?, told?, notice?, untold?, by?, refusal?, asked?, contract?}`; an excerpt has at most alarm, why, from, to, kind and priority.
   * `raisedAt` is the gateway's steady time: the record's own `time` is when it was.
   */
  payload: { readonly [name: string]: Plain };
}>;
