/** A desk over the real alarm machine, in memory: what the API shows and does without journal and chain. */

import { NO_ALARMS, type AlarmState } from '../../gateway/alarm/alarm.ts';
import { step } from '../../gateway/alarm/alarms.ts';
import { AlarmId, type AlarmInput } from '../../gateway/alarm/condition.ts';
import { AlarmFeed } from '../../gateway/alarm-feed.ts';
import { stepView, type StepView } from '../../gateway/alarm-views.ts';
import { baseOf } from '../../gateway/consent-filter.ts';
import { ConsentDesk } from '../../gateway/consent-desk.ts';
import { decodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import { changeConsent, type ConsentAction } from '../../gateway/derive/consent-changes.ts';
import { NO_CONSENT_STATE, type ConsentState } from '../../gateway/derive/consent-state.ts';
import { glassDesk } from '../../gateway/glass-desk.ts';
import { NO_ORDERS, type Orders } from '../../gateway/derive/orders.ts';
import { Desk } from '../../gateway/desk.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { Subject } from '../../gateway/reading.ts';
import type { SubjectView } from '../../gateway/web/care-desk.ts';
import { POLICY } from '../alarm/scenes.ts';
import { Handles } from '../../gateway/vault/handles.ts';
import { memoryKeyring } from '../vault/known-keys.ts';

/** Steady time 0 on the wall clock. */
const EPOCH = Date.parse('2026-11-23T09:00:00Z');

/** What Anna is called in addresses: keys of tests are the same every time. */
export const ANNA = new Handles(memoryKeyring()).of({ kind: 'patient', id: 'anna' });

export type WardOptions = Readonly<{ keep?: number; packsAreConfigured?: boolean; patience?: Millis }>;

export class Ward {
  /** Every step there ever was, as a chain would keep them. */
  readonly past: StepView[] = [];
  readonly actions: OperatorAction[] = [];
  readonly feed: AlarmFeed;
  readonly desk: Desk;
  orders: Orders = NO_ORDERS;
  /** What patients permitted, and who broke the glass. */
  consents: ConsentState = NO_CONSENT_STATE;
  /** What was said to be shown, in order. */
  readonly shown: string[] = [];
  /** How often steps were read that were not at hand. */
  historyReads = 0;
  /** Thrown, or never ended, instead of carrying out. */
  carryOut: (() => Promise<void>) | undefined;
  #state: AlarmState = NO_ALARMS;
  #now = Millis(0);

  constructor({ keep = 1024, packsAreConfigured = false, patience }: WardOptions = {}) {
    const read = async (first: number, last: number): Promise<readonly StepView[]> => {
      this.historyReads += 1;
      return this.past.slice(first - 1, last);
    };
    this.feed = new AlarmFeed({ alarms: NO_ALARMS, policy: () => POLICY, wallAt: (steady) => UnixMillis(EPOCH + steady), history: { read }, keep });
    const consents = (): ConsentState => this.consents;
    const consent = new ConsentDesk({
      pipeline: { carryOut: async (payloads) => payloads.forEach((each) => this.#changeConsent(each)), derived: { get consent() { return consents(); } } },
      clock: { now: () => this.now, trust: () => 'synchronised' },
      hospitals: [],
      base: baseOf([]),
    });
    this.desk = new Desk({
      alarms: this.feed,
      carryOut: (actions) => this.#carryOut(actions),
      orders: () => this.orders,
      measured: () => ['anna'],
      view: async (subject) => viewOf(subject),
      handles: new Handles(memoryKeyring()),
      disclose: async (by, shown, what) => {
        for (const { subject } of shown) this.shown.push(`${by.id}: ${what} of ${subject.id}`);
      },
      consent,
      glass: glassDesk(consent),
      packsAreConfigured: () => packsAreConfigured,
      now: () => UnixMillis(EPOCH + this.#now),
      ...(patience === undefined ? {} : { patience }),
    });
  }

  get now(): UnixMillis {
    return UnixMillis(EPOCH + this.#now);
  }

  #changeConsent(payload: Uint8Array): void {
    const changed = changeConsent(this.consents, decodeOperatorAction(payload) as ConsentAction, this.now);
    if ('refused' in changed) throw new Error(changed.why);
    this.consents = changed.state;
  }

  /** Something happens at this second. */
  happens(second: number, ...inputs: readonly AlarmInput[]): void {
    this.#now = Millis(second * 1000);
    for (const input of inputs) {
      const { state, steps } = step(this.#state, input, this.#now, POLICY);
      const time = UnixMillis(EPOCH + this.#now);
      this.#state = state;
      this.past.push(...steps.map((each) => stepView(each, time)));
      this.feed.take([{ alarms: state, steps: steps.map((each) => ({ step: each, time })) }]);
    }
  }

  async #carryOut(actions: readonly OperatorAction[]): Promise<void> {
    if (this.carryOut !== undefined) return await this.carryOut();
    for (const action of actions) {
      this.actions.push(action);
      if (action.type === 'acknowledge' || action.type === 'snooze') this.happens(this.#now / 1000, { ...action, alarm: AlarmId(action.alarm) });
      if (action.type === 'contracts') this.orders = { ...this.orders, contracts: action.packs.map((contract) => ({ contract: contract as never, hash: 'ab', by: action.by, signers: [] })) };
    }
  }
}

function viewOf(subject: Subject): SubjectView | undefined {
  if (subject.id !== 'anna') return undefined;
  const value = { measurement: 'spo2', value: 97, unit: '%', measuredAt: new Date(EPOCH).toISOString(), age: Millis(1500), quality: 'good' as const };
  return { subject, values: [value], activity: 'rest', room: 'bedroom-1', spo2Scale: 1, scores: [{ name: 'NEWS2', value: null, parts: { pulse: null, oxygen_saturation: 0 } }], baselines: [] };
}
