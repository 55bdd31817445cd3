/**
 * The hospital's judgement of one offered block. It knows no HTTP: server.ts carries blocks in and judgements out. The
 * rules are those of a witness (C2SP tlog-witness, "add-checkpoint"), with blocks in place of checkpoints and proofs.
 */

import { BlockRejected, type RejectReason, StoreError } from '../errors.ts';
import { firstAuthority } from '../ledger/authority.ts';
import type { BlockStore, Fork, LaneId, Place, StorableBlock } from '../ledger/block-store.ts';
import { type Header, type OpenBlock, openBlock, rejecting } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import type { Replacement } from '../ledger/change.ts';
import { DOMAINS, verifySign1 } from '../ledger/cose.ts';
import { fingerprint, fingerprintBytes, type SigningKey, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { decodeParameters } from '../ledger/genesis.ts';
import type { TreeNode } from '../ledger/merkle.ts';
import { grownBy } from '../ledger/merkle-prune.ts';
import { ReceiptRejected, verifyReceipt } from '../ledger/receipt.ts';
import { type ChainState, decodeState, encodeState } from '../ledger/state.ts';
import { currentTerm, isRevoked, type Term, termAt, TermBook } from '../ledger/terms.ts';
import type { UnixMillis } from '../quantity.ts';
import { LANES } from '../reading.ts';
import { Turns } from '../turns.ts';
import { type Admission, EnrolledGateways, EVERY_GATEWAY } from './admission.ts';
import { isForbidden } from './promises.ts';
import { type GoodBlock, type PlacedBlock, type Verifier, verifierHere } from './verifier.ts';

/** What this room tells about itself: fields first, as pino takes them. */
export interface UpstreamLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Moments at which a test may hold the judgement: after every check, and after the block is durable but unsigned. */
export type StallPoint = 'checked' | 'persisted';

export type WitnessOptions = Readonly<{
  /** Blocks, receipts and fork evidence of every chain. */
  blocks: BlockStore;
  /** This hospital's key. */
  key: SigningKey;
  /** Judges blocks and signs receipts. Default: here, in this thread. It stays open when the witness is done with. */
  verifier?: Verifier;
  /** Gateways whose chains are taken: compressed public keys of 33 bytes, `open` for every gateway, or who decides. Any key that was the chain's. */
  gateways: 'open' | readonly Uint8Array[] | Admission;
  /** This hospital's wall clock, for receipts. */
  now: () => UnixMillis;
  /** The replacement of a chain's key that this hospital has signed, if any (promises.ts). Default: none. */
  promised?: (chain: Uint8Array) => Replacement | undefined;
  /** Whether other processes change the store: then it is asked whether they have found a fork. Default true. */
  shared?: boolean;
  log: UpstreamLog;
  /** Told how long it took to ask every rule of one block, ms. Default: nobody is. */
  onVerified?: (duration: number) => void;
  /** Awaited at every {@link StallPoint}. For tests only. Default: goes on at once. */
  testingOnlyStall?: (point: StallPoint, place: Place) => Promise<void>;
}>;

/**
 * What became of an offered block.
 *
 * | outcome         | what it means                                                                             |
 * | --------------- | ----------------------------------------------------------------------------------------- |
 * | `committed`     | it followed the head; it is durable and countersigned                                     |
 * | `repeated`      | this very block was here already; the receipt is for the recorded one                     |
 * | `misplaced`     | its header names another chain, lane or height than the sender did                        |
 * | `not_admitted`  | this hospital does not take blocks of that gateway key                                    |
 * | `unknown_chain` | the lane has no block here and this is not its genesis                                    |
 * | `gap`           | blocks between `head` and this one are missing                                            |
 * | `rejected`      | it breaks the rule `reason`                                                               |
 * | `forked`        | the gateway's key signed two histories of this lane; nothing of it is countersigned again |
 */
export type Judgement = Readonly<
  | { outcome: 'committed' | 'repeated'; receipt: Uint8Array }
  | { outcome: 'misplaced' | 'not_admitted' | 'unknown_chain' | 'forked'; message: string }
  | { outcome: 'gap'; head: ChainState; message: string }
  | { outcome: 'rejected'; reason: RejectReason; message: string }
>;

/** What became of blocks that were offered together: how many were taken, from the first on, and what the next one met, if there was one. */
export type BatchJudgement = Readonly<{
  taken: number;
  /** For the last one that was taken; it covers those below. */
  receipt?: Uint8Array;
  stopped?: Judgement;
}>;

/** A judgement of a block that is not taken. */
type Refusal = Exclude<Judgement, { outcome: 'committed' | 'repeated' }>;
/** What a receipt says of a block, and how it was taken. */
type Taken = Readonly<{ outcome: 'committed'; header: Header; hash: Uint8Array } | { outcome: 'repeated'; height: number }>;
type TakenInTurn = Readonly<{ taken: number; last: Taken | undefined; stopped: Refusal | undefined }>;
/** Blocks that are to follow each other; `height`: of the first, where whoever offers them says it. */
type Offer = LaneId & Readonly<{ height: number | undefined; blocks: readonly Uint8Array[] }>;
/** Races for one height that are lost one after the other. */
const MOST_LOST_RACES = 100;

type OnJudged = (outcome: Judgement['outcome']) => void;

export class Witness {
  readonly #blocks: BlockStore;
  readonly #key: SigningKey;
  readonly #verifier: Verifier;
  readonly #admission: Admission;
  readonly #now: () => UnixMillis;
  readonly #shared: boolean;
  readonly #promised: NonNullable<WitnessOptions['promised']>;
  readonly #log: UpstreamLog;
  readonly #stall: NonNullable<WitnessOptions['testingOnlyStall']>;
  readonly #onVerified: NonNullable<WitnessOptions['onVerified']>;
  readonly #turns = new Turns();
  readonly #terms: TermBook;
  readonly #forked: Set<string>;

  /** Reads which lanes are forked, then is ready to judge. Throws {@link StoreError}. */
  static async open(options: WitnessOptions): Promise<Witness> {
    return new Witness(options, new Set((await options.blocks.forks()).map(nameOf)));
  }

  private constructor(options: WitnessOptions, forked: Set<string>) {
    this.#blocks = options.blocks;
    this.#key = options.key;
    this.#verifier = options.verifier ?? verifierHere(options.key);
    this.#admission = admissionOf(options.gateways);
    this.#now = options.now;
    this.#shared = options.shared ?? true;
    this.#promised = options.promised ?? (() => undefined);
    this.#log = options.log;
    this.#stall = options.testingOnlyStall ?? (() => Promise.resolve());
    this.#onVerified = options.onVerified ?? (() => undefined);
    this.#terms = new TermBook(options.blocks);
    this.#forked = forked;
  }

  /**
   * Judges a block and, when it is good, keeps and countersigns it. A receipt MUST NOT leave before its block would
   * survive a power cut. Blocks of one lane are judged one after the other; should another process share the store, its
   * append decides who was first, and the loser is judged again. Throws {@link StoreError}; then offering the block
   * again is safe.
   */
  async judge(place: Place, bytes: Uint8Array): Promise<Judgement> {
    let outcome: Judgement['outcome'] = 'committed';
    const { receipt, stopped } = await this.#judgeInTurn({ ...place, blocks: [bytes] }, (each) => {
      outcome = each;
    });
    return receipt === undefined ? stopped as Refusal : { outcome: outcome as 'committed' | 'repeated', receipt };
  }

  /**
   * The same for blocks that follow each other, offered together: they are taken up to the first that cannot be, and are durable together. One
   * receipt for the last covers all of them. `onJudged` hears of each.
   */
  async judgeAll(id: LaneId, blocks: readonly Uint8Array[], onJudged: OnJudged): Promise<BatchJudgement> {
    return await this.#judgeInTurn({ ...id, height: undefined, blocks }, onJudged);
  }

  async #judgeInTurn(offer: Offer, onJudged: OnJudged): Promise<BatchJudgement & Readonly<{ stopped?: Refusal }>> {
    const { chain, lane } = offer;
    return await this.#turns.take(nameOf(offer), async () => {
      const { taken, last, stopped } = await this.#takeInTurn(offer, onJudged);
      if (last === undefined) return { taken, ...(stopped && { stopped }) };
      const receipt = last.outcome === 'committed' ? await this.#countersign(last) : await this.receipt({ chain, lane, height: last.height });
      return receipt === undefined ? { taken: 0, stopped: forkedLane(offer) } : { taken, receipt, ...(stopped && { stopped }) };
    });
  }

  async #takeInTurn(offer: Offer, onJudged: OnJudged): Promise<TakenInTurn> {
    let { height, blocks: left } = offer;
    let last: Taken | undefined;
    const done = (stopped: Refusal | undefined): TakenInTurn => {
      if (stopped !== undefined) onJudged(stopped.outcome);
      return { taken: offer.blocks.length - left.length, last, stopped };
    };
    for (let fruitless = 0; left.length > 0;) {
      const step = await this.#step({ ...offer, height, blocks: left });
      for (const taken of step.taken) {
        onJudged(taken.outcome);
        last = taken;
        height = (taken.outcome === 'committed' ? taken.header.height : taken.height) + 1;
      }
      left = left.slice(step.taken.length);
      if (step.stopped !== undefined) return done(step.stopped);
      fruitless = step.taken.length > 0 ? 0 : fruitless + 1;
      // Whoever was quicker moved the head; a store where it stays is not one.
      if (fruitless > MOST_LOST_RACES) throw new StoreError('VG_STORE_WRITE', `lane ${nameOf(offer)} takes no block, and says that others were quicker ${fruitless} times`);
    }
    return done(undefined);
  }

  /** Takes blocks as far as one look at the lane allows: none when somebody else was quicker, then the next look shows what they did. */
  async #step(offer: Offer): Promise<Readonly<{ taken: readonly Taken[]; stopped?: Refusal }>> {
    const { chain, lane, height, blocks } = offer;
    const head = await this.#blocks.head(offer);
    const terms = head === undefined ? firstTermsOf(offer) : await this.#terms.of(head);
    if ('outcome' in terms) return { taken: [], stopped: terms };
    if (!this.#admits(chain, terms)) {
      return { taken: [], stopped: { outcome: 'not_admitted', message: `gateway key ${fingerprint(currentTerm(terms).authority.gateway)} is not among those admitted here` } };
    }
    const began = performance.now();
    const { below, good, after, stopped } = await this.#verifier.verify({ chain, lane, ...(height !== undefined && { height }), head: head && encodeState(head), blocks });
    if (good.length > 0) this.#onVerified(performance.now() - began);
    const repeated: Taken[] = [];
    for (const [position, block] of below.entries()) {
      const refusal = await this.#compare({ offer, block, bytes: blocks[position] as Uint8Array, head: head as ChainState, terms });
      if (refusal !== undefined) return { taken: repeated, stopped: refusal };
      repeated.push({ outcome: 'repeated', height: block.height });
    }
    if (good.length > 0) {
      const committed = await this.#commit(offer, head, good, after, below.length);
      if ('outcome' in committed) return { taken: repeated, stopped: committed };
      // What is left is looked at anew, as whatever stopped the run will be.
      return { taken: [...repeated, ...committed] };
    }
    if (stopped === undefined) return { taken: repeated };
    if (stopped.outcome !== 'unfitting') return { taken: repeated, stopped };
    const { block } = stopped;
    if (head !== undefined && block.height === head.height + 1) return { taken: repeated, stopped: await this.#compare({ offer, block, bytes: blocks[below.length] as Uint8Array, head, terms }) ?? forkedLane(offer) };
    return { taken: repeated, stopped: unfitting(offer, block.height, head) };
  }

  /**
   * Whether whoever has this key may offer blocks of the chain: one of the gateways admitted, or one whose chain it is and has not been replaced.
   * Throws {@link StoreError}.
   */
  async mayOffer(chain: Uint8Array, key: Uint8Array): Promise<boolean> {
    if (this.#admission.admits(chain, key)) return true;
    for (const lane of LANES) {
      const head = await this.#blocks.head({ chain, lane });
      if (head === undefined) continue;
      const terms = await this.#terms.of(head);
      if (!isRevoked(terms, key) && terms.some(({ authority }) => equalBytes(authority.gateway, key))) return true;
    }
    return false;
  }

  /** This hospital's receipt for the block recorded there: the stored one or, after a death between persisting and
   * answering, one made now. Undefined when there is no such block, or it has none and its lane is forked. */
  async receipt(place: Place): Promise<Uint8Array | undefined> {
    const recorded = await this.#blocks.block(place, place.height);
    if (recorded === undefined) return undefined;
    const block = openBlock(recorded);
    const stored = (await this.#blocks.receipts(place, place.height)).find((receipt) => this.#isOwn(receipt, block));
    if (stored !== undefined || (await this.#isForkedNow(place))) return stored;
    return await this.#countersign(block);
  }

  /** Whether two histories of this lane were seen. */
  isForked(lane: LaneId): boolean {
    return this.#forked.has(nameOf(lane));
  }

  /** The lane is forked, and the evidence of it is kept: nothing of it is countersigned any more. */
  stop(lane: LaneId): void {
    this.#forked.add(nameOf(lane));
  }

  /** Resolves when no block is being judged, so that the store can be closed. */
  settled(): Promise<void> {
    return this.#turns.settled();
  }

  /** Persists; only then may it be signed. Nothing is taken when somebody else's append came first. */
  async #commit(offer: Offer, head: ChainState | undefined, good: readonly GoodBlock[], after: Uint8Array | undefined, below: number): Promise<readonly Taken[] | Refusal> {
    if (await this.#isForkedNow(offer)) return forkedLane(offer);
    const offered = offer.blocks.slice(below);
    const blocks: StorableBlock[] = [];
    let state = head;
    for (const [position, { header, hash, sequences, nodes }] of good.entries()) {
      const isLast = position === good.length - 1;
      const next = isLast && after !== undefined ? decodeState(after) : stateWith(state as ChainState, header, hash, nodes);
      const broken = this.#broken(next);
      if (broken !== undefined && blocks.length === 0) return broken;
      if (broken !== undefined) break;
      blocks.push({ bytes: offered[position] as Uint8Array, verified: { state: next, header, newNodes: nodes, sequences } });
      state = next;
    }
    const [first, ...following] = blocks as [StorableBlock, ...StorableBlock[]];
    const place = { chain: offer.chain, lane: offer.lane, height: (following.at(-1) ?? first).verified.header.height };
    await this.#stall('checked', place);
    const { outcome } = await this.#blocks.append(first, ...following);
    if (outcome !== 'committed') return [];
    await this.#stall('persisted', place);
    return blocks.map(({ verified: { header, state: { hash } } }) => ({ outcome: 'committed', header, hash }));
  }

  /** A block that a promise of this hospital forbids. */
  #broken(state: ChainState): Refusal | undefined {
    const promised = this.#promised(state.chain);
    if (promised === undefined || !isForbidden(promised, { state }, this.#now())) return undefined;
    return {
      outcome: 'rejected', reason: 'revoked_key',
      message: `this hospital has signed that the gateway's key is replaced after block ${promised.last[state.lane]} of lane ${state.lane}`,
    };
  }

  /** Whether the block is the recorded one of its height; or what is to be said of it. A block that should follow the head is compared with that. */
  async #compare({ offer, block, bytes, head, terms }: Readonly<{ offer: LaneId; block: PlacedBlock; bytes: Uint8Array; head: ChainState; terms: readonly Term[] }>): Promise<Refusal | undefined> {
    const { chain, lane } = offer;
    const place = { chain, lane, height: block.height };
    const recorded = await this.#recorded(place, head);
    if (equalBytes(recorded, bytes) || equalBytes(openBlock(recorded).hash, block.hash)) return undefined;
    const { gateway } = termAt(terms, place.height).authority;
    if (!verifySign1(openBlock(bytes).envelope, gateway, DOMAINS.block, verifyWithNodeCrypto)) {
      return { outcome: 'rejected', reason: 'bad_signature', message: `not a signature of gateway key ${toHex(gateway)}` };
    }
    // Whoever stole a key could stop the lane with it for ever; up to where it counts the hospitals have fixed what it said.
    if (isRevoked(terms, gateway)) {
      return { outcome: 'rejected', reason: 'revoked_key', message: `gateway key ${toHex(gateway)} was replaced: what it signs against the record is nothing` };
    }
    if (!(await this.#isForkedNow(place))) await this.#keepEvidence({ ...place, recorded, offered: bytes });
    return forkedLane(place);
  }

  async #recorded(place: Place, head: ChainState): Promise<Uint8Array> {
    const height = Math.min(place.height, head.height);
    const bytes = await this.#blocks.block(place, height);
    if (bytes === undefined) throw new StoreError('VG_STORE_CORRUPT', `block ${height} of lane ${nameOf(place)} is missing below its head ${head.height}`);
    return bytes;
  }

  /** One proof is enough; keeping every further one would let a broken gateway fill the disk. */
  async #keepEvidence(fork: Fork): Promise<void> {
    await this.#blocks.putFork(fork);
    this.#forked.add(nameOf(fork));
    const { chain, lane, height, recorded, offered } = fork;
    this.#log.error(
      { chain: toHex(chain), lane, height, recorded: toHex(openBlock(recorded).hash), offered: toHex(openBlock(offered).hash) },
      'FORK: a gateway key signed two histories of one lane; both blocks are kept as evidence, the lane is not countersigned any more',
    );
  }

  /** The store knows: another process over it may have found the other history. */
  async #isForkedNow(lane: LaneId): Promise<boolean> {
    if (this.#shared && !this.isForked(lane) && (await this.#blocks.fork(lane)) !== undefined) this.#forked.add(nameOf(lane));
    return this.isForked(lane);
  }

  #admits(chain: Uint8Array, terms: readonly Term[]): boolean {
    return terms.some(({ authority }) => this.#admission.admits(chain, authority.gateway));
  }

  async #countersign({ header, hash }: Readonly<{ header: Header; hash: Uint8Array }>): Promise<Uint8Array> {
    const { chain, lane, height, treeSize, treeRoot } = header;
    const receipt = await this.#verifier.countersign({ chain, lane, height, hash, treeSize, treeRoot, time: this.#now() });
    await this.#blocks.putReceipt(header, height, fingerprintBytes(this.#key.publicKey), receipt);
    return receipt;
  }

  #isOwn(receipt: Uint8Array, { header, hash }: OpenBlock): boolean {
    const { chain, lane, height, treeSize, treeRoot } = header;
    try {
      verifyReceipt(receipt, { key: this.#key.publicKey, chain, lane, height, hash, treeSize, treeRoot }, verifyWithNodeCrypto);
      return true;
    } catch (thrown) {
      // A receipt under an earlier key of this hospital.
      if (thrown instanceof ReceiptRejected) return false;
      throw thrown;
    }
  }
}

function admissionOf(gateways: WitnessOptions['gateways']): Admission {
  if (gateways === 'open') return EVERY_GATEWAY;
  return 'admits' in gateways ? gateways : new EnrolledGateways(gateways.map((key) => ({ gateway: toHex(key) })));
}

function nameOf({ chain, lane }: LaneId): string {
  return `${toHex(chain)}/${lane}`;
}

/** Whose word the first block of a lane is; or why it begins none. */
function firstTermsOf({ chain, lane, height, blocks }: Offer): readonly Term[] | Refusal {
  try {
    const { header } = openBlock(blocks[0] as Uint8Array);
    const isElsewhere = !equalBytes(header.chain, chain) || header.lane !== lane || header.height !== (height ?? header.height);
    if (isElsewhere) return { outcome: 'misplaced', message: `the block is block ${header.height} of lane ${header.lane} of chain ${toHex(header.chain)}, expected ${height ?? 'a block'} of lane ${nameOf({ chain, lane })}` };
    if (header.height > 0) return { outcome: 'unknown_chain', message: `lane ${nameOf({ chain, lane })} has no block here: expected its genesis block` };
    return [{ from: 0, authority: firstAuthority(rejecting(() => decodeParameters(header.parameters as Uint8Array), 'wrong_genesis')) }];
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return { outcome: 'rejected', reason: thrown.reason, message: thrown.message };
    throw thrown;
  }
}

/** The lane after a block that carries no change. */
const stateWith = (before: ChainState, { height, treeSize, entryRange }: Header, hash: Uint8Array, nodes: readonly TreeNode[]): ChainState =>
  ({ ...before, height, hash, tree: grownBy(before.tree, nodes, treeSize), lastEntrySequence: entryRange?.[1] ?? before.lastEntrySequence });

function unfitting(id: LaneId, height: number, head: ChainState | undefined): Refusal {
  if (head === undefined) return { outcome: 'unknown_chain', message: `lane ${nameOf(id)} has no block here: expected its genesis block` };
  return { outcome: 'gap', head, message: `block ${height} does not follow the head ${head.height}: expected block ${head.height + 1}` };
}

function forkedLane(place: LaneId): Refusal {
  return { outcome: 'forked', message: `two signed histories of lane ${nameOf(place)} were seen: it is not countersigned any more` };
}
