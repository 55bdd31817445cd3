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
    /** Somebody has asked for another try. */
    again: boolean;
  }
>;

/** Messages that were set aside, by destination and number of the record. Durable when a promise resolves. Throws {@link StoreError}. */
export interface SetAsideMessages {
  /** Also instead of what was kept of the same record. */
  put(destination: string, message: SetAside): Promise<void>;
  remove(destination: string, number: number): Promise<void>;
  /** In order of their numbers. */
  all(destination: string): Promise<readonly SetAside[]>;
}
