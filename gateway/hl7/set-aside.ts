import type { StoreError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { HospitalRecord } from '../records/record.ts';
import type { KindOfMessage } from './messages.ts';

/** A message that a destination does not take, so that it keeps up nobody: which one, and why. What it says stays in the log of records. */
export type SetAside = Readonly<
  Pick<HospitalRecord, 'number' | 'chain' | 'entry'> & {
    kind: KindOfMessage;
    controlId: string;
    /** When it was. */
    at: UnixMillis;
    reason: string;
  }
>;

/** Messages that were set aside, by destination and number of the record. Durable when a promise resolves. Throws {@link StoreError}. */
export interface SetAsideMessages {
  /** Also instead of what was kept of the same record. Nobody has asked for another try of it any more. */
  put(destination: string, message: SetAside): Promise<void>;
  remove(destination: string, number: number): Promise<void>;
  /** In order of their numbers, those after `number`, at most `limit`. */
  after(destination: string, number: number, limit: number): Promise<readonly SetAside[]>;
  count(destination: string): Promise<number>;
  /** Asks for another try: of the message of one record, or of all. Returns of how many. */
  askAgain(destination: string, number?: number): Promise<number>;
  /** The first that another try was asked for. */
  nextAgain(destination: string): Promise<SetAside | undefined>;
}
