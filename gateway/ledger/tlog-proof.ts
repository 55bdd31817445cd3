/**
 * Proof that an entry, or a raw frame, is in a lane, in one file that is checked offline (C2SP tlog-proof@v1):
 *
 *     c2sp.org/tlog-proof@v1
 *     extra <base64>              what is proven, see {@link Proven}
 *     index <leaf>
 *     <base64 of a hash>…         nearest sibling first
 *     (an empty line)
 *     <checkpoint, a signed note>
 */

import { equalBytes, HASH_BYTES } from './bytes.ts';
import { asBytes, CborFields } from './cbor-fields.ts';
import { decode, encode, CborError, type CborKey, type CborValue } from './cbor.ts';
import { decodeEntry, type Entry } from './entry.ts';
import { leafHash } from './merkle.ts';
import { ProofRejected, verifyInclusion } from './merkle-proof.ts';
import type { NoteChecks } from './note-keys.ts';
import { judgeCheckpoint, type JudgedCheckpoint, type Policy } from './policy.ts';
import { base64In, NoteRejected } from './signed-note.ts';

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const MOST_HASHES = 63;
const LONGEST_PROOF = 8 * 1024 * 1024;

/**
 * A canonical CBOR map:
 *
 *     { 1: entry  bstr, as in the block
 *       2: frame  bstr, absent where the entry itself is proven: 00 ‖ sequence (8) ‖ frame bytes (frame-codec.ts)
 *       3: place  [ index, size ], of the frame among those the evidence entry covers
 *       4: path   array of bstr 32 }
 */
export type Proven = Readonly<{
  entry: Uint8Array;
  frame?: Readonly<{ leaf: Uint8Array; index: number; size: number; path: readonly Uint8Array[] }>;
}>;

export type TlogProof = Readonly<{ proven: Proven; index: number; path: readonly Uint8Array[]; note: string }>;

export function formatProof({ proven, index, path, note }: TlogProof): string {
  const map = new Map<CborKey, CborValue>([[1, proven.entry]]);
  if (proven.frame !== undefined) {
    const { leaf, index: place, size, path: inside } = proven.frame;
    map.set(2, leaf).set(3, [place, size]).set(4, inside);
  }
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return [FIRST_LINE, `extra ${base64(encode(map))}`, `index ${index}`, ...path.map(base64), '', note].join('\n');
}

/** Throws {@link NoteRejected} `malformed` for what is no such file. */
export function parseProof(text: string): TlogProof {
  if (text.length > LONGEST_PROOF) throw malformed(`a proof of ${text.length} characters is over the limit of ${LONGEST_PROOF}`);
  const end = text.indexOf('\n\n');
  const [first, extra = '', index = '', ...hashes] = end < 0 ? [] : text.slice(0, end).split('\n');
  if (first !== FIRST_LINE) throw malformed(`a proof begins with the line ${FIRST_LINE}`);
  const [extraBytes, leaf] = [base64In(extra.replace(/^extra /, '')), /^index (0|[1-9]\d{0,15})$/.exec(index)?.[1]];
  if (!extra.startsWith('extra ') || extraBytes === undefined || leaf === undefined || !Number.isSafeInteger(Number(leaf))) throw malformed('expected the lines "extra <base64>" and "index <number>"');
  if (hashes.length > MOST_HASHES) throw malformed(`${hashes.length} hashes are over the limit of ${MOST_HASHES}`);
  const path = hashes.map((hash, i) => {
    const bytes = base64In(hash);
    if (bytes?.length !== HASH_BYTES) throw malformed(`hash ${i + 1} is not base64 of ${HASH_BYTES} bytes`);
    return bytes;
  });
  return { proven: readProven(extraBytes), index: Number(leaf), path, note: text.slice(end + 2) };
}

function readProven(bytes: Uint8Array): Proven {
  try {
    const fields = new CborFields(decode(bytes), 'what is proven', [1, 2, 3, 4]);
    const entry = fields.bytes(1);
    if (!fields.has(2)) return { entry };
    const [index, size] = fields.array(3, 2);
    if (typeof index !== 'number' || typeof size !== 'number') throw malformed('what is proven: the place of a frame is two numbers');
    return { entry, frame: { leaf: fields.bytes(2), index, size, path: fields.array(4).map((hash, i) => asBytes(hash, `hash ${i} of the frame's path`, HASH_BYTES)) } };
  } catch (cause) {
    if (cause instanceof CborError) throw malformed(cause.message, { cause });
    throw cause;
  }
}

const malformed = (message: string, options?: ErrorOptions): NoteRejected => new NoteRejected('malformed', message, options);

export type ProvenVerdict = JudgedCheckpoint & Readonly<{ entry: Entry; index: number; frame?: Readonly<{ sequence: number; bytes: Uint8Array }> }>;

/**
 * Checks a proof in the order of the specification: the checkpoint's signatures, the policy, the inclusion. `expected`: what the entry
 * has to be, byte for byte. Throws {@link NoteRejected} or {@link ProofRejected}; a verdict that is not final lacks countersignatures.
 */
export function verifyProof(text: string, policy: Policy, checks: NoteChecks, expected?: Uint8Array): ProvenVerdict {
  const { proven, index, path, note } = parseProof(text);
  if (expected !== undefined && !equalBytes(proven.entry, expected)) throw new ProofRejected('wrong_root', 'the proof is about another entry than the one given');
  const judged = judgeCheckpoint(note, policy, checks);
  verifyInclusion(leafHash(proven.entry), index, judged.checkpoint.size, path, judged.checkpoint.root);
  const entry = readEntry(proven.entry);
  return { ...judged, entry, index, ...(proven.frame === undefined ? {} : { frame: verifyFrame(entry, proven.frame) }) };
}

function readEntry(bytes: Uint8Array): Entry {
  try {
    return decodeEntry(bytes);
  } catch (cause) {
    if (cause instanceof CborError) throw malformed(cause.message, { cause });
    throw cause;
  }
}

/** The frame is one of those that the evidence entry covers, at the place its sequence says. */
function verifyFrame({ kind, fields }: Entry, { leaf, index, size, path }: NonNullable<Proven['frame']>): Readonly<{ sequence: number; bytes: Uint8Array }> {
  const [first, last, root] = [fields.get('first'), fields.get('last'), fields.get('root')];
  if (kind !== 'evidence' || typeof first !== 'number' || typeof last !== 'number' || !(root instanceof Uint8Array)) throw malformed('a frame is proven by an evidence entry');
  if (leaf.length < 9 || leaf[0] !== 0) throw malformed('a frame begins with 00 and its sequence');
  const sequence = Number(Buffer.from(leaf).readBigUInt64BE(1));
  if (size !== last - first + 1 || sequence !== first + index) throw new ProofRejected('wrong_position', `frame ${sequence} at place ${index} of ${size} is not what entry says of frames ${first} to ${last}`);
  verifyInclusion(leafHash(leaf.subarray(1)), index, size, path, root);
  return { sequence, bytes: leaf.subarray(9) };
}
