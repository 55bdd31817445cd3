import { isPublicKey, PUBLIC_KEY_BYTES, fingerprint } from '../ledger/es256k.ts';
import type { UnixMillis } from '../quantity.ts';
import { fromHex, isLine, isWithin, LONGEST_NAME, LONGEST_REMARK, type Period } from './fields.ts';

/** Who speaks for a patient with a key of theirs. */
export const SPEAKERS = ['patient', 'guardian'] as const;
export type Speaker = (typeof SPEAKERS)[number];

/** A public key that speaks for one patient. JSON. */
export type PersonKey = Readonly<{
  /** Compressed point, hexadecimal; `fingerprint` names it in statements. */
  key: string;
  fingerprint: string;
  who: Speaker;
  name: string;
  /** A guardian's ends; a patient's own may. */
  period: Period;
  /** Since when it is worth nothing, who took it out of use, and why. */
  revoked?: Readonly<{ at: UnixMillis; by: string; reason: string }>;
}>;

/** Keys of one patient, those out of use among them. A choice of this project. */
export const MOST_KEYS = 16;

export type KeyRefusal = 'bad_key' | 'bad_name' | 'bad_period' | 'already_enrolled' | 'too_many' | 'unknown_key' | 'already_revoked' | 'bad_reason';

type Enrolling = Readonly<{ key: string; who: Speaker; name: string; period: Period }>;

/** Why it cannot be enrolled; undefined when it can. A guardian who has no end would be one for life: the period says when to ask again. */
export function faultOfKey(keys: readonly PersonKey[], { key, who, name, period }: Enrolling): KeyRefusal | undefined {
  if (!/^[0-9a-f]*$/.test(key) || key.length !== 2 * PUBLIC_KEY_BYTES || !isPublicKey(fromHex(key))) return 'bad_key';
  if (!isLine(name, LONGEST_NAME)) return 'bad_name';
  if (period.until === undefined ? who === 'guardian' : period.until <= period.from) return 'bad_period';
  if (keys.some((each) => each.key === key)) return 'already_enrolled';
  return keys.length >= MOST_KEYS ? 'too_many' : undefined;
}

export const personKey = ({ key, who, name, period }: Enrolling): PersonKey => ({ key, fingerprint: fingerprint(fromHex(key)), who, name, period });

export const isInUse = ({ period, revoked }: PersonKey, at: UnixMillis): boolean => isWithin(period, at) && (revoked === undefined || at < revoked.at);

/** The keys after one was taken out of use, or why not. */
export function withoutKey(keys: readonly PersonKey[], fingerprintOfKey: string, revoked: NonNullable<PersonKey['revoked']>): readonly PersonKey[] | KeyRefusal {
  const found = keys.find((each) => each.fingerprint === fingerprintOfKey);
  if (found === undefined) return 'unknown_key';
  if (found.revoked !== undefined) return 'already_revoked';
  if (!isLine(revoked.reason, LONGEST_REMARK)) return 'bad_reason';
  return keys.map((each) => (each === found ? { ...each, revoked } : each));
}
