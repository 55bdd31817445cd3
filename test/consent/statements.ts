import { fingerprint, signingKeyFrom, type SigningKey } from '../../gateway/ledger/es256k.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

/** A key for tests, the same for the same number. */
export const keyNumber = (number: number): SigningKey => signingKeyFrom(new Uint8Array(32).fill(number));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fingerprintOf = (key: SigningKey): string => fingerprint(key.publicKey);
export const idNumber = (number: number): string => number.toString(16).padStart(32, '0');
const NO_VERSION = '0'.repeat(64);

export const ANNA = keyNumber(1);
export const NOON = UnixMillis(Date.UTC(2030, 0, 1, 12));

/** Anna permits her treatment to anybody, for ever, unless `differing` says otherwise. */
export function grant(differing: Partial<Grant> = {}): Grant {
  return { kind: 'grant', id: idNumber(1), patient: 'anna', by: fingerprintOf(ANNA), after: NO_VERSION, permit: true, to: {}, fidelity: 'full', purposes: ['TREAT'], from: UnixMillis(0), ...differing };
}

/** The same as a denial; it has neither fidelity nor, unless given, purposes. */
export function denial({ fidelity: _, purposes, approval: __, ...differing }: Partial<Grant> = {}): Grant {
  const { fidelity: ___, purposes: ____, ...rest } = grant(differing);
  return { ...rest, permit: false, ...(purposes === undefined ? {} : { purposes }) };
}
