import type { StoreError } from '../errors.ts';
import type { HospitalRecord, KnownSubject } from './record.ts';

/** Whom something is about to be shown to, or sent to. */
export type OutputRecipient = Readonly<{
  /** The person, or the name of the system. */
  id: string;
  /** A word of consent/vocabulary.ts; absent for a system. */
  role?: string;
  /** ActReason code (consent/vocabulary.ts), or HRESCH/study. */
  purpose: string;
  /** How it leaves: words of the disclosure log, so that none is renamed. */
  by: 'fhir read' | 'fhir search' | 'fhir push' | 'hl7' | 'stream';
}>;

/**
 * What consent leaves of records, asked for every output. What is shown was written down before: the disclosure goes back to the
 * patient's gateway for its chain. Throws {@link StoreError}; then nothing is shown.
 */
export interface OutputGate {
  /** The records that this recipient may have now, in their order; of some an excerpt (`whole` is false then), of others nothing. */
  show(recipient: OutputRecipient, records: readonly HospitalRecord[]): Promise<readonly HospitalRecord[]>;
  /** Whether they may know that this subject is here at all: something of it may be shown to them for that purpose. */
  mayKnow(recipient: OutputRecipient, subject: KnownSubject): Promise<boolean>;
}
