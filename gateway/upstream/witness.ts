/**
 * The hospital's judgement of one offered block. It knows no HTTP: server.ts carries blocks in and judgements out. The
 * rules are those of a witness (C2SP tlog-witness, "add-checkpoint"), with blocks in place of checkpoints and proofs.
 */

import { BlockRejected, type RejectReason, StoreError } from '../errors.ts';
import type { BlockStore, LaneId, Place } from '../ledger/block-store.ts';
import { type Header, type OpenBlock, openBlock, rejecting } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import type { Replacement } from '../ledger/change.ts';
import { DOMAINS, verifySign1 } from '../ledger/cose.ts';
import { fingerprint, fingerprintBytes, type SigningKey, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { firstAuthority } from '../ledger/authority.ts';
import { decodeParameters } from '../ledger/genesis.ts';
import { ReceiptRejected, signReceipt, verifyReceipt } from '../ledger/receipt.ts';
import type { ChainState } from '../ledger/state.ts';
import { currentTerm, isRevoked, type Term, termAt, TermBook } from '../ledger/terms.ts';
import { type VerifiedBlock, verifyOpenBlock } from '../ledger/verify.ts';
import type { UnixMillis } from '../quantity.ts';
import { LANES } from '../reading.ts';
import { Turns } from '../turns.ts';

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
  /** Gateways whose chains are taken: compressed public keys of 33 bytes, or `open` for every gateway. Any key that was the chain's. */
  gateways: 'open' | readonly Uint8Array[];
  /** This hospital's wall clock, for receipts. */
  now: () => UnixMillis;
  /** The replacement of a chain's key that this hospital has signed, if any (promises.ts). Default: none. */
  promised?: (chain: Uint8Array) => Replacement | undefined;
  log: UpstreamLog;
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
/** A judgement before anything is signed. */
type Verdict = Refusal | Taken;
type Taken = Readonly<{ outcome: 'committed' } | { outcome: 'repeated' }>;
type Offer = Readonly<{ place: Place; bytes: Uint8Array; block: OpenBlock }>;
type TakenInTurn = Readonly<{ taken: number; last: Readonly<{ offer: Offer; verdict: Taken }> | undefined; stopped: Refusal | undefined }>;
type Recorded = Readonly<{ bytes: Uint8Array; hash: Uint8Array }>;

export class Witness {
  readonly #blocks: BlockStore;
  readonly #key: SigningKey;
  readonly #admitted: ReadonlySet<string> | 'open';
  readonly #now: () => UnixMillis;
  readonly #promised: NonNullable<WitnessOptions['promised']>;
  readonly #log: UpstreamLog;
  readonly #stall: NonNullable<WitnessOptions['testingOnlyStall']>;
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
    this.#admitted = options.gateways === 'open' ? 'open' : new Set(options.gateways.map(toHex));
    this.#now = options.now;
    this.#promised = options.promised ?? (() => undefined);
    this.#log = options.log;
    this.#stall = options.testingOnlyStall ?? (() => Promise.resolve());
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
    const offer = offered(place, bytes);
    if ('outcome' in offer) return offer;
    return await this.#turns.take(nameOf(place), async () => await this.#answer(await this.#verdict(offer), offer));
  }

  /**
   * The same for blocks that follow each other, offered together: they are taken up to the first that cannot be. One receipt for the last covers
   * all of them. `onJudged` hears of each.
   */
  async judgeAll(id: LaneId, blocks: readonly Uint8Array[], onJudged: (outcome: Judgement['outcome']) => void): Promise<BatchJudgement> {
    return await this.#turns.take(nameOf(id), async () => {
      const { taken, last, stopped } = await this.#takeInTurn(id, blocks, onJudged);
      if (last === undefined) return { taken, ...(stopped && { stopped }) };
      const answer = await this.#answer(last.verdict, last.offer);
      if (!('receipt' in answer)) return { taken: 0, stopped: answer };
      return { taken, receipt: answer.receipt, ...(stopped && { stopped }) };
    });
  }

  async #takeInTurn(id: LaneId, blocks: readonly Uint8Array[], onJudged: (outcome: Judgement['outcome']) => void): Promise<TakenInTurn> {
    let last: TakenInTurn['last'];
    for (const [taken, bytes] of blocks.entries()) {
      const offer = offered({ ...id, height: last === undefined ? heightIn(bytes) : last.offer.place.height + 1 }, bytes);
      const verdict = 'outcome' in offer ? offer : await this.#verdict(offer);
      onJudged(verdict.outcome);
      if ('outcome' in offer || !isTaken(verdict)) return { taken, last, stopped: verdict as Refusal };
      last = { offer, verdict };
    }
    return { taken: blocks.length, last, stopped: undefined };
  }

  /**
   * Whether whoever has this key may offer blocks of the chain: one of the gateways admitted, or one whose chain it is and has not been replaced.
   * A chain that is not here yet is anybody's to begin. Throws {@link StoreError}.
   */
  async mayOffer(chain: Uint8Array, key: Uint8Array): Promise<boolean> {
    if (this.#admitted === 'open' || this.#admitted.has(toHex(key))) return true;
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
    if (stored !== undefined || this.isForked(place)) return stored;
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

  async #verdict(offer: Offer): Promise<Verdict> {
    try {
      return await this.#judgeInTurn(offer);
    } catch (thrown) {
      if (thrown instanceof BlockRejected) return rejectedBy(thrown);
      throw thrown;
    }
  }

  /** Signs what is to be signed. */
  async #answer(verdict: Verdict, { place, block }: Offer): Promise<Judgement> {
    if (verdict.outcome === 'committed') return { outcome: 'committed', receipt: await this.#countersign(block) };
    if (!isTaken(verdict)) return verdict;
    const receipt = await this.receipt(place);
    return receipt === undefined ? forkedLane(place) : { outcome: 'repeated', receipt };
  }

  async #judgeInTurn(offer: Offer): Promise<Verdict> {
    const { place, block } = offer;
    const head = await this.#blocks.head(place);
    if (head === undefined && place.height > 0) {
      return { outcome: 'unknown_chain', message: `lane ${nameOf(place)} has no block here: expected its genesis block` };
    }
    const terms = head === undefined ? [firstTermIn(block.header)] : await this.#terms.of(head);
    if (!this.#admits(terms)) {
      return { outcome: 'not_admitted', message: `gateway key ${fingerprint(currentTerm(terms).authority.gateway)} is not among those admitted here` };
    }
    if (head !== undefined && place.height > head.height + 1) {
      const message = `block ${place.height} does not follow the head ${head.height}: expected block ${head.height + 1}`;
      return { outcome: 'gap', head, message };
    }
    const rival = head && await this.#rivalOf(offer, head);
    if (rival !== undefined) return await this.#compare(offer, rival, terms);
    if (this.isForked(place)) return forkedLane(place);
    const verified = verifyOpenBlock(head, block, { chain: place.chain, lane: place.lane, check: verifyWithNodeCrypto });
    return this.#broken(verified) ?? await this.#commit(offer, verified);
  }

  /** A block that a promise of this hospital forbids. */
  #broken({ state, header }: VerifiedBlock): Verdict | undefined {
    const promised = this.#promised(state.chain);
    if (promised === undefined || state.authority.number >= promised.number || header.height <= promised.last[state.lane]) return undefined;
    if (promised.expires !== undefined && promised.expires < this.#now()) return undefined;
    return {
      outcome: 'rejected', reason: 'revoked_key',
      message: `this hospital has signed that the gateway's key is replaced after block ${promised.last[state.lane]} of lane ${state.lane}`,
    };
  }

  /** Persists; only then may it be signed. */
  async #commit(offer: Offer, verified: VerifiedBlock): Promise<Verdict> {
    await this.#stall('checked', offer.place);
    const { outcome } = await this.#blocks.append({ bytes: offer.bytes, verified });
    if (outcome !== 'committed') return await this.#judgeInTurn(offer);
    await this.#stall('persisted', offer.place);
    return { outcome: 'committed' };
  }

  /** The recorded block that stands where the offered one, or the one it follows, would have to be. */
  async #rivalOf({ place, block }: Offer, head: ChainState): Promise<Recorded | undefined> {
    if (place.height > head.height && equalBytes(block.header.prev, head.hash)) return undefined;
    const height = Math.min(place.height, head.height);
    const bytes = await this.#blocks.block(place, height);
    if (bytes === undefined) {
      throw new StoreError('VG_STORE_CORRUPT', `block ${height} of lane ${nameOf(place)} is missing below its head ${head.height}`);
    }
    return { bytes, hash: openBlock(bytes).hash };
  }

  async #compare(offer: Offer, rival: Recorded, terms: readonly Term[]): Promise<Verdict> {
    const { place, block } = offer;
    const { gateway } = termAt(terms, place.height).authority;
    if (equalBytes(block.hash, rival.hash)) return { outcome: 'repeated' };
    if (!verifySign1(block.envelope, gateway, DOMAINS.block, verifyWithNodeCrypto)) {
      return { outcome: 'rejected', reason: 'bad_signature', message: `not a signature of gateway key ${toHex(gateway)}` };
    }
    // Whoever stole a key could stop the lane with it for ever; up to where it counts the hospitals have fixed what it said.
    if (isRevoked(terms, gateway)) {
      return { outcome: 'rejected', reason: 'revoked_key', message: `gateway key ${toHex(gateway)} was replaced: what it signs against the record is nothing` };
    }
    if (!this.isForked(place)) await this.#keepEvidence(offer, rival);
    return forkedLane(place);
  }

  /** One proof is enough; keeping every further one would let a broken gateway fill the disk. */
  async #keepEvidence({ place, bytes, block }: Offer, rival: Recorded): Promise<void> {
    await this.#blocks.putFork({ chain: place.chain, lane: place.lane, height: place.height, recorded: rival.bytes, offered: bytes });
    this.#forked.add(nameOf(place));
    this.#log.error(
      { chain: toHex(place.chain), lane: place.lane, height: place.height, recorded: toHex(rival.hash), offered: toHex(block.hash) },
      'FORK: a gateway key signed two histories of one lane; both blocks are kept as evidence, the lane is not countersigned any more',
    );
  }

  /** A chain is known by any key it has had: rotations are in the chain for everybody to see. */
  #admits(terms: readonly Term[]): boolean {
    const admitted = this.#admitted;
    return admitted === 'open' || terms.some(({ authority }) => admitted.has(toHex(authority.gateway)));
  }

  async #countersign({ header, hash }: OpenBlock): Promise<Uint8Array> {
    const { chain, lane, height, treeSize, treeRoot } = header;
    const receipt = signReceipt({ chain, lane, height, hash, treeSize, treeRoot, time: this.#now() }, this.#key);
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

/** Taken apart and found to be of that place; or what is wrong with it. */
function offered(place: Place, bytes: Uint8Array): Offer | Refusal {
  try {
    const block = openBlock(bytes);
    const misplaced = differenceFrom(place, block.header);
    return misplaced === undefined ? { place, bytes, block } : { outcome: 'misplaced', message: misplaced };
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return rejectedBy(thrown);
    throw thrown;
  }
}

/** Where the first block of a batch says that it belongs; 0 for bytes that are no block, which are refused next. */
function heightIn(bytes: Uint8Array): number {
  try {
    return openBlock(bytes).header.height;
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return 0;
    throw thrown;
  }
}

const isTaken = (verdict: Verdict): verdict is Taken => verdict.outcome === 'committed' || verdict.outcome === 'repeated';

const rejectedBy = ({ reason, message }: BlockRejected): Refusal => ({ outcome: 'rejected', reason, message });

function nameOf({ chain, lane }: LaneId): string {
  return `${toHex(chain)}/${lane}`;
}

/** What the sender says about the block and the block does not. */
function differenceFrom(place: Place, header: Header): string | undefined {
  if (!equalBytes(header.chain, place.chain)) return `the block is of chain ${toHex(header.chain)}, expected ${toHex(place.chain)}`;
  if (header.lane !== place.lane) return `the block is of lane ${header.lane}, expected ${place.lane}`;
  if (header.height !== place.height) return `the block has height ${header.height}, expected ${place.height}`;
  return undefined;
}

/** What a genesis block says of itself. */
const firstTermIn = (header: Header): Term =>
  ({ from: 0, authority: firstAuthority(rejecting(() => decodeParameters(header.parameters as Uint8Array), 'wrong_genesis')) });

function forkedLane(place: LaneId): Refusal {
  return { outcome: 'forked', message: `two signed histories of lane ${nameOf(place)} were seen: it is not countersigned any more` };
}
