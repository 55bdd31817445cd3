import { JetStreamApiCodes, JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { messageOf, StoreError } from '../errors.ts';
import type { AppendOutcome, BlockStore, Fork, LaneId, StorableBlock } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { asArray, asBytes, asCount } from '../ledger/cbor-fields.ts';
import { decode, encode } from '../ledger/cbor.ts';
import { type ChainState, decodeState, encodeState } from '../ledger/state.ts';
import { LANES, type Lane } from '../reading.ts';
import { Turns } from '../turns.ts';
import { decodeFork, encodeFork } from './block-store.ts';
import { seal, unseal } from './checksum.ts';
import { forkKey, laneName, receiptKey } from './keys.ts';
import { type Nats, type NatsOptions, openNats, streamName, STREAMS } from './nats-cluster.ts';
import { nodeIn, packNodes, type Run } from './runs.ts';

const CHAIN_LENGTH = 16;
/** Receipts of so many heights are under one subject: the server keeps every subject in memory. */
const HEIGHTS_OF_A_SUBJECT = 64;

/** One message of a lane: the state after its last block, and its blocks with the nodes that each completed. */
type Kept = Readonly<{ sequence: number; state: ChainState; blocks: readonly (readonly [bytes: Uint8Array, nodes: Uint8Array])[] }>;

const streamOf = (chain: Uint8Array): number => (chain[0] ?? 0) % STREAMS;
const subjectOf = ({ chain, lane }: LaneId, what: string): string => `vitalgate.${streamOf(chain)}.${what}.${toHex(chain)}.${lane}`;

/** Opens the blocks at a URL of NATS servers (nats-cluster.ts). Throws as {@link openNats} does. */
export async function openNatsBlocks(url: string, options: NatsOptions): Promise<Readonly<{ blocks: BlockStore; close: () => Promise<void> }>> {
  const nats = await openNats(url, options);
  const blocks = new NatsBlocks(nats);
  return {
    blocks,
    close: async () => {
      await blocks.close();
      await nats.close();
    },
  };
}

/**
 * Blocks in JetStream, which any number of processes may share. A run of blocks is one message, under the subject of its lane:
 *
 *     vitalgate.<stream>.block.<chain>.<lane>                       crc32 ‖ CBOR [state bstr, [[block bstr, nodes bstr], …]]
 *     vitalgate.<stream>.receipt.<chain>.<lane>.<height div 64>     crc32 ‖ CBOR [height uint, fingerprint bstr, receipt bstr]
 *     vitalgate.<stream>.fork.<chain>.<lane>.<height>.<hash>        crc32 ‖ CBOR [recorded bstr, offered bstr]
 *
 * Who appends names the message that has to be the last of its subject, and the server compares. A block is found by its height by halving the
 * sequences of the stream, so reading an old one takes some twenty questions; the head takes one.
 */
class NatsBlocks implements BlockStore {
  readonly #nats: Nats;
  readonly #turns = new Turns();
  #closed = false;

  constructor(nats: Nats) {
    this.#nats = nats;
  }

  async head(id: LaneId): Promise<ChainState | undefined> {
    return (await this.#last(id))?.state;
  }

  append(first: StorableBlock, ...following: readonly StorableBlock[]): Promise<AppendOutcome> {
    const { chain, lane } = first.verified.state;
    return this.#turns.take(`${toHex(chain)}/${lane}`, () => this.#append([first, ...following]));
  }

  async #append(run: Run): Promise<AppendOutcome> {
    const [{ verified: { state, header } }] = run;
    for (;;) {
      const last = await this.#last(state);
      const head = last?.state;
      const next = head === undefined ? 0 : head.height + 1;
      if (state.height > next) return { outcome: 'gap', head };
      if (state.height < next) return await this.#compare(state, head);
      if (head !== undefined && !equalBytes(header.prev, head.hash)) return { outcome: 'fork', head };
      if (await this.#publish(subjectOf(state, 'block'), sealedRun(run), last?.sequence ?? 0)) return { outcome: 'committed' };
      // Another process was faster, or this very run is there, from a message whose acknowledgement was lost.
    }
  }

  async #compare(offered: ChainState, head: ChainState | undefined): Promise<AppendOutcome> {
    const recorded = await this.block(offered, offered.height);
    return recorded !== undefined && equalBytes(openBlock(recorded).hash, offered.hash) ? { outcome: 'same' } : { outcome: 'fork', head };
  }

  async block(id: LaneId, height: number): Promise<Uint8Array | undefined> {
    const kept = await this.#find(id, (message) => height - message.state.height, (message) => height - firstHeightOf(message));
    return kept?.blocks[height - firstHeightOf(kept)]?.[0];
  }

  /** Nothing is ever pruned at a hospital. */
  pruned(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async *blocks(id: LaneId, from: number): AsyncIterable<Uint8Array> {
    let kept = await this.#find(id, (message) => from - message.state.height, (message) => from - firstHeightOf(message));
    while (kept !== undefined) {
      const skipped = Math.max(0, from - firstHeightOf(kept));
      for (const [bytes] of kept.blocks.slice(skipped)) yield bytes;
      kept = await this.#next(id, kept.sequence + 1);
    }
  }

  async node(id: LaneId, level: number, index: number): Promise<Uint8Array> {
    const leaves = (index + 1) * 2 ** level;
    const kept = await this.#find(id, ({ state }) => leaves - state.tree.size, (message) => leaves - 1 - firstLeafOf(message));
    const hash = kept?.blocks.map(([, nodes]) => nodeIn(Buffer.from(nodes), level, index)).find((found) => found !== undefined);
    if (hash === undefined) throw new StoreError('VG_STORE_CORRUPT', `tree node ${level}/${index} of lane ${id.lane} is missing`);
    return hash;
  }

  async chains(): Promise<readonly Uint8Array[]> {
    const subjects = await this.#subjects('block');
    return [...new Set(subjects.map((subject) => subject.split('.')[3] ?? ''))].map((chain) => Uint8Array.from(Buffer.from(chain, 'hex')));
  }

  async putReceipt(id: LaneId, height: number, fingerprint: Uint8Array, receipt: Uint8Array): Promise<void> {
    const subject = receiptSubject(id, height);
    await this.#publish(subject, seal(receiptKey(id.chain, id.lane, 0, new Uint8Array()), encode([height, fingerprint, receipt])), undefined);
  }

  async receipts(id: LaneId, height: number): Promise<readonly Uint8Array[]> {
    return (await this.#receiptsUnder(id, receiptSubject(id, height))).filter((kept) => kept.height === height).map(({ receipt }) => receipt);
  }

  async *receiptsFrom(id: LaneId, from: number): AsyncIterable<Uint8Array> {
    const subjects = await this.#subjects('receipt', id);
    const firsts = subjects.map((subject) => Number(subject.slice(subject.lastIndexOf('.') + 1)) * HEIGHTS_OF_A_SUBJECT).sort((x, y) => x - y);
    for (const first of firsts.filter((height) => height + HEIGHTS_OF_A_SUBJECT > from)) {
      for (const { height, receipt } of await this.#receiptsUnder(id, receiptSubject(id, first))) if (height >= from) yield receipt;
    }
  }

  /** By height, and of each height by hospital: the last that was put. */
  async #receiptsUnder(id: LaneId, subject: string): Promise<readonly Readonly<{ height: number; receipt: Uint8Array }>[]> {
    const found = new Map<string, Readonly<{ height: number; hospital: string; receipt: Uint8Array }>>();
    for await (const { data } of this.#all(id, subject)) {
      const [height, fingerprint, receipt] = asArray(decode(unseal(receiptKey(id.chain, id.lane, 0, new Uint8Array()), Buffer.from(data))), 'kept receipt', 3);
      const kept = { height: asCount(height, 'height'), hospital: toHex(asBytes(fingerprint, 'fingerprint')), receipt: asBytes(receipt, 'receipt') };
      found.set(`${kept.height}/${kept.hospital}`, kept);
    }
    return [...found.values()].sort((x, y) => x.height - y.height || (x.hospital < y.hospital ? -1 : 1));
  }

  async putFork(fork: Fork): Promise<void> {
    const { chain, lane, height, offered } = fork;
    const { hash } = openBlock(offered);
    // Once is enough: whoever is second is told that the subject has a message.
    await this.#publish(`${subjectOf(fork, 'fork')}.${height}.${toHex(hash)}`, seal(forkKey(chain, lane, height, hash), encodeFork(fork)), 0);
  }

  async forks(): Promise<readonly Fork[]> {
    const subjects = await this.#subjects('fork');
    return await Promise.all(subjects.map(async (subject) => {
      const message = await this.#message(Number(subject.split('.')[1]), { last_by_subj: subject });
      if (message === null) throw new StoreError('VG_STORE_CORRUPT', `${subject} is missing`);
      return forkIn(message);
    }));
  }

  async fork(id: LaneId): Promise<Fork | undefined> {
    const message = await this.#message(streamOf(id.chain), { seq: 1, next_by_subj: `${subjectOf(id, 'fork')}.>` });
    return message === null ? undefined : forkIn(message);
  }

  /** Waits for what is under way. Later calls throw `VG_STORE_CLOSED`. */
  async close(): Promise<void> {
    await this.#turns.settled();
    this.#closed = true;
  }

  async #last(id: LaneId): Promise<Kept | undefined> {
    const message = await this.#message(streamOf(id.chain), { last_by_subj: subjectOf(id, 'block') });
    return message === null ? undefined : keptIn(message, id);
  }

  async #next(id: LaneId, sequence: number): Promise<Kept | undefined> {
    const message = await this.#message(streamOf(id.chain), { seq: sequence, next_by_subj: subjectOf(id, 'block') });
    return message === null ? undefined : keptIn(message, id);
  }

  /** The message for which `above` is not positive, and `below` not negative: of those of a lane, both fall from message to message. */
  async #find(id: LaneId, above: (message: Kept) => number, below: (message: Kept) => number): Promise<Kept | undefined> {
    const last = await this.#last(id);
    if (last === undefined || above(last) > 0) return undefined;
    if (below(last) >= 0) return last;
    let [low, high] = [1, last.sequence - 1];
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const kept = await this.#next(id, middle);
      if (kept === undefined) return undefined;
      if (above(kept) > 0) low = kept.sequence + 1;
      else if (below(kept) < 0) high = middle - 1;
      else return kept;
    }
    return undefined;
  }

  async *#all(id: LaneId, subject: string): AsyncIterable<StoredMsg> {
    for (let sequence = 1; ;) {
      const message = await this.#message(streamOf(id.chain), { seq: sequence, next_by_subj: subject });
      if (message === null) return;
      yield message;
      sequence = message.seq + 1;
    }
  }

  /** Of all lanes, or of one. */
  async #subjects(what: string, id?: LaneId): Promise<readonly string[]> {
    const streams = id === undefined ? Array.from({ length: STREAMS }, (_, index) => index) : [streamOf(id.chain)];
    const all = await Promise.all(streams.map(async (index) => {
      const filter = id === undefined ? `vitalgate.${index}.${what}.>` : `${subjectOf(id, what)}.>`;
      const { state: { subjects } } = await this.#reading(() => this.#nats.manager.streams.info(streamName(index), { subjects_filter: filter }));
      return Object.keys(subjects ?? {});
    }));
    return all.flat().sort();
  }

  /** Answered by the leader of the stream, which has everything that was acknowledged. */
  async #message(stream: number, request: Readonly<{ last_by_subj: string }> | Readonly<{ seq: number; next_by_subj: string }>): Promise<StoredMsg | null> {
    return await this.#reading(() => this.#nats.manager.streams.getMessage(streamName(stream), request));
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await read();
    } catch (thrown) {
      throw new StoreError('VG_STORE_READ', `${this.#nats.name}: ${messageOf(thrown)}`);
    }
  }

  /** `expected`: the message that has to be the last of the subject, 0 for none, undefined for any. False: it is another. */
  async #publish(subject: string, bytes: Uint8Array, expected: number | undefined): Promise<boolean> {
    this.#assertOpen();
    try {
      await this.#nats.client.publish(subject, bytes, expected === undefined ? {} : { expect: { lastSubjectSequence: expected } });
      return true;
    } catch (thrown) {
      if (thrown instanceof JetStreamApiError && thrown.code === JetStreamApiCodes.StreamWrongLastSequence) return false;
      throw new StoreError('VG_STORE_WRITE', `${this.#nats.name}: ${messageOf(thrown)}`);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError('VG_STORE_CLOSED', `${this.#nats.name} is closed`);
  }
}

