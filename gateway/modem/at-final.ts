/** How an answer of a modem ends: ITU-T V.250 §5.7.1, 3GPP TS 27.007 §9.2, 3GPP TS 27.005 §3.2.5. Only whole lines count. */

import { cmsInWords } from './cms-words.ts';

export type Final = Readonly<{ ok: true }> | Readonly<{ ok: false; error: AtError }>;

/** What the modem itself says is in the way. */
export class AtError extends Error {
  override readonly name = 'AtError';
  /** Of 3GPP TS 27.007 §9.2 (`cme`) or 27.005 §3.2.5 (`cms`); undefined where the modem says no more than ERROR. */
  readonly number: number | undefined;
  constructor(text: string, number?: number) {
    super(text);
    this.number = number;
  }
}

/** It did not answer in time, or its line is gone: nobody knows what it did. */
export class ModemSilent extends Error {
  override readonly name = 'ModemSilent';
}

export const CME = { notSupported: 4, simNotInserted: 10, simPinRequired: 11, simPukRequired: 12, simFailure: 13, simBusy: 14, wrongPassword: 16 } as const;

/** Words that modems say instead of numbers, and the number. */
const WORDS: Readonly<Record<string, number>> = {
  'operation not allowed': 3,
  'operation not supported': CME.notSupported,
  'sim not inserted': CME.simNotInserted,
  'sim pin required': CME.simPinRequired,
  'sim puk required': CME.simPukRequired,
  'sim failure': CME.simFailure,
  'sim busy': CME.simBusy,
  'incorrect password': CME.wrongPassword,
};

const FAILED = new Set(['ERROR', 'COMMAND NOT SUPPORT', 'NA', 'NO CARRIER', 'BUSY', 'NO ANSWER', 'NO DIALTONE', 'NO DIAL TONE']);

/** Undefined for every line that does not end an answer. */
export function finalIn(line: string): Final | undefined {
  if (line === 'OK' || /^CONNECT( |$)/.test(line)) return { ok: true };
  if (FAILED.has(line)) return { ok: false, error: new AtError(line) };
  // A space behind the colon, or something: "+CME ERROR:" alone is how some modems begin to say it.
  const named = /^(?:\+(CM[ES]) ERROR|MODEM ERROR):( ?)(.*)$/.exec(line);
  if (named === null) return undefined;
  const [, kind, space, said = ''] = named;
  if (space === '' && said === '') return undefined;
  const text = said.trim();
  const number = /^\d+$/.test(text) ? Number(text) : kind === 'CME' ? WORDS[text.toLowerCase()] : undefined;
  const words = kind === 'CMS' && number !== undefined ? cmsInWords(number) : undefined;
  return { ok: false, error: new AtError(words === undefined ? line.trim() : `${line.trim()} (${words})`, number) };
}
