/**
 * The rules by which one authority follows another. They need the authority, the change and the time that stands in its entry, nothing
 * else, so derivation, the sealer, the hospital and the offline audit all say the same.
 *
 * | change      | who has to sign                                                        | counts                         |
 * | ----------- | ---------------------------------------------------------------------- | ------------------------------ |
 * | rotation    | the old gateway key and the new one                                    | from the next block            |
 * | membership  | the quorum of the hospitals before the change                          | from the next block            |
 * | replacement | the quorum of the hospitals before the change, and the new gateway key | from the block that carries it |
 *
 * Each lane is a chain of its own, so a change stands in both. While only one of them has it, that lane goes by the new authority and
 * the other by the old: its blocks are signed by the old key and receipted by the old hospitals. A replacement may pass over changes
 * that one lane never got, for it says the whole authority anew.
 */

import { type ChangeFault, VitalgateError } from '../errors.ts';
import { LANES, type Lane } from '../reading.ts';
import type { UnixMillis } from '../quantity.ts';
import { equalBytes, toHex } from './bytes.ts';
import { CborError } from './cbor.ts';
import { type Change, decodeSignedChange, encodeSignedChange, signersAmong, type SignedChange } from './change.ts';
import type { Entry, EntryKind } from './entry.ts';
import type { Authority } from './authority.ts';
import { type SignatureCheck, verifyWithNoble } from './es256k.ts';
import { checkParties } from './genesis.ts';
import { quorumStrength } from './quorum.ts';

