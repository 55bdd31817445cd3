import { messageOf, PeerError } from '../errors.ts';
import { fingerprintBytes } from '../ledger/es256k.ts';
import type { Release } from '../ledger/release.ts';
import type { Lane } from '../reading.ts';
import { Doorbell } from '../doorbell.ts';
import { Bytes, Millis, Minutes, Seconds } from '../quantity.ts';
import { BatchSize } from './batch-size.ts';
import type { HospitalClient, PayloadKey, Refused, Unreachable } from './hospital-client.ts';
import type { Traffic } from './link.ts';
import type { UplinkLog } from './relay.ts';
import { RELEASE_PARTS, type ReleaseCursor, type ReleaseCursors, type ReleasePart } from './release-cursors.ts';
import type { RelayTime, RetrySchedule } from './retry.ts';

/** What one release carries. */
export type ReleaseParts = Pick<Release, 'keys' | 'payloads' | 'consents'>;

/** What a hospital is to be told of consents. `told`: what is remembered once it knows. */
export type ConsentNews = Readonly<{ parts: ReleaseParts; told: Parameters<ReleaseCursors['saveTold']>[1] }>;

/** Blocks that follow each other, the first and the last of them. */
export type BlockRange = Readonly<{ first: number; last: number }>;
/** What a hospital may have of the blocks up to `last`, in the order of their entries; mostly one piece, and none where it may have nothing. */
export type ReleasedBlocks = Readonly<{ last: number; pieces: readonly ReleaseParts[] }>;

export interface ReleaseSource {
  /**
   * What a hospital may have of blocks from the first on: as many as fill a piece of that size, which only one payload by itself is longer
   * than. `hpke`: the key that content keys are sealed for, 32 bytes.
   */
  ofBlocks(part: ReleasePart, range: BlockRange, size: Bytes, hpke: Uint8Array): Promise<ReleasedBlocks>;
  /** Whether there is anything that the hospital does not know yet of what patients permit. */
  hasConsentNews(): Promise<boolean>;
  /** A piece of it, of that size. Undefined: it knows all. */
  consentNews(size: Bytes, hpke: Uint8Array): Promise<ConsentNews | undefined>;
  /** Nobody knows any more what the hospital was told of consents. */
  tellAllAgain(): Promise<void>;
  /** Encodes and signs. */
  sign(release: Omit<Release, 'chain' | 'recipient'>): Uint8Array;
}

/** What people at the hospital did with somebody's data comes back here. */
export interface NoteTaker {
  /** The number of the last note that was taken; 0 before the first. */
  readonly last: number;
  /** Encodes and signs the question for those after it. */
  ask(): Uint8Array;
  /** Takes what a hospital answered, each note once, durably. Throws {@link PeerError} for what is not its word. */
  take(notes: readonly Uint8Array[]): Promise<void>;
}

export type ReleaseRelayOptions = Readonly<{
  chain: Uint8Array;
  hospital: Readonly<{ name: string; key: Uint8Array }>;
  /** Requests that carry such traffic. */
  client: (traffic: Traffic) => HospitalClient;
  /** Whether a link is there that carries such traffic. */
  carries: (traffic: Traffic) => boolean;
  source: ReleaseSource;
  cursors: ReleaseCursors;
  /** Default: the hospital's notes are not asked for. */
  notes?: NoteTaker;
  /** Up to where the hospital has the blocks of a lane: payloads follow them, never the other way round. */
  heightOf: (lane: Lane) => number | undefined;
  /** Awaited before anything but payloads of alarms is sent: blocks of alarms may be on their way. Default: none are. */
  turn?: () => Promise<void>;
  retry: RetrySchedule;
  time: RelayTime;
  log: UplinkLog;
}>;

export type ReleaseStatus = Readonly<{
  hospital: string;
  /** By part: blocks that the hospital has and whose payloads were not looked through yet. */
  behind: Readonly<Record<ReleasePart, number>>;
  /** Parts that no link there carries at the moment. */
  held: readonly ReleasePart[];
  /** What is in the way. */
  lastError: string | undefined;
}>;

const NONE: ReleaseCursor = { number: 0, heights: { alarm: 0, record: 0, detail: 0 } };
/** Nobody rings when a content key was erased while no release is due. */
const LOOK_EVERY: Millis = Minutes(1);
const MOST_ERASED = 1000;
/** How often a hospital is asked for notes that has answered no release meanwhile, over a cheap link and over one that costs: each answer says whether there are any. */
const ASK_NOTES_EVERY: Readonly<{ cheap: Millis; costly: Millis }> = { cheap: Seconds(30), costly: Minutes(2) };
/** How often a node that does not ask what patients permit is asked whether it does now. */
const ASK_KEY_EVERY: Millis = Minutes(10);

/**
 * Carries payloads to one hospital, behind the blocks, alarms first and details only where a link is cheap. What is in doubt is sent again: the
 * hospital takes it twice and keeps it once.
 */
