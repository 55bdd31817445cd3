/** Sends what a destination may have to it, message by message. */

import { Doorbell } from '../doorbell.ts';
import { messageOf, PeerError } from '../errors.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { IdentityMap } from '../records/identity.ts';
import type { Leases } from '../records/lease.ts';
import type { OutputGate } from '../records/output-gate.ts';
import type { OutputCursors, RecordLog } from '../records/record-log.ts';
import { RetrySchedule, type RelayTime } from '../uplink/retry.ts';
import { reasonOf, verdictOf, type Acknowledgement } from './acknowledgement.ts';
import { controlIdOf, type Addressing } from './header.ts';
import { instant } from './instant.ts';
import { Line, type EngineAddress, type LineTimes } from './line.ts';
import { messageAbout, type KindOfMessage, type Made, type Wanted } from './messages.ts';
import { type Job, type Queue, RecordQueue, SetAsideQueue } from './queue.ts';
import type { SetAsideMessages } from './set-aside.ts';

/** An integration engine, and what it is sent. */
export type Destination = Readonly<{
  name: string;
  address: EngineAddress;
  addressing: Addressing;
  /** What for it gets anything: ActReason code, or HRESCH/study. */
  purpose: string;
  what: readonly KindOfMessage[];
  wanted: Wanted;
  times: LineTimes;
  /** How often a message is tried again that was refused for a reason that may pass. */
  retries: number;
  /** Longest wait after the first failure, doubled by further ones, and ever. */
  retry: Readonly<{ base: Millis; cap: Millis }>;
}>;

/** What becomes of messages; words of a metric. `withheld`: consent leaves nothing of it, or it was erased. */
export type Outcome = 'acknowledged' | 'refused' | 'unanswered' | 'set_aside' | 'withheld';

export type OutputOptions = Readonly<{
  log: RecordLog;
  cursors: OutputCursors;
  setAside: SetAsideMessages;
  gate: OutputGate;
  /** Default: everybody has their pseudonym. */
  identities?: Pick<IdentityMap, 'identifierOf'>;
  leases: Leases;
  /** Another name for every process. */
  holder: string;
  /** The wall clock. */
  clock: () => UnixMillis;
  time: RelayTime;
  /** Numbers from 0 up to, not including, 1. */
  random: () => number;
  logger: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }>;
  onOutcome?: (destination: string, outcome: Outcome) => void;
}>;

export type OutputStatus = Readonly<{
  destination: string;
  /** This process sends to it, not another one. */
  sends: boolean;
  connected: boolean;
  /** Messages that were acknowledged since the start. */
  sent: number;
  lastAck: UnixMillis | null;
  /** Records that came since the last one that needs nothing more, when it was last looked: at most, because not each becomes a message. */
  behind: number | null;
  /** Messages that are set aside. */
  setAside: number;
  /** The last failure since the last acknowledgement. */
  lastError: string | null;
}>;

type Queues = Readonly<{ records: readonly RecordQueue[]; aside: SetAsideQueue; /** The most urgent first. */ all: readonly Queue[] }>;

/** How often it is looked whether somebody asks for something again, through another process. */
const POLL = Seconds(5);
/** Who died sends nothing for so long: alarms wait that long for a process that takes over. */
const LEASE_LENGTH = Seconds(15);
const LEASE_RENEWAL = Seconds(5);
/** How often who has it not asks for it. */
const LEASE_POLL = Seconds(1);

export class Output {
  readonly #destination: Destination;
  readonly #options: OutputOptions;
  /** For connections. */
  readonly #schedule: RetrySchedule;
  readonly #bell = new Doorbell();
  readonly #stopping = new AbortController();
  readonly #leading: Promise<void>;
  readonly #running: Promise<void>;
  readonly #unlisten: () => void;
  /** Undefined while another process sends. */
  #queues: Queues | undefined;
  /** Steady time, as the one below. */
  #heldUntil = Millis(0);
  #lastAnswer = Millis(0);
  #line: Line | undefined;
  #sent = 0;
  #lastAck: UnixMillis | null = null;
  #behind: number | null = null;
  #lastError: string | null = null;

  /** Begins to send. */
  constructor(destination: Destination, options: OutputOptions) {
    this.#destination = destination;
    this.#options = options;
    this.#schedule = this.#newSchedule();
    this.#unlisten = options.log.onMore(() => this.#bell.ring());
    this.#leading = this.#lead();
    this.#running = this.#run();
  }

  get name(): string {
    return this.#destination.name;
  }

