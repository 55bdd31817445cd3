/** Short messages (3GPP TS 23.040), as modems take them. */

import { Submit } from 'node-pdu';
import { UsageError } from '../errors.ts';

/** One message, in characters of the GSM 7-bit alphabet that ASCII has too. */
const LONGEST = 160;
const PLAIN = /^[A-Za-z0-9 .,:;!?'"()/+=%&*<>\n-]*$/;
const NUMBER = /^\+?\d{3,15}$/;

/** `octets`: of the TPDU, without the address of the service centre, as `AT+CMGS` wants it. Throws {@link UsageError}. */
export type Pdu = Readonly<{ hex: string; octets: number }>;

/** One message to one number, that of the service centre left to the SIM. Throws {@link UsageError}. */
export function pduOf(number: string, text: string): Pdu {
  if (!NUMBER.test(number)) throw new UsageError(`${JSON.stringify(number.slice(0, 20))} is not a telephone number: expected 3 to 15 digits, with + before a country code`);
  if (text.length > LONGEST || !PLAIN.test(text)) throw new UsageError(`a short message has at most ${LONGEST} plain letters, digits and signs`);
  const hex = new Submit(number, text).toString();
  // The first octet says how long the address of the service centre is.
  return { hex, octets: hex.length / 2 - 1 - Number.parseInt(hex.slice(0, 2), 16) };
}
