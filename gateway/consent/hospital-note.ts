/**
 * What a hospital says that people there did with somebody's data: it was shown, or the glass was broken, or that was ended or judged. Signed by
 * the hospital (COSE_Sign1 in a domain of its own), each by itself, so that it can be shown to others. A canonical CBOR map:
 *
 *     { 1: 1          version
 *       2: chain      bstr 16
 *       3: number     uint, ascending, not without gaps
 *       4: time       uint, the hospital's clock, ms since 1970
 *       5: pseudonym  bstr 16: of whom, as this hospital knows them
 *       6: who        text, a person or a system there
 *       7: role       text; absent for a system
 *       8: what       "shown", "broken", "ended", "reviewed"
 *     of "shown":
 *       9: how        text, the way it left
 *      10: purpose    text, ActReason code or HRESCH/study
 *      11: times      uint
 *      12: consents   array of bstr 32: the versions it was decided by
 *     of the others, and of "shown" where it rests on one:
 *      13: episode    uint, the hospital's number of the broken glass
 *      14: reason     text: why, or what whoever judged it remarks
 *     of the others:
 *      15: ends       uint
 *      16: verdict    "justified" or "unjustified", of "reviewed" }
 */

import { toHex } from '../ledger/bytes.ts';
import { asBytes, CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from '../ledger/cbor.ts';
import { DOMAINS, openSign1, sign1, verifySign1, type Sign1 } from '../ledger/cose.ts';
import { verifyWithNodeCrypto, type SigningKey } from '../ledger/es256k.ts';
import { UnixMillis } from '../quantity.ts';
import { VERDICTS, type GlassVerdict } from './break-glass.ts';
import { fromHex, MAX_STATEMENT_BYTES } from './fields.ts';

const NOTE_VERSION = 1;
const CHAIN_BYTES = 16;
const PSEUDONYM_BYTES = 16;
const VERSION_BYTES = 32;
/** Patients who live in one room. */
const MOST_VERSIONS = 256;

type Common = Readonly<{
  /** Hexadecimal, as `pseudonym` and `consents`. */
  chain: string;
  number: number;
  time: UnixMillis;
  pseudonym: string;
  by: Readonly<{ id: string; role?: string }>;
}>;

export type ShownThere = Common & Readonly<{ what: 'shown'; how: string; purpose: string; times: number; consents: readonly string[]; episode?: number; reason?: string }>;
export type GlassThere = Common & Readonly<{ what: 'broken' | 'ended' | 'reviewed'; episode: number; reason: string; ends: UnixMillis; verdict?: GlassVerdict }>;
export type HospitalNote = ShownThere | GlassThere;

export function signHospitalNote(note: HospitalNote, key: SigningKey): Uint8Array {
  const map = new Map<CborKey, CborValue>([
    [1, NOTE_VERSION], [2, fromHex(note.chain)], [3, note.number], [4, note.time], [5, fromHex(note.pseudonym)], [6, note.by.id], ...(note.by.role === undefined ? [] : [[7, note.by.role] as const]), [8, note.what],
  ]);
  if (note.what === 'shown') for (const [name, value] of [[9, note.how], [10, note.purpose], [11, note.times], [12, note.consents.map(fromHex)]] as const) map.set(name, value);
  if (note.episode !== undefined) map.set(13, note.episode);
  if (note.reason !== undefined) map.set(14, note.reason);
  if (note.what !== 'shown') map.set(15, note.ends);
  if (note.what !== 'shown' && note.verdict !== undefined) map.set(16, note.verdict);
  readNote(map);
  return sign1(encode(map), key, DOMAINS.hospitalNote);
}

/** What it says, whoever signed it. Throws {@link CborError} for bytes that are no such note. */
export const readHospitalNote = (bytes: Uint8Array): HospitalNote => openNote(bytes).note;

/** Undefined when it is not signed by the hospital with that key. Throws {@link CborError} for bytes that are no such note. */
export function verifyHospitalNote(bytes: Uint8Array, hospital: Uint8Array): HospitalNote | undefined {
  const { envelope, note } = openNote(bytes);
  return verifySign1(envelope, hospital, DOMAINS.hospitalNote, verifyWithNodeCrypto) ? note : undefined;
}

function openNote(bytes: Uint8Array): Readonly<{ envelope: Sign1; note: HospitalNote }> {
  if (bytes.length > MAX_STATEMENT_BYTES) throw new CborError('malformed', `expected a note of at most ${MAX_STATEMENT_BYTES} bytes, found ${bytes.length}`);
  const envelope = openSign1(bytes);
  return { envelope, note: readNote(decode(envelope.payload)) };
}

function readNote(value: CborValue): HospitalNote {
  const fields = new CborFields(value, 'hospital note', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  fields.version(1, NOTE_VERSION);
  const common = {
    chain: toHex(fields.bytes(2, CHAIN_BYTES)), number: fields.count(3, 1), time: UnixMillis(fields.count(4)), pseudonym: toHex(fields.bytes(5, PSEUDONYM_BYTES)),
    by: { id: fields.text(6), ...(fields.has(7) && { role: fields.text(7) }) },
  };
  const what = fields.text(8);
  switch (what) {
    case 'shown': return { ...common, what, ...readShown(fields) };
    case 'broken': case 'ended': case 'reviewed':
      return { ...common, what, episode: fields.count(13, 1), reason: fields.text(14), ends: UnixMillis(fields.count(15)), ...(fields.has(16) && { verdict: verdictIn(fields) }) };
    default: throw new CborError('malformed', `hospital note key 8: expected shown, broken, ended or reviewed, found ${JSON.stringify(what.slice(0, 40))}`);
  }
}

function readShown(fields: CborFields): Omit<ShownThere, keyof Common | 'what'> {
  const versions = fields.array(12);
  if (versions.length > MOST_VERSIONS) throw new CborError('malformed', `hospital note key 12: expected at most ${MOST_VERSIONS} versions, found ${versions.length}`);
  return {
    how: fields.text(9), purpose: fields.text(10), times: fields.count(11, 1), consents: versions.map((version) => toHex(asBytes(version, 'hospital note key 12', VERSION_BYTES))),
    ...(fields.has(13) && { episode: fields.count(13, 1) }), ...(fields.has(14) && { reason: fields.text(14) }),
  };
}

function verdictIn(fields: CborFields): GlassVerdict {
  const verdict = VERDICTS.find((each) => each === fields.text(16));
  if (verdict === undefined) throw new CborError('malformed', `hospital note key 16: expected one of ${VERDICTS.join(', ')}`);
  return verdict;
}

/** Asks a hospital for its notes about people of a chain, those after a number. */
export type NotesAsked = Readonly<{ chain: Uint8Array; recipient: Uint8Array; after: number }>;

/** Signed by the gateway: { 1: 1, 2: chain bstr 16, 3: recipient bstr 33, the hospital's key, 4: after uint }. */
export const signNotesAsked = ({ chain, recipient, after }: NotesAsked, key: SigningKey): Uint8Array =>
  sign1(encode(new Map<CborKey, CborValue>([[1, NOTE_VERSION], [2, chain], [3, recipient], [4, after]])), key, DOMAINS.hospitalNotesAsked);

/** Undefined when it is not signed by the gateway with that key. Throws {@link CborError} for bytes that ask nothing. */
export function verifyNotesAsked(bytes: Uint8Array, gateway: Uint8Array): NotesAsked | undefined {
  const envelope = openSign1(bytes);
  const fields = new CborFields(decode(envelope.payload), 'question for notes', [1, 2, 3, 4]);
  fields.version(1, NOTE_VERSION);
  const asked = { chain: fields.bytes(2, CHAIN_BYTES), recipient: fields.bytes(3), after: fields.count(4) };
  return verifySign1(envelope, gateway, DOMAINS.hospitalNotesAsked, verifyWithNodeCrypto) ? asked : undefined;
}
