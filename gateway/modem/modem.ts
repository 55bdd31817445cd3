/** A cellular modem, followed for as long as the gateway runs: brought up, watched, and reset when its link has led nowhere for long. */

import { Doorbell } from '../doorbell.ts';
import { messageOf } from '../errors.ts';
import { type Millis, Seconds } from '../quantity.ts';
import type { Registration, Technology } from './registration.ts';
import { ResetLadder, type Rung } from './reset-ladder.ts';
import type { Signal } from './signal.ts';
import type { SentSms } from './sms.ts';

/**
 * `absent`: there is no modem, or its port cannot be opened; `silent`: it does not answer; `starting`: it answers, and its SIM is not ready yet;
 * `no_sim`, `pin_needed`, `puk_needed`: a person has to act; `searching`: no network yet; `denied`: the network does not want it; `registered`:
 * there is a network and no data session; `connected`: data can go.
 */
export const MODEM_STATES = ['absent', 'silent', 'starting', 'no_sim', 'pin_needed', 'puk_needed', 'searching', 'denied', 'registered', 'connected'] as const;
export type ModemState = (typeof MODEM_STATES)[number];

/** What a look at a modem shows. Unknown is null, never 0. */
export type Sight = Readonly<{
  state: ModemState;
  /** For people. */
  why: string;
  model: string | null;
  operator: string | null;
  registration: Registration | null;
  technology: Technology | null;
  signal: Signal;
  address: string | null;
  /** S-NSSAI that the network allows. */
  slices: string | null;
}>;

export type ModemStatus = Sight & Readonly<{ /** How often each rung was climbed since the start. */ resets: Readonly<Record<Rung, number>> }>;

/** One modem that was found. */
export interface ModemDriver {
  /** Brings it a step further when it is not connected, and tells how it is. Rejects when it does not answer. */
  look(): Promise<Sight>;
  climb(rung: Exclude<Rung, 'usb'>): Promise<void>;
  /** Resolves when the network has taken the message. Rejects with the reason, and with {@link UsageError} for what is no number or text. */
  sendSms(number: string, text: string): Promise<SentSms>;
  close(): Promise<void>;
}

export type ModemOptions = Readonly<{
  /** Finds it. Rejects with the reason when it is not there. `onChange`: it says by itself that something is another. */
  open: (onChange: () => void) => Promise<ModemDriver>;
  /** Whether something gets through over its link: then it is never reset. */
  isWorking: () => boolean;
  /** Takes its device off the bus and back, whether it answers or not. Rejects with what keeps it from that. */
  resetUsb: () => Promise<void>;
  now: () => Millis;
  log: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }>;
  /** Default 10 s. */
  lookEvery?: Millis;
  /** Default 5 s. */
  reopenAfter?: Millis;
}>;

const NOTHING_KNOWN = { model: null, operator: null, registration: null, technology: null, signal: {}, address: null, slices: null } as const;
/** Sight of a modem that is not there, or says nothing. */
const unseen = (state: 'absent' | 'silent', why: string): Sight => ({ state, why, ...NOTHING_KNOWN });
const SOON: Millis = Seconds(2);

export class Modem {
  readonly #options: ModemOptions;
  readonly #ladder: ResetLadder;
  readonly #doorbell = new Doorbell();
  readonly #resets: Record<Rung, number> = { session: 0, radio: 0, restart: 0, usb: 0 };
  #sight: Sight = unseen('absent', 'not looked at yet');
  #driver: ModemDriver | undefined;
  #stopped = false;
  readonly #running: Promise<void>;

  /** Follows it until {@link stop}. */
  constructor(options: ModemOptions) {
    this.#options = options;
    this.#ladder = new ResetLadder(options.now());
    this.#running = this.#run();
  }

  get status(): ModemStatus {
    return { ...this.#sight, resets: { ...this.#resets } };
  }

  /** Resolves when the network has taken the message. Rejects with the reason. */
  async sendSms(number: string, text: string): Promise<SentSms> {
    if (this.#driver === undefined) throw new Error(`the modem cannot send: ${this.#sight.why}`);
    return await this.#driver.sendSms(number, text);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#doorbell.ring();
    await this.#driver?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#openAndFollow();
      if (!this.#stopped) await this.#doorbell.wait(this.#options.reopenAfter ?? Seconds(5));
    }
  }

  async #openAndFollow(): Promise<void> {
    try {
      this.#driver = await this.#options.open(() => this.#doorbell.ring());
    } catch (thrown) {
      return this.#saw(unseen('absent', messageOf(thrown)));
    }
    try {
      await this.#follow(this.#driver);
    } catch (thrown) {
      if (!this.#stopped) this.#saw(unseen('silent', messageOf(thrown)));
    } finally {
      const driver = this.#driver;
      this.#driver = undefined;
      await driver.close();
    }
    if (!this.#stopped) await this.#wake();
  }

  /** One that is silent can be told nothing. Its port is closed by now. */
  async #wake(): Promise<void> {
    const { isWorking, now } = this.#options;
    if (isWorking()) this.#ladder.worked(now());
    else if (this.#ladder.nextOfSilent(now()) !== undefined) await this.#resetUsb();
  }

  async #resetUsb(): Promise<void> {
    const { resetUsb, log } = this.#options;
    this.#resets.usb += 1;
    log.warn({ rung: 'usb', state: this.#sight.state, why: this.#sight.why }, 'nothing gets through over the modem: taking it off the USB bus and back');
    try {
      await resetUsb();
    } catch (thrown) {
      log.warn({ reason: messageOf(thrown) }, 'the modem could not be taken off the USB bus: somebody has to cut its power');
    }
  }

  async #follow(driver: ModemDriver): Promise<void> {
    const { isWorking, now, lookEvery = Seconds(10), log } = this.#options;
    while (!this.#stopped) {
      const sight = await driver.look();
      this.#saw(sight);
      if (isWorking()) this.#ladder.worked(now());
      const rung = this.#stopped || needsAPerson(sight) ? undefined : this.#ladder.next(now());
      if (rung === 'usb') await this.#resetUsb();
      else if (rung !== undefined) {
        this.#resets[rung] += 1;
        log.warn({ rung, state: sight.state, why: sight.why }, 'nothing gets through over the modem: resetting it');
        await driver.climb(rung);
      }
      await this.#doorbell.wait(sight.state === 'connected' ? lookEvery : (Math.min(lookEvery, SOON) as Millis));
    }
  }

  #saw(sight: Sight): void {
    const { state, why } = this.#sight;
    this.#sight = sight;
    if (sight.state === state && (sight.state === 'connected' || sight.why === why)) return;
    const { technology, operator } = sight;
    this.#options.log[sight.state === 'connected' ? 'info' : 'warn']({ state: sight.state, why: sight.why, technology, operator }, 'the modem');
  }
}

/** No reset puts a SIM in. */
const needsAPerson = ({ state }: Sight): boolean => state === 'no_sim' || state === 'pin_needed' || state === 'puk_needed';
