/**
 * Copies one lane from the node of another hospital: block after block from where ours ends, each judged as if a stranger had offered it. Nothing is
 * believed of that node but what the chain's own key has signed.
 */

import { setImmediate as breath } from 'node:timers/promises';
import { BlockRejected, PeerError, type RejectReason, StoreError } from '../errors.ts';
import type { BlockStore, LaneId, StorableBlock } from '../ledger/block-store.ts';
import { type OpenBlock, openBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import type { Replacement } from '../ledger/change.ts';
import { DOMAINS, signedBytes, verifySign1 } from '../ledger/cose.ts';
import { type SignatureCheck, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { verifyFork } from '../ledger/fork.ts';
import { decodeParameters } from '../ledger/genesis.ts';
import type { ChainState } from '../ledger/state.ts';
import { hasLeft, isRevoked, termAt, termsOf } from '../ledger/terms.ts';
import { verifyOpenBlock } from '../ledger/verify.ts';
import { type Bytes, MiB, type UnixMillis } from '../quantity.ts';
import type { Countersigner } from './countersigner.ts';
import type { PeerClient } from './peer-client.ts';
import { isForbidden } from './promises.ts';
import type { SignatureThreads } from './signature-threads.ts';
import type { UpstreamLog } from './witness.ts';

export type CopyOptions = Readonly<{
  blocks: BlockStore;
  countersigner: Countersigner;
  /** This hospital's public key. */
  key: Uint8Array;
  /** The replacement of a chain's key that this hospital has signed, if any (promises.ts). */
  promised: (chain: Uint8Array) => Replacement | undefined;
  signatures: SignatureThreads;
  /** This hospital's wall clock. */
  now: () => UnixMillis;
  log: UpstreamLog;
  /** Hears of blocks that were copied, when they are durable. MUST NOT throw. */
  onCopied: (id: LaneId, blocks: number) => void;
}>;

/** What the peer says of a lane. */
export type Claim = LaneId & Readonly<{ height: number; hash: string; forked: boolean }>;

/**
 * `level`: whatever the peer claims is here; `left`: this hospital is none of the chain's any more; `not_party`: it never was, as far as the peer goes;
 * `forked`: two histories were seen, now (`isNew`) or before; `refused`: what came broke a rule, or was not what was claimed.
 */
export type CopyResult = Readonly<{ outcome: 'level' | 'left' | 'not_party' } | { outcome: 'forked'; isNew: boolean } | { outcome: 'refused'; reason: RejectReason | 'other_than_claimed'; message: string }>;

/** Blocks that are judged together, and their bytes. */
const RUN = 256;
const RUN_BYTES: Bytes = MiB(2);
/** Runs whose signatures are verified while one is judged and appended. */
const RUNS_AHEAD = 3;
/** Blocks that are judged without a pause. */
const BREATH = 32;
/** Somebody else may append to the lane meanwhile. */
const MOST_BEGINNINGS = 10;

class Refused extends Error {
  readonly result: CopyResult;
  constructor(reason: RejectReason | 'other_than_claimed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.result = { outcome: 'refused', reason, message };
  }
}

export class LaneCopy {
  readonly #options: CopyOptions;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /**
   * Copies what the claim says is more than here, and compares where it is not. `own`: only while the chain names this hospital, or may yet. What was
   * appended stays whatever happens: called again it goes on from there. Rejects with {@link PeerError} or {@link StoreError}.
   */
  async copy(claim: Claim, peer: PeerClient, { own }: Readonly<{ own: boolean }>, signal: AbortSignal): Promise<CopyResult> {
    try {
      for (let beginning = 0; beginning < MOST_BEGINNINGS; beginning++) {
        const result = await this.#copy(claim, peer, own, signal);
        if (result !== 'again') return result;
      }
      throw new PeerError('VG_PEER_UNREACHABLE', 'others append to the lane all the time');
    } catch (thrown) {
      if (thrown instanceof Refused) return thrown.result;
      if (thrown instanceof BlockRejected) return { outcome: 'refused', reason: thrown.reason, message: thrown.message };
      throw thrown;
    }
  }

  /** Looks at the evidence that a peer has of a fork. Rejects as {@link copy} does. */
  async hearOfFork(id: LaneId, peer: PeerClient, signal: AbortSignal): Promise<CopyResult> {
    const { blocks, countersigner } = this.#options;
    if (countersigner.isForked(id)) return { outcome: 'forked', isNew: false };
    try {
      const bytes = await peer.fork(id, signal);
      const [one, other] = bytes.map((each) => openBlock(each));
      const [recorded, offered] = bytes;
      if (one === undefined || other === undefined || recorded === undefined || offered === undefined || bytes.length > 2) return { outcome: 'refused', reason: 'malformed', message: `${bytes.length} blocks; evidence of a fork is two` };
      if (!isOf(id, one) || !isOf(id, other)) return { outcome: 'refused', reason: 'wrong_chain', message: 'the evidence is about another lane' };
      const terms = await termsOf(blocks, id);
      if (terms.length === 0) return { outcome: 'refused', reason: 'wrong_chain', message: 'the lane has no block here' };
      const { gateway } = termAt(terms, other.header.height).authority;
      verifyFork(one, other, gateway, verifyWithNodeCrypto);
      if (isRevoked(terms, gateway)) return revoked(gateway);
      await this.#keepFork(id, other.header.height, { recorded, offered });
      return { outcome: 'forked', isNew: true };
    } catch (thrown) {
      if (thrown instanceof BlockRejected) return { outcome: 'refused', reason: thrown.reason, message: `its evidence of a fork proves nothing: ${thrown.message}` };
      throw thrown;
    }
  }

  async #copy(claim: Claim, peer: PeerClient, own: boolean, signal: AbortSignal): Promise<CopyResult | 'again'> {
    const { blocks, countersigner, key } = this.#options;
    const id = { chain: claim.chain, lane: claim.lane };
    if (countersigner.isForked(id)) return { outcome: 'forked', isNew: false };
    const head = await blocks.head(id);
    if (own && head !== undefined && hasLeft(await termsOf(blocks, id), key)) return { outcome: 'left' };
    if (head !== undefined && head.height >= claim.height) return await this.#compare(claim, peer, signal);
    const reached = await this.#follow(claim, head, peer, signal);
    if (reached === 'again' || 'outcome' in reached) return reached;
    if (reached.height < claim.height) throw new Refused('other_than_claimed', `it claims block ${claim.height} and gives none after ${reached.height}`);
    if (toHex(reached.hash) !== claim.hash) throw new Refused('other_than_claimed', `it claims that block ${claim.height} is ${claim.hash}, and gives ${toHex(reached.hash)}`);
    return own && !names(reached, key) ? { outcome: 'not_party' } : { outcome: 'level' };
  }

  /** Both have a block of that height. */
  async #compare(claim: Claim, peer: PeerClient, signal: AbortSignal): Promise<CopyResult> {
    const recorded = await this.#recorded(claim, claim.height);
    if (toHex(openBlock(recorded).hash) === claim.hash) return { outcome: 'level' };
    const bytes = await peer.block(claim, signal);
    const block = openBlock(bytes);
    if (!isOf(claim, block) || block.header.height !== claim.height || toHex(block.hash) !== claim.hash) throw new Refused('other_than_claimed', `it claims that block ${claim.height} is ${claim.hash}, and gives another`);
    return await this.#accuse(claim, block, { recorded, offered: bytes });
  }

  /** Appends run after run. */
  async #follow(claim: Claim, head: ChainState | undefined, peer: PeerClient, signal: AbortSignal): Promise<ChainState | CopyResult | 'again'> {
    const { signatures } = this.#options;
    let state = head;
    const stop = new AbortController();
    const from = (head?.height ?? -1) + 1;
    const runs = runsOf(peer.blocks(claim, { from, to: claim.height }, AbortSignal.any([signal, stop.signal])), claim.height + 1 - from);
    const ahead: Promise<Prepared | undefined>[] = [];
    const prepare = (before: Pick<ChainState, 'authority'> | undefined): void => {
      const run = prepared(runs, before, signatures);
      // Met when its turn comes.
      run.catch(() => undefined);
      ahead.push(run);
    };
    try {
      for (prepare(state); ; ) {
        const run = await ahead.shift();
        if (run === undefined) break;
        signal.throwIfAborted();
        while (ahead.length < RUNS_AHEAD) prepare(state ?? run.state);
        const result = await this.#append(claim, state, run);
        if (result === 'again' || 'outcome' in result) return result;
        state = result;
      }
    } finally {
      // What is still on its way is of no use any more.
      stop.abort();
      await Promise.allSettled(ahead);
      await runs.return(undefined);
    }
    return state ?? { outcome: 'refused', reason: 'other_than_claimed', message: 'it claims blocks and gives none' };
  }

  async #append({ forked: isSaidForked, ...id }: Claim, before: ChainState | undefined, { blocks: run, fault, check }: Prepared): Promise<ChainState | CopyResult | 'again'> {
    const { blocks, promised, now, onCopied } = this.#options;
    let state = before;
    const good: StorableBlock[] = [];
    let stopped: CopyResult | undefined = fault;
    let torn: Unjudged | undefined;
    for (const [place, each] of run.entries()) {
      const { block, bytes } = each;
      // Whoever else waits for this thread, gateways among them, does not wait for a whole run.
      if (place % BREATH === BREATH - 1) await breath();
      if (state !== undefined && isOf(id, block) && block.header.height === state.height + 1 && !equalBytes(block.header.prev, state.hash)) {
        [torn, stopped] = [each, undefined];
        break;
      }
      const verified = judged(() => verifyOpenBlock(state, block, { chain: id.chain, lane: id.lane, check }));
      if ('outcome' in verified) {
        stopped = verified;
        break;
      }
      if (isForbidden(promised(id.chain), verified, now())) {
        stopped = { outcome: 'refused', reason: 'revoked_key', message: `this hospital has signed that the gateway's key is replaced before block ${verified.state.height} of lane ${id.lane}` };
        break;
      }
      good.push({ bytes, verified });
      state = verified.state;
    }
    const [first, ...following] = good;
    if (first !== undefined) {
      if (this.#options.countersigner.isForked(id)) return { outcome: 'forked', isNew: false };
      const { outcome } = await blocks.append(first, ...following);
      if (outcome !== 'committed') return 'again';
      onCopied(id, good.length);
      // The evidence is asked for next.
      if (!isSaidForked) await this.#countersign(state as ChainState);
    }
    if (torn !== undefined) return await this.#accuse(id, torn.block, { recorded: await this.#recorded(id, torn.block.header.height - 1), offered: torn.bytes });
    return stopped ?? (state as ChainState);
  }

  /** One receipt covers the blocks below it. */
  async #countersign(state: ChainState): Promise<void> {
    const { countersigner, key } = this.#options;
    if (state.authority.hospitals.some((hospital) => equalBytes(hospital.key, key))) await countersigner.receipt(state);
  }

  /** The block cannot stand in one chain with the recorded one. It is evidence if the gateway has signed it, and nothing but a lie of the peer otherwise. */
  async #accuse(id: LaneId, block: OpenBlock, pair: Readonly<{ recorded: Uint8Array; offered: Uint8Array }>): Promise<CopyResult> {
    const terms = await termsOf(this.#options.blocks, id);
    const { gateway } = termAt(terms, block.header.height).authority;
    if (!verifySign1(block.envelope, gateway, DOMAINS.block, verifyWithNodeCrypto)) {
      return { outcome: 'refused', reason: 'bad_signature', message: `block ${block.header.height} is another than ours, and not signed by gateway key ${toHex(gateway)}` };
    }
    if (isRevoked(terms, gateway)) return revoked(gateway);
    await this.#keepFork(id, block.header.height, pair);
    return { outcome: 'forked', isNew: true };
  }

  async #keepFork({ chain, lane }: LaneId, height: number, pair: Readonly<{ recorded: Uint8Array; offered: Uint8Array }>): Promise<void> {
    const { blocks, countersigner, log } = this.#options;
    // First: whatever is judged meanwhile is not countersigned.
    countersigner.stop({ chain, lane });
    await blocks.putFork({ chain, lane, height, ...pair });
    log.error({ chain: toHex(chain), lane, height }, 'FORK: a gateway key signed two histories of one lane, as the node of another hospital shows; both blocks are kept as evidence, the lane is not countersigned any more');
  }

  async #recorded(id: LaneId, height: number): Promise<Uint8Array> {
    const bytes = await this.#options.blocks.block(id, height);
    if (bytes === undefined) throw new StoreError('VG_STORE_CORRUPT', `block ${height} of lane ${id.lane} of chain ${toHex(id.chain)} is missing below its head`);
    return bytes;
  }
}

