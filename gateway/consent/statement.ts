/**
 * What people say about consent, and how it is signed: a canonical CBOR map in COSE_Sign1 (ledger/cose.ts), ES256K, one domain for each kind.
 * Field 1 says the kind, so that a reader knows the domain; the signature covers the domain, so that nobody presents one as another.
 */

import { sha256, toHex } from '../ledger/bytes.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { CborError, decode, encode, type CborMap, type CborValue } from '../ledger/cbor.ts';
import { DOMAINS, openSign1, sign1, verifySign1, type Sign1 } from '../ledger/cose.ts';
import { verifyWithNodeCrypto, type SigningKey } from '../ledger/es256k.ts';
import { UnixMillis } from '../quantity.ts';
import { asLine, fingerprintIn, fromHex, idIn, LONGEST_REMARK, MAX_STATEMENT_BYTES, patientIn } from './fields.ts';
import { encodeGrant, readGrant, type Grant } from './grant.ts';

/**
 * Ends a grant from now on, or takes a key of the patient out of use.
 *
 *     { 1: "revocation"
 *       2: id         bstr 16, random
 *       3: patient    text
 *       4: by         bstr 16, fingerprint of the key that signs
 *       5: what       "grant" or "key"
 *       6: which      bstr 16, the grant's id or the key's fingerprint
 *       7: reason     text, absent where none is given }
 */
export type Revocation = Readonly<{ kind: 'revocation'; id: string; patient: string; by: string; what: 'grant' | 'key'; which: string; reason?: string }>;

/**
 * Agrees to one request for release (approvals.ts).
 *
 *     { 1: "approval"
 *       2: request    bstr 32, its hash
 *       3: expires    uint, ms since 1970; as the request says
 *       4: by         bstr 16, fingerprint of the key that signs }
 */
export type Approval = Readonly<{ kind: 'approval'; request: string; expires: UnixMillis; by: string }>;

export type Statement = Grant | Revocation | Approval;

/** A statement in its envelope: whose it is stands in it, whether they signed it is to be asked. */
export type SignedStatement = Readonly<{ statement: Statement; envelope: Sign1; /** SHA-256 of the statement's own bytes, never of the signature, hexadecimal. */ hash: string }>;

export function signStatement(statement: Statement, key: SigningKey): Uint8Array {
  const map = encodeStatement(statement);
  readStatement(map);
  return sign1(encode(map), key, DOMAINS[statement.kind]);
}

function encodeStatement(statement: Statement): CborMap {
  switch (statement.kind) {
    case 'grant': return encodeGrant(statement);
    case 'revocation': return encodeRevocation(statement);
    case 'approval': return new Map<number, CborValue>([[1, 'approval'], [2, fromHex(statement.request)], [3, statement.expires], [4, fromHex(statement.by)]]);
  }
}

function encodeRevocation({ id, patient, by, what, which, reason }: Revocation): CborMap {
  const map = new Map<number, CborValue>([[1, 'revocation'], [2, fromHex(id)], [3, patient], [4, fromHex(by)], [5, what], [6, fromHex(which)]]);
  return reason === undefined ? map : map.set(7, reason);
}

/** Throws {@link CborError} for bytes that are no statement, saying what was expected. Whether the signature is good is asked by {@link isSignedBy}. */
export function openStatement(bytes: Uint8Array): SignedStatement {
  if (bytes.length > MAX_STATEMENT_BYTES) throw new CborError('malformed', `expected a statement of at most ${MAX_STATEMENT_BYTES} bytes, found ${bytes.length}`);
  const envelope = openSign1(bytes);
  return { statement: readStatement(decode(envelope.payload)), envelope, hash: toHex(sha256(envelope.payload)) };
}

/** Whether the key with these bytes (compressed point, hexadecimal) made the signature. */
export const isSignedBy = ({ statement, envelope }: SignedStatement, key: string): boolean => verifySign1(envelope, fromHex(key), DOMAINS[statement.kind], verifyWithNodeCrypto);

function readStatement(value: CborValue): Statement {
  const kind = value instanceof Map ? (value as CborMap).get(1) : undefined;
  switch (kind) {
    case 'grant': return readGrant(value);
    case 'revocation': return readRevocation(value);
    case 'approval': return readApproval(value);
    default: throw new CborError('malformed', 'a statement: expected a map with "grant", "revocation" or "approval" under key 1');
  }
}

function readRevocation(value: CborValue): Revocation {
  const fields = new CborFields(value, 'revocation', [1, 2, 3, 4, 5, 6, 7]);
  const what = fields.text(5);
  if (what !== 'grant' && what !== 'key') throw new CborError('malformed', `revocation key 5: expected "grant" or "key", found ${JSON.stringify(what.slice(0, 40))}`);
  return {
    kind: 'revocation',
    id: idIn(fields, 2),
    patient: patientIn(fields, 3, 'revocation'),
    by: fingerprintIn(fields, 4),
    what,
    which: idIn(fields, 6),
    ...(fields.has(7) && { reason: asLine(fields.text(7), 'revocation key 7', LONGEST_REMARK) }),
  };
}

function readApproval(value: CborValue): Approval {
  const fields = new CborFields(value, 'approval', [1, 2, 3, 4]);
  return { kind: 'approval', request: toHex(fields.bytes(2, 32)), expires: UnixMillis(fields.count(3, 1)), by: fingerprintIn(fields, 4) };
}
