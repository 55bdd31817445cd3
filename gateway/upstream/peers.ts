/**
 * The nodes of other hospitals that copies of chains are made from. Each is asked again and again what has changed there; whatever is more than here,
 * or other than here, is copied or compared (lane-copy.ts). No peer waits for another, and what one does wrong is between it and us.
 */

import { messageOf, PeerError, StoreError } from '../errors.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import { Bytes, formatBytes, Millis, Minutes, Seconds } from '../quantity.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';
import type { ToldHead } from './head-book.ts';
import { type Claim, type CopyOptions, type CopyResult, LaneCopy } from './lane-copy.ts';
import { PeerClient } from './peer-client.ts';
import { copyReceipts, receiptsNeededFrom } from './receipt-copy.ts';
import { SignatureThreads } from './signature-threads.ts';

/** What is configured of a peer. */
export type PeerSetting = Readonly<{
  name: string;
  url: string;
  /** 33 bytes. */
  key: Uint8Array;
  copy: 'own' | 'all';
  every: Millis;
  /** Lanes at a time. */
  parallel: number;
  /** Most bytes in a day (UTC). Default: no limit. */
  budget?: Bytes;
  /** Authorities (PEM) of an ordinary certificate. */
  ca?: string;
}>;

export type PeerStatus = Readonly<{
  name: string;
  /** Whether it answered when it was asked last. */
  reachable: boolean;
  /** Chains and blocks that it has and that are not here, as far as it has told. */
  chainsBehind: number;
  blocksBehind: number;
  /** Unix milliseconds; null before the first answer. */
  lastContact: number | null;
  blocksPulled: number;
  receiptsPulled: number;
  bytesRead: number;
  /** Lanes of which it told or gave something that is not true. */
  refused: number;
  /** Forked lanes that were found with what it gave. */
  forks: number;
  lastError: string | null;
}>;

export type PeersOptions = Omit<CopyOptions, 'onCopied' | 'signatures'> & Readonly<{
  peers: readonly PeerSetting[];
  /** What we show. Default: nothing. */
  certificate?: () => Promise<NodeCertificate>;
  /** A clock that only goes forward. */
  monotonic: () => Millis;
  /** From 0 up to, not including, 1. */
  random: () => number;
  onStoreFault: (fault: StoreError) => void;
  /** A lane that lacks fewer blocks than this is left to its gateway, which usually is about to bring them, until the peer is asked again. Default 32. */
  gatewayBrings?: number;
  /** How long a lane waits for receipts after it was asked for some. Default 10 min. */
  receiptsEvery?: Millis;
  /** See {@link PeerClientOptions}. */
  patience?: Millis;
}>;

/** `blocks`: appended since {@link Peers.copyAll} was called; `missing`: known to be missing still. */
export type CopyProgress = Readonly<{ chains: number; blocks: number; missing: number; bytes: number; receipts: number }>;

/** Longest pause after failures, and of a lane that was refused. */
const LONGEST_PAUSE: Millis = Minutes(10);
const LONGEST_REFUSAL: Millis = Minutes(60);
const FIRST_REFUSAL: Millis = Seconds(30);
/** More lanes than any hospital has: a peer that tells of more is not believed to. */
const MOST_LANES = 1_000_000;
/** Chains that a peer made up would be remembered for ever. */
const MOST_REFUSED = 10_000;
/** A node is told of few blocks all the time. */
const WORTH_TELLING = 1000;
const BUSY_PAUSE: Millis = Millis(100);
const DAY_MS = 86_400_000;

