/**
 * A block: a signed header and the entries it commits to. The signature covers the header only, the header's tree root
 * covers the entries, and `prev` covers everything before.
 */

import type { Lane } from '../reading.ts';
import { BlockRejected, type RejectReason } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import { HASH_BYTES, sha256 } from './bytes.ts';
import { asArray, asBytes, asCount, CborFields, describeValue } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode, type Tagged } from './cbor.ts';
import { resumeScan, startScan } from './cbor-scan.ts';
import { openSign1, openSign1Value, SIGN1_TAG, type Sign1 } from './cose.ts';
import { CHAIN_ID_BYTES } from './genesis.ts';
import { readLane } from './lane.ts';
import { WORK_NONCE_BYTES } from './work.ts';

const HEADER_VERSION = 1;
/** Longest block, envelope and entries together, in bytes. */
export const MAX_BLOCK_BYTES = 4 * 1024 * 1024;
/** Most entries in one block. */
export const MAX_BLOCK_ENTRIES = 65_536;
/** First byte of a block. */
const ARRAY_OF_TWO = 0x82;
/** `prev` of the block of height 0. */
export const NO_PREV: Uint8Array = new Uint8Array(HASH_BYTES);

/**
 * The signed part of a block, a canonical CBOR map:
 *
 *     {  1: 1           version
 *        2: chain       bstr 16
 *        3: lane        "alarm" or "record"
 *        4: height      uint, 0 for the genesis block
 *        5: prev        bstr 32
 *        6: tree_size   uint
 *        7: tree_root   bstr 32
 *        8: time        uint, milliseconds since 1970-01-01T00:00:00Z
 *        9: entries     [ first uint, last uint ], absent at height 0
 *       10: contracts   array of bstr 32, ascending, may be empty
 *       11: nonce       bstr 8, present only where the chain demands work
 *       12: parameters  bstr, the encoded genesis parameters; present only at height 0 }
 */
export type Header = Readonly<{
  /** First 16 bytes of SHA-256 of the genesis parameters. */
  chain: Uint8Array;
  lane: Lane;
  height: number;
  /** SHA-256 of the previous header's bytes in this lane; 32 zero bytes at height 0. */
  prev: Uint8Array;
  /** Leaves of the lane's tree after this block. */
  treeSize: number;
  /** Root over all entries of the lane up to and with this block. */
  treeRoot: Uint8Array;
  /** The gateway's wall clock at sealing. It orders nothing. */
  time: UnixMillis;
  /** Sequences of the first and the last entry. */
  entryRange?: readonly [first: number, last: number];
  /** Hashes of the rule packs in force, ascending and each once. */
  contracts: readonly Uint8Array[];
  /** 8 bytes, see work.ts. */
  nonce?: Uint8Array;
  /** See genesis.ts. */
  parameters?: Uint8Array;
}>;

/** The header's bytes: what is signed, hashed and linked to. */
export function encodeHeader(header: Header): Uint8Array {
  const map = new Map<CborKey, CborValue>([
    [1, HEADER_VERSION],
    [2, header.chain],
    [3, header.lane],
    [4, header.height],
    [5, header.prev],
    [6, header.treeSize],
    [7, header.treeRoot],
    [8, header.time],
    [10, header.contracts],
  ]);
  if (header.entryRange) map.set(9, header.entryRange);
  if (header.nonce) map.set(11, header.nonce);
  if (header.parameters) map.set(12, header.parameters);
  return encode(map);
}

/** The block's name: SHA-256 of the header's bytes. Never over the signature, of which ECDSA allows many. */
export function blockHash(headerBytes: Uint8Array): Uint8Array {
  return sha256(headerBytes);
}