const receiptSubject = (id: LaneId, height: number): string => `${subjectOf(id, 'receipt')}.${Math.floor(height / HEIGHTS_OF_A_SUBJECT)}`;

const firstHeightOf = ({ state, blocks }: Kept): number => state.height - blocks.length + 1;

/** Of the first leaf that a run completed: the state says where it ended, its leaves are the nodes of level 0. */
const firstLeafOf = ({ state, blocks }: Kept): number => state.tree.size - blocks.flatMap(([bytes]) => openBlock(bytes).entries).length;

function sealedRun(run: Run): Uint8Array {
  const { state } = (run.at(-1) as StorableBlock).verified;
  return seal(laneName(state.chain, state.lane), encode([encodeState(state), run.map(({ bytes, verified }) => [bytes, packNodes(verified.newNodes)])]));
}

function keptIn({ seq, data }: StoredMsg, { chain, lane }: LaneId): Kept {
  const [state, blocks] = asArray(decode(unseal(laneName(chain, lane), Buffer.from(data))), 'kept run', 2);
  return {
    sequence: seq,
    state: decodeState(asBytes(state, 'state')),
    blocks: asArray(blocks, 'blocks').map((each) => {
      const [bytes, nodes] = asArray(each, 'kept block', 2);
      return [asBytes(bytes, 'block'), asBytes(nodes, 'nodes')] as const;
    }),
  };
}

function forkIn({ subject, data }: StoredMsg): Fork {
  const [, , , name = '', word, height, hash = ''] = subject.split('.');
  const chain = Uint8Array.from(Buffer.from(name, 'hex'));
  const lane = LANES.find((each) => each === word) as Lane;
  if (chain.length !== CHAIN_LENGTH) throw new StoreError('VG_STORE_CORRUPT', `${subject} names no chain`);
  return { chain, lane, height: Number(height), ...decodeFork(unseal(forkKey(chain, lane, Number(height), Buffer.from(hash, 'hex')), Buffer.from(data))) };
}