export class Peers {
  readonly #peers: readonly Peer[];
  readonly #signatures = new SignatureThreads();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: PeersOptions) {
    const busy = new Set<string>();
    this.#peers = options.peers.map((setting) => new Peer(setting, { ...options, signatures: this.#signatures }, busy));
  }

  /** Copies in the background until {@link close}. */
  start(): void {
    this.#running ??= Promise.all(this.#peers.map((peer) => peer.run(this.#stopping.signal)));
  }

  /** One for each peer, in the order of the configuration. */
  status(): readonly PeerStatus[] {
    return this.#peers.map((peer) => peer.status());
  }

  /**
   * Copies everything the peers have now, with receipts, and resolves with what is in the way of the rest, a line for each; none when there is nothing.
   * Called again it goes on. Rejects with {@link StoreError}, or what the signal is aborted with.
   */
  async copyAll(onProgress: (progress: CopyProgress) => void, signal: AbortSignal): Promise<readonly string[]> {
    const tell = (): void => onProgress(this.#peers.map((peer) => peer.progress()).reduce(added));
    if (this.#peers.length === 0) return [];
    const ticking = setInterval(tell, 200);
    try {
      const troubles = await Promise.all(this.#peers.map((peer) => peer.copyAll(AbortSignal.any([signal, this.#stopping.signal]))));
      return troubles.flat();
    } finally {
      clearInterval(ticking);
      tell();
    }
  }

  /** Ends what is under way; what was copied stays. */
  async close(): Promise<void> {
    this.#stopping.abort(new PeerError('VG_PEER_UNREACHABLE', 'the node is closing'));
    await this.#running;
    await Promise.all(this.#peers.map((peer) => peer.close()));
    await this.#signatures.close();
  }
}

const added = (one: CopyProgress, other: CopyProgress): CopyProgress => ({
  chains: one.chains + other.chains, blocks: one.blocks + other.blocks, missing: one.missing + other.missing, bytes: one.bytes + other.bytes, receipts: one.receipts + other.receipts,
});

type Wanted = Readonly<{ claim: Claim; /** Blocks that it is more than what is here. */ missing: number; /** The round it was seen in first. */ since: number }>;
type PeerOptions = PeersOptions & Readonly<{ signatures: SignatureThreads }>;
type Refusal = Readonly<{ until: Millis; times: number }>;

class Peer {
  readonly #setting: PeerSetting;
  readonly #options: PeerOptions;
  readonly #client: PeerClient;
  readonly #copy: LaneCopy;
  /** Lanes that are being copied, from whomever. */
  readonly #busy: Set<string>;
  /** What it told of and what was not looked at to the end, by lane. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #refusals = new Map<string, Refusal>();
  /** Where receipts of a lane go on, and when that was asked. */
  readonly #receipts = new Map<string, Readonly<{ from: number; at: Millis }>>();
  #cursor: string | undefined;
  #round = 0;
  #failures = 0;
  #reachable = false;
  #lastContact: number | null = null;
  #lastError: string | null = null;
  #spent = { day: 0, bytes: 0 };
  #counts = { blocks: 0, receipts: 0, bytes: 0, refused: 0, forks: 0 };

  constructor(setting: PeerSetting, options: PeerOptions, busy: Set<string>) {
    [this.#setting, this.#options, this.#busy] = [setting, options, busy];
    const { certificate, monotonic, patience } = options;
    this.#client = new PeerClient({
      url: setting.url, key: setting.key, connections: setting.parallel + 1, now: monotonic, onBytes: (bytes) => this.#count(bytes),
      ...(certificate && { certificate }), ...(setting.ca !== undefined && { ca: setting.ca }), ...(patience !== undefined && { patience }),
    });
    this.#copy = new LaneCopy({ ...options, onCopied: (id, blocks) => this.#took(id, blocks) });
  }

  status(): PeerStatus {
    const behind = [...this.#wanted.values()].filter(({ missing }) => missing > 0);
    return {
      name: this.#setting.name,
      reachable: this.#reachable,
      chainsBehind: new Set(behind.map(({ claim }) => toHex(claim.chain))).size,
      blocksBehind: behind.reduce((sum, { missing }) => sum + missing, 0),
      lastContact: this.#lastContact,
      blocksPulled: this.#counts.blocks,
      receiptsPulled: this.#counts.receipts,
      bytesRead: this.#counts.bytes,
      refused: this.#counts.refused,
      forks: this.#counts.forks,
      lastError: this.#lastError,
    };
  }

  progress(): CopyProgress {
    const { chainsBehind, blocksBehind } = this.status();
    return { chains: chainsBehind, blocks: this.#counts.blocks, missing: blocksBehind, bytes: this.#counts.bytes, receipts: this.#counts.receipts };
  }

  /** Asks, copies and sleeps until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tryRound(signal, { hurry: false });
      await sleep(this.#pause(), signal);
    }
  }

  /** Everything there is now; what is in the way of the rest. */
  async copyAll(signal: AbortSignal): Promise<readonly string[]> {
    const { name } = this.#setting;
    // Somebody waits: what was refused before is asked for once more.
    this.#refusals.clear();
    for (;;) {
      const fault = await this.#tryRound(signal, { hurry: true });
      signal.throwIfAborted();
      if (fault instanceof StoreError) throw fault;
      if (fault !== undefined) return [`${name}: ${messageOf(fault)}`];
      // Others are copied from another peer at this moment.
      if ([...this.#wanted.keys()].every((each) => this.#refusals.has(each))) break;
      await sleep(BUSY_PAUSE, signal);
    }
    const left = this.#wanted.size;
    return left === 0 && this.#refusals.size === 0 ? [] : [`${name}: ${this.#refusals.size} lanes refused, ${left} not complete${this.#lastError === null ? '' : ` (${this.#lastError})`}`];
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #pause(): Millis {
    const { every } = this.#setting;
    const longest = Math.max(every, LONGEST_PAUSE);
    // Nodes that were started together are not to ask together for ever.
    return Millis(Math.min(longest, every * 2 ** this.#failures) * (0.75 + this.#options.random() / 2));
  }

  async #tryRound(signal: AbortSignal, how: Readonly<{ hurry: boolean }>): Promise<unknown> {
    const { log, onStoreFault } = this.#options;
    const { name } = this.#setting;
    let hasAnswered = false;
    const before = this.#counts.blocks;
    try {
      this.#heedBudget();
      await this.#listen(signal);
      hasAnswered = true;
      await this.#work(signal, how);
      if (this.#failures > 0) log.info({ peer: name }, 'the node of another hospital answers again');
      this.#failures = 0;
      const copied = this.#counts.blocks - before;
      if (copied >= WORTH_TELLING) log.info({ peer: name, blocks: copied }, 'copied blocks from the node of another hospital');
      return undefined;
    } catch (thrown) {
      if (signal.aborted) return thrown;
      this.#lastError = this.#isSpent ? this.#spentMessage : messageOf(thrown);
      if (thrown instanceof StoreError) onStoreFault(thrown);
      if (thrown instanceof PeerError && (!hasAnswered || thrown.code === 'VG_PEER_UNREACHABLE') && !this.#isSpent) this.#reachable = false;
      if (this.#failures === 0) log.warn({ peer: name, error: messageOf(thrown) }, 'nothing can be copied from the node of another hospital now; trying again, ever more slowly');
      this.#failures = Math.min(this.#failures + 1, 20);
      return thrown;
    }
  }

  /** Takes over what has changed there. */
  async #listen(signal: AbortSignal): Promise<void> {
    const { copy, name } = this.#setting;
    this.#round += 1;
    for (let more = true; more; ) {
      const page = await this.#client.heads({ since: this.#cursor, hospital: copy === 'own' ? toHex(this.#options.key) : undefined }, signal);
      if (!this.#reachable) this.#options.log.info({ peer: name }, 'the node of another hospital is there');
      [this.#reachable, this.#lastContact] = [true, this.#options.now()];
      if (page.more && page.cursor === this.#cursor) throw new PeerError('VG_PEER_MALFORMED', `${name} says that there is more, and gives the same cursor again`);
      for (const head of page.heads) await this.#note(head);
      [this.#cursor, more] = [page.cursor, page.more];
    }
  }

  async #note(head: ToldHead): Promise<void> {
    const claim = { chain: Uint8Array.from(Buffer.from(head.chain, 'hex')), lane: head.lane, height: head.height, hash: head.hash, forked: head.forked };
    const name = nameOf(claim);
    const here = (await this.#options.blocks.head(claim))?.height ?? -1;
    const known = this.#wanted.get(name);
    if (known === undefined && this.#wanted.size >= MOST_LANES) throw new PeerError('VG_PEER_MALFORMED', `it tells of more than ${MOST_LANES} lanes`);
    const isCaughtUp = known === undefined || here >= known.claim.height;
    this.#wanted.set(name, { claim, missing: Math.max(0, head.height - here), since: isCaughtUp ? this.#round : known.since });
  }

  /** Looks at every lane it told of, several at a time. */
  async #work(signal: AbortSignal, { hurry }: Readonly<{ hurry: boolean }>): Promise<void> {
    const names = [...this.#wanted.keys()].values();
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const worker = async (): Promise<void> => {
      try {
        for (const name of names) {
          if (either.aborted) return;
          await this.#visit(name, hurry, either);
        }
      } catch (thrown) {
        failed.abort(thrown);
        throw thrown;
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: this.#setting.parallel }, worker));
    if (failed.signal.aborted) throw failed.signal.reason;
    const rejected = ended.find((each) => each.status === 'rejected');
    if (rejected !== undefined) throw rejected.reason;
  }

  async #visit(name: string, hurry: boolean, signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted.get(name);
    const { monotonic, countersigner, blocks, gatewayBrings = 32 } = this.#options;
    if (wanted === undefined || this.#busy.has(name) || monotonic() < (this.#refusals.get(name)?.until ?? 0)) return;
    const { claim, since } = wanted;
    const here = (await blocks.head(claim))?.height ?? -1;
    const missing = claim.height - here;
    this.#wanted.set(name, { ...wanted, missing: Math.max(0, missing) });
    if (!hurry && here >= 0 && missing > 0 && missing < gatewayBrings && since === this.#round) return;
    this.#heedBudget();
    this.#busy.add(name);
    try {
      const isNews = claim.forked && !countersigner.isForked(claim);
      const copied = await this.#copy.copy(claim, this.#client, { own: this.#setting.copy === 'own' }, signal);
      const result = isNews && copied.outcome === 'level' ? await this.#copy.hearOfFork(claim, this.#client, signal) : copied;
      this.#judge(name, wanted, result);
      if (result.outcome === 'level') await this.#receive(name, claim, hurry, signal);
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw thrown;
      // The others come before it when the peer is asked next.
      this.#wanted.delete(name);
      this.#wanted.set(name, wanted);
      if (thrown.code === 'VG_PEER_UNREACHABLE') throw thrown;
      this.#refuse(name, claim, thrown.message);
    } finally {
      this.#busy.delete(name);
    }
  }

  #took(id: LaneId, blocks: number): void {
    this.#counts.blocks += blocks;
    const name = nameOf(id);
    const wanted = this.#wanted.get(name);
    if (wanted !== undefined) this.#wanted.set(name, { ...wanted, missing: Math.max(0, wanted.missing - blocks) });
  }

  #judge(name: string, { claim }: Wanted, result: CopyResult): void {
    if (result.outcome === 'refused') return this.#refuse(name, claim, `${result.reason}: ${result.message}`);
    if (result.outcome === 'not_party') return this.#refuse(name, claim, 'the chain does not name this hospital');
    this.#refusals.delete(name);
    // A peer tells again of a lane that changes there.
    if (this.#wanted.get(name)?.claim === claim) this.#wanted.delete(name);
    if (result.outcome === 'forked' && result.isNew) this.#counts.forks += 1;
  }

  #refuse(name: string, { chain, lane }: LaneId, message: string): void {
    const { monotonic, log } = this.#options;
    const times = (this.#refusals.get(name)?.times ?? 0) + 1;
    if (times === 1) log.warn({ peer: this.#setting.name, chain: toHex(chain), lane, error: message }, 'what the node of another hospital tells or gives of a lane is refused; it is asked for it again, ever more rarely');
    this.#counts.refused += 1;
    this.#lastError = message;
    if (this.#refusals.size >= MOST_REFUSED) throw new PeerError('VG_PEER_MALFORMED', `${MOST_REFUSED} of its lanes were refused: ${message}`);
    this.#refusals.set(name, { until: Millis(monotonic() + Math.min(LONGEST_REFUSAL, FIRST_REFUSAL * 2 ** (times - 1))), times });
  }

  async #receive(name: string, id: LaneId, hurry: boolean, signal: AbortSignal): Promise<void> {
    const { blocks, monotonic, receiptsEvery = Minutes(10) } = this.#options;
    const known = this.#receipts.get(name);
    if (!hurry && known !== undefined && monotonic() - known.at < receiptsEvery) return;
    const from = known?.from ?? (await receiptsNeededFrom(blocks, id, this.#setting.key));
    const at = monotonic();
    if (from > ((await blocks.head(id))?.height ?? -1)) {
      this.#receipts.set(name, { from, at });
      return;
    }
    const { kept, through, message } = await copyReceipts(blocks, { chain: id.chain, lane: id.lane }, { peer: this.#client, from, signatures: this.#options.signatures }, signal);
    this.#counts.receipts += kept;
    this.#receipts.set(name, { from: through === undefined ? from : through + 1, at });
    if (message !== undefined) this.#refuse(name, id, message);
  }

  /** Throws when the budget is used up, which ends what is being read. */
  #count(bytes: number): void {
    this.#counts.bytes += bytes;
    const day = this.#today;
    this.#spent = { day, bytes: (this.#spent.day === day ? this.#spent.bytes : 0) + bytes };
    this.#heedBudget();
  }

  get #today(): number {
    return Math.floor(this.#options.now() / DAY_MS);
  }

  get #isSpent(): boolean {
    const { budget } = this.#setting;
    return budget !== undefined && this.#spent.day === this.#today && this.#spent.bytes >= budget;
  }

  get #spentMessage(): string {
    return `the ${formatBytes(this.#setting.budget ?? Bytes(0))} of this day are used up`;
  }

  #heedBudget(): void {
    if (this.#isSpent) throw new PeerError('VG_PEER_UNREACHABLE', this.#spentMessage);
  }
}

const nameOf = ({ chain, lane }: LaneId): string => `${toHex(chain)}/${lane}`;

/** Resolves after that time, or when the signal is aborted. */
async function sleep(time: Millis, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time);
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', wake);
}
