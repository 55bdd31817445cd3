/** Signatures are most of the work of judging a block, and no signature needs another: those of a run are verified on all cores, before the run is judged. */

import { equalBytes } from '../ledger/bytes.ts';
import { type SignatureCheck, verifyInBackground, verifyWithNodeCrypto } from '../ledger/es256k.ts';

export type Signed = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;

/**
 * Verifies these signatures, then answers for them at once; for any other it does what {@link verifyWithNodeCrypto} does. A signature is recognised as
 * the very object that was given, with the same key and message.
 */
export async function checkedAhead(signed: readonly Signed[]): Promise<SignatureCheck> {
  const verdicts = await Promise.all(signed.map(({ message, signature, key }) => verifyInBackground(message, signature, key)));
  const known = new Map(signed.map((each, index) => [each.signature, { ...each, good: verdicts[index] === true }]));
  return (message, signature, key) => {
    const ahead = known.get(signature);
    const isSame = ahead !== undefined && equalBytes(ahead.key, key) && equalBytes(ahead.message, message);
    return isSame ? ahead.good : verifyWithNodeCrypto(message, signature, key);
  };
}
