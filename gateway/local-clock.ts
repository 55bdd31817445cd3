import { isQuiet } from './alarm/quiet-hours.ts';
import type { AlarmPolicy } from './alarm/policy.ts';
import { encodeOperatorAction } from './decode/operator.ts';
import type { Clock } from './ingest/clock.ts';
import type { Pipeline } from './pipeline.ts';
import { Minutes, type UnixMillis } from './quantity.ts';
import { wallClockAt } from './wall-clock.ts';

export type LocalClockOptions = Readonly<{
  pipeline: Pick<Pipeline, 'decide' | 'derived'>;
  clock: Clock;
  /** IANA name of where the gateway stands. */
  timeZone: string;
  /** As it is now in force. */
  quiet: () => AlarmPolicy['quiet'];
  onFault: (error: unknown) => void;
}>;

/** Minutes that clocks in a time zone are ahead of UTC. Throws RangeError for a zone this machine does not know. */
function offsetOf(at: UnixMillis, timeZone: string): number {
  const shown = wallClockAt(at, timeZone);
  if (shown === undefined) throw new RangeError(`no time zone of this machine is called ${timeZone}`);
  const { year, month, day, hour, minute } = shown;
  return Math.round((Date.UTC(year, month - 1, day, hour, minute) - Math.floor(at / Minutes(1)) * Minutes(1)) / Minutes(1));
}

/**
 * Tells derivation what local clocks show and when it is quiet: at the start, and whenever that changes. The table of time zones is this
 * machine's and grows older, so that what it said stands in the journal.
 */
export class LocalClock {
  readonly #options: LocalClockOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LocalClockOptions) {
    this.#options = options;
  }

  /** Looks now and then every minute. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.look().catch(this.#options.onFault), Minutes(1));
  }

  /** While nobody knows what time it is, everything stays as it was. */
  async look(): Promise<void> {
    const { pipeline, clock, timeZone, quiet } = this.#options;
    if (clock.trust() === 'implausible') return;
    const now = clock.now();
    const [offset, isQuietNow] = [offsetOf(now, timeZone), isQuiet(quiet(), now)];
    const { orders, alarms } = pipeline.derived;
    if (orders.offset !== offset || alarms.quiet !== isQuietNow) await pipeline.decide(encodeOperatorAction({ type: 'local', offset, quiet: isQuietNow }));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
