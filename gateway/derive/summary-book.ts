import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import { nameOf, type Subject } from '../reading.ts';
import type { Drafts } from './drafts.ts';
import type { Attributed } from './meaning.ts';
import { SUMMARY_PARTS, Summary, type OpenSummaries, type SummaryPart, type SummaryState } from './summary.ts';

/** How long the times are over which a subject is summarised; each is whole in steady time, and a multiple of the one before. */
const SHORT = Minutes(1);
const LONG = Minutes(15);

type Open = { subject: Subject } & Record<SummaryPart, Summary | undefined>;

/** Trends for hospitals: what every patient and room showed per minute and per quarter of an hour, without raw traffic. */
export class SummaryBook {
  readonly #drafts: Drafts;
  readonly #open: Map<string, Open>;
  #changed = new Set<string>();
  /** Some minute has values. */
  #hasShort: boolean;

  constructor(drafts: Drafts, states: ReadonlyMap<string, OpenSummaries>) {
    this.#drafts = drafts;
    const summaryOf = (subject: Subject, state: SummaryState | undefined): Summary | undefined => (state === undefined ? undefined : new Summary(subject, state));
    const openOf = ({ subject, short, late, long }: OpenSummaries): Open => ({ subject, short: summaryOf(subject, short), late: summaryOf(subject, late), long: summaryOf(subject, long) });
    this.#open = new Map([...states].map(([name, state]) => [name, openOf(state)]));
    this.#hasShort = [...states.values()].some(({ short, late }) => short !== undefined || late !== undefined);
  }

  add({ reading, subject, measuredAt }: Attributed): void {
    const name = nameOf(subject);
    let open = this.#open.get(name);
    if (open === undefined) {
      open = { subject, short: undefined, late: undefined, long: undefined };
      this.#open.set(name, open);
    }
    const part = reading.doubt === 'stored' ? 'late' : 'short';
    open[part] ??= new Summary(subject);
    open[part].add(reading, measuredAt);
    this.#hasShort = true;
    this.#changed.add(name);
  }

  /** Drafts what ended between `before` and `now`. */
  passTime(before: Millis, now: Millis, time: UnixMillis): void {
    if (isOver(SHORT, before, now)) this.#closeShort(time);
    if (isOver(LONG, before, now)) this.#closeLong(time);
  }

  #closeShort(time: UnixMillis): void {
    if (!this.#hasShort) return;
    this.#hasShort = false;
    for (const [name, open] of this.#byName()) {
      if (open.short === undefined && open.late === undefined) continue;
      if (open.late !== undefined) this.#draft(open.late, { seconds: SHORT / 1000, late: 1 }, time);
      if (open.short !== undefined) this.#closeMinute(open, open.short, time);
      open.late = undefined;
      this.#changed.add(name);
    }
  }

  #closeMinute(open: Open, short: Summary, time: UnixMillis): void {
    this.#draft(short, { seconds: SHORT / 1000 }, time);
    open.long ??= new Summary(open.subject);
    open.long.merge(short);
    open.short = undefined;
  }

  #closeLong(time: UnixMillis): void {
    for (const [name, open] of this.#byName()) {
      if (open.long === undefined) continue;
      this.#draft(open.long, { seconds: LONG / 1000 }, time);
      open.long = undefined;
      this.#changed.add(name);
    }
  }

  #draft(summary: Summary, fields: Readonly<Record<string, number>>, time: UnixMillis): void {
    this.#drafts.add({ lane: 'record', kind: 'summary', time, subject: summary.subject, fields, payload: summary.payload() });
  }

  /** An order that does not depend on who was heard first since the last start. */
  #byName(): [string, Open][] {
    return [...this.#open].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** How long after `now` one ends; undefined: nothing was measured. */
  dueIn(now: Millis): Millis | undefined {
    if (this.#hasShort) return Millis(SHORT - (now % SHORT));
    return [...this.#open.values()].some(({ long }) => long !== undefined) ? Millis(LONG - (now % LONG)) : undefined;
  }

  /** What changed since the last call; undefined for what has nothing open. */
  takeChanges(): ReadonlyMap<string, OpenSummaries | undefined> {
    const changed = new Map([...this.#changed].sort().map((name) => [name, this.#stateOf(name)] as const));
    this.#changed = new Set();
    return changed;
  }

  /** Forgets what is open of a subject, unsaid. */
  forget(name: string): void {
    this.#open.delete(name);
    this.#changed.add(name);
  }

  #stateOf(name: string): OpenSummaries | undefined {
    const open = this.#open.get(name) ?? ({} as Partial<Open>);
    if (open.subject === undefined) return undefined;
    const states = SUMMARY_PARTS.flatMap((part) => {
      const state = open[part]?.state;
      return state === undefined ? [] : [[part, state] as const];
    });
    return states.length === 0 ? undefined : { subject: open.subject, ...Object.fromEntries(states) };
  }
}

const isOver = (length: Millis, before: Millis, now: Millis): boolean => Math.floor(now / length) > Math.floor(before / length);
