import { messageOf } from '../errors.ts';
import { fingerprintBytes } from '../ledger/es256k.ts';
import type { Release } from '../ledger/release.ts';
import type { Lane } from '../reading.ts';
import { Doorbell } from '../doorbell.ts';
import { Bytes, Minutes, type Millis } from '../quantity.ts';
import { BatchSize } from './batch-size.ts';
import type { HospitalClient, Refused, Unreachable } from './hospital-client.ts';
import type { Traffic } from './link.ts';
import type { UplinkLog } from './relay.ts';
import { RELEASE_PARTS, type ReleaseCursor, type ReleaseCursors, type ReleasePart } from './release-cursors.ts';
import type { RelayTime, RetrySchedule } from './retry.ts';

/** What one release carries. */
export type ReleaseParts = Pick<Release, 'keys' | 'payloads'>;

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
  /** Encodes and signs. */
  sign(release: Omit<Release, 'chain' | 'recipient'>): Uint8Array;
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
  #hpke: Uint8Array | undefined;
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

  /** The hospital has another block, or is to be told of an erasure. */
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
        if (done === 'nothing') await this.#doorbell.wait(LOOK_EVERY);
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
    const part = RELEASE_PARTS.find((each) => this.#behind(each) > 0 && this.#carries(each));
    if (part === undefined) return 'nothing';
    const hpke = await this.#payloadKey();
    if (!(hpke instanceof Uint8Array)) return hpke;
    const blocks = { first: this.#cursor.heights[part] + 1, last: this.#options.heightOf(laneOf(part)) ?? 0 };
    const { last, pieces } = await source.ofBlocks(part, blocks, this.#batch.bytes, hpke);
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

  async #payloadKey(): Promise<Uint8Array | Refused | Unreachable> {
    const answer = this.#hpke ?? await this.#options.client('record').payloadKey(this.#options.hospital.key, this.#stopping.signal);
    if (answer instanceof Uint8Array) this.#hpke = answer;
    return answer;
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
      this.#batch.worked(Bytes(release.length), (time.now() - began) as Millis);
      return undefined;
    }
    if (answer.outcome !== 'old_number') return answer;
    // A power cut took our count: we go on behind the hospital's.
    await this.#save({ ...this.#cursor, number: answer.last });
    return { outcome: 'unreachable', message: `release numbers up to ${answer.last} are used; sending it under the next` };
  }

  async #save(cursor: ReleaseCursor): Promise<void> {
    await this.#options.cursors.save(this.#fingerprint, cursor);
    this.#cursor = cursor;
  }
}

const laneOf = (part: ReleasePart): Lane => (part === 'alarm' ? 'alarm' : 'record');