  status(): OutputStatus {
    return {
      destination: this.name, sends: this.#queues !== undefined, connected: this.#line?.isOver === false, sent: this.#sent, lastAck: this.#lastAck,
      behind: this.#behind, setAside: this.#queues?.aside.count ?? 0, lastError: this.#lastError,
    };
  }

  /** There is something to do. */
  ring(): void {
    this.#bell.ring();
  }

  /** What is under way is not waited for: without an acknowledgement it is sent again after the next start, under the same id. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unlisten();
    this.#bell.ring();
    await Promise.all([this.#leading, this.#running]);
    if (this.#heldUntil > 0) await this.#options.leases.release(this.#lease, this.#options.holder).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const wait = await this.#turn();
        if (wait !== 0) await this.#rest(wait);
      } catch (thrown) {
        if (signal.aborted) break;
        this.#note(messageOf(thrown));
        await this.#look().catch(() => undefined);
        await this.#options.time.sleep(this.#schedule.failed(), signal);
      }
    }
    this.#line?.end();
  }

  /** Takes the lease and keeps it, whatever is waited for meanwhile. */
  async #lead(): Promise<void> {
    const { signal } = this.#stopping;
    const { leases, holder, time } = this.#options;
    while (!signal.aborted) {
      const asked = time.now();
      // While the store fails it is ours for as long as it was.
      const isHeld = await leases.hold(this.#lease, holder, LEASE_LENGTH).catch(() => undefined);
      if (isHeld === true) this.#heldUntil = Millis(asked + LEASE_LENGTH);
      if (isHeld === false) this.#heldUntil = Millis(0);
      if (this.#isLeading !== (this.#queues !== undefined)) this.#bell.ring();
      if (!this.#isLeading) this.#line?.end();
      await time.sleep(isHeld === true ? LEASE_RENEWAL : LEASE_POLL, signal);
    }
  }

  get #isLeading(): boolean {
    return this.#options.time.now() < this.#heldUntil;
  }

  /** Sends one message. Returns 0, or how long there is nothing to be done at most. */
  async #turn(): Promise<Millis> {
    const queues = await this.#held();
    let wait: number = POLL;
    for (const queue of queues?.all ?? []) {
      const job = await queue.next();
      if (job === undefined) continue;
      const early = queue.notBefore - this.#options.time.now();
      if (early <= 0) {
        await this.#deliver(queue, job);
        return Millis(0);
      }
      wait = Math.min(wait, early);
    }
    return Millis(wait);
  }

