/** Chains that change hands, each with what has to be said of it. The vectors in vectors/changes are made of these. */

import type { ChainFault } from '../../gateway/ledger/verify-chain.ts';
import { signChange, type SignedChange, unsigned, withSignatures } from '../../gateway/ledger/change.ts';
import { DOMAINS, signedBytes } from '../../gateway/ledger/cose.ts';
import { signES256K, type SigningKey } from '../../gateway/ledger/es256k.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { LANES, type Lane } from '../../gateway/reading.ts';
import { GATEWAY, keyNamed, membership, parametersWith, Pen, replacement, rotation, signedBy, TIME } from './succession-fixture.ts';

export type ChangeVector = Readonly<{ desc: string; wantErr: ChainFault | false; /** A chain file in base64. */ chain: string }>;

const NEXT = keyNamed('next gateway');
const LATER = keyNamed('later gateway');
const [north, south, west, east, stranger] = ['north', 'south', 'west', 'east', 'stranger'].map(keyNamed) as [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey];

type Attack = readonly [name: string, desc: string, wantErr: ChainFault | false, make: (pen: Pen) => void, pen?: Pen];

/** The order of a curve minus s: the other signature that ECDSA allows. */
function highS(signature: Uint8Array): Uint8Array {
  const order = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141');
  const s = (order - BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)).toString(16).padStart(64, '0');
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s, 'hex')]);
}

function withBrokenSignature(signed: SignedChange, key: SigningKey, breaking: (signature: Uint8Array) => Uint8Array): SignedChange {
  return { ...signed, signatures: signed.signatures.map((each) => (Buffer.compare(each.key, key.publicKey) === 0 ? { ...each, signature: breaking(each.signature) } : each)) };
}

const rotated = (pen: Pen): void => pen.carry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT), GATEWAY);
const grown = (pen: Pen): void => pen.carry(signedBy(membership(pen, ['north', 'south', 'west', 'east'], 3), north, south), GATEWAY);
const replaced = (pen: Pen): void => pen.carry(signedBy(replacement(pen, NEXT), north, west, NEXT), NEXT);
const fillBoth = (pen: Pen, key: SigningKey): void => LANES.forEach((lane) => pen.fill(lane, key));

/** Carries it in one lane and goes on in both. */
function inOneLane(lane: Lane): (pen: Pen) => void {
  return (pen) => {
    pen.seal(lane, [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT))], GATEWAY);
    // The other lane's entry of the change would have this number.
    pen.sequence += 1;
    pen.fill(lane === 'alarm' ? 'record' : 'alarm', GATEWAY);
  };
}