/** `reason` is the first broken rule. */
export class ChangeRejected extends VitalgateError {
  readonly code = 'VG_CHANGE_REJECTED';
  readonly reason: ChangeFault;
  constructor(reason: ChangeFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

function refuse(reason: ChangeFault, message: string): never {
  throw new ChangeRejected(reason, message);
}

/** Where and when a change wants to count: the chain and its authority so far, and the time of the entry. */
export type ChangePlace = Readonly<{ chain: Uint8Array; authority: Authority; time: UnixMillis }>;

/** The authority after the change. Throws {@link ChangeRejected}. */
export function judgeChange({ chain, authority, time }: ChangePlace, signed: SignedChange, check: SignatureCheck = verifyWithNoble): Authority {
  const { change } = signed;
  if (!equalBytes(change.chain, chain)) refuse('change_wrong_chain', `the change is one of chain ${toHex(change.chain)}, this is chain ${toHex(chain)}`);
  checkNumber(authority, change);
  if (change.expires !== undefined && change.expires < time) refuse('change_expired', `the change was to enter the chain before ${atTime(change.expires)}, and it is ${atTime(time)}`);
  const after = authorityAfter(authority, change);
  checkPossible(authority, change, after);
  checkSigners(authority, signed, check);
  return after;
}

const atTime = (time: UnixMillis): string => new Date(time).toISOString();

/** What a change makes of an authority, whether or not it may. */
function authorityAfter(authority: Authority, change: Change): Authority {
  const { number } = change;
  switch (change.type) {
    case 'rotation': return { ...authority, number, gateway: change.gateway };
    case 'membership': return { ...authority, number, hospitals: change.hospitals, quorum: change.quorum };
    case 'replacement': return { number, gateway: change.gateway, hospitals: change.hospitals, quorum: change.quorum };
  }
}

function checkNumber(authority: Authority, { type, number }: Change): void {
  const fits = type === 'replacement' ? number > authority.number : number === authority.number + 1;
  if (!fits) refuse('change_wrong_number', `the change makes authority ${number}, and authority ${authority.number} is in force: expected ${type === 'replacement' ? 'a later one' : authority.number + 1}`);
}

function checkPossible(authority: Authority, change: Change, after: Authority): void {
  try {
    checkParties(after, 'the change');
  } catch (cause) {
    if (cause instanceof CborError) throw new ChangeRejected('change_impossible', cause.message, { cause });
    throw cause;
  }
  if (change.type !== 'membership' && equalBytes(authority.gateway, change.gateway)) refuse('change_impossible', `the gateway key ${toHex(change.gateway)} is in force already`);
  if (change.type === 'replacement' && authority.hospitals.length === 0) refuse('change_impossible', 'a chain without hospitals has nobody who could vouch for another gateway key');
  if (change.type !== 'membership') return;
  const [n, k] = [change.hospitals.length, change.quorum];
  if (n === 0) refuse('change_impossible', 'hospitals cannot all leave: end the chain and begin another');
  if (quorumStrength(n, k).liars < 0) refuse('change_impossible', `with ${k} of ${n} two halves of honest hospitals could countersign two histories: expected at least ${Math.floor(n / 2) + 1} of ${n}`);
}

function checkSigners(authority: Authority, signed: SignedChange, check: SignatureCheck): void {
  const { change } = signed;
  const hasSigned = (key: Uint8Array): boolean => signersAmong(signed, [key], check).length > 0;
  if (change.type === 'rotation') {
    if (!hasSigned(authority.gateway)) refuse('change_unsigned', `the gateway key in force, ${toHex(authority.gateway)}, has not signed the change`);
  } else {
    const found = signersAmong(signed, authority.hospitals.map(({ key }) => key), check).length;
    if (found < authority.quorum) refuse('change_unsigned', `${found} of the hospitals in force have signed the change, expected ${authority.quorum} of ${authority.hospitals.length}`);
  }
  if (change.type !== 'membership' && !hasSigned(change.gateway)) refuse('change_unproven', `the new gateway key ${toHex(change.gateway)} has not signed: nobody has proven to hold it`);
}

/** What an entry with a change in it is called. */
export const kindOfChange = ({ type }: Pick<Change, 'type'>): EntryKind => (type === 'membership' ? 'membership' : 'key_rotation');

const CHANGE_KINDS: readonly EntryKind[] = ['key_rotation', 'membership'];
const FIELD = 'change';

/** The public fields of the entry that carries a change. */
export const changeFields = (signed: Pick<SignedChange, 'statement' | 'signatures'>): Readonly<Record<string, Uint8Array>> => ({ [FIELD]: encodeSignedChange(signed) });

export const isChangeKind = (kind: EntryKind): boolean => CHANGE_KINDS.includes(kind);

/** In the one encoding of an entry its kind stands first: a map of 3 to 6 pairs, key 1, a text. */
const MARKS = CHANGE_KINDS.map((kind) => Buffer.concat([Uint8Array.of(0x01, 0x60 + kind.length), Buffer.from(kind, 'utf8')]));

/** Whether these bytes of an entry carry a change, without reading all of them. */
export const carriesChange = (entry: Uint8Array): boolean => MARKS.some((mark) => equalBytes(entry.subarray(1, 1 + mark.length), mark));

/** The change in an entry of such a kind. Throws {@link CborError} for an entry that holds anything else. */
export function changeIn(entry: Entry): SignedChange {
  const bytes = entry.fields.get(FIELD);
  if (!(bytes instanceof Uint8Array) || entry.fields.size > 1 || entry.subject || entry.commit) {
    throw new CborError('malformed', `an entry of kind ${entry.kind} holds one field "${FIELD}", bytes, and nothing else`);
  }
  const signed = decodeSignedChange(bytes);
  if (kindOfChange(signed.change) !== entry.kind) throw new CborError('malformed', `a ${signed.change.type} in an entry of kind ${entry.kind}`);
  return signed;
}

/** What a change means for the lane that carries it. */
export type Succession = Readonly<{
  signed: SignedChange;
  /** In force from block `from` of the lane on. */
  authority: Authority;
  from: number;
  /** Whose signature the block that carries it has to bear. */
  signer: Uint8Array;
  /** The entry's sequence: the other lane carries the change in the next one, or the one before. */
  sequence: number;
}>;

/** A lane, as far as a change is judged against it. */
export type LaneInForce = Readonly<{ chain: Uint8Array; lane: Lane; authority: Authority }>;

/** What the entry, the last of the block of that height, changes. Throws {@link ChangeRejected} and {@link CborError}. */
export function successionBy({ chain, lane, authority }: LaneInForce, height: number, entry: Entry, check: SignatureCheck = verifyWithNoble): Succession {
  const signed = changeIn(entry);
  judgeChange({ chain, authority, time: entry.time }, signed, check);
  const { change } = signed;
  if (change.type === 'replacement' && height !== change.last[lane] + 1) {
    refuse('change_wrong_height', `the replacement ends the old key's blocks at height ${change.last[lane]} of lane ${lane}, so block ${change.last[lane] + 1} has to carry it, not block ${height}`);
  }
  return { signed, ...inForce(authority, change, height), sequence: entry.sequence };
}

/** From when on a change in the block of that height counts, and whose block it is. It is not judged. */
export function inForce(before: Authority, change: Change, height: number): Pick<Succession, 'authority' | 'from' | 'signer'> {
  const authority = authorityAfter(before, change);
  return change.type === 'replacement' ? { authority, from: height, signer: authority.gateway } : { authority, from: height + 1, signer: before.gateway };
}

/** The sequences of a change's two entries are neighbours: first lane alarm, then lane record. */
export const sequenceIn = (lane: Lane, other: Readonly<{ lane: Lane; sequence: number }>): number => other.sequence + LANES.indexOf(lane) - LANES.indexOf(other.lane);
