import { InternalError, StoreError } from '../errors.ts';
import type {
  AppendOutcome,
  BlockStore,
  Fork,
  LaneId,
  PendingEntries,
  PendingEntry,
  StorableBlock,
} from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { decodeEntry } from '../ledger/entry.ts';
import { frontierOf } from '../ledger/merkle-prune.ts';
import { currentTerm, termsOf } from '../ledger/terms.ts';
import { toHex } from '../ledger/bytes.ts';
import { decode, encode, type CborValue } from '../ledger/cbor.ts';
import { decodeState, encodeState, type ChainState } from '../ledger/state.ts';
import { LANES, type Lane } from '../reading.ts';
import { Turns } from '../turns.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { allOf, blockKey, forkKey, forksOf, headKey, numberAt, payloadKey, pendingKey, prunedKey, receiptKey, startingWith } from './keys.ts';
import { changesFor, nodeIn, nodesGone, recordOf, TILE_LEVEL, tileBegun } from './tree-tiles.ts';

const CHAIN_LENGTH = 16;

/** Blocks over any engine. */
export class StoredBlocks implements BlockStore {
  readonly #store: KeyValueStore;
  readonly #removePending: boolean;
  /** Comparing with the head and moving it is one step for all callers of a lane. */
  readonly #turns = new Turns();

  /** `removePending`: the entries of an appended block leave {@link StoredPendingEntries} with it (the gateway's side). */
  constructor(store: KeyValueStore, options: Readonly<{ removePending: boolean }>) {
    this.#store = store;
    this.#removePending = options.removePending;
  }

  async head({ chain, lane }: LaneId): Promise<ChainState | undefined> {
    const bytes = await this.#store.get(headKey(chain, lane));
    return bytes === undefined ? undefined : decodeState(bytes);
  }

  append(block: StorableBlock, ...following: readonly StorableBlock[]): Promise<AppendOutcome> {
    const { chain, lane } = block.verified.state;
    return this.#turns.take(`${toHex(chain)}/${lane}`, () => this.#append(block, following));
  }

  async #append(first: StorableBlock, following: readonly StorableBlock[]): Promise<AppendOutcome> {
    const { state, header } = first.verified;
    const run = [first, ...following];
    const nodes = run.flatMap(({ verified: { newNodes } }) => newNodes);
    const tile = tileBegun(state, nodes);
    const [head, begun] = await Promise.all([this.head(state), tile === undefined ? undefined : this.#store.get(tile)]);
    const next = head === undefined ? 0 : head.height + 1;
    if (state.height > next) return { outcome: 'gap', head };
    if (state.height < next) return await this.#compare(state, head);
    if (head !== undefined && !sameBytes(header.prev, head.hash)) return { outcome: 'fork', head };
    const last = run.at(-1) as StorableBlock;
    await this.#store.write([...run.flatMap((each) => this.#changesFor(each)), ...changesFor(state, nodes, begun), { key: headKey(state.chain, state.lane), value: encodeState(last.verified.state) }], { sync: true });
    return { outcome: 'committed' };
  }

  async #compare(offered: ChainState, head: ChainState | undefined): Promise<AppendOutcome> {
    const recorded = await this.block(offered, offered.height);
    const same = recorded !== undefined && sameBytes(openBlock(recorded).hash, offered.hash);
    return same ? { outcome: 'same' } : { outcome: 'fork', head };
  }

  #changesFor({ bytes, verified }: StorableBlock): Change[] {
    const { state: { chain, lane, height }, sequences } = verified;
    return [
      { key: blockKey(chain, lane, height), value: bytes },
      ...(this.#removePending ? sequences.map((sequence) => ({ key: pendingKey(lane, sequence) })) : []),
    ];
  }

  async block({ chain, lane }: LaneId, height: number): Promise<Uint8Array | undefined> {
    return await this.#store.get(blockKey(chain, lane, height));
  }

  async pruned({ chain, lane }: LaneId): Promise<ChainState | undefined> {
    const bytes = await this.#store.get(prunedKey(chain, lane));
    return bytes === undefined ? undefined : decodeState(bytes);
  }

