/** Sends what a destination may have to it, message by message. */

import { Doorbell } from '../doorbell.ts';
import { messageOf, PeerError } from '../errors.ts';
import { Millis, type UnixMillis } from '../quantity.ts';
import type { OutputGate } from '../records/output-gate.ts';
import type { OutputCursors, RecordLog } from '../records/record-log.ts';
import type { KnownSubject } from '../records/record.ts';
import { RetrySchedule, type RelayTime } from '../uplink/retry.ts';
import { verdictOf, type Acknowledgement } from './acknowledgement.ts';
import { controlIdOf, type Addressing, type KnownIdentity } from './header.ts';
import { instant } from './instant.ts';
import { Line, type EngineAddress, type LineTimes } from './line.ts';
import { messageAbout, type KindOfMessage, type Made, type Wanted } from './messages.ts';
import { type Job, type Queue, RecordQueue, SetAsideQueue } from './queue.ts';
import type { SetAside, SetAsideMessages } from './set-aside.ts';

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

/** What becomes of messages; words of a metric. */
export type Outcome = 'acknowledged' | 'refused' | 'unanswered' | 'set_aside' | 'withheld';

export type OutputOptions = Readonly<{
  log: RecordLog;
  cursors: OutputCursors;
  setAside: SetAsideMessages;
  gate: OutputGate;
  /** Who somebody is here, where that is known. Default: everybody has their pseudonym. */
  identities?: Readonly<{ identityOf(subject: KnownSubject): Promise<KnownIdentity | undefined> }>;
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
  connected: boolean;
  /** Messages that were acknowledged since the start. */
  sent: number;
  lastAck: UnixMillis | null;
  /** Records that came since the last one that needs nothing more, at most: not each becomes a message. */
  behind: Readonly<Partial<Record<KindOfMessage, number>>>;
  setAside: readonly SetAside[];
  /** The last failure since the last acknowledgement. */
  lastError: string | null;
}>;

export class Output {
  readonly #destination: Destination;
  readonly #options: OutputOptions;
  readonly #records: ReadonlyMap<KindOfMessage, RecordQueue>;
  readonly #aside: SetAsideQueue;
  /** The most urgent first. */
  readonly #queues: readonly Queue[];
  /** For connections. */
  readonly #schedule: RetrySchedule;
  readonly #bell = new Doorbell();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #unlisten: () => void;
  #line: Line | undefined;
  #sent = 0;
  #lastAck: UnixMillis | null = null;
  /** Steady time. */
  #lastAnswer = Millis(0);
  #lastError: string | null = null;

  private constructor(destination: Destination, options: OutputOptions, records: ReadonlyMap<KindOfMessage, RecordQueue>, aside: SetAsideQueue) {
    this.#destination = destination;
    this.#options = options;
    this.#records = records;
    this.#aside = aside;
    const [alarms, observations] = [records.get('alarms'), records.get('observations')];
    this.#queues = [...(alarms === undefined ? [] : [alarms]), aside, ...(observations === undefined ? [] : [observations])];
    this.#schedule = this.#newSchedule();
    this.#unlisten = options.log.onMore(() => this.#bell.ring());
    this.#running = this.#run();
  }

  /** Begins to send. Throws StoreError. */
  static async start(destination: Destination, options: OutputOptions): Promise<Output> {
    const records = new Map<KindOfMessage, RecordQueue>();
    for (const kind of destination.what) records.set(kind, await RecordQueue.open({ ...options, destination: destination.name, kind, wanted: destination.wanted }));
    return new Output(destination, options, records, await SetAsideQueue.open(options.setAside, destination.name));
  }

  get name(): string {
    return this.#destination.name;
  }

  async status(): Promise<OutputStatus> {
    const newest = await this.#options.log.newest();
    return {
      destination: this.name,
      connected: this.#line?.isOver === false,
      sent: this.#sent,
      lastAck: this.#lastAck,
      behind: Object.fromEntries([...this.#records].map(([kind, queue]) => [kind, Math.max(0, newest - queue.number)])),
      setAside: this.#aside.all,
      lastError: this.#lastError,
    };
  }

  /** Tries what was set aside once more: the message of one record, or all. Returns how many. */
  async sendAgain(number?: number): Promise<number> {
    const chosen = await this.#aside.tryAgain(number);
    this.#bell.ring();
    return chosen;
  }

  /** What is under way is not waited for: without an acknowledgement it is sent again after the next start, under the same id. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unlisten();
    this.#bell.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const wait = await this.#turn();
        if (wait !== 0) await this.#pause(wait);
      } catch (thrown) {
        if (signal.aborted) break;
        this.#note(messageOf(thrown));
        await this.#options.time.sleep(this.#schedule.failed(), signal);
      }
    }
    this.#line?.end();
  }

  /** Sends one message. Returns 0, or how long there is nothing to be done; undefined: until there is something new. */
  async #turn(): Promise<Millis | undefined> {
    const waits: number[] = [];
    for (const queue of this.#queues) {
      const job = await queue.next();
      if (job === undefined) continue;
      const wait = queue.notBefore - this.#options.time.now();
      if (wait <= 0) {
        await this.#deliver(queue, job);
        return Millis(0);
      }
      waits.push(wait);
    }
    return waits.length === 0 ? undefined : Millis(Math.min(...waits));
  }

  async #pause(wait: Millis | undefined): Promise<void> {
    const pausing = new AbortController();
    if (wait !== undefined) void this.#options.time.sleep(wait, pausing.signal).then(() => { if (!pausing.signal.aborted) this.#bell.ring(); });
    await this.#bell.wait();
    pausing.abort();
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

  async #refused(queue: Queue, job: Job, { code, errors, text }: Acknowledgement, forGood: boolean): Promise<void> {
    const codes = [code, ...errors].join(' ');
    this.#count('refused');
    // The engine's words may repeat what is in the message: they are for whoever looks, not for a log.
    this.#options.logger.warn({ destination: this.name, record: job.number, answer: codes }, 'a message was refused');
    this.#lastError = `record ${job.number}: ${codes}`;
    const reason = text === '' ? codes : `${codes}: ${text}`;
    if (forGood || queue.refusals >= this.#destination.retries) return await this.#setAside(queue, job, reason);
    queue.refusals += 1;
    this.#wait(queue);
  }

  /**
   * Nobody knows what became of it: it is sent again. Only while others are answered after it was sent, again and again, it is this message that
   * the engine cannot bear.
   */
  async #unanswered(queue: Queue, job: Job, fault: PeerError): Promise<void> {
    const now = this.#options.time.now();
    this.#count('unanswered');
    this.#note(fault.message);
    const { times, since } = queue.unanswered ?? { times: 0, since: now };
    if (times >= this.#destination.retries && this.#lastAnswer > since) return await this.#setAside(queue, job, `${fault.message}, while others are acknowledged`);
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
    // Before the cursor moves on: between the two it would be nowhere.
    await this.#aside.put({ number, chain, entry, kind, controlId: controlIdOf(job), at: this.#options.clock(), reason, again: false });
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
    const identity = shown.subject.kind === 'patient' ? await identities?.identityOf(shown.subject) : undefined;
    return messageAbout(shown, wanted, { addressing, now: clock(), ...(identity && { identity }) });
  }

  #note(why: string): void {
    if (this.#lastError !== why) this.#options.logger.warn({ destination: this.name, reason: why }, 'an integration engine is not reached, or what it is to be sent');
    this.#lastError = why;
  }

  #count(outcome: Outcome): void {
    this.#options.onOutcome?.(this.name, outcome);
  }
}