  /** Until somebody rings, or for so long. */
  async #rest(wait: Millis): Promise<void> {
    await this.#look();
    const resting = new AbortController();
    void this.#options.time.sleep(wait, resting.signal).then(() => { if (!resting.signal.aborted) this.#bell.ring(); });
    await this.#bell.wait();
    resting.abort();
  }

  /** How far behind it is. */
  async #look(): Promise<void> {
    const newest = await this.#options.log.newest();
    this.#behind = this.#queues === undefined ? null : Math.max(0, ...this.#queues.records.map(({ number }) => newest - number));
  }

  get #lease(): string {
    return `hl7/${this.name}`;
  }

  /** What is to be sent, while it is this process that sends: of several over one store one does, or the order would be nobody's. */
  async #held(): Promise<Queues | undefined> {
    if (this.#isLeading) this.#queues ??= await this.#openQueues();
    else {
      this.#queues = undefined;
      this.#line?.end();
    }
    return this.#queues;
  }

  /** Another process may have sent meanwhile. */
  async #openQueues(): Promise<Queues> {
    const { name, what, wanted } = this.#destination;
    const { log, cursors, setAside } = this.#options;
    const open = async (kind: KindOfMessage): Promise<readonly RecordQueue[]> => (what.includes(kind) ? [await RecordQueue.open({ log, cursors, destination: name, kind, wanted })] : []);
    const [alarms, observations, aside] = [await open('alarms'), await open('observations'), await SetAsideQueue.open(setAside, name)];
    return { records: [...alarms, ...observations], aside, all: [...alarms, aside, ...observations] };
  }

  async #deliver(queue: Queue, job: Job): Promise<void> {
    // Asked once there is somebody to send it to, because what the gate shows is written down as disclosed.
    const line = await this.#connected();
    const made = await this.#make(job);
    if (made === undefined || 'unwanted' in made) {
      this.#count('withheld');
      await queue.passed(job);
    } else if ('unreadable' in made) await this.#setAside(queue, job, made.unreadable);
    else await this.#send(line, queue, job, made.message);
  }

  async #send(line: Line, queue: Queue, job: Job, message: string): Promise<void> {
    let answer: Acknowledgement;
    try {
      answer = await line.send(message, controlIdOf(job), this.#destination.addressing.acknowledgement);
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw thrown;
      if (!this.#stopping.signal.aborted) await this.#unanswered(queue, job, thrown);
      return;
    }
    this.#lastAnswer = this.#options.time.now();
    const verdict = verdictOf(answer);
    if (verdict === 'taken' || verdict === 'commit') await this.#taken(queue, job);
    else await this.#refused(queue, job, answer, verdict === 'refused for good');
  }

  async #taken(queue: Queue, job: Job): Promise<void> {
    this.#schedule.worked();
    this.#sent += 1;
    this.#lastAck = this.#options.clock();
    this.#lastError = null;
    this.#count('acknowledged');
    await queue.passed(job);
  }

  async #refused(queue: Queue, job: Job, answer: Acknowledgement, forGood: boolean): Promise<void> {
    const reason = reasonOf(answer);
    this.#count('refused');
    this.#options.logger.warn({ destination: this.name, record: job.number, reason }, 'a message was refused');
    this.#lastError = `record ${job.number}: ${reason}`;
    if (forGood || queue.refusals >= this.#destination.retries) return await this.#setAside(queue, job, reason);
    queue.refusals += 1;
    this.#wait(queue);
  }

  /**
   * Nobody knows what became of it: it is sent again. Only where others are answered after it was sent, again and again, it is this message that
   * the engine cannot bear.
   */
  async #unanswered(queue: Queue, job: Job, fault: PeerError): Promise<void> {
    this.#count('unanswered');
    this.#note(fault.message);
    const { times, since } = queue.unanswered ?? { times: 0, since: this.#options.time.now() };
    if (times >= this.#destination.retries && this.#lastAnswer > since) return await this.#setAside(queue, job, `${fault.message}, while others are answered`);
    queue.unanswered = { times: times + 1, since };
    this.#wait(queue);
  }

  /** Others go on meanwhile. */
  #wait(queue: Queue): void {
    queue.schedule ??= this.#newSchedule();
    queue.notBefore = Millis(this.#options.time.now() + queue.schedule.failed());
  }

  #newSchedule(): RetrySchedule {
    return new RetrySchedule(this.#destination.retry, this.#options.random, this.#options.time.now);
  }

  async #setAside(queue: Queue, job: Job, reason: string): Promise<void> {
    const { number, chain, entry, kind } = job;
    const queues = this.#queues;
    // Whoever sends now meets it, too.
    if (queues === undefined || !this.#isLeading) return;
    // Before the cursor moves on: between the two it would be nowhere.
    await queues.aside.put({ number, chain, entry, kind, controlId: controlIdOf(job), at: this.#options.clock(), reason }, queue);
    this.#count('set_aside');
    this.#options.logger.warn({ destination: this.name, record: number }, 'a message was set aside');
    await queue.passed(job);
  }

  async #connected(): Promise<Line> {
    if (this.#line !== undefined && !this.#line.isOver) return this.#line;
    const { address, times, addressing } = this.#destination;
    const { clock, logger } = this.#options;
    this.#line = await Line.open({
      address, times, signal: this.#stopping.signal,
      now: () => instant(clock(), addressing.timeZone),
      onStray: (stray) => logger.warn({ destination: this.name, answer: stray }, 'an acknowledgement that nobody waits for'),
    });
    logger.info({ destination: this.name }, 'connected to an integration engine');
    return this.#line;
  }

  /** Undefined for what is erased, and for what may not be shown. */
  async #make({ chain, entry }: Job): Promise<Made | undefined> {
    const { log, gate, identities, clock } = this.#options;
    const { name, purpose, wanted, addressing } = this.#destination;
    const record = await log.record(chain, entry);
    if (record === undefined) return undefined;
    const [shown] = await gate.show({ id: name, purpose, by: 'hl7' }, [record]);
    if (shown === undefined) return undefined;
    const identity = await identities?.identifierOf(shown.subject);
    return messageAbout(shown, wanted, { addressing, now: clock(), ...(identity && { identity }) });
  }

  #note(why: string): void {
    if (this.#lastError !== why) this.#options.logger.warn({ destination: this.name, reason: why }, 'nothing gets to an integration engine');
    this.#lastError = why;
  }

  #count(outcome: Outcome): void {
    this.#options.onOutcome?.(this.name, outcome);
  }
}
