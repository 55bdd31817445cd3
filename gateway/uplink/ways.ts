/** Over which links requests go: alarms over all that may lead there, everything else over the best. */

import { setTimeout as delayed } from 'node:timers/promises';
import { PeerError } from '../errors.ts';
import { Millis, Seconds } from '../quantity.ts';
import type { Send, Way } from './hospital-client.ts';
import type { Traffic } from './link.ts';
import type { Path } from './path.ts';
import { rankOf } from './path-health.ts';

/** The paths to one hospital in the order of the configuration; the best first. */
function ranked(paths: readonly Path[], now: Millis): readonly Path[] {
  const there = paths.filter(({ health }) => health.state !== 'absent');
  return there.toSorted((one, other) => rankOf(one.health, now) - rankOf(other.health, now));
}

/** How long an answer is waited for before the next link is tried as well. */
const PATIENCE = Millis(300);
/** How long an answer over any link is waited for before every connection is doubted: a NAT may have forgotten one that was idle. */
const DOUBT = Seconds(1.5);

/**
 * Alarms: the best path first, and the next as well when it has not answered after twice its round trip; then those that are silent over new connections.
 * What arrives twice the hospital knows.
 */
export class AlarmWay implements Way {
  readonly #paths: readonly Path[];
  readonly #now: () => Millis;
  readonly #last: LastChoice;

  constructor(paths: readonly Path[], now: () => Millis, onChoice: OnChoice) {
    this.#paths = paths;
    this.#now = now;
    this.#last = new LastChoice(onChoice);
  }

  async reach<T>(attempt: (send: Send) => Promise<T>, signal: AbortSignal): Promise<T> {
    const paths = ranked(this.#paths, this.#now());
    if (paths.length === 0) throw noneOf(this.#paths);
    const done = new AbortController();
    const stop = AbortSignal.any([signal, done.signal]);
    const running: Promise<Answered<T>>[] = [];
    const silent = new Set<Path>();
    const start = (path: Path, anew: boolean): void => {
      silent.add(path);
      const tried = path.run('alarm', attempt, stop, anew).then((value) => ({ value, path })).finally(() => silent.delete(path));
      tried.catch(() => undefined);
      running.push(tried);
    };
    try {
      for (const [at, path] of paths.entries()) {
        start(path, false);
        if (at === paths.length - 1) break;
        const { state, rtt = PATIENCE } = path.health;
        // What is not known to work is not waited for.
        const wait = state === 'up' ? Math.max(PATIENCE, 2 * rtt) : 0;
        const answer = await firstWithin(running, wait, stop);
        if (answer !== undefined) return this.#answered(answer);
      }
      const best = Math.min(...paths.map(({ health: { rtt = PATIENCE } }) => rtt));
      const answer = await firstWithin(running, Math.max(DOUBT, 4 * best), stop);
      if (answer !== undefined) return this.#answered(answer);
      for (const path of silent) start(path, true);
      return this.#answered(await Promise.any(running));
    } catch (thrown) {
      if (!(thrown instanceof AggregateError)) throw thrown;
      throw worstOf(thrown.errors);
    } finally {
      done.abort();
    }
  }

  #answered<T>({ value, path }: Answered<T>): T {
    this.#last.is(path);
    return value;
  }
}

type Answered<T> = Readonly<{ value: T; path: Path }>;

/** The first that resolves in time; undefined when all have failed, or none has answered yet. */
async function firstWithin<T>(running: readonly Promise<T>[], wait: number, signal: AbortSignal): Promise<T | undefined> {
  const first = Promise.any(running).catch(() => undefined);
  const enough = new AbortController();
  const late = delayed(wait, undefined, { signal: AbortSignal.any([signal, enough.signal]) }).catch(() => undefined);
  try {
    return await Promise.race([first, late]);
  } finally {
    enough.abort();
  }
}

/** Everything else: the best path that may carry it, and when it leads nowhere the next. */
export class BestWay implements Way {
  readonly #paths: readonly Path[];
  readonly #kind: () => Traffic;
  readonly #now: () => Millis;
  readonly #last: LastChoice;

  constructor(paths: readonly Path[], kind: () => Traffic, now: () => Millis, onChoice: OnChoice) {
    this.#paths = paths;
    this.#kind = kind;
    this.#now = now;
    this.#last = new LastChoice(onChoice);
  }

  /** Whether something of that kind could go now. */
  carries(kind: Traffic): boolean {
    return ranked(this.#paths, this.#now()).some(({ link, health }) => link.admits(kind) && health.state !== 'down');
  }

  async reach<T>(attempt: (send: Send) => Promise<T>, signal: AbortSignal): Promise<T> {
    const kind = this.#kind();
    const failed: unknown[] = [];
    const paths = ranked(this.#paths, this.#now()).filter(({ link }) => link.admits(kind));
    for (const path of paths) {
      this.#last.is(path);
      try {
        return await path.run(kind, attempt, signal);
      } catch (thrown) {
        if (!(thrown instanceof PeerError) || signal.aborted) throw thrown;
        failed.push(thrown);
      }
    }
    throw failed.length === 0 ? noneOf(this.#paths, kind) : worstOf(failed);
  }
}

/** Hears of another path than the last. */
export type OnChoice = (path: Path, instead: Path | undefined) => void;

class LastChoice {
  readonly #onChoice: OnChoice;
  #path: Path | undefined;

  constructor(onChoice: OnChoice) {
    this.#onChoice = onChoice;
  }

  is(path: Path): void {
    if (path === this.#path) return;
    this.#onChoice(path, this.#path);
    this.#path = path;
  }
}

/** What one of them said of a node that is not the hospital tells more than that another did not answer. */
const worstOf = (errors: readonly unknown[]): unknown => errors.find((error) => error instanceof PeerError && error.code !== 'VG_PEER_UNREACHABLE') ?? errors[0];

function noneOf(paths: readonly Path[], kind?: Traffic): PeerError {
  const why = paths.map(({ link, health }) => {
    if (health.state === 'absent') return `${link.name}: ${health.why}`;
    return `${link.name} ${link.left.forAll ? `does not carry ${kind === 'detail' ? 'details' : 'records'}` : 'has used its budget'}`;
  });
  return new PeerError('VG_PEER_UNREACHABLE', `no link for this: ${why.join('; ')}`);
}
