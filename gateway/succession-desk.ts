/** Changes who may speak for the chain, as people order it: the gateway's key, its hospitals, their quorum. */

import { encodeOperatorAction, type OperatorAction } from './decode/operator.ts';
import { authorityIn, type BegunChain } from './derive/succession-state.ts';
import { ConfigError, UsageError } from './errors.ts';
import type { GatewayKeys } from './gateway-keys.ts';
import type { Authority } from './ledger/authority.ts';
import type { BlockStore, PendingEntries } from './ledger/block-store.ts';
import { equalBytes, toHex } from './ledger/bytes.ts';
import { CborError } from './ledger/cbor.ts';
import { collect, encodeSignedChange, signChange, unsigned, withSignatures, type Change, type SignedChange } from './ledger/change.ts';
import { parseChange, formatChange } from './ledger/change-file.ts';
import { verifyWithNodeCrypto } from './ledger/es256k.ts';
import type { Hospital } from './ledger/genesis.ts';
import { quorumStrength } from './ledger/quorum.ts';
import { ChangeRejected, judgeChange } from './ledger/succession.ts';
import { currentTerm, type ChainTerms } from './ledger/terms.ts';
import type { VerifiedBlock } from './ledger/verify.ts';
import type { Clock } from './ingest/clock.ts';
import type { Logger } from './operations/log.ts';
import type { Pipeline } from './pipeline.ts';
import { Minutes, UnixMillis, type Millis } from './quantity.ts';
import { LANES, type Lane } from './reading.ts';

/** Keys are compressed public keys, hexadecimal. */
export type AuthorityView = Readonly<{
  chain: string;
  number: number;
  gateway: string;
  /** Whether the secret of that key is here. */
  held: boolean;
  hospitals: readonly Readonly<{ name: string; key: string }>[];
  quorum: number;
  /** By lane: the authority of its next block, and the first block it is for. */
  lanes: readonly Readonly<{ lane: Lane; number: number; from: number; height: number }>[];
  /** Nothing is sealed until a replacement is here, or is said not to come. */
  awaitsReplacement: boolean;
}>;

/** `expires`: how long it may take until it is in the chain. */
export type ProposalOrder =
  | Readonly<{ type: 'membership'; join: readonly Readonly<{ name: string; key: string }>[]; leave: readonly string[]; quorum?: number | undefined; expires: Millis }>
  | Readonly<{ type: 'replacement'; expires: Millis }>;

/** The file for the signers, and what they sign, in words. */
export type Proposal = Readonly<{ text: string; words: readonly string[] }>;

export type SuccessionDeskOptions = Readonly<{
  begun: BegunChain;
  keys: GatewayKeys;
  terms: ChainTerms;
  blocks: BlockStore;
  pending: PendingEntries;
  pipeline: Pick<Pipeline, 'carryOut' | 'derived'>;
  clock: Clock;
  log: Logger;
}>;

/** As long as a seal loop tries again after a store fault, and more. */
const PATIENCE = Minutes(2);

export class SuccessionDesk {
  readonly #options: SuccessionDeskOptions;
  #listeners: (() => void)[] = [];

  constructor(options: SuccessionDeskOptions) {
    this.#options = options;
    this.#settleKeys();
  }

