/**
 * A naive twin of the room: it keeps no alarms and no timers, only all that ever happened, and reads from that again, for every question,
 * where an alarm stands. It shares the words with the room and no line of its code.
 */

import type { AlarmInput, Condition } from '../../gateway/alarm/condition.ts';
import type { AlarmPolicy, Course } from '../../gateway/alarm/policy.ts';
import type { Step } from '../../gateway/alarm/step.ts';

type Priority = Condition['priority'];

/** What happened to one alarm, and what it was about. */
export type Mark = Readonly<{
  at: number;
  id: number;
  key: string;
  kind: Condition['kind'];
  priority: Priority;
  watched: boolean;
  from: string;
  to: string;
  why: Step['why'];
  by?: string;
  level?: number;
  unobserved?: number;
  untold?: string;
  refusal?: string;
  /** Snoozed. */
  until?: number;
  /** Held back by quiet hours: for so long. */
  hold?: number;
  /** No room, but told to all levels. */
  shout?: true;
  revision: number;
  /** When it is due; Infinity: never. */
  next: number;
}>;

export type Happening = readonly [at: number, input: AlarmInput];

const ORDER = ['low', 'medium', 'high'];
const keyOf = ({ subject, rule }: Pick<Condition, 'subject' | 'rule'>): string => `${subject === null ? '-' : `${subject.kind}/${subject.id}`}|${rule}`;
const subjectOf = (key: string): string => key.slice(0, key.indexOf('|'));

export class Twin {
  readonly marks: Mark[] = [];
  readonly #policy: AlarmPolicy;
  readonly #quiet: (readonly [at: number, on: boolean])[] = [];
  #now = 0;
  #ids = 0;

  constructor(policy: AlarmPolicy) {
    this.#policy = policy;
  }

  /** Lets it happen again from the beginning. */
  static marks(history: readonly Happening[], policy: AlarmPolicy): readonly Mark[] {
    const twin = new Twin(policy);
    for (const [at, input] of history) twin.#take(at, input);
    return twin.marks;
  }

