/** What is to be sent next: records after a cursor, or messages that were set aside and are to be tried again. */

import { Millis } from '../quantity.ts';
import type { OutputCursors, RecordLog } from '../records/record-log.ts';
import type { HospitalRecord } from '../records/record.ts';
import type { RetrySchedule } from '../uplink/retry.ts';
import { isWanted, kindOf, type KindOfMessage, type Wanted } from './messages.ts';
import type { SetAside, SetAsideMessages } from './set-aside.ts';

/** Which record a message is made of. It is read again for every try: what was erased meanwhile is not there any more. */
export type Job = Readonly<Pick<HospitalRecord, 'number' | 'chain' | 'entry'> & { kind: KindOfMessage }>;

/** Messages of one order: the next one only after the one before was taken, or set aside. Throws StoreError. */
export abstract class Queue {
  /** Steady time before which its next one is not tried. */
  notBefore = Millis(0);
  /** How often the next one was refused. */
  refusals = 0;
  /** When to try the next one again; undefined before its first failure. */
  schedule: RetrySchedule | undefined;
  /** How often the next one was sent and nothing came back, and since when. */
  unanswered: Readonly<{ times: number; since: Millis }> | undefined;

  abstract next(): Promise<Job | undefined>;
  protected abstract pass(job: Job): Promise<void>;

  /** Nothing more is to be done about it. Durable when it resolves. */
  async passed(job: Job): Promise<void> {
    await this.pass(job);
    this.notBefore = Millis(0);
    this.refusals = 0;
    this.schedule = undefined;
    this.unanswered = undefined;
  }
}

const PAGE = 64;

export type RecordQueueOptions = Readonly<{ log: RecordLog; cursors: OutputCursors; destination: string; kind: KindOfMessage; wanted: Wanted }>;

/** Records of a kind, in their order; how far is kept by {@link OutputCursors}. */
export class RecordQueue extends Queue {
  readonly #options: RecordQueueOptions;
  #page: Job[] = [];
  /** The last record that was read. */
  #read: number;
  /** The last one that needs nothing more, and what of that is kept. */
  #done: number;
  #kept: number;

  private constructor(options: RecordQueueOptions, number: number) {
    super();
    this.#options = options;
    this.#read = number;
    this.#done = number;
    this.#kept = number;
  }

  /** A destination that is new gets what comes from now on: the past would reach people as if it were news. */
  static async open(options: RecordQueueOptions): Promise<RecordQueue> {
    const { cursors, log } = options;
    if ((await cursors.load(begunOf(options))) === 0) {
      await cursors.save(cursorOf(options), await log.newest());
      await cursors.save(begunOf(options), 1);
    }
    return new RecordQueue(options, await cursors.load(cursorOf(options)));
  }

  /** The number of the last record that needs nothing more. */
  get number(): number {
    return this.#done;
  }

  async next(): Promise<Job | undefined> {
    while (this.#page.length === 0) {
      const page = await this.#options.log.after(this.#read, PAGE);
      const last = page.at(-1);
      if (last === undefined) break;
      const { kind, wanted } = this.#options;
      this.#page = page.filter((record) => kindOf(record) === kind && isWanted(record, wanted)).map(({ number, chain, entry }) => ({ number, chain, entry, kind }));
      this.#read = last.number;
    }
    // What nobody wants needs no acknowledgement.
    this.#done = Math.max(this.#done, (this.#page[0]?.number ?? this.#read + 1) - 1);
    if (this.#page.length === 0 && this.#done > this.#kept) await this.#keep();
    return this.#page[0];
  }

  protected async pass(job: Job): Promise<void> {
    this.#done = Math.max(this.#done, job.number);
    await this.#keep();
    this.#page.shift();
  }

  async #keep(): Promise<void> {
    const done = this.#done;
    await this.#options.cursors.save(cursorOf(this.#options), done);
    this.#kept = done;
  }
}

const cursorOf = ({ destination, kind }: RecordQueueOptions): string => `hl7/${destination}/${kind}`;
const begunOf = (options: RecordQueueOptions): string => `${cursorOf(options)}/begun`;

/** What was set aside and somebody asks for again. */
export class SetAsideQueue extends Queue {
  readonly #store: SetAsideMessages;
  readonly #destination: string;
  #count: number;

  private constructor(store: SetAsideMessages, destination: string, count: number) {
    super();
    this.#store = store;
    this.#destination = destination;
    this.#count = count;
  }

  static async open(store: SetAsideMessages, destination: string): Promise<SetAsideQueue> {
    return new SetAsideQueue(store, destination, await store.count(destination));
  }

  /** How many are set aside. */
  get count(): number {
    return this.#count;
  }

  async next(): Promise<Job | undefined> {
    return await this.#store.nextAgain(this.#destination);
  }

  /** Sets aside what was the next of a queue. */
  async put(message: SetAside, from: Queue): Promise<void> {
    await this.#store.put(this.#destination, message);
    if (from !== this) this.#count += 1;
    this.#stays = from === this;
  }

  /** What was tried again and set aside once more is not removed. */
  #stays = false;

  protected async pass({ number }: Job): Promise<void> {
    const stays = this.#stays;
    this.#stays = false;
    if (stays) return;
    await this.#store.remove(this.#destination, number);
    this.#count -= 1;
  }
}