type Unjudged = Readonly<{ bytes: Uint8Array; block: OpenBlock }>;
/** Blocks up to the first that is none. `state`: of whom the genesis block says that the chain is. */
type Prepared = Readonly<{ blocks: readonly Unjudged[]; fault: CopyResult | undefined; check: SignatureCheck; state: Pick<ChainState, 'authority'> | undefined }>;

/** Takes the next run apart and verifies its signatures with the key in force before it; where the key changes in it, the rest is verified later. */
async function prepared(runs: AsyncGenerator<readonly Uint8Array[]>, before: Pick<ChainState, 'authority'> | undefined, signatures: SignatureThreads): Promise<Prepared | undefined> {
  const run = await runs.next();
  if (run.done === true) return undefined;
  const blocks: Unjudged[] = [];
  let fault: CopyResult | undefined;
  for (const bytes of run.value) {
    const block = judged(() => openBlock(bytes));
    if ('outcome' in block) {
      fault = block;
      break;
    }
    blocks.push({ bytes, block });
  }
  const state = before ?? begunBy(blocks[0]);
  const signed = state === undefined ? [] : blocks.map(({ block: { envelope } }) => ({ message: signedBytes(envelope.payload, DOMAINS.block), signature: envelope.signature, key: state.authority.gateway }));
  return { blocks, fault, check: await signatures.ahead(signed), state };
}

