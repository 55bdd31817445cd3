import { encodeOperatorAction } from './decode/operator.ts';
import type { Clock } from './ingest/clock.ts';
import type { Pipeline } from './pipeline.ts';
import type { Keyring } from './vault/keyring.ts';
import { Minutes, type Millis, type UnixMillis } from './quantity.ts';

export type KeyEpochsOptions = Readonly<{
  pipeline: Pick<Pipeline, 'decide'>;
  keyring: Pick<Keyring, 'epoch'>;
  clock: Clock;
  /** When the chain began, on the wall clock. */
  began: UnixMillis;
  length: Millis;
  onFault: (error: unknown) => void;
}>;

const LOOK_EVERY = Minutes(10);

/**
 * Begins epochs of keys: what is said in one lies under other keys than what is said in the next, so that a part of the past can be
 * given, or erased, without the rest. An epoch begins by a decision in the journal, for derivation has no clock.
 */
export class KeyEpochs {
  readonly #options: KeyEpochsOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeyEpochsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.look().catch(this.#options.onFault), LOOK_EVERY);
  }

  /** While nobody knows what time it is, the epoch goes on. */
  async look(): Promise<void> {
    const { pipeline, keyring, clock, began, length } = this.#options;
    if (clock.trust() === 'implausible') return;
    const epoch = 1 + Math.floor(Math.max(0, clock.now() - began) / length);
    if (epoch > keyring.epoch) await pipeline.decide(encodeOperatorAction({ type: 'epoch', epoch }));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