  #take(at: number, input: AlarmInput): void {
    this.#now = Math.max(this.#now, at);
    this.#pass();
    if (input.type === 'raised') this.#raise(input.condition);
    else if (input.type === 'cleared') this.#clear(keyOf(input.key), input.withdrawn === true ? 'withdrawn' : 'cleared');
    else if (input.type === 'acknowledge') this.#answer(input.alarm, input.revision, input.by.id, undefined);
    else if (input.type === 'snooze') this.#answer(input.alarm, input.revision, input.by.id, input.time);
    else if (input.type === 'quiet') this.#quiet.push([this.#now, input.quiet]);
    this.#pass();
  }

  // Questions to the past.

  #of(id: number): readonly Mark[] {
    return this.marks.filter((mark) => mark.id === id && mark.why !== 'refused');
  }

  #last(id: number): Mark {
    return this.#of(id).at(-1) as Mark;
  }

  #course({ kind, priority }: Mark): Course {
    return this.#policy[kind][priority];
  }

  #isForgotten(last: Mark): boolean {
    if (last.to === 'none') return true;
    return last.to === 'cleared' && this.#now >= last.at + this.#course(last).episode;
  }

  get #known(): readonly number[] {
    const ids = [...new Set(this.marks.filter(({ why }) => why !== 'refused').map(({ id }) => id))].sort((a, b) => a - b);
    return ids.filter((id) => !this.#isForgotten(this.#last(id)));
  }

  get #isQuiet(): boolean {
    return this.#quiet.at(-1)?.[1] ?? false;
  }

  #revision(id: number, upTo = Infinity): number {
    return 1 + this.#of(id).slice(0, upTo).filter(({ why }) => ['raised_again', 'priority_raised', 'realarm'].includes(why)).length;
  }

  #prioritySince(id: number): number {
    const at = this.#of(id).findLastIndex(({ why }) => why === 'priority_raised');
    return this.#revision(id, at + 1);
  }

  /** What happened since nobody had been told of what is there now. */
  #occurrence(id: number): readonly Mark[] {
    const all = this.#of(id);
    const begins = all.findLastIndex(({ why, from, to }) => why === 'priority_raised' || why === 'realarm' || (to === 'cleared' && (from === 'acknowledged' || why === 'acknowledged')));
    return begins < 0 ? all : all.slice(begins);
  }

  #levelTold(id: number): number {
    return this.#occurrence(id).findLast(({ level }) => level !== undefined)?.level ?? 0;
  }

  #toldAt(id: number): number | undefined {
    return this.#of(id).findLast(({ level }) => level !== undefined)?.at;
  }

  #paused(id: number): Mark | undefined {
    const decides = ['snoozed', 'snooze_ended', 'snooze_broken', 'priority_raised', 'acknowledged'];
    const mark = this.#of(id).findLast(({ why, to }) => decides.includes(why) || to === 'cleared');
    return mark?.why === 'snoozed' ? mark : undefined;
  }

  /** Where the present row of pauses began. */
  #pausedSince(id: number): number {
    const all = this.#of(id);
    let first = this.#paused(id);
    const decides = ['snooze_ended', 'snooze_broken', 'priority_raised', 'acknowledged'];
    for (const mark of all.toReversed()) {
      if (decides.includes(mark.why) || mark.to === 'cleared') break;
      if (mark.why === 'snoozed') first = mark;
    }
    return first?.at ?? this.#now;
  }

  /** What is held back since when; undefined when nothing is. */
  #heldSince(id: number): number | undefined {
    const all = this.#of(id);
    const at = all.findLastIndex(({ hold, level, why, to, from }) =>
      hold !== undefined || level !== undefined || why === 'snoozed' || why === 'acknowledged' || (to === 'cleared' && from === 'acknowledged'));
    return all[at]?.hold === undefined ? undefined : at;
  }

  #holdFor({ priority, watched }: Pick<Mark, 'priority' | 'watched'>): number {
    const { mediumDelay, watchLimit } = this.#policy.quiet;
    const limits = [priority === 'high' ? 0 : priority === 'medium' ? mediumDelay : Infinity, watched ? watchLimit : Infinity];
    return Math.min(...limits);
  }

  #due(id: number): number {
    const last = this.#last(id);
    const relapse = this.#of(id).findLast(({ from, to }) => from === 'cleared' && to !== 'none')?.at ?? 0;
    if (last.to === 'pending') return Math.max(relapse, this.#delayOver(id));
    if (last.to === 'acknowledged') return (this.#of(id).findLast(({ why }) => why === 'acknowledged') as Mark).at + this.#course(last).realarm;
    if (last.to === 'active' || last.to === 'latched') return Math.max(relapse, this.#toldNext(id));
    return Infinity;
  }

  #delayOver(id: number): number {
    const starts = this.#of(id).filter(({ why }) => why === 'raised' || why === 'priority_raised');
    return Math.min(...starts.map((mark) => mark.at + this.#course(mark).delay));
  }

  #toldNext(id: number): number {
    const held = this.#heldSince(id);
    return held === undefined ? this.#scheduled(id) : this.#heldUntil(id, held);
  }

  #heldUntil(id: number, from: number): number {
    const all = this.#of(id).slice(from);
    const limits = all.map((mark, i) => (i === 0 || mark.watched !== all[i - 1]?.watched ? mark.at + this.#holdFor(mark) : Infinity));
    return Math.min(...limits, this.#isQuiet ? Infinity : this.#now);
  }

  #scheduled(id: number): number {
    const decides = ({ level, why, from, to }: Mark): boolean =>
      level !== undefined || why === 'snoozed' || why === 'snooze_broken' || (to === 'cleared' && (why === 'acknowledged' || from === 'acknowledged'));
    const mark = this.#of(id).findLast(decides) as Mark;
    if (mark.why === 'snoozed') return mark.until as number;
    if (mark.to === 'cleared') return (this.#toldAt(id) ?? mark.at) + this.#course(mark).episode;
    const usual = this.#toldAt(id) === undefined ? mark.at : (this.#toldAt(id) as number) + this.#within(id);
    // A relapse that was paused and never told of has no level whose time could be over.
    if (mark.why === 'snooze_broken') return this.#levelTold(id) === 0 ? mark.at : Math.max(mark.at, usual);
    return usual;
  }

  #within(id: number): number {
    const { levels } = this.#course(this.#last(id));
    return levels[Math.max(1, this.#levelTold(id)) - 1]?.within ?? 0;
  }

  // What happens.

  #pass(): void {
    for (;;) {
      const due = this.#known.filter((id) => this.#due(id) <= this.#now).sort((a, b) => this.#due(a) - this.#due(b) || a - b);
      if (due[0] === undefined) return;
      this.#onTime(due[0]);
    }
  }

  #onTime(id: number): void {
    const last = this.#last(id);
    const late = this.#now - this.#due(id);
    const [paused, held, level] = [this.#paused(id), this.#heldSince(id), this.#levelTold(id)];
    if (last.to === 'pending') return this.#tell(last, { to: 'active', why: 'delay_over' }, 1, late);
    if (last.to === 'acknowledged') return this.#tell(last, { to: 'active', why: 'realarm' }, 1, late);
    const next = this.#wasPausedSinceTold(id) ? Math.max(1, level) : level + 1;
    if (paused !== undefined) return this.#tell(last, { why: 'snooze_ended' }, next, late);
    if (held !== undefined) return this.#mark(last, { why: 'hold_over', ...this.#told(last, next, late) });
    const levels = this.#course(last).levels.length;
    this.#tell(last, { why: level === 0 ? 'episode_over' : Math.min(next, levels) > level ? 'escalated' : 'told_again' }, next, late);
  }

  /** Then the same level is told again, unless the pause was broken. */
  #wasPausedSinceTold(id: number): boolean {
    return this.#occurrence(id).findLast(({ why, level }) => level !== undefined || why === 'snoozed' || why === 'snooze_broken')?.why === 'snoozed';
  }

  #told(mark: Mark, level: number, late = 0): Pick<Mark, 'level' | 'unobserved'> {
    return { level: Math.min(level, this.#course(mark).levels.length), ...(late > 30_000 ? { unobserved: late } : {}) };
  }

  #tell(base: Mark, change: Partial<Mark>, level: number, late = 0): void {
    const next = { ...base, ...change };
    const hold = this.#isQuiet ? this.#holdFor(next) : 0;
    this.#mark(base, { ...change, ...(hold > 0 ? { hold, untold: 'quiet' } : this.#told(next, level, late)) });
  }

  #mark(base: Mark | undefined, change: Partial<Mark>): void {
    const { id, key, kind, priority, watched, to: from } = base ?? ({} as Partial<Mark>);
    const mark = { at: this.#now, id, key, kind, priority, watched, from: from ?? 'none', to: from ?? 'none', ...change } as Mark;
    const at = this.marks.push(mark) - 1;
    this.marks[at] = { ...mark, ...this.#outlook(mark) };
    const loud = mark.to === 'active' && (mark.from !== 'active' || mark.why === 'priority_raised');
    if (!loud || mark.why === 'refused') return;
    for (const other of this.#known) {
      const last = this.#last(other);
      if (this.#paused(other) === undefined || subjectOf(last.key) !== subjectOf(mark.key)) continue;
      if (ORDER.indexOf(last.priority) < ORDER.indexOf(mark.priority)) this.#mark(last, { why: 'snooze_broken', untold: 'already_told' });
    }
  }

  #outlook({ id, to, refusal }: Mark): Pick<Mark, 'revision' | 'next'> {
    return { revision: refusal === 'unknown_alarm' ? 0 : this.#revision(id), next: to === 'none' ? Infinity : this.#due(id) };
  }

  #raise({ subject, rule, kind, priority: asked, watched }: Condition): void {
    const key = keyOf({ subject, rule });
    const limit = this.#policy.technicalHighest;
    const priority = kind === 'technical' && ORDER.indexOf(asked) > ORDER.indexOf(limit) ? limit : asked;
    const id = this.#known.find((each) => this.#last(each).key === key);
    if (id === undefined) return this.#first({ key, kind, priority, watched: watched === true });
    const last = this.#last(id);
    const seen = { ...last, watched: last.watched || watched === true };
    if (ORDER.indexOf(priority) > ORDER.indexOf(last.priority)) return this.#rise(id, seen, priority);
    const live = last.to !== 'cleared' && last.to !== 'latched';
    const untold = last.to === 'cleared' ? 'same_episode' : this.#untold(id);
    if (live) return this.#mark(seen, { why: 'repeated', untold });
    this.#mark(seen, { why: 'raised_again', to: this.#wasPending(id) ? 'pending' : 'active', untold });
  }

  #wasPending(id: number): boolean {
    const last = this.#last(id);
    return last.to === 'pending' || (last.to === 'cleared' && last.from === 'pending');
  }

  #untold(id: number): string {
    const { to } = this.#last(id);
    if (to === 'pending') return 'delay';
    if (to === 'acknowledged') return 'acknowledged';
    if (this.#paused(id) !== undefined) return 'snoozed';
    if (this.#heldSince(id) !== undefined) return 'quiet';
    const justPaused = this.#occurrence(id).some(({ level }) => level !== undefined);
    return justPaused ? 'already_told' : 'same_episode';
  }

  #rise(id: number, seen: Mark, priority: Priority): void {
    if (this.#wasPending(id)) return this.#mark(seen, { priority, why: 'priority_raised', to: 'pending', untold: 'delay' });
    this.#tell(seen, { priority, why: 'priority_raised', to: 'active' }, 1);
  }

  #first(about: Pick<Mark, 'key' | 'kind' | 'priority' | 'watched'>): void {
    const base = { ...about, id: ++this.#ids, at: this.#now, from: 'none', to: 'none', why: 'raised' } as Mark;
    if (!this.#makeRoom(base)) return this.#mark(base, about.priority === 'high' ? { why: 'no_room', shout: true } : { why: 'no_room', untold: 'no_room' });
    if (this.#course(base).delay > 0) return this.#mark(base, { why: 'raised', to: 'pending', untold: 'delay' });
    this.#tell(base, { to: 'active', why: 'raised' }, 1);
  }

  #weight({ to, priority }: Mark): number {
    return to === 'cleared' ? -1 : 2 * ORDER.indexOf(priority) + Number(to !== 'latched');
  }

  #makeRoom(newcomer: Mark): boolean {
    while (this.#known.length >= this.#policy.most) {
      const [victim] = this.#known.map((id) => this.#last(id)).sort((a, b) => this.#weight(a) - this.#weight(b) || a.id - b.id);
      if (victim === undefined || this.#weight(victim) >= this.#weight({ ...newcomer, to: 'active' })) return false;
      this.#mark(victim, { why: 'dropped', to: 'none' });
    }
    return true;
  }

  #clear(key: string, why: 'cleared' | 'withdrawn'): void {
    const id = this.#known.find((each) => this.#last(each).key === key);
    if (id === undefined) return;
    const last = this.#last(id);
    if (last.to === 'cleared' || last.to === 'latched') return;
    this.#mark(last, { why, to: last.to === 'active' && this.#course(last).latched ? 'latched' : 'cleared' });
  }

  #answer(id: number, revision: number, by: string, time: number | undefined): void {
    const last = this.#known.includes(id) ? this.#last(id) : undefined;
    const refusal = last === undefined ? 'unknown_alarm' : this.#refusal(id, last, revision);
    if (refusal !== undefined) return this.#mark(last ?? ({ id, to: 'none' } as Mark), { why: 'refused', by, refusal });
    if (time === undefined) return this.#mark(last, { why: 'acknowledged', by, to: last?.to === 'latched' ? 'cleared' : 'acknowledged' });
    const until = this.#pauseUntil(id, time);
    this.#mark(last, until > this.#now ? { why: 'snoozed', by, until } : { why: 'refused', by, refusal: 'no_time_left' });
  }

  #pauseUntil(id: number, time: number): number {
    const { snooze, realarm } = this.#course(this.#last(id));
    const since = this.#paused(id) === undefined ? this.#now : this.#pausedSince(id);
    return Math.min(this.#now + time, since + snooze, (this.#toldAt(id) ?? this.#now) + realarm);
  }

  #refusal(id: number, last: Mark, revision: number): string | undefined {
    if (last.to === 'cleared') return 'already_cleared';
    if (last.to === 'pending') return 'not_active';
    if (revision < this.#prioritySince(id)) return 'priority_raised';
    if (revision < this.#revision(id)) return 'outdated';
    if (revision > this.#revision(id)) return 'unknown_revision';
    return last.to === 'acknowledged' ? 'already_acknowledged' : undefined;
  }
}
