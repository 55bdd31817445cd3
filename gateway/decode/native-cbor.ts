/**
 * The gateway's own messages as CBOR (RFC 8949): the envelope of native-json.ts with text keys, for devices that count
 * bytes. The bytes are looked over before they are decoded, so that what a decoder has to build is bounded by what came:
 *
 *     82          array of 2: each of its items takes a byte at least, so a longer count than bytes is refused
 *     9b 00…      the same, 2^32 items in 9 bytes: refused
 *     81 81 81 …  deeper than any message: refused, and nothing recurses into it
 *     5f 9f bf ff lengths that are not known beforehand: refused
 *
 * Stricter than RFC 8949: text is UTF-8 as it says, a key occurs once, `undefined` and other simple values are refused.
 */

import { decode as decodeLibrary } from 'cborg';
import { DecodeError } from '../errors.ts';
import { messageOf, type Message } from './native-json.ts';

/** Version of this decoder, kept with what it rejected so that a correction can be applied later. */
export const NATIVE_CBOR_VERSION = 1;

/** What a tag (RFC 8949 §3.4) makes of its content; `content` may be called once. */
type TagReader = (content: () => unknown) => unknown;

/** What an item may hold beside numbers, text, arrays, maps, false, true and null. */
export type CborRules = Readonly<{
  /** Arrays, maps and tags inside each other. */
  depth: number;
  /** Byte strings are allowed. Default false. */
  bytes?: boolean;
  /** Tag numbers that are allowed, with their readers. Default none. */
  tags?: Readonly<Record<number, TagReader>>;
}>;

/** As deep as native-json.ts: message → readings → reading → waveform → samples. */
const NATIVE_RULES: CborRules = { depth: 5 };

/** Decodes one payload. Throws {@link DecodeError} when nothing of it can be used. */
export function decodeNativeCbor(payload: Uint8Array): Message {
  return messageOf(withoutMaps(decodeCbor(payload, NATIVE_RULES)));
}

/** Own members only: a key such as `__proto__` is text like any other. */
function withoutMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMaps);
  if (!(value instanceof Map)) return value;
  const members: [string, unknown][] = [];
  for (const [key, member] of value as ReadonlyMap<unknown, unknown>) {
    if (typeof key !== 'string') throw new DecodeError('wrong_shape', 'the keys of a message must be text');
    members.push([key, withoutMaps(member)]);
  }
  return Object.fromEntries(members);
}

/**
 * The value of the one item that `payload` is. Maps are `Map`, whole numbers beyond ±(2^53 − 1) are `bigint`, NaN and the
 * infinities are themselves: whoever reads the value refuses them where a number belongs, and only there.
 * Throws {@link DecodeError}, before anything is built, for whatever the rules do not allow.
 */
export function decodeCbor(payload: Uint8Array, rules: CborRules): unknown {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the payload has no bytes');
  refuseAllBut(payload, rules);
  try {
    return decodeLibrary(payload, {
      useMaps: true,
      rejectDuplicateMapKeys: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowBigInt: true,
      tags: rules.tags ?? {},
    }) as unknown;
  } catch (cause) {
    if (cause instanceof DecodeError) throw cause;
    throw new DecodeError('wrong_shape', 'a key of the payload occurs twice, or it is no CBOR', { cause });
  }
}

/** The first bytes of an item (RFC 8949 §3): major type, argument, and where what belongs to it starts. */
type Head = Readonly<{ major: number; low: number; argument: number; end: number }>;

/** Walks over all items of the payload in one loop: neither depth nor counts cost more than bytes that are there. */
function refuseAllBut(payload: Uint8Array, rules: CborRules): void {
  /** How many items each open array, map or tag still lacks. */
  const open = [1];
  let position = 0;
  while (open.length > 0) {
    const head = headAt(payload, position);
    open[open.length - 1] = (open.at(-1) ?? 0) - 1;
    position = head.end + bytesOfText(payload, head, rules);
    const inside = itemsInside(head, rules);
    if (inside > payload.length - position) throw new DecodeError('wrong_shape', 'the payload ends before what it announces');
    if (inside > 0) open.push(inside);
    if (open.length > rules.depth + 1) throw new DecodeError('too_complex', `the payload nests deeper than ${rules.depth} levels`);
    while (open.at(-1) === 0) open.pop();
  }
  if (position < payload.length) throw new DecodeError('wrong_shape', 'bytes follow the CBOR item of the payload');
}

function headAt(payload: Uint8Array, position: number): Head {
  const first = payload[position];
  if (first === undefined) throw new DecodeError('wrong_shape', 'the payload ends within a CBOR item');
  const [major, low] = [first >> 5, first & 31];
  if (low > 27) throw new DecodeError('wrong_shape', 'a CBOR item has no definite length, or a reserved head');
  const size = low < 24 ? 0 : 2 ** (low - 24);
  const end = position + 1 + size;
  if (end > payload.length) throw new DecodeError('wrong_shape', 'the payload ends within a CBOR item');
  let argument = size === 0 ? low : 0;
  for (let at = position + 1; at < end; at++) argument = argument * 256 + (payload[at] ?? 0);
  return { major, low, argument, end };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How many bytes of text or of a byte string follow the head. Text is checked: the library would replace what is no UTF-8. */
function bytesOfText(payload: Uint8Array, { major, argument, end }: Head, rules: CborRules): number {
  if (major !== 2 && major !== 3) return 0;
  if (major === 2 && rules.bytes !== true) throw new DecodeError('wrong_shape', 'the payload holds a byte string');
  if (argument > payload.length - end) throw new DecodeError('wrong_shape', 'the payload ends within text');
  if (major === 2) return argument;
  try {
    utf8.decode(payload.subarray(end, end + argument));
  } catch (cause) {
    throw new DecodeError('invalid_utf8', 'text of the payload is not UTF-8', { cause });
  }
  return argument;
}

/** False, true, null, and numbers of 2, 4 or 8 bytes (RFC 8949 §3.3): `undefined` and the unassigned mean nothing here. */
const isSimpleOrFloat = (low: number): boolean => (low >= 20 && low <= 22) || (low >= 25 && low <= 27);

/** How many items follow inside: pairs count twice, a tag holds one. */
function itemsInside({ major, low, argument }: Head, rules: CborRules): number {
  if (major === 4) return argument;
  if (major === 5) return argument * 2;
  if (major === 6) {
    if (rules.tags === undefined || !Object.hasOwn(rules.tags, argument)) throw new DecodeError('wrong_shape', 'the payload holds a tag');
    return 1;
  }
  if (major === 7 && !isSimpleOrFloat(low)) throw new DecodeError('wrong_shape', 'the payload holds a simple value that means nothing here');
  return 0;
}
