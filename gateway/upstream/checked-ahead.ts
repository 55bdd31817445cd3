/** Signatures are most of the work of judging a block, and no signature needs another: those of a run are verified on all cores, before the run is judged. */

import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type SignatureCheck, verifyInBackground, verifyWithNodeCrypto } from '../ledger/es256k.ts';

export type Signed = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;

/**
 * Verifies these signatures, then answers for them at once; for any other it does what {@link verifyWithNodeCrypto} does.
 */
export async function checkedAhead(signed: readonly Signed[]): Promise<SignatureCheck> {
  const verdicts = await Promise.all(signed.map(({ message, signature, key }) => verifyInBackground(message, signature, key)));
  const known = new Map(signed.map((each, index) => [toHex(each.signature), { ...each, good: verdicts[index] === true }]));
  return (message, signature, key) => {
    const ahead = known.get(toHex(signature));
    const isSame = ahead !== undefined && equalBytes(ahead.key, key) && equalBytes(ahead.message, message);
    return isSame ? ahead.good : verifyWithNodeCrypto(message, signature, key);
  };
}
