/** Short messages to people when alarms have reached no hospital for long. They say that there is one and not what: a telephone is no place for health data. */

import { messageOf } from '../errors.ts';
import { type Millis, Seconds } from '../quantity.ts';

export type LastResortOptions = Readonly<{
  /** Telephone numbers. */
  to: readonly string[];
  /** How long an alarm may wait for a hospital. */
  after: Millis;
  /** How soon people are told once more while alarms still wait. */
  again: Millis;
  /** How many blocks of the alarm lane no hospital has. */
  waiting: () => Promise<number>;
  /** How this gateway is called in the message. */
  name: string;
  /** Rejects with the reason when the network did not take the message. */
  send: (number: string, text: string) => Promise<unknown>;
  now: () => Millis;
  log: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }>;
  /** Default 5 s. */
  lookEvery?: Millis;
}>;

export class LastResort {
  readonly #options: LastResortOptions;
  readonly #timer: NodeJS.Timeout;
  #waitingSince: Millis | undefined;
  /** When somebody was told last, by number. */
  readonly #told = new Map<string, Millis>();
  #looking: Promise<void> = Promise.resolve();
  #sent = 0;

  /** Looks now and then until {@link stop}. */
  constructor(options: LastResortOptions) {
    this.#options = options;
    let isBusy = false;
    this.#timer = setInterval(() => {
      if (isBusy) return;
      isBusy = true;
      this.#looking = this.#look()
        .catch((error: unknown) => options.log.warn({ error }, 'looking for alarms that wait'))
        .finally(() => void (isBusy = false));
    }, options.lookEvery ?? Seconds(5));
  }

  /** Messages that the network took since the start. */
  get sent(): number {
    return this.#sent;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { waiting, now, after } = this.#options;
    const count = await waiting();
    if (count === 0) {
      this.#waitingSince = undefined;
      return;
    }
    this.#waitingSince ??= now();
    if (now() - this.#waitingSince >= after) await this.#tell(count);
  }

  async #tell(count: number): Promise<void> {
    const { to, again, name, send, now, log } = this.#options;
    const minutes = Math.max(1, Math.round((now() - (this.#waitingSince ?? now())) / Seconds(60)));
    const text = `Vitalgate ${name}: alarms have reached no hospital for ${minutes} min (${count} waiting). Please look after the people there.`;
    for (const number of to) {
      const told = this.#told.get(number);
      // Those who were told may be on their way; a line that comes and goes must not tell them every time.
      if (told !== undefined && now() - told < again) continue;
      try {
        await send(number, text);
        this.#told.set(number, now());
        this.#sent += 1;
        log.info({ waiting: count }, 'told somebody by SMS that alarms wait');
      } catch (thrown) {
        // Tried again with the next look.
        log.warn({ reason: messageOf(thrown) }, 'an SMS that alarms wait could not be sent');
      }
    }
  }
}
