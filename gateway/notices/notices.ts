/** Hands notices over to people by the ways a gateway has: mail, short messages, buzzers and programs of its own. */

import { messageOf } from '../errors.ts';
import { formatDuration, type Millis, Minutes } from '../quantity.ts';
import { TokenBucket } from '../token-bucket.ts';
import { Lane } from './lane.ts';
import { inOneLine } from './line.ts';

export const WAYS = ['email', 'sms', 'buzzer', 'command'] as const;
export type Way = (typeof WAYS)[number];

export type Notice = Readonly<{
  by: Way;
  /** By e-mail and SMS the name of a person; else that of a buzzer or command. Absent: the first buzzer or command there is. */
  to?: string | undefined;
  /** Subject of a mail. */
  title?: string | undefined;
  text: string;
  /** The same for what is said once more. */
  id?: string | undefined;
  /** It is given up after so long. */
  within: Millis;
}>;

/** `handed_over`: who carries it on has taken it, and said `detail`. `failed`: nobody was told, and why. */
export type Told = Readonly<{ outcome: 'handed_over' | 'failed'; detail: string }>;

export type HandOver = Readonly<{
  /** Resolves with what was answered when it was taken. Rejects with the reason, for people. Ends soon after the signal, unless it `goesOn`. */
  hand: (notice: Notice, signal: AbortSignal) => Promise<string>;
  /** At a time. */
  most: number;
  /** In an hour; absent: as many as come. */
  perHour?: number | undefined;
  /** What was begun cannot be taken back, and may end long after it was given up. */
  goesOn?: boolean;
}>;

export type NoticesOptions = Readonly<{
  ways: Readonly<Record<Way, HandOver>>;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
}>;

/** Work that waits for each way, at most: a choice of this project. */
const MOST_WAITING = 16;
const HOUR_SECONDS = Minutes(60) / 1000;

type Road = Readonly<{ way: HandOver; lane: Lane; budget: TokenBucket | undefined }>;

/** A few of each way at a time, some more wait, and what is beyond that fails at once: nobody else waits for it. */
export class Notices {
  readonly #roads: Readonly<Record<Way, Road>>;
  readonly #uptime: () => Millis;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor({ ways, uptime }: NoticesOptions) {
    this.#uptime = uptime;
    // What was not used comes back evenly, and never more than an hour's.
    const budgetOf = (perHour: number): TokenBucket => new TokenBucket({ rate: perHour / HOUR_SECONDS, burst: perHour, now: uptime() });
    const road = (way: HandOver): Road => ({ way, lane: new Lane(way.most, MOST_WAITING), budget: way.perHour === undefined ? undefined : budgetOf(way.perHour) });
    this.#roads = { email: road(ways.email), sms: road(ways.sms), buzzer: road(ways.buzzer), command: road(ways.command) };
  }

  /** Never rejects: what did not work is a result, too. */
  async tell(notice: Notice): Promise<Told> {
    const signal = AbortSignal.any([AbortSignal.timeout(notice.within), this.#stop.signal]);
    try {
      return { outcome: 'handed_over', detail: inOneLine(await this.#hand(notice, signal)) };
    } catch (error) {
      const why = this.#stop.signal.aborted ? 'the gateway is stopping' : signal.aborted ? `not done within ${formatDuration(notice.within)}` : messageOf(error);
      return { outcome: 'failed', detail: inOneLine(why) };
    }
  }

  /** Gives up what is under way. Resolves when it has ended, except for what cannot be taken back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running);
  }

  async #hand(notice: Notice, signal: AbortSignal): Promise<string> {
    const { way, lane, budget } = this.#roads[notice.by];
    if (lane.isFull) throw new Error(`${MOST_WAITING} notices wait for this way already`);
    const now = this.#uptime();
    if (budget !== undefined && budget.level(now) < 1) throw new Error(`${way.perHour} went this way within an hour, and no more may (notices.${notice.by}.perHour in the configuration)`);
    budget?.take(1, now);
    const handed = lane.take(async () => {
      signal.throwIfAborted();
      return await way.hand(notice, signal);
    });
    if (way.goesOn !== true) this.#follow(handed);
    return await unlessAborted(handed, signal);
  }

  #follow(work: Promise<unknown>): void {
    const settled = work.then(() => undefined, () => undefined).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new Error('given up'));
  signal.addEventListener('abort', abort, { once: true });
  work.catch(() => undefined);
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
