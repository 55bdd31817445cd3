/** Short messages (3GPP TS 23.040), as modems take them. */

import { Submit } from 'node-pdu';
import { UsageError } from '../errors.ts';

/** Characters of one text: a few parts, for each costs as a message does. A choice of this project. */
export const LONGEST_SMS = 459;
const STRANGE = /[^\P{C}\n]/u;
const NUMBER = /^\+?\d{3,15}$/;

/** `octets`: of the TPDU, without the address of the service centre, as `AT+CMGS` wants it. */
export type Pdu = Readonly<{ hex: string; octets: number }>;

/** `references`: what the network counts the parts by (TP-Message-Reference), where the modem tells. */
export type SentSms = Readonly<{ parts: number; references: readonly number[] }>;

/**
 * One message to one number, that of the service centre left to the SIM, in parts where it is long: in the GSM 7-bit alphabet where that has
 * everything, else in UCS-2. Throws {@link UsageError} for what is no number or text.
 */
export function pdusOf(number: string, text: string): readonly Pdu[] {
  refuseStrange(number, text);
  // The library takes a grave accent for something else.
  return new Submit(number, text.replaceAll('`', "'")).getPartStrings().map((hex) => ({
    hex,
    // The first octet says how long the address of the service centre is.
    octets: hex.length / 2 - 1 - Number.parseInt(hex.slice(0, 2), 16),
  }));
}

/** Throws {@link UsageError}. */
export function refuseStrange(number: string, text: string): void {
  if (!NUMBER.test(number)) throw new UsageError(`${JSON.stringify(number.slice(0, 20))} is not a telephone number: expected 3 to 15 digits, with + before a country code`);
  if (text.length === 0 || text.length > LONGEST_SMS || STRANGE.test(text)) throw new UsageError(`a short message has 1 to at most ${LONGEST_SMS} characters, and none that control`);
}
