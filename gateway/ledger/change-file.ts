/** A signed change as a file (armour.ts) that goes from hand to hand to collect signatures. */

import { formatArmour, parseArmour } from './armour.ts';
import { decodeSignedChange, encodeSignedChange, type SignedChange } from './change.ts';

const MARK = 'vitalgate change 1';

export const formatChange = (signed: SignedChange, words: readonly string[]): string => formatArmour(MARK, encodeSignedChange(signed), words);

/** Throws {@link CborError} for a text that holds no change. No signature is judged. */
export const parseChange = (text: string): SignedChange => decodeSignedChange(parseArmour(MARK, text));
