/** Whether and how a modem is registered (3GPP TS 27.007 §7.2, §10.1.20, §10.1.22, §10.1.47). */

import { fieldsOf, numberIn } from './fields.ts';

/** Of one of the networks that a modem can be registered with. `idle`: it does not look for one. */
export const REGISTRATIONS = ['home', 'roaming', 'searching', 'denied', 'idle', 'emergency', 'sms_only', 'unknown'] as const;
export type Registration = (typeof REGISTRATIONS)[number];

export const TECHNOLOGIES = ['2G', '3G', 'LTE', 'LTE-M', 'NB-IoT', '5G NSA', '5G SA'] as const;
export type Technology = (typeof TECHNOLOGIES)[number];

export type Registered = Readonly<{
  registration: Registration;
  technology: Technology | undefined;
  /** The S-NSSAI that the network allows, as the modem writes them (3GPP TS 27.007 §10.1.1): `SST.SD`, several joined by `:`. */
  slices?: string;
}>;

/** `001`, in some firmware. */
const LONGEST_STATE = 3;

const STATES: readonly Registration[] = ['idle', 'home', 'searching', 'denied', 'unknown', 'roaming', 'sms_only', 'sms_only', 'emergency', 'home', 'roaming', 'emergency'];

/** Registered so that data can go. */
export const isRegistered = ({ registration }: Registered): boolean => registration === 'home' || registration === 'roaming';

/**
 * A line of `+CREG`, `+CGREG`, `+CEREG` or `+C5GREG`, an answer or one that nobody asked for: the latter lacks the first field, and some
 * firmware leaves it out of answers too. What follows the state is then quoted, or longer than a state can be. Undefined for any other line.
 */
export function readRegistration(line: string): Registered | undefined {
  const name = /^\+(C[GE]?REG|C5GREG):/.exec(line)?.[1];
  if (name === undefined) return undefined;
  const fields = fieldsOf(line);
  const second = /^[^:]*:[^,]*,\s*(.?)/.exec(line)?.[1];
  const isAnswer = fields.length > 1 && second !== '"' && (fields[1] ?? '').length <= LONGEST_STATE;
  const [state, , , act, length, allowed] = isAnswer ? fields.slice(1) : fields;
  const registration = STATES[numberIn(state) ?? -1] ?? 'unknown';
  const slices = name === 'C5GREG' && numberIn(length) !== undefined && allowed !== undefined && allowed !== '' ? { slices: allowed } : {};
  return { registration, technology: technologyOf(act), ...slices };
}

/** `<AcT>`; one hexadecimal digit in some firmware. 12 to 14 changed their meaning, and all of them say that 5G has a part in it. */
function technologyOf(act: string | undefined): Technology | undefined {
  const number = act !== undefined && /^[0-9a-f]{1,2}$/i.test(act) ? (/^\d+$/.test(act) ? Number(act) : Number.parseInt(act, 16)) : undefined;
  switch (number) {
    case 0: case 1: case 3: return '2G';
    case 2: case 4: case 5: case 6: return '3G';
    case 7: case 10: return 'LTE';
    case 8: return '2G';
    case 9: return 'NB-IoT';
    case 11: return '5G SA';
    case 12: case 13: case 14: return '5G NSA';
    default: return undefined;
  }
}

/** The best of what several networks say: with standalone 5G, `+CEREG` may go on to say that there is nothing. */
export function bestOf(all: readonly Registered[]): Registered {
  const order = (each: Registered): number => (isRegistered(each) ? 0 : REGISTRATIONS.indexOf(each.registration) + 1);
  const [best] = all.toSorted((one, other) => order(one) - order(other));
  return best ?? { registration: 'unknown', technology: undefined };
}

/** `+COPS: <mode>[,<format>,<oper>[,<AcT>]]`; undefined while there is none. */
export function readOperator(line: string): Readonly<{ operator: string; technology: Technology | undefined }> | undefined {
  if (!line.startsWith('+COPS:')) return undefined;
  const [, , operator = '', act] = fieldsOf(line);
  return operator === '' ? undefined : { operator, technology: technologyOf(act) };
}