/** What a genesis block says of itself, to know which key to try. */
function begunBy(first: Unjudged | undefined): Pick<ChainState, 'authority'> | undefined {
  const { parameters } = first?.block.header ?? {};
  if (parameters === undefined) return undefined;
  try {
    return { authority: { ...decodeParameters(parameters), number: 0 } };
  } catch {
    // It is refused when it is judged.
    return undefined;
  }
}

/**
 * As many blocks as are judged together; no more than `most` in all, however many are sent. Where the source fails, what came before comes first: over a
 * link that breaks all the time there would be no progress otherwise.
 */
async function* runsOf(blocks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  let [run, size, left]: [Uint8Array[], number, number] = [[], 0, most];
  let failure: Error | undefined;
  try {
    for await (const block of blocks) {
      run.push(block);
      size += block.length;
      left -= 1;
      if (left === 0) break;
      if (run.length < RUN && size < RUN_BYTES) continue;
      yield run;
      [run, size] = [[], 0];
    }
  } catch (thrown) {
    failure = thrown as Error;
  }
  if (run.length > 0) yield run;
  if (failure !== undefined) throw failure;
}

function judged<T>(judge: () => T): T | Extract<CopyResult, { outcome: 'refused' }> {
  try {
    return judge();
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return { outcome: 'refused', reason: thrown.reason, message: thrown.message };
    throw thrown;
  }
}

const isOf = ({ chain, lane }: LaneId, { header }: OpenBlock): boolean => equalBytes(header.chain, chain) && header.lane === lane;

const names = ({ parameters, authority }: ChainState, key: Uint8Array): boolean => [...parameters.hospitals, ...authority.hospitals].some((hospital) => equalBytes(hospital.key, key));

const revoked = (gateway: Uint8Array): CopyResult => ({ outcome: 'refused', reason: 'revoked_key', message: `gateway key ${toHex(gateway)} was replaced: what it signs against the record is nothing` });
