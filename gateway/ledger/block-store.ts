import type { StoreError } from '../errors.ts';
import type { Lane } from '../reading.ts';
import type { ChainState } from './state.ts';
import type { VerifiedBlock } from './verify.ts';

/** A block that {@link verifyBlock} has judged good, with its bytes. */
export type StorableBlock = Readonly<{ bytes: Uint8Array; verified: Pick<VerifiedBlock, 'state' | 'header' | 'newNodes' | 'sequences'> }>;

/**
 * What became of an append. `same`: these very bytes' block was there already. `fork`: another block has that height;
 * nothing was written. `gap`: it does not follow the head; nothing was written.
 */
export type AppendOutcome = Readonly<{ outcome: 'committed' | 'same' } | { outcome: 'fork' | 'gap'; head: ChainState | undefined }>;

/**
 * Proof that the gateway's key told two stories: `recorded` and `offered` are two blocks of one height, or `recorded` is
 * the head that `offered`, the next block, does not follow. `height` is that of `offered`.
 */
export type Fork = Readonly<{ chain: Uint8Array; lane: Lane; height: number; recorded: Uint8Array; offered: Uint8Array }>;

/** Names one lane of one chain. */
export type LaneId = Readonly<{ chain: Uint8Array; lane: Lane }>;

/** Where a block is, or wants to be. */
export type Place = LaneId & Readonly<{ height: number }>;

/** Blocks, receipts and forks, on the gateway (one chain) and at the hospital (many). Throws {@link StoreError}. */
export interface BlockStore {
  /** The lane's state after its last block; undefined before its genesis block. */
  head(id: LaneId): Promise<ChainState | undefined>;

  /**
   * Adds the block that follows the head and, with it or not at all, those of its lane that follow it. MUST NOT resolve with `committed`
   * or `same` before the blocks, the new head and the completed tree nodes would survive a power cut together: a countersignature may
   * leave right after. An outcome other than `committed` is that of the first block; nothing was written then. Of two racing appends
   * to one height exactly one is committed, also where they come from two processes.
   */
  append(block: StorableBlock, ...following: readonly StorableBlock[]): Promise<AppendOutcome>;

  block(id: LaneId, height: number): Promise<Uint8Array | undefined>;

  /**
   * The lane after the last block up to which it was pruned here; undefined where none was. Of the blocks up to it only some are here still,
   * and nothing of them can be proven with what is here: hospitals have them all.
   */
  pruned(id: LaneId): Promise<ChainState | undefined>;

  /** Blocks in order of height, from `from` on. */
  blocks(id: LaneId, from: number): AsyncIterable<Uint8Array>;

  /** A complete node of the lane's Merkle tree. Throws `VG_STORE_CORRUPT` when a node that must exist is missing. */
  node(id: LaneId, level: number, index: number): Promise<Uint8Array>;

  /** Every chain that has a block, by id. */
  chains(): Promise<readonly Uint8Array[]>;

  /** Keeps a hospital's receipt for the block of that height. `fingerprint`: 16 bytes of the hospital's key. */
  putReceipt(id: LaneId, height: number, fingerprint: Uint8Array, receipt: Uint8Array): Promise<void>;

  /** The receipts for exactly this height. */
  receipts(id: LaneId, height: number): Promise<readonly Uint8Array[]>;

  /** All receipts of a lane from that height on, in order of height. */
  receiptsFrom(id: LaneId, from: number): AsyncIterable<Uint8Array>;

  /** Keeps the evidence of a fork. MUST NOT resolve before it is durable. */
  putFork(fork: Fork): Promise<void>;

  forks(): Promise<readonly Fork[]>;

  /** A fork of this lane, whichever, also when another process has kept it; cheap enough to be asked for every block. */
  fork(id: LaneId): Promise<Fork | undefined>;
}

/** The same store, for whoever looks on at some of what is done with it: spread it, and put in the place of a method what also tells of it. */
export const passedOn = (blocks: BlockStore): BlockStore => ({
  head: (id) => blocks.head(id),
  append: (block, ...following) => blocks.append(block, ...following),
  block: (id, height) => blocks.block(id, height),
  pruned: (id) => blocks.pruned(id),
  blocks: (id, from) => blocks.blocks(id, from),
  node: (id, level, index) => blocks.node(id, level, index),
  chains: () => blocks.chains(),
  putReceipt: (id, ...receipt) => blocks.putReceipt(id, ...receipt),
  receipts: (id, height) => blocks.receipts(id, height),
  receiptsFrom: (id, from) => blocks.receiptsFrom(id, from),
  putFork: (fork) => blocks.putFork(fork),
  forks: () => blocks.forks(),
  fork: (id) => blocks.fork(id),
});

/** An entry that derivation made and no block holds yet. */
export type PendingEntry = Readonly<{ sequence: number; bytes: Uint8Array }>;

/** The gateway's side of sealing: entries wait here, in order, until a block of their lane holds them. */
export interface PendingEntries {
  /** At most `limit` waiting entries of a lane, in order, after entry `after`. */
  pending(lane: Lane, after: number, limit: number): Promise<readonly PendingEntry[]>;
  /** What lies beside the chain for an entry, sealed (vault/payload.ts); undefined when it has nothing. */
  sealedPayload(entry: number): Promise<Uint8Array | undefined>;
}
