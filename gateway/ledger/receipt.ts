/**
 * A receipt: a hospital node says that it holds a block, verified and on disk, and that it has seen no other chain of
 * this lane up to there. It is COSE_Sign1 (see cose.ts) in its own domain, so no block can be presented as one.
 */

import { VitalgateError } from '../errors.ts';
import type { Lane } from '../reading.ts';
import { UnixMillis } from '../quantity.ts';
import { readLane } from './lane.ts';
import { equalBytes, HASH_BYTES, toHex } from './bytes.ts';
import { CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { DOMAINS, openSign1, sign1, verifySign1 } from './cose.ts';
import { FINGERPRINT_BYTES, fingerprintBytes, type SignatureCheck, type SigningKey } from './es256k.ts';
import { CHAIN_ID_BYTES } from './genesis.ts';

const RECEIPT_VERSION = 1;

/**
 * The signed payload, a canonical CBOR map:
 *
 *     { 1: 1          version
 *       2: chain      bstr 16
 *       3: lane       "alarm" or "record"
 *       4: height     uint
 *       5: hash       bstr 32, of the block at that height
 *       6: tree_size  uint
 *       7: tree_root  bstr 32
 *       8: time       uint, milliseconds since 1970-01-01T00:00:00Z, the hospital's clock
 *       9: key        bstr 16, fingerprint of the hospital's key }
 */
export type Receipt = Readonly<{
  chain: Uint8Array;
  lane: Lane;
  height: number;
  hash: Uint8Array;
  treeSize: number;
  treeRoot: Uint8Array;
  /** The hospital's claim; not a trusted time. */
  time: UnixMillis;
}>;

/** Which rule a receipt broke: do not rename. */
export type ReceiptFault =
  | 'malformed' | 'not_canonical' | 'wrong_key' | 'bad_signature'
  | 'wrong_chain' | 'wrong_lane' | 'wrong_height' | 'wrong_hash' | 'wrong_tree';

export class ReceiptRejected extends VitalgateError {
  readonly code = 'VG_RECEIPT_REJECTED';
  readonly reason: ReceiptFault;
  constructor(reason: ReceiptFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Signs. The caller MUST have verified the block and have it on disk before: a receipt cannot be taken back. */
export function signReceipt(receipt: Receipt, key: SigningKey): Uint8Array {
  const payload = encode(new Map<CborKey, CborValue>([
    [1, RECEIPT_VERSION],
    [2, receipt.chain],
    [3, receipt.lane],
    [4, receipt.height],
    [5, receipt.hash],
    [6, receipt.treeSize],
    [7, receipt.treeRoot],
    [8, receipt.time],
    [9, fingerprintBytes(key.publicKey)],
  ]));
  readPayload(payload);
  return sign1(payload, key, DOMAINS.receipt);
}

/** What a receipt must be about. Whatever is left out is not compared. */
export type ExpectedReceipt = Readonly<{
  /** The hospital's compressed public key, 33 bytes. */
  key: Uint8Array;
  chain: Uint8Array;
  lane: Lane;
  height?: number;
  hash?: Uint8Array;
  treeSize?: number;
  treeRoot?: Uint8Array;
}>;

/**
 * The receipt, if `expected.key` signed it and it is about what is expected. Throws {@link ReceiptRejected}. A gateway
 * that is told a `height` only MUST compare `hash` with its own block of that height before it counts the receipt.
 */
export function verifyReceipt(bytes: Uint8Array, expected: ExpectedReceipt, check?: SignatureCheck): Receipt {
  const envelope = reading(() => openSign1(bytes));
  const { receipt, key } = reading(() => readPayload(envelope.payload));
  expectBytes('wrong_key', 'key', key, fingerprintBytes(expected.key));
  if (!verifySign1(envelope, expected.key, DOMAINS.receipt, check)) {
    throw new ReceiptRejected('bad_signature', `not a signature of hospital key ${toHex(expected.key)}`);
  }
  expectBytes('wrong_chain', 'chain', receipt.chain, expected.chain);
  expectSame('wrong_lane', 'lane', receipt.lane, expected.lane);
  expectSame('wrong_height', 'height', receipt.height, expected.height);
  expectBytes('wrong_hash', 'block hash', receipt.hash, expected.hash);
  expectSame('wrong_tree', 'tree size', receipt.treeSize, expected.treeSize);
  expectBytes('wrong_tree', 'tree root', receipt.treeRoot, expected.treeRoot);
  return receipt;
}

/** What a receipt says, whoever signed it. Throws {@link ReceiptRejected} for what is none. */
export const readReceipt = (bytes: Uint8Array): Receipt => reading(() => readPayload(openSign1(bytes).payload).receipt);

/** Fingerprint of the key that a receipt says it is of, 16 bytes; nothing is verified. Throws {@link ReceiptRejected} for what is none. */
export const signerOf = (bytes: Uint8Array): Uint8Array => reading(() => readPayload(openSign1(bytes).payload).key);

function readPayload(payload: Uint8Array): { receipt: Receipt; key: Uint8Array } {
  const fields = new CborFields(decode(payload), 'receipt', [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  fields.version(1, RECEIPT_VERSION);
  const receipt = {
    chain: fields.bytes(2, CHAIN_ID_BYTES),
    lane: readLane(fields.text(3)),
    height: fields.count(4),
    hash: fields.bytes(5, HASH_BYTES),
    treeSize: fields.count(6),
    treeRoot: fields.bytes(7, HASH_BYTES),
    time: UnixMillis(fields.count(8)),
  };
  return { receipt, key: fields.bytes(9, FINGERPRINT_BYTES) };
}

/** Turns what a reader says about the bytes into a verdict about the receipt. */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new ReceiptRejected(cause.fault, cause.message, { cause });
    throw cause;
  }
}

function expectSame<T extends number | string>(reason: ReceiptFault, what: string, found: T, expected: T | undefined): void {
  if (expected !== undefined && found !== expected) throw new ReceiptRejected(reason, `${what} ${found}, expected ${expected}`);
}

function expectBytes(reason: ReceiptFault, what: string, found: Uint8Array, expected: Uint8Array | undefined): void {
  if (expected !== undefined && !equalBytes(found, expected)) {
    throw new ReceiptRejected(reason, `${what} ${toHex(found)}, expected ${toHex(expected)}`);
  }
}
