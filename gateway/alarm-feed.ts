import type { AlarmState } from './alarm/alarm.ts';
import type { AlarmPolicy } from './alarm/policy.ts';
import type { Step } from './alarm/step.ts';
import { alarmLists, alarmView, stepView, type AlarmLists, type AlarmView, type StepView } from './alarm-views.ts';
import type { Millis, UnixMillis } from './quantity.ts';

/** What a checkpoint says of alarms: the state when it changed, and what happened, in order. */
export type AlarmNews = Readonly<{ alarms: AlarmState | undefined; steps: readonly Readonly<{ step: Step; time: UnixMillis }>[] }>;

/** Steps of the past, as the chain keeps them. */
export interface StepHistory {
  /** The steps from `first` to `last` (both included), in order. Throws StoreError when they are not all there. */
  read(first: number, last: number): Promise<readonly StepView[]>;
}

export type AlarmFeedOptions = Readonly<{
  /** As of the last committed checkpoint. */
  alarms: AlarmState;
  /** In force now. */
  policy: () => AlarmPolicy;
  wallAt: (steady: Millis) => UnixMillis;
  history: StepHistory;
  /** Steps that are kept at hand. Default 1024. */
  keep?: number;
}>;

/** Read at a time when one alarm's steps are looked for, and how many at most. */
const SEARCHED_AT_A_TIME = 256;
const SEARCHED_AT_MOST = 4096;

/** The steps of one alarm; `searchedBackTo` says where looking ended, when that is before they began. */
export type StepsOfAlarm = Readonly<{ steps: readonly StepView[]; searchedBackTo: number | null }>;

/**
 * Follows what is committed about alarms, for everybody who looks: the list as it is now, the last steps at hand and older ones from the
 * chain, without gap and in order.
 *
 * Whoever follows is told only that there is something new, and fetches it with {@link after} as fast as they can: nobody who is slow holds
 * anybody up or costs memory.
 */
export class AlarmFeed {
  readonly #options: AlarmFeedOptions;
  readonly #keep: number;
  readonly #listeners = new Set<() => void>();
  #state: AlarmState;
  /** The last ones, without gap; the last of them is `#state.lastStep`. */
  #recent: StepView[] = [];

  constructor(options: AlarmFeedOptions) {
    this.#options = options;
    this.#keep = options.keep ?? 1024;
    this.#state = options.alarms;
  }

  /** Takes what was committed, in order. Listeners are called when all of it is in. */
  take(news: readonly AlarmNews[]): void {
    const before = this.lastStep;
    for (const { alarms, steps } of news) {
      if (alarms !== undefined) this.#state = alarms;
      for (const { step, time } of steps) this.#recent.push(stepView(step, time));
    }
    if (this.#recent.length > this.#keep) this.#recent = this.#recent.slice(-this.#keep);
    if (this.lastStep === before) return;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after every step. Listeners MUST return at once and not throw. Returns what ends it. */
  onSteps(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get lastStep(): number {
    return this.#state.lastStep;
  }

  lists(): AlarmLists {
    return alarmLists(this.#state, this.#shown());
  }

  /** Live, or remembered for its episode. */
  alarm(id: number): AlarmView | undefined {
    const found = this.#state.alarms.find((alarm) => alarm.id === id);
    return found === undefined ? undefined : alarmView(found, this.#shown());
  }

  /** The steps after this one, at most `limit`, in order. */
  async after(step: number, limit: number): Promise<readonly StepView[]> {
    const last = Math.min(this.lastStep, step + limit);
    return await this.#read(step + 1, last);
  }

  /** What happened to one alarm, in order, looked for from step `before` (excluded; default: the last one) backwards. */
  async ofAlarm(id: number, before = this.lastStep + 1): Promise<StepsOfAlarm> {
    const end = Math.min(before, this.lastStep + 1);
    const found: StepView[] = [];
    let first = end;
    while (first > 1 && end - first < SEARCHED_AT_MOST) {
      const steps = await this.#read(Math.max(1, first - SEARCHED_AT_A_TIME), first - 1);
      first = Math.max(1, first - SEARCHED_AT_A_TIME);
      found.unshift(...steps.filter(({ alarm }) => alarm === id));
      // Numbers of alarms grow, and what began is not raised a second time.
      if (found.some(beginsAlarm) || steps.some((step) => beginsAlarm(step) && step.alarm < id)) return { steps: found, searchedBackTo: null };
    }
    return { steps: found, searchedBackTo: first === 1 ? null : first };
  }

  async #read(first: number, last: number): Promise<readonly StepView[]> {
    if (last < first) return [];
    const oldest = this.#recent[0]?.step ?? Infinity;
    const recent = this.#recent.filter(({ step }) => step >= first && step <= last);
    if (oldest <= first) return recent;
    return [...(await this.#options.history.read(first, Math.min(last, oldest - 1))), ...recent];
  }

  #shown(): { policy: AlarmPolicy; wallAt: (steady: Millis) => UnixMillis } {
    return { policy: this.#options.policy(), wallAt: this.#options.wallAt };
  }
}

const beginsAlarm = ({ from, why }: StepView): boolean => from === 'none' && why === 'raised';