const ATTACKS: readonly Attack[] = [
  ['valid-rotation', 'the old key names the new one, and the new one goes on', false, (pen) => { rotated(pen); fillBoth(pen, NEXT); }],
  ['valid-rotation-twice', 'a rotation after a rotation', false, (pen) => { rotated(pen); pen.carry(signedBy(rotation(pen, LATER, { number: 2 }), NEXT, LATER), NEXT); fillBoth(pen, LATER); }],
  ['valid-membership', 'a hospital joins with the signatures of the quorum', false, (pen) => { grown(pen); fillBoth(pen, GATEWAY); }],
  ['valid-membership-by-strangers-too', 'signatures of strangers beside those of the quorum say nothing', false, (pen) => pen.carry(signedBy(membership(pen, ['north', 'south'], 2), stranger, north, west), GATEWAY)],
  ['valid-replacement', 'the quorum names another key, whose block carries it', false, (pen) => { replaced(pen); fillBoth(pen, NEXT); }],
  ['valid-membership-by-the-joined', 'a hospital that joined signs the next change', false, (pen) => { grown(pen); pen.carry(signedBy(membership(pen, ['east', 'west'], 2, { number: 2 }), south, west, east), GATEWAY); }],
  ['valid-change-under-way', 'one lane carries a change, the other has not come so far', false, (pen) => { fillBoth(pen, GATEWAY); pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT))], GATEWAY); }],
  ['valid-replacement-passes-over', 'a rotation reached one lane only before the gateway was lost', false, (pen) => {
    pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT))], GATEWAY);
    pen.sequence += 1;
    pen.carry(signedBy(replacement(pen, LATER, { number: 2 }), north, south, LATER), LATER);
    fillBoth(pen, LATER);
  }],
  ['rotation-signed-by-new-key-only', 'a stranger names itself', 'change_unsigned', (pen) => pen.carry(signedBy(rotation(pen, NEXT), NEXT), GATEWAY)],
  ['rotation-signed-by-hospitals', 'hospitals rotate a key that is not theirs', 'change_unsigned', (pen) => pen.carry(signedBy(rotation(pen, NEXT), north, south, west, NEXT), GATEWAY)],
  ['rotation-to-a-key-nobody-holds', 'the new key has not signed', 'change_unproven', (pen) => pen.carry(signedBy(rotation(pen, NEXT), GATEWAY), GATEWAY)],
  ['rotation-to-the-same-key', 'nothing changes', 'change_impossible', (pen) => pen.carry(signedBy(rotation(pen, GATEWAY), GATEWAY), GATEWAY)],
  ['rotation-to-a-hospital', 'a gateway would be its own witness', 'change_impossible', (pen) => pen.carry(signedBy(rotation(pen, north), GATEWAY, north), GATEWAY)],
  ['rotation-block-signed-by-new-key', 'the new key counts from the next block on', 'bad_signature', (pen) => pen.carry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT), NEXT)],
  ['old-key-signs-after-rotation', 'the old key goes on', 'bad_signature', (pen) => { rotated(pen); fillBoth(pen, GATEWAY); }],
  ['membership-signed-by-new-quorum', 'those who want to join let themselves in', 'change_unsigned', (pen) => pen.carry(signedBy(membership(pen, ['north', 'east', 'stranger'], 2), east, stranger), GATEWAY)],
  ['membership-signed-by-too-few', 'one of two', 'change_unsigned', (pen) => pen.carry(signedBy(membership(pen, ['north'], 1), north), GATEWAY)],
  ['membership-signed-by-gateway', 'the gateway chooses its witnesses', 'change_unsigned', (pen) => pen.carry(signedBy(membership(pen, ['east'], 1), GATEWAY), GATEWAY)],
  ['same-hospital-counted-twice', 'one signature, twice', 'change_unsigned', (pen) => {
    const once = signedBy(membership(pen, ['north'], 1), north);
    pen.carry({ ...once, signatures: [...once.signatures, ...once.signatures] }, GATEWAY);
  }],
  ['left-hospital-signs', 'a hospital that left signs the next change', 'change_unsigned', (pen) => {
    pen.carry(signedBy(membership(pen, ['north', 'south'], 2), north, west), GATEWAY);
    pen.carry(signedBy(membership(pen, ['north', 'west'], 2, { number: 2 }), north, west), GATEWAY);
  }],
  ['signature-with-higher-s', 'the other signature that ECDSA allows', 'change_unsigned', (pen) => pen.carry(withBrokenSignature(signedBy(membership(pen, ['north', 'south'], 2), north, west), west, highS), GATEWAY)],
  ['signature-of-another-domain', 'a hospital signed the bytes as a replacement', 'change_unsigned', (pen) => {
    const signed = signedBy(membership(pen, ['north', 'south'], 2), north, west);
    pen.carry(withBrokenSignature(signed, west, () => signES256K(signedBytes(signed.statement, DOMAINS.replacement), west)), GATEWAY);
  }],
  ['signature-under-another-statement', 'the signature is one under the quorum of three', 'change_unsigned', (pen) => {
    const other = signChange(unsigned(membership(pen, ['north', 'south', 'west'], 3)), west);
    pen.carry(withSignatures(signedBy(membership(pen, ['north', 'south', 'west'], 2), north), [other]), GATEWAY);
  }],
  ['quorum-of-half', 'two halves could countersign two histories', 'change_impossible', (pen) => pen.carry(signedBy(membership(pen, ['north', 'south', 'west', 'east'], 2), north, south), GATEWAY)],
  ['quorum-of-more-than-all', 'nothing would ever be final', 'change_impossible', (pen) => pen.carry(signedBy(membership(pen, ['north', 'south'], 3), north, south), GATEWAY)],
  ['quorum-of-none', 'everything would be final', 'change_impossible', (pen) => pen.carry(signedBy(membership(pen, ['north', 'south'], 0), north, south), GATEWAY)],
  ['everybody-leaves', 'no hospital is left', 'change_impossible', (pen) => pen.carry(signedBy(membership(pen, [], 0), north, south), GATEWAY)],
  ['one-key-under-two-names', 'a quorum of one that looks like two', 'change_impossible', (pen) =>
    pen.carry(signedBy(membership(pen, [], 2, { hospitals: [{ name: 'a', key: north.publicKey }, { name: 'b', key: north.publicKey }] }), north, south), GATEWAY)],
  ['gateway-as-its-own-witness', 'the gateway joins as a hospital', 'change_impossible', (pen) => pen.carry(signedBy(membership(pen, ['north', 'south', 'gateway'], 2), north, south), GATEWAY)],
  ['replayed-on-another-chain', 'a good change of a chain with the same keys', 'change_wrong_chain', (pen) => {
    const other = { chain: new Uint8Array(16).fill(7) };
    pen.carry(signedBy(membership(other, ['north', 'south'], 2), north, south), GATEWAY);
  }],
  ['replayed-on-the-same-chain', 'a change that the chain carries already', 'change_wrong_number', (pen) => { grown(pen); grown(pen); }],
  ['authority-number-skipped', 'number 2 without number 1', 'change_wrong_number', (pen) => pen.carry(signedBy(rotation(pen, NEXT, { number: 2 }), GATEWAY, NEXT), GATEWAY)],
  ['expired', 'signed for an earlier time', 'change_expired', (pen) => pen.carry(signedBy(membership(pen, ['north', 'south'], 2, { expires: UnixMillis(TIME - 1) }), north, south), GATEWAY)],
  ['old-key-signs-after-revocation', 'the thief goes on with the stolen key', 'bad_signature', (pen) => { replaced(pen); fillBoth(pen, GATEWAY); }],
  ['replacement-block-signed-by-old-key', 'the block that carries it has to be the new key\'s', 'bad_signature', (pen) => pen.carry(signedBy(replacement(pen, NEXT), north, south, NEXT), GATEWAY)],
  ['replacement-above-the-lane', 'it accepts blocks of the old key that nobody has', 'change_wrong_height', (pen) => pen.carry(signedBy(replacement(pen, NEXT, { last: { alarm: 5, record: 5 } }), north, south, NEXT), NEXT)],
  ['replacement-below-the-lane', 'the old key has gone on past the height it ends at', 'change_wrong_height', (pen) => {
    const signed = signedBy(replacement(pen, NEXT), north, south, NEXT);
    fillBoth(pen, GATEWAY);
    pen.carry(signed, NEXT);
  }],
  ['replacement-to-a-key-nobody-holds', 'the new key has not signed', 'change_unproven', (pen) => pen.carry(signedBy(replacement(pen, NEXT), north, south), NEXT)],
  ['replacement-signed-by-old-key', 'the thief names another key', 'change_unsigned', (pen) => pen.carry(signedBy(replacement(pen, NEXT), GATEWAY, NEXT), NEXT)],
  ['replacement-without-hospitals', 'nobody could vouch for it', 'change_impossible', (pen) => pen.carry(signedBy(replacement(pen, NEXT), NEXT), NEXT), new Pen(parametersWith([], 0))],
  ['replacement-with-an-old-number', 'a change of the past', 'change_wrong_number', (pen) => { rotated(pen); pen.carry(signedBy(replacement(pen, LATER), north, south, LATER), LATER); }],
  ['change-in-alarm-lane-only', 'the record lane goes on without it', 'one_lane_only', inOneLane('alarm')],
  ['change-in-record-lane-only', 'the alarm lane goes on without it', 'one_lane_only', inOneLane('record')],
  ['lanes-carry-different-changes', 'each lane gets a gateway of its own', 'lanes_disagree', (pen) => {
    pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT))], GATEWAY);
    pen.seal('record', [pen.entry(signedBy(rotation(pen, LATER), GATEWAY, LATER))], GATEWAY);
  }],
  ['entry-after-the-change', 'said under which authority?', 'change_misplaced', (pen) => pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT)), pen.filler()], GATEWAY)],
  ['two-changes-in-one-block', 'the second hides behind the first', 'change_misplaced', (pen) =>
    pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT)), pen.entry(signedBy(rotation(pen, LATER, { number: 2 }), NEXT, LATER))], GATEWAY)],
  ['membership-as-key-rotation', 'an entry of another kind than its change', 'malformed', (pen) => pen.seal('alarm', [pen.entry(signedBy(membership(pen, ['north', 'south'], 2), north, south), { kind: 'key_rotation' })], GATEWAY)],
  ['change-about-somebody', 'an entry with a subject', 'malformed', (pen) => pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT), { subject: new Uint8Array(16) })], GATEWAY)],
  ['key-rotation-without-change', 'an entry of the kind that says nothing', 'malformed', (pen) => pen.seal('alarm', [pen.entry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT), { fields: new Map() })], GATEWAY)],
];

/** By name. */
export const CHANGE_VECTORS: ReadonlyMap<string, ChangeVector> = new Map(ATTACKS.map(([name, desc, wantErr, make, pen = new Pen()]) => {
  make(pen);
  return [name, { desc, wantErr, chain: Buffer.concat(pen.blocks.map(({ bytes }) => bytes)).toString('base64') }];
}));