  /** A block was sealed, and the terms have taken it in. */
  sealed({ succession }: Pick<VerifiedBlock, 'succession'>): void {
    if (succession !== undefined) this.#settleKeys();
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  /** In force as far as derivation has come: a change on its way into blocks counts. */
  get authority(): Authority {
    return authorityIn(this.#options.pipeline.derived.succession, this.#options.begun);
  }

  async view(): Promise<AuthorityView> {
    const { begun, blocks, keys, terms } = this.#options;
    const { number, gateway, hospitals, quorum } = this.authority;
    const lanes = await Promise.all(LANES.map(async (lane) => {
      const { from, authority } = currentTerm(terms.of(lane));
      return { lane, number: authority.number, from, height: (await blocks.head({ chain: begun.chain, lane }))?.height ?? 0 };
    }));
    return {
      chain: toHex(begun.chain), number, gateway: toHex(gateway), held: keys.keyFor(gateway) !== undefined, quorum, lanes,
      hospitals: hospitals.map(({ name, key }) => ({ name, key: toHex(key) })),
      awaitsReplacement: this.#isAwaiting,
    };
  }

  /**
   * Makes a key, has the old one say that it follows, and resolves when both lanes go by it. Interrupted before that is in the journal,
   * nothing has happened, and the key is used the next time; afterwards it is gone on with at the next start.
   */
  async rotate(): Promise<AuthorityView> {
    const { keys } = this.#options;
    this.#refuseWhileAwaiting();
    const { authority } = this;
    const old = keys.keyFor(authority.gateway);
    if (old === undefined) throw new UsageError('the key in force is not here, so it cannot name another: the hospitals can ("vitalgate authority propose replacement")');
    await this.#untilAllGoBy(authority.number);
    const next = keys.next();
    const change = unsigned({ type: 'rotation', chain: this.#options.begun.chain, number: authority.number + 1, gateway: next.publicKey });
    return await this.#enter(withSignatures(change, [signChange(change, old), signChange(change, next)]));
  }

  /** A change for the hospitals to sign. Throws {@link UsageError} for one that cannot be. */
  async propose(order: ProposalOrder): Promise<Proposal> {
    const signed = order.type === 'membership' ? this.#membership(order) : await this.#replacement(order);
    const words = wordsOf(signed.change, this.authority);
    return { text: formatChange(signed, words), words };
  }

  #membership({ join, leave, quorum, expires }: Extract<ProposalOrder, { type: 'membership' }>): SignedChange {
    this.#refuseWhileAwaiting();
    const { authority } = this;
    for (const name of leave) if (!authority.hospitals.some((each) => each.name === name)) throw new UsageError(`"${name}" is none of the hospitals: ${namesOf(authority.hospitals)}`);
    const stay = authority.hospitals.filter(({ name }) => !leave.includes(name));
    const hospitals = [...stay, ...join.map(({ name, key }) => ({ name, key: Buffer.from(key, 'hex') }))];
    const change = unsigned({ type: 'membership', ...this.#bound(expires), hospitals, quorum: quorum ?? Math.floor(hospitals.length / 2) + 1 });
    this.#tryOut(change);
    return change;
  }

  /** The key in force is lost or stolen: sealing ends where it is, and goes on under another key when the hospitals have said so. */
  async #replacement({ expires }: Extract<ProposalOrder, { type: 'replacement' }>): Promise<SignedChange> {
    const { keys, pipeline } = this.#options;
    const { authority } = this;
    if (authority.hospitals.length === 0) throw new UsageError('this chain has no hospitals, so nobody could vouch for another gateway key');
    await this.#untilAllGoBy(authority.number);
    if (!this.#isAwaiting) await pipeline.carryOut([encodeOperatorAction({ type: 'await_replacement' })]);
    const isHeld = keys.keyFor(authority.gateway) !== undefined;
    if (isHeld) await this.#until(() => this.#isDrained());
    const successor = equalBytes(keys.current.publicKey, authority.gateway) ? keys.next() : keys.current;
    const [alarm, record] = await Promise.all([this.#heightOf('alarm'), this.#heightOf('record')]);
    const { hospitals, quorum } = authority;
    const change = unsigned({ type: 'replacement', ...this.#bound(expires), gateway: successor.publicKey, hospitals, quorum, last: { alarm, record } });
    return withSignatures(change, [signChange(change, successor)]);
  }

  /** A replacement is not to come: sealing goes on under the key in force. */
  async forgo(): Promise<AuthorityView> {
    if (!this.#isAwaiting) throw new UsageError('no replacement of the key is awaited');
    await this.#options.pipeline.carryOut([encodeOperatorAction({ type: 'forgo_replacement' })]);
    return await this.view();
  }

  /** Puts a change in force whose signatures may be in several copies of its file, and resolves when both lanes go by it. Throws {@link UsageError} for one that may not be. */
  async apply(texts: readonly string[]): Promise<AuthorityView> {
    return await this.#enter(copiesOf(texts));
  }

  async #enter(signed: SignedChange): Promise<AuthorityView> {
    const { pipeline, log } = this.#options;
    this.#judge(signed);
    const action: OperatorAction = { type: 'change', change: encodeSignedChange(signed) };
    await pipeline.carryOut([encodeOperatorAction(action)]);
    const { number } = signed.change;
    if (this.authority.number < number) throw new UsageError('another change came first; look at "vitalgate authority show" and propose it anew');
    log.info({ number, type: signed.change.type }, 'the change is recorded and goes into both lanes');
    await this.#untilAllGoBy(number);
    return await this.view();
  }

  #judge(signed: SignedChange): void {
    const { begun, clock } = this.#options;
    try {
      judgeChange({ chain: begun.chain, authority: this.authority, time: clock.now() }, signed, verifyWithNodeCrypto);
    } catch (cause) {
      if (cause instanceof ChangeRejected) throw new UsageError(`${cause.reason}: ${cause.message}`, { cause });
      throw cause;
    }
    if (signed.change.type === 'replacement' && !this.#isAwaiting) throw new UsageError('a replacement is not awaited: propose it on this gateway first');
  }

  /** Before anybody signs it: everything but the signatures. */
  #tryOut(signed: SignedChange): void {
    try {
      this.#judge(signed);
    } catch (error) {
      if (!(error instanceof UsageError && error.cause instanceof ChangeRejected && error.cause.reason === 'change_unsigned')) throw error;
    }
  }

  #bound(expires: Millis): Pick<Change, 'chain' | 'number' | 'expires'> {
    const { begun, clock } = this.#options;
    return { chain: begun.chain, number: this.authority.number + 1, expires: UnixMillis(clock.now() + expires) };
  }

  get #isAwaiting(): boolean {
    return this.#options.pipeline.derived.succession.reserved !== undefined;
  }

  #refuseWhileAwaiting(): void {
    if (this.#isAwaiting) throw new UsageError('a replacement of the key is awaited: apply it, or say that it is not to come ("vitalgate authority withdraw")');
  }

  /** Nothing that comes before the replacement waits for its block. */
  async #isDrained(): Promise<boolean> {
    const { begun, blocks, pending, pipeline } = this.#options;
    const reserved = pipeline.derived.succession.reserved ?? 0;
    const waiting = await Promise.all(LANES.map(async (lane) => {
      const head = await blocks.head({ chain: begun.chain, lane });
      const [first] = await pending.pending(lane, head?.lastEntrySequence ?? 0, 1);
      return first !== undefined && first.sequence < reserved;
    }));
    return !waiting.includes(true);
  }

  async #heightOf(lane: Lane): Promise<number> {
    return (await this.#options.blocks.head({ chain: this.#options.begun.chain, lane }))?.height ?? 0;
  }

  async #untilAllGoBy(number: number): Promise<void> {
    await this.#until(() => LANES.every((lane) => currentTerm(this.#options.terms.of(lane)).authority.number >= number));
  }

  /** Looks again after every block. Throws {@link UsageError} when none makes it so. */
  async #until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => late.resolve('late'), PATIENCE);
    try {
      for (;;) {
        const sealed = new Promise<void>((resolve) => this.#listeners.push(resolve));
        if (await condition()) return;
        if (await Promise.race([sealed, late.promise]) === 'late') throw new UsageError('no block with the change was sealed in two minutes: "vitalgate status" says why. It stays recorded and goes on by itself');
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** The old key goes when the next block of every lane needs the new one. */
  #settleKeys(): void {
    const { keys, terms, log } = this.#options;
    const [first, ...others] = LANES.map((lane) => currentTerm(terms.of(lane)).authority.gateway);
    if (first === undefined || !others.every((each) => equalBytes(each, first))) return;
    if (keys.settle(first)) log.info({ gateway: toHex(first) }, 'the gateway has a new key, and the old one is destroyed: keep a copy of the new key file in a safe place');
  }
}

const namesOf = (hospitals: readonly Hospital[]): string => hospitals.map(({ name }) => name).join(', ') || 'none';

/** Throws {@link UsageError} for texts that are no copies of one change. */
export function copiesOf(texts: readonly string[]): SignedChange {
  try {
    const [first, ...others] = texts.map(parseChange);
    if (first === undefined) throw new UsageError('give the file of a change');
    return collect(first, others, verifyWithNodeCrypto);
  } catch (cause) {
    if (cause instanceof CborError || cause instanceof ConfigError) throw new UsageError(cause.message, { cause });
    throw cause;
  }
}

/** What a change says, for people. */
export function wordsOf(change: Change, before?: Pick<Authority, 'hospitals'>): readonly string[] {
  const until = change.expires === undefined ? [] : [`to be in the chain before ${new Date(change.expires).toISOString()}`];
  const head = [`chain ${toHex(change.chain)}, authority ${change.number}: ${change.type}`, ...until];
  if (change.type === 'rotation') return [...head, `new gateway key ${toHex(change.gateway)}`];
  const { hospitals, quorum } = change;
  const members = [`hospitals: ${hospitals.map(({ name, key }) => `${name} ${toHex(key)}`).join(', ')}`, `quorum: ${quorum} of ${hospitals.length} must countersign; ${strengthInWords(hospitals.length, quorum)}`];
  if (change.type === 'replacement') return [...head, `new gateway key ${toHex(change.gateway)}`, `of the old key count blocks up to ${change.last.alarm} of lane alarm and ${change.last.record} of lane record`, ...members];
  const joined = hospitals.filter(({ key }) => before !== undefined && !before.hospitals.some((each) => equalBytes(each.key, key)));
  const left = (before?.hospitals ?? []).filter(({ key }) => !hospitals.some((each) => equalBytes(each.key, key)));
  return [...head, ...(joined.length === 0 ? [] : [`joins: ${namesOf(joined)}`]), ...(left.length === 0 ? [] : [`leaves: ${namesOf(left)}`]), ...members];
}

function strengthInWords(hospitals: number, quorum: number): string {
  const { liars, offline } = quorumStrength(hospitals, quorum);
  const counted = (count: number): string => (count === 0 ? 'none' : String(count));
  return `${counted(liars)} of them may lie and ${counted(offline)} may be away`;
}
