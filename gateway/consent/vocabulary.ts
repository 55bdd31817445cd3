/**
 * The words that statements about consent are made of. They are in signed bytes: a word may be added, never renamed.
 */

/** How much is shown, the most first: every value; summaries and events; events only. */
export const FIDELITIES = ['full', 'summary', 'events'] as const;
export type Fidelity = (typeof FIDELITIES)[number];

/** The lesser of two. */
export const lesserFidelity = (a: Fidelity, b: Fidelity): Fidelity => (FIDELITIES.indexOf(a) >= FIDELITIES.indexOf(b) ? a : b);

/**
 * HL7 v3 ActReason, value set PurposeOfUse. Each code means itself and none of those below it in HL7's tree: there BTG is a kind of ETREAT and
 * that a kind of TREAT, so that a permission to treat would grow into one to break the glass.
 */
export const PURPOSES: Readonly<Record<string, string>> = {
  TREAT: 'treatment',
  ETREAT: 'emergency treatment',
  HPAYMT: 'payment for care',
  HOPERAT: 'running the service',
  HRESCH: 'health research',
  PATRQT: 'at the patient\u2019s request',
  PUBHLTH: 'public health',
  BTG: 'breaking the glass in an emergency',
};

/** The purpose for which an open break-glass episode is needed. */
export const BREAK_GLASS = 'BTG';

/** One study: `HRESCH/heart-2030`. Who permits HRESCH permits every study. */
const STUDY = /^HRESCH\/[a-z0-9][a-z0-9.-]{0,31}$/;

export const isPurpose = (word: string): boolean => Object.hasOwn(PURPOSES, word) || STUDY.test(word);

/** The purpose a study is a part of; undefined for any other. */
export const wholeOf = (purpose: string): string | undefined => (STUDY.test(purpose) ? 'HRESCH' : undefined);

/** What a recipient is. The first four are those of people with access to the gateway (people/access.ts). */
export const ROLES = ['viewer', 'caregiver', 'clinician', 'administrator', 'emergency', 'family', 'payer', 'researcher'] as const;
export type Role = (typeof ROLES)[number];
export const isRole = (word: string): word is Role => (ROLES as readonly string[]).includes(word);

/** How sensitive data is: HL7 v3 Confidentiality N and R; psychiatry and sexual or domestic violence of v3 ActCode. */
export const LABELS: Readonly<Record<string, string>> = { N: 'normal', R: 'restricted', PSY: 'mental health', SDV: 'sexual assault, abuse or domestic violence' };
export const isLabel = (word: string): boolean => Object.hasOwn(LABELS, word);