  /**
   * Takes these blocks out, what lies beside their entries, the receipts up to there, and what of the tree proves nothing that comes after
   * them: all at once, or nothing. `through`: up to where the lane is pruned then; the head MUST lie behind it, and so MUST receipts.
   */
  async prune(id: LaneId, { through, going }: Readonly<{ through: number; going: readonly number[] }>): Promise<void> {
    const [before, after] = [await this.pruned(id), await this.#stateAt(id, through)];
    const { chain, lane } = id;
    const changes: Change[] = [{ key: prunedKey(chain, lane), value: encodeState(after) }];
    for (const height of going) {
      const block = await this.block(id, height);
      const sequences = block === undefined ? [] : openBlock(block).entries.map((entry) => decodeEntry(entry).sequence);
      changes.push({ key: blockKey(chain, lane, height) }, ...sequences.map((sequence) => ({ key: payloadKey(sequence) })));
    }
    const none = new Uint8Array();
    const receipts = { gte: receiptKey(chain, lane, (before?.height ?? -1) + 1, none), lt: receiptKey(chain, lane, through + 1, none) };
    for await (const [key] of this.#store.range(receipts)) changes.push({ key });
    changes.push(...nodesGone(id, before?.tree.size ?? 0, after.tree.size));
    await this.#store.write(changes, { sync: true });
    await this.#store.compact({ gte: blockKey(chain, lane, 0), lt: blockKey(chain, lane, through + 1) });
    for (const level of [0, TILE_LEVEL]) await this.#store.compact({ gte: recordOf(id, { level, index: 0 }), lt: recordOf(id, { level, index: Math.floor(after.tree.size / 2 ** level) }) });
  }

  async #stateAt(id: LaneId, height: number): Promise<ChainState> {
    const [head, bytes] = [await this.head(id), await this.block(id, height)];
    if (head === undefined || bytes === undefined || height >= head.height) throw new InternalError(`lane ${id.lane} cannot be pruned up to block ${height}`);
    const { header: { treeSize: size, entryRange }, hash } = openBlock(bytes);
    const changes = head.changes.filter((change) => change <= height);
    const terms = await termsOf({ head: () => Promise.resolve({ ...head, changes }), block: (of, at) => this.block(of, at) }, id);
    const frontier = await Promise.all(frontierOf(size).map(({ level, index }) => this.node(id, level, index)));
    const { chain, lane, parameters } = head;
    return { chain, lane, height, hash, tree: { size, frontier }, lastEntrySequence: entryRange?.[1] ?? 0, parameters, authority: currentTerm(terms).authority, changes };
  }

  async *blocks({ chain, lane }: LaneId, from: number): AsyncIterable<Uint8Array> {
    const bounds = { gte: blockKey(chain, lane, from), lt: blockKey(chain, lane, Number.MAX_SAFE_INTEGER) };
    for await (const [, bytes] of this.#store.range(bounds)) yield bytes;
  }

  async node({ chain, lane }: LaneId, level: number, index: number): Promise<Uint8Array> {
    const place = { level, index };
    const record = await this.#store.get(recordOf({ chain, lane }, place));
    const hash = record && nodeIn(record, place);
    if (hash !== undefined) return hash;
    throw new StoreError('VG_STORE_CORRUPT', `tree node ${level}/${index} of lane ${lane} is missing`);
  }

  async chains(): Promise<readonly Uint8Array[]> {
    const chains = new Map<string, Uint8Array>();
    for await (const [key] of this.#store.range(allOf('H'))) {
      const chain = Uint8Array.from(key.subarray(1, 1 + CHAIN_LENGTH));
      chains.set(toHex(chain), chain);
    }
    return [...chains.values()];
  }

  async putReceipt({ chain, lane }: LaneId, height: number, fingerprint: Uint8Array, receipt: Uint8Array): Promise<void> {
    await this.#store.write([{ key: receiptKey(chain, lane, height, fingerprint), value: receipt }], { sync: false });
  }

  async receipts({ chain, lane }: LaneId, height: number): Promise<readonly Uint8Array[]> {
    const receipts: Uint8Array[] = [];
    const prefix = receiptKey(chain, lane, height, new Uint8Array());
    for await (const [, receipt] of this.#store.range(startingWith(prefix))) receipts.push(receipt);
    return receipts;
  }

  async *receiptsFrom({ chain, lane }: LaneId, from: number): AsyncIterable<Uint8Array> {
    const none = new Uint8Array();
    const bounds = { gte: receiptKey(chain, lane, from, none), lt: receiptKey(chain, lane, Number.MAX_SAFE_INTEGER, none) };
    for await (const [, receipt] of this.#store.range(bounds)) yield receipt;
  }

  async putFork(fork: Fork): Promise<void> {
    const { chain, lane, height, offered } = fork;
    await this.#store.write([{ key: forkKey(chain, lane, height, openBlock(offered).hash), value: encodeFork(fork) }], { sync: true });
  }

  async forks(): Promise<readonly Fork[]> {
    const forks: Fork[] = [];
    for await (const [key, value] of this.#store.range(allOf('F'))) forks.push(forkOf(key, value));
    return forks;
  }

  async fork({ chain, lane }: LaneId): Promise<Fork | undefined> {
    for await (const [key, value] of this.#store.range({ ...forksOf(chain, lane), limit: 1 })) return forkOf(key, value);
    return undefined;
  }
}

/** What is kept of a fork under its key: CBOR array [recorded bstr, offered bstr]. */
export const encodeFork = ({ recorded, offered }: Fork): Uint8Array => encode([recorded, offered]);

export function decodeFork(bytes: Uint8Array): Pick<Fork, 'recorded' | 'offered'> {
  const [recorded, offered] = decode(bytes) as readonly CborValue[] as readonly [Uint8Array, Uint8Array];
  return { recorded, offered };
}

function forkOf(key: Uint8Array, value: Uint8Array): Fork {
  const lane = LANES[key[1 + CHAIN_LENGTH] as number] as Lane;
  return { chain: Uint8Array.from(key.subarray(1, 1 + CHAIN_LENGTH)), lane, height: numberAt(key, 2 + CHAIN_LENGTH), ...decodeFork(value) };
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Entries that wait for a block, and the payloads that stay beside the chain. */
export class StoredPendingEntries implements PendingEntries {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async pending(lane: Lane, after: number, limit: number): Promise<readonly PendingEntry[]> {
    const entries: PendingEntry[] = [];
    const bounds = { gte: pendingKey(lane, after + 1), lt: pendingKey(lane, Number.MAX_SAFE_INTEGER), limit };
    for await (const [key, bytes] of this.#store.range(bounds)) entries.push({ sequence: numberAt(key, 2), bytes });
    return entries;
  }

  async sealedPayload(entry: number): Promise<Uint8Array | undefined> {
    return await this.#store.get(payloadKey(entry));
  }
}
