import type { UnixMillis } from '../quantity.ts';

/** `working`: it takes what there is; `waiting`: it tries again later; `failing`: somebody has to do something; `off`: it was switched off. */
export const OUTPUT_STATES = ['working', 'waiting', 'failing', 'off'] as const;

/** How something that leaves this hospital does: a FHIR server, an HL7 destination, another hospital. Nothing in it is about a patient. */
export type OutputStatus = Readonly<{
  /** As the configuration calls it. */
  name: string;
  /** For people, for example "FHIR push". */
  kind: string;
  state: (typeof OUTPUT_STATES)[number];
  /** What it has not got yet; null where that is not known. */
  behind: number | null;
  /** What `behind` counts, in the plural. */
  unit: 'records' | 'messages' | 'blocks';
  /** When it took something the last time since this node started; null: nothing yet. */
  lastSuccess: UnixMillis | null;
  /** Of the last attempt; null when it was good. */
  lastError: string | null;
}>;

/** Asked for every look: MUST be cheap. One may stand for several outputs. */
export type OutputReporter = () => readonly OutputStatus[];