export class ReleaseRelay {
  readonly #options: ReleaseRelayOptions;
  readonly #fingerprint: Uint8Array;
  readonly #stopping = new AbortController();
  readonly #doorbell = new Doorbell();
  readonly #batch = new BatchSize();
  #cursor = NONE;
  #key: PayloadKey | undefined;
  #keyAskedAt = -Infinity;
  /** Of the last note at the hospital, as far as it said. */
  #newestNote = 0;
  /** When it last said so, or was asked. */
  #notesKnownAt = -Infinity;
  #tellAgainAt = -Infinity;
  /** The hospital wants waveforms whatever they cost; said anew with every answer. */
  #areDetailsAsked = false;
  #lastError: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReleaseRelayOptions) {
    this.#options = options;
    this.#fingerprint = fingerprintBytes(options.hospital.key);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The hospital has another block, or is to be told of an erasure, or of what somebody permits. */
  wake(): void {
    this.#doorbell.ring();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#doorbell.ring();
    await this.#running;
  }

  get status(): ReleaseStatus {
    const { hospital } = this.#options;
    const behind = Object.fromEntries(RELEASE_PARTS.map((part) => [part, this.#behind(part)])) as ReleaseStatus['behind'];
    return { hospital: hospital.name, behind, held: RELEASE_PARTS.filter((part) => behind[part] > 0 && !this.#carries(part)), lastError: this.#lastError };
  }

  async #run(): Promise<void> {
    const { cursors, retry, time } = this.#options;
    let loaded = false;
    while (!this.#stopping.signal.aborted) {
      let trouble: Refused | Unreachable | undefined;
      let worked = false;
      try {
        if (!loaded) this.#cursor = (await cursors.load(this.#fingerprint)) ?? NONE;
        loaded = true;
        const done = await this.#next();
        if (done === 'nothing') await this.#doorbell.wait(this.#options.notes === undefined ? LOOK_EVERY : Millis(Math.min(LOOK_EVERY, this.#askNotesEvery)));
        else if (done === 'sent') worked = true;
        else trouble = done;
      } catch (thrown) {
        trouble = { outcome: 'unreachable', message: messageOf(thrown) };
      }
      if (this.#stopping.signal.aborted) return;
      this.#tell(trouble);
      if (worked) retry.worked();
      else if (trouble !== undefined) await time.sleep(trouble.outcome === 'refused' ? retry.refused() : retry.failed(), this.#stopping.signal);
    }
  }

  #tell(trouble: Refused | Unreachable | undefined): void {
    const { hospital, log } = this.#options;
    const said = trouble === undefined ? undefined : `${trouble.outcome === 'refused' ? `${trouble.reason}: ` : ''}${trouble.message}`;
    if (said !== undefined && said !== this.#lastError) log.warn({ hospital: hospital.name, detail: said }, 'payloads do not get to the hospital; trying again');
    this.#lastError = said;
  }

  async #next(): Promise<'sent' | 'nothing' | Refused | Unreachable> {
    const { cursors, source } = this.#options;
    const erased = await cursors.erased(this.#fingerprint, MOST_ERASED);
    if (erased.length > 0) {
      const trouble = await this.#send({ keys: [], payloads: [] }, erased);
      if (trouble === undefined) await cursors.removeErased(this.#fingerprint, erased);
      return trouble ?? 'sent';
    }
    const told = await this.#tellConsents();
    if (told !== 'nothing') return told;
    await this.#fetchNotes();
    const part = RELEASE_PARTS.find((each) => this.#behind(each) > 0 && this.#carries(each));
    if (part === undefined) return 'nothing';
    const key = await this.#payloadKey();
    if (key.outcome !== 'key') return key;
    const blocks = { first: this.#cursor.heights[part] + 1, last: this.#options.heightOf(laneOf(part)) ?? 0 };
    const { last, pieces } = await source.ofBlocks(part, blocks, this.#batch.bytes, key.hpke);
    for (const parts of pieces) {
      if (part !== 'alarm') await this.#options.turn?.();
      const trouble = await this.#send(parts, [], part);
      if (trouble !== undefined) return trouble;
    }
    await this.#save({ ...this.#cursor, heights: { ...this.#cursor.heights, [part]: last } });
    return 'sent';
  }

  /** The last block whose payloads the hospital has, as far as it may have them; 0 before the first. */
  given(part: ReleasePart): number {
    return this.#cursor.heights[part];
  }

  #carries(part: ReleasePart): boolean {
    return this.#options.carries(this.#trafficOf(part));
  }

  #trafficOf(part: ReleasePart): Traffic {
    return part === 'detail' && this.#areDetailsAsked ? 'record' : part;
  }

  #behind(part: ReleasePart): number {
    return Math.max(0, (this.#options.heightOf(laneOf(part)) ?? 0) - this.#cursor.heights[part]);
  }

  async #payloadKey(): Promise<PayloadKey | Refused | Unreachable> {
    const now = this.#options.time.now();
    const isOld = this.#key?.takesConsents === false && now - this.#keyAskedAt >= ASK_KEY_EVERY;
    if (this.#key !== undefined && !isOld) return this.#key;
    const answer = await this.#options.client('record').payloadKey(this.#options.hospital.key, this.#stopping.signal);
    this.#keyAskedAt = now;
    if (answer.outcome === 'key') this.#key = answer;
    return answer;
  }

  /** Before any payload: what is shown of it there is asked by what is known there then. A node that refuses gets payloads all the same: it shows nothing of them. */
  async #tellConsents(): Promise<'sent' | 'nothing' | Unreachable> {
    const { source, cursors, turn, time } = this.#options;
    if (time.now() < this.#tellAgainAt || !(await source.hasConsentNews())) return 'nothing';
    const key = await this.#payloadKey();
    if (key.outcome === 'refused' || (key.outcome === 'key' && !key.takesConsents)) return 'nothing';
    if (key.outcome !== 'key') return key;
    const news = await source.consentNews(this.#batch.bytes, key.hpke);
    if (news === undefined) return 'nothing';
    await turn?.();
    const trouble = await this.#send(news.parts, []);
    if (trouble?.outcome === 'refused') return this.#consentsRefused(trouble);
    if (trouble === undefined) await cursors.saveTold(this.#fingerprint, news.told);
    return trouble ?? 'sent';
  }

  #consentsRefused({ reason, message }: Refused): 'nothing' {
    const { log, hospital, time } = this.#options;
    log.warn({ hospital: hospital.name, detail: `${reason}: ${message}` }, 'the hospital does not take what patients permit; telling it again');
    // Another key may be in its data folder than the one it was sealed for.
    this.#key = undefined;
    this.#tellAgainAt = time.now() + LOOK_EVERY;
    return 'nothing';
  }

  get #askNotesEvery(): Millis {
    return this.#options.carries('detail') ? ASK_NOTES_EVERY.cheap : ASK_NOTES_EVERY.costly;
  }

  /** What goes wrong here holds up nothing: it is asked again. */
  async #fetchNotes(): Promise<void> {
    const { notes, time, chain, hospital, client, log } = this.#options;
    const isAsked = this.#newestNote > (notes?.last ?? 0) || time.now() - this.#notesKnownAt >= this.#askNotesEvery;
    if (notes === undefined || !isAsked) return;
    this.#notesKnownAt = time.now();
    const key = await this.#payloadKey();
    if (key.outcome !== 'key' || !key.takesConsents) return;
    for (let before = -1; before < notes.last;) {
      before = notes.last;
      const answer = await client('record').notes(chain, notes.ask(), this.#stopping.signal);
      this.#newestNote = 0;
      if (answer.outcome !== 'notes') {
        log.warn({ hospital: hospital.name, detail: answer.message }, 'the hospital does not say what was done there with the data of ours; asking again');
        return;
      }
      try {
        await notes.take(answer.notes);
      } catch (thrown) {
        if (!(thrown instanceof PeerError)) throw thrown;
        log.warn({ hospital: hospital.name, detail: thrown.message }, 'what the hospital says was done there with the data of ours is not taken; asking again');
        return;
      }
    }
  }

  /** Undefined when the hospital has it. */
  async #send(parts: ReleaseParts, erased: readonly Uint8Array[], part: ReleasePart = 'record'): Promise<Refused | Unreachable | undefined> {
    const { chain, source, time } = this.#options;
    // Numbered before it is sent: with one that was used already the hospital would take other content for the same.
    await this.#save({ ...this.#cursor, number: this.#cursor.number + 1 });
    const release = source.sign({ number: this.#cursor.number, ...parts, erased });
    const began = time.now();
    const answer = await this.#options.client(this.#trafficOf(part)).release(chain, release, this.#stopping.signal);
    if (answer.outcome === 'unreachable') this.#batch.failed();
    if (answer.outcome === 'taken') {
      this.#areDetailsAsked = answer.detailsAsked;
      if (this.#key !== undefined) this.#key = { ...this.#key, takesConsents: answer.takesConsents };
      // It has lost its store.
      if (!answer.told) await source.tellAllAgain();
      this.#newestNote = answer.notes;
      this.#notesKnownAt = time.now();
      this.#batch.worked(Bytes(release.length), (time.now() - began) as Millis);
      return undefined;
    }
    if (answer.outcome !== 'old_number') return answer;
    // A power cut, or a restored backup, took our count: we go on behind the hospital's. What it was told last is not known either.
    await source.tellAllAgain();
    await this.#save({ ...this.#cursor, number: answer.last });
    return { outcome: 'unreachable', message: `release numbers up to ${answer.last} are used; sending it under the next` };
  }

  async #save(cursor: ReleaseCursor): Promise<void> {
    await this.#options.cursors.save(this.#fingerprint, cursor);
    this.#cursor = cursor;
  }
}

const laneOf = (part: ReleasePart): Lane => (part === 'alarm' ? 'alarm' : 'record');
