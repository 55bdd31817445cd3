/** What is wrong with the gateway itself and concerns everybody it watches over: technical alarms, raised while it lasts. */

import type { AlarmState } from './alarm/alarm.ts';
import { encodeOperatorAction } from './decode/operator.ts';
import type { OwnCondition } from './derive/own-condition.ts';
import { messageOf } from './errors.ts';
import type { Pipeline } from './pipeline.ts';
import { type Millis, Minutes, Seconds } from './quantity.ts';

export type OwnConditionsOptions = Readonly<{
  pipeline: Pick<Pipeline, 'decide' | 'fault'> & Readonly<{ derived: Readonly<{ alarms: AlarmState }> }>;
  /** Whether any hospital is reached; undefined where there is none to be reached. */
  isReached: () => boolean | undefined;
  /** How many blocks of the alarm lane no hospital has. */
  waiting: () => Promise<number>;
  /** How the flows are: undefined where there are none. */
  flows?: () => 'well' | 'stopped' | 'safe_mode' | undefined;
  /** A clock that only goes forward. */
  now: () => Millis;
  log: Readonly<{ warn: (fields: object, message: string) => void }>;
  /** Default 5 s. */
  lookEvery?: Millis;
}>;

/** How long alarms may wait for a hospital, and how long none may be reached, before people are told. A router that starts again takes a few minutes. */
const PATIENCE = { alarms: Minutes(2), hospitals: Minutes(15) };

/** Since when something holds. */
class Lasting {
  #since: Millis | undefined;

  /** Whether it has held for so long. */
  holds(isSo: boolean, now: Millis, patience: Millis): boolean {
    if (!isSo) this.#since = undefined;
    else this.#since ??= now;
    return this.#since !== undefined && now - this.#since >= patience;
  }
}

export class OwnConditions {
  readonly #options: OwnConditionsOptions;
  readonly #alarmsWait = new Lasting();
  readonly #nobodyIsReached = new Lasting();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  /** Looks now and then until {@link stop}. */
  constructor(options: OwnConditionsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookEvery ?? Seconds(5));
  }

  /** Never rejects: what could not be said is said with the next look. */
  async look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((thrown: unknown) => this.#options.log.warn({ reason: messageOf(thrown) }, 'telling people what is wrong with the gateway itself'))
      .finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { pipeline, isReached, waiting, now } = this.#options;
    const reached = isReached();
    const alarmsWait = this.#alarmsWait.holds(reached !== undefined && (await waiting()) > 0, now(), PATIENCE.alarms);
    const nobody = this.#nobodyIsReached.holds(reached === false, now(), PATIENCE.hospitals);
    await this.#say('unreached', alarmsWait || nobody);
    const flows = this.#options.flows?.();
    await this.#say('flows_stopped', flows === 'stopped');
    await this.#say('flows_safe_mode', flows === 'safe_mode');
    await this.#say('no_room', pipeline.fault?.code === 'VG_STORE_FULL');
  }

  async #say(condition: OwnCondition, holds: boolean): Promise<void> {
    if (holds !== this.#isRaised(condition)) await this.#options.pipeline.decide(encodeOperatorAction({ type: 'condition', condition, holds }));
  }

  /** As far as it is derived: what was said a moment ago may be said again, which changes nothing. */
  #isRaised(condition: OwnCondition): boolean {
    return this.#options.pipeline.derived.alarms.alarms.some(({ rule, subject, phase }) => rule === condition && subject === null && phase !== 'cleared' && phase !== 'latched');
  }
}
