import { CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborMap, type CborValue } from '../ledger/cbor.ts';
import { asLine, fingerprintIn, fromHex, LONGEST_NAME } from './fields.ts';
import { isRole, ROLES, type Role } from './vocabulary.ts';

/**
 * Who is shown something, or who is meant: all that is named must hold together. Nothing named: anyone.
 *
 *     { 1: hospital  bstr 16, fingerprint of its key
 *       2: role      text, one of ROLES
 *       3: person    text }
 */
export type Recipient = Readonly<{ /** Hexadecimal. */ hospital?: string; role?: Role; person?: string }>;

const PARTS = ['hospital', 'role', 'person'] as const;

export function encodeRecipient({ hospital, role, person }: Recipient): CborMap {
  const map = new Map<number, CborValue>();
  if (hospital !== undefined) map.set(1, fromHex(hospital));
  if (role !== undefined) map.set(2, role);
  if (person !== undefined) map.set(3, person);
  return map;
}

export function readRecipient(value: CborValue | undefined, format: string): Recipient {
  const fields = new CborFields(value, format, [1, 2, 3]);
  return {
    ...(fields.has(1) && { hospital: fingerprintIn(fields, 1) }),
    ...(fields.has(2) && { role: readRole(fields.text(2), format) }),
    ...(fields.has(3) && { person: asLine(fields.text(3), `${format} key 3`, LONGEST_NAME) }),
  };
}

function readRole(text: string, format: string): Role {
  if (isRole(text)) return text;
  throw new CborError('malformed', `${format} key 2: expected one of ${ROLES.join(', ')}, found ${JSON.stringify(text.slice(0, 40))}`);
}

/** Whether everything that is named of `meant` is so of `recipient`. */
export const isMeant = (meant: Recipient, recipient: Recipient): boolean => PARTS.every((part) => meant[part] === undefined || meant[part] === recipient[part]);

/** Whether `a` names whatever `b` names: then nobody is meant by `a` who is not meant by `b`, given both mean the same one. */
export const namesAllOf = (a: Recipient, b: Recipient): boolean => PARTS.every((part) => b[part] === undefined || a[part] !== undefined);

export const isNobody = (recipient: Recipient): boolean => PARTS.every((part) => recipient[part] === undefined);
