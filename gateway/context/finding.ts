/** What watching a person or a room finds: the nouns that rules, watching and alarms share. */

/** IEC 60601-1-8 priorities of an alarm condition, the most urgent first. */
export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What a rule watches: the person and their rooms, or a device (IEC 60601-1-8: physiological and technical alarm conditions). */
export const KINDS = ['physiological', 'technical'] as const;
export type Kind = (typeof KINDS)[number];

export type Phase = 'raised' | 'cleared';

/** One value that was known when something was decided, in the unit of decode/measurements.ts. */
export type KnownValue = Readonly<{
  measurement: string;
  value: number;
  /** UCUM. */
  unit: string;
  /** What the condition compares it with; absent where it does so in a roundabout way or not at all. */
  limit?: number;
}>;

/** What decided it (IEC 60601-1-8 6.12.2: the limit and the data behind an alarm). */
export type Evidence = Readonly<{
  /** As the rule writes it. */
  condition: string;
  values: readonly KnownValue[];
  /** Journal frames it rests on, in order. */
  frames: readonly number[];
}>;

/** Something began or ended to be so about one patient or room. */
export type Finding = Readonly<{
  /** What tells it from everything else about the subject: `home-elderly/low-oxygen`, `flat spo2 wrist-7`. */
  key: string;
  phase: Phase;
  kind: Kind;
  priority: Priority;
  /** For people: what is wrong. */
  message: string;
  /** Because of it a person is not seen any more (alarm/condition.ts). */
  watched?: true;
  /** SHA-256 of the contract it comes from, hexadecimal; absent where it comes from none. */
  contract?: string;
  evidence: Evidence;
}>;
