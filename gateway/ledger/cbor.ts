/**
 * Deterministic CBOR: every value has exactly one encoding, and decoding refuses every other. The rules are RFC 8949
 * §4.2.1 (shortest heads, definite lengths, map keys in bytewise order of their encoding) and, stricter than it:
 *
 * - whole numbers only within ±(2^53 − 1); a fractional number only where the caller says so, then finite, shortest form;
 * - text is well-formed, in Unicode normalisation form C, without a leading byte order mark;
 * - map keys are whole numbers or text; a map is a JavaScript `Map`;
 * - no `undefined`, no other simple values than false, true and null; tags only where the caller says so.
 *
 * JavaScript has one number type, so 1.0 is the whole number 1 and −0 is 0; encodings that would say otherwise are refused.
 */

import { decode as decodeLibrary, encode as encodeLibrary, rfc8949EncodeOptions, Tagged } from 'cborg';
import { messageOf } from '../errors.ts';
import { equalBytes } from './bytes.ts';
import { CborError, MAX_DEPTH, resumeScan, startScan } from './cbor-scan.ts';

export { CborError } from './cbor-scan.ts';
export { Tagged } from 'cborg';

export type CborKey = number | string;
export type CborMap = ReadonlyMap<CborKey, CborValue>;
export type CborValue = number | string | boolean | null | Uint8Array | readonly CborValue[] | CborMap | Tagged;

export type CborRules = Readonly<{
  /** Numbers that are not whole are allowed. Default false. */
  floats?: boolean;
  /** Tag numbers that are allowed, anywhere in the item. Default none. */
  tags?: readonly number[];
}>;

/** Why a value is outside the profile, and where in it. */
type Fault = { where: string; what: string };

const fault = (what: string): Fault => ({ where: '', what });

function within(where: CborKey, found: Fault | undefined): Fault | undefined {
  return found && { where: `/${where}${found.where}`, what: found.what };
}

function faultInNumber(value: number, rules: CborRules): Fault | undefined {
  if (Number.isSafeInteger(value)) return undefined;
  if (rules.floats === true && Number.isFinite(value)) return undefined;
  return fault(`${value} is not ${rules.floats === true ? 'a finite number' : 'a whole number within ±(2^53 − 1)'}`);
}

/** Printable ASCII, nearly all text of the chain, is well-formed and in normalisation form C by nature. */
const ASCII = /^[ -~]*$/;

function faultInText(value: string): Fault | undefined {
  if (ASCII.test(value)) return undefined;
  if (!value.isWellFormed()) return fault('text holds an unpaired surrogate');
  if (value.startsWith('\uFEFF')) return fault('text starts with a byte order mark');
  if (value.normalize('NFC') !== value) return fault('text is not in Unicode normalisation form C');
  return undefined;
}

function faultInArray(value: readonly unknown[], rules: CborRules, depth: number): Fault | undefined {
  for (let index = 0; index < value.length; index++) {
    const found = faultIn(value[index], rules, depth);
    if (found) return within(index, found);
  }
  return undefined;
}

function faultInMap(value: ReadonlyMap<unknown, unknown>, rules: CborRules, depth: number): Fault | undefined {
  for (const [key, item] of value) {
    if (typeof key !== 'string' && !Number.isSafeInteger(key)) return fault(`map key ${String(key)} is neither a whole number nor text`);
    const inKey = typeof key === 'string' ? faultInText(key) : undefined;
    const found = inKey ?? faultIn(item, rules, depth);
    if (found) return within(key as CborKey, found);
  }
  return undefined;
}

function faultInObject(value: object, rules: CborRules, depth: number): Fault | undefined {
  if (value instanceof Uint8Array) return undefined;
  if (depth === 0) return fault(`nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return faultInArray(value, rules, depth - 1);
  if (value instanceof Map) return faultInMap(value, rules, depth - 1);
  if (!(value instanceof Tagged)) return fault(`a ${value.constructor?.name ?? 'bare object'} has no encoding here`);
  if (!(rules.tags ?? []).includes(value.tag)) return fault(`tag ${value.tag} is not allowed here`);
  return faultIn(value.value, rules, depth - 1);
}

function faultIn(value: unknown, rules: CborRules, depth: number): Fault | undefined {
  switch (typeof value) {
    case 'number': return faultInNumber(value, rules);
    case 'string': return faultInText(value);
    case 'boolean': return undefined;
    case 'object': return value === null ? undefined : faultInObject(value, rules, depth);
    default: return fault(`a value of type ${typeof value} has no encoding here`);
  }
}

function refuseFault(found: Fault | undefined): void {
  if (found) throw new CborError('not_canonical', `${found.what} (at ${found.where || 'the top'})`);
}

/** The one encoding of `value`. Throws {@link CborError} for a value outside the profile. */
export function encode(value: CborValue, rules: CborRules = {}): Uint8Array {
  refuseFault(faultIn(value, rules, MAX_DEPTH));
  const bytes = encodeLibrary(value, rfc8949EncodeOptions);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type LibraryOptions = Parameters<typeof decodeLibrary>[1];

function decodeOptions(rules: CborRules, strict: boolean): LibraryOptions {
  return {
    strict,
    useMaps: true,
    rejectDuplicateMapKeys: true,
    allowIndefinite: false,
    allowUndefined: !strict,
    allowBigInt: !strict,
    allowNaN: !strict,
    allowInfinity: !strict,
    tags: Tagged.preserve(...(rules.tags ?? [])),
  };
}

const STRICT_WITHOUT_TAGS = decodeOptions({}, true);

/** Tells an item in a longer form than needed from one that is none at all; only the failing path pays for it. */
function whyRefused(bytes: Uint8Array, rules: CborRules, cause: unknown): CborError {
  try {
    decodeLibrary(bytes, decodeOptions(rules, false));
    return new CborError('not_canonical', `not the canonical encoding [RFC 8949 §4.2.1]: ${messageOf(cause)}`, { cause });
  } catch {
    return new CborError('malformed', `not a CBOR item allowed here: ${messageOf(cause)}`, { cause });
  }
}

function decodeStrictly(bytes: Uint8Array, rules: CborRules): unknown {
  try {
    return decodeLibrary(bytes, rules.tags ? decodeOptions(rules, true) : STRICT_WITHOUT_TAGS) as unknown;
  } catch (cause) {
    throw whyRefused(bytes, rules, cause);
  }
}

function refuseLooseEnds(bytes: Uint8Array): void {
  const scan = startScan();
  if (!resumeScan(scan, bytes)) throw new CborError('malformed', `the item ends early: ${bytes.length} bytes are not enough`);
  if (scan.position < bytes.length) {
    throw new CborError('malformed', `${bytes.length - scan.position} bytes follow the item, which ends at byte ${scan.position}`);
  }
}

/**
 * The value of one item. MUST refuse every input that {@link encode} would not have produced for that value; it does so by
 * encoding the result again and comparing, because no decoder is trusted to notice every longer form.
 * Byte strings in the result are copies. Throws {@link CborError}.
 */
export function decode(bytes: Uint8Array, rules: CborRules = {}): CborValue {
  refuseLooseEnds(bytes);
  const value = decodeStrictly(bytes, rules);
  refuseFault(faultIn(value, rules, MAX_DEPTH));
  if (!equalBytes(encodeLibrary(value, rfc8949EncodeOptions), bytes)) {
    throw new CborError('not_canonical', 'the bytes are not the canonical encoding of the value they hold [RFC 8949 §4.2.1]');
  }
  return value as CborValue;
}