/** Reads header bytes and checks what can be seen without the blocks before. Throws {@link BlockRejected}. */
export function openBlockHeader(bytes: Uint8Array): Header {
  return rejecting(() => {
    const value = decode(bytes);
    const version = value instanceof Map ? (value.get(1) as CborValue | undefined) : undefined;
    if (version !== HEADER_VERSION) {
      throw new BlockRejected('wrong_version', `header version ${describeValue(version)}, expected ${HEADER_VERSION}`);
    }
    const header = readHeader(new CborFields(value, 'header', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    checkGenesisShape(header);
    checkContractOrder(header.contracts);
    return header;
  });
}

function readHeader(fields: CborFields): Header {
  return {
    chain: fields.bytes(2, CHAIN_ID_BYTES),
    lane: readLane(fields.text(3)),
    height: fields.count(4),
    prev: fields.bytes(5, HASH_BYTES),
    treeSize: fields.count(6),
    treeRoot: fields.bytes(7, HASH_BYTES),
    time: UnixMillis(fields.count(8)),
    ...(fields.has(9) && { entryRange: readRange(fields.array(9, 2)) }),
    contracts: fields.array(10).map((hash, index) => asBytes(hash, `contract ${index}`, HASH_BYTES)),
    ...(fields.has(11) && { nonce: fields.bytes(11, WORK_NONCE_BYTES) }),
    ...(fields.has(12) && { parameters: fields.bytes(12) }),
  };
}

function readRange(range: readonly CborValue[]): readonly [number, number] {
  return [asCount(range[0], 'first entry sequence', 1), asCount(range[1], 'last entry sequence', 1)];
}

function checkGenesisShape({ height, entryRange, parameters }: Header): void {
  const isGenesis = height === 0;
  if (isGenesis && !parameters) throw new BlockRejected('wrong_genesis', 'the block of height 0 has no parameters (key 12)');
  if (isGenesis && entryRange) throw new BlockRejected('wrong_genesis', 'the block of height 0 claims entries (key 9)');
  if (!isGenesis && parameters) throw new BlockRejected('wrong_genesis', `block ${height} carries parameters (key 12)`);
  if (!isGenesis && !entryRange) throw new BlockRejected('wrong_entry_range', `block ${height} has no entry range (key 9)`);
}

/** A set has one encoding: ascending, each member once. */
function checkContractOrder(contracts: readonly Uint8Array[]): void {
  const follows = (hash: Uint8Array, index: number): boolean => index === 0 || Buffer.compare(contracts[index - 1] as Uint8Array, hash) < 0;
  const unordered = contracts.findIndex((hash, index) => !follows(hash, index));
  if (unordered > 0) throw new BlockRejected('not_canonical', `contract hash ${unordered} is not greater than the one before it`);
}

/** A block taken apart, its header read, nothing verified. */
export type OpenBlock = Readonly<{ header: Header; hash: Uint8Array; envelope: Sign1; entries: readonly Uint8Array[] }>;

/**
 * A block's bytes: one CBOR item
 *
 *     82                   array of 2
 *        d2 84 ...         COSE_Sign1 over the header (see cose.ts)
 *        8n 5x ... 5x ...  array of the entries, each a byte string
 */
export function encodeBlock(envelope: Tagged, entries: readonly Uint8Array[]): Uint8Array {
  return encode([envelope, entries], { tags: [SIGN1_TAG] });
}

/** Takes a block apart. Throws {@link BlockRejected} for what is not a block, or over a limit. */
export function openBlock(bytes: Uint8Array): OpenBlock {
  if (bytes.length > MAX_BLOCK_BYTES) {
    throw new BlockRejected('malformed', `a block of ${bytes.length} bytes is over the limit of ${MAX_BLOCK_BYTES}`);
  }
  const { envelope, entries } = rejecting(() => readBlock(bytes));
  return { header: openBlockHeader(envelope.payload), hash: blockHash(envelope.payload), envelope, entries };
}

/** The header of a block alone, without a look at its entries. Throws {@link BlockRejected} for what does not begin as a block does. */
export function headerIn(bytes: Uint8Array): Header {
  const envelope = rejecting(() => {
    const scan = startScan(1);
    if (bytes[0] !== ARRAY_OF_TWO || !resumeScan(scan, bytes)) throw new CborError('malformed', 'block: expected an array of 2');
    return openSign1(bytes.subarray(1, scan.position));
  });
  return openBlockHeader(envelope.payload);
}

function readBlock(bytes: Uint8Array): { envelope: Sign1; entries: Uint8Array[] } {
  const parts = asArray(decode(bytes, { tags: [SIGN1_TAG] }), 'block', 2);
  const entries = asArray(parts[1], 'entries of the block');
  if (entries.length > MAX_BLOCK_ENTRIES) {
    throw new BlockRejected('malformed', `${entries.length} entries are over the limit of ${MAX_BLOCK_ENTRIES}`);
  }
  return { envelope: openSign1Value(parts[0]), entries: entries.map((entry, index) => asBytes(entry, `entry ${index}`)) };
}

/** Runs a reader and turns what it says about the bytes into a verdict about the block. */
export function rejecting<T>(read: () => T, reason?: RejectReason): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new BlockRejected(reason ?? cause.fault, cause.message, { cause });
    throw cause;
  }
}
