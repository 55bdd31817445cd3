import { sha256, toHex } from '../ledger/bytes.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { CborError, decode, encode, type CborMap, type CborValue } from '../ledger/cbor.ts';
import { UnixMillis } from '../quantity.ts';
import { isItemOrClass, itemsOf, ITEMS } from './data-classes.ts';
import { asWords, fromHex, idIn, MAX_STATEMENT_BYTES, patientIn, periodIn, type Period } from './fields.ts';
import { encodePeriod, readFidelity, type Grant } from './grant.ts';
import { encodeRecipient, isNobody, namesAllOf, isMeant, readRecipient, type Recipient } from './recipient.ts';
import { FIDELITIES, isPurpose, PURPOSES, wholeOf, type Fidelity } from './vocabulary.ts';

/**
 * Asks those a grant names to agree to one release. What they sign is its hash and when it expires (statement.ts, approval). It names a person:
 * in the chain it MUST only stand in a sealed payload, and approvers get it by a way of their own.
 *
 *     { 1: "release"
 *       2: id         bstr 16, random
 *       3: patient    text
 *       4: grant      bstr 16, id of the grant that asks for approval
 *       5: recipient  map (recipient.ts), names somebody
 *       6: what       set of items and classes; absent: all the grant covers
 *       7: fidelity   text
 *       8: purpose    text
 *       9: from       uint, ms since 1970: what is released then
 *      10: until      uint, excluded
 *      11: expires    uint: approvals count before that instant only }
 */
export type ReleaseRequest = Readonly<{
  id: string;
  patient: string;
  grant: string;
  recipient: Recipient;
  what?: readonly string[];
  fidelity: Fidelity;
  purpose: string;
  period: Required<Period>;
  expires: UnixMillis;
}>;

const MOST_ITEMS = 64;

/** The one encoding. Throws {@link CborError} for what cannot be asked. */
export function encodeRelease(request: ReleaseRequest): Uint8Array {
  const map = new Map<number, CborValue>([
    [1, 'release'], [2, fromHex(request.id)], [3, request.patient], [4, fromHex(request.grant)], [5, encodeRecipient(request.recipient)], [7, request.fidelity], [8, request.purpose],
    ...encodePeriod(request.period, 9, 10), [11, request.expires],
  ]);
  if (request.what !== undefined) map.set(6, request.what);
  readReleaseMap(map);
  return encode(map);
}

/** Throws {@link CborError} saying what was expected. */
export function readRelease(bytes: Uint8Array): ReleaseRequest {
  if (bytes.length > MAX_STATEMENT_BYTES) throw new CborError('malformed', `expected a request of at most ${MAX_STATEMENT_BYTES} bytes, found ${bytes.length}`);
  return readReleaseMap(decode(bytes));
}

/** What approvers sign: SHA-256 of the encoding, hexadecimal. */
export const hashOfRelease = (request: ReleaseRequest): string => toHex(sha256(encodeRelease(request)));

function readReleaseMap(value: CborValue): ReleaseRequest {
  const fields = new CborFields(value, 'release', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  if ((value as CborMap).get(1) !== 'release') throw new CborError('malformed', 'release key 1: expected "release"');
  const purpose = fields.text(8);
  if (!isPurpose(purpose)) throw new CborError('malformed', `release key 8: expected one of ${Object.keys(PURPOSES).join(', ')} or HRESCH/study, found ${JSON.stringify(purpose.slice(0, 40))}`);
  const recipient = readRecipient(fields.map(5), 'release key 5');
  if (isNobody(recipient)) throw new CborError('malformed', 'release key 5: expected a recipient, found nobody named');
  const { from, until } = periodIn(fields, 9, 10, 'release');
  if (until === undefined) throw new CborError('malformed', 'release key 10: expected an instant at which the release ends');
  return {
    id: idIn(fields, 2),
    patient: patientIn(fields, 3, 'release'),
    grant: idIn(fields, 4),
    recipient,
    ...(fields.has(6) && { what: asWords(fields.array(6), 'release key 6', { isKnown: isItemOrClass, wanted: 'a measurement, a kind of event or a class of them', most: MOST_ITEMS }) }),
    fidelity: readFidelity(fields.text(7), 'release key 7'),
    purpose,
    period: { from, until },
    expires: UnixMillis(fields.count(11, 1)),
  };
}

/** What of the request goes beyond the grant, for people; undefined when nothing does: approvers agree to what was permitted, and to no more. */
export function beyondGrant(request: ReleaseRequest, grant: Grant): string | undefined {
  if (!grant.permit || grant.approval === undefined) return 'the grant asks for nobody\u2019s approval';
  if (grant.patient !== request.patient) return 'the grant is another patient\u2019s';
  if (!namesAllOf(request.recipient, grant.to) || !isMeant(grant.to, request.recipient)) return 'the recipient is not the grant\u2019s';
  if (grant.fidelity === undefined || FIDELITIES.indexOf(request.fidelity) < FIDELITIES.indexOf(grant.fidelity)) return `the grant shows ${grant.fidelity ?? 'nothing'} at most`;
  const whole = wholeOf(request.purpose);
  if (grant.purposes?.includes(request.purpose) !== true && (whole === undefined || grant.purposes?.includes(whole) !== true)) return `the grant is for ${grant.purposes?.join(', ') ?? 'nothing'}`;
  const covered = new Set((grant.what ?? ITEMS).flatMap(itemsOf));
  const extra = request.what?.flatMap(itemsOf).find((item) => !covered.has(item));
  if (extra !== undefined) return `the grant does not cover ${extra}`;
  return grant.until !== undefined && request.period.until > grant.until ? 'the grant ends before that' : undefined;
}
