import { dueIn, type Episode, type GlassStatus, statusOf } from '../consent/break-glass.ts';
import { DecodeError } from '../errors.ts';
import { Millis, type UnixMillis } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import type { Care, Occasion } from './care.ts';
import { changeConsent, withoutPatient, type ConsentAction } from './consent-changes.ts';
import type { ConsentState } from './consent-state.ts';
import type { Drafts } from './drafts.ts';

const OPEN_RULE = 'glass-broken';
const OVERDUE_RULE = 'glass-review-overdue';

/**
 * Follows what patients permit, and says in the chain what changed. Whoever looks after a patient is told when the glass is broken for them, and
 * when nobody has judged that in time.
 */
export class ConsentBook {
  readonly #drafts: Drafts;
  readonly #care: Pick<Care, 'raise' | 'clear'>;
  #state: ConsentState;
  #changed = false;

  constructor(drafts: Drafts, care: Pick<Care, 'raise' | 'clear'>, state: ConsentState) {
    this.#drafts = drafts;
    this.#care = care;
    this.#state = state;
  }

  /** Throws {@link DecodeError} for what may not be; then nothing has changed. */
  carryOut(action: ConsentAction, occasion: Occasion): void {
    const changed = changeConsent(this.#state, action, occasion.time);
    if ('refused' in changed) throw new DecodeError('wrong_shape', `${changed.refused}: ${changed.why}`);
    const { state, record: { kind, patient, word, said } } = changed;
    this.#set(state);
    this.#drafts.add({ lane: 'record', kind, time: occasion.time, subject: subjectOf(patient), fields: { action: word }, payload: said });
    this.#look(occasion, occasion.time);
  }

  /** What time alone has changed: episodes that are over, reviews that are overdue. */
  passTime(occasion: Occasion): void {
    if (occasion.wall !== undefined && this.#state.glass.length > 0) this.#look(occasion, occasion.wall);
  }

  #look(occasion: Occasion, wall: UnixMillis): void {
    const changed = this.#state.glass.filter((episode) => statusOf(episode, wall) !== this.#state.told[episode.number]);
    if (changed.length === 0) return;
    for (const episode of changed) this.#tell(episode, statusOf(episode, wall), occasion);
    this.#set({ ...this.#state, told: Object.fromEntries(this.#state.glass.map((episode) => [episode.number, statusOf(episode, wall)])) });
  }

  /** Clearing what is not raised changes nothing. */
  #tell({ number, patient, by, reason, ends }: Episode, status: GlassStatus, occasion: Occasion): void {
    const subject = subjectOf(patient);
    const evidence = { condition: '', values: [], frames: [] };
    const rules = [
      { rule: `${OPEN_RULE}/${number}`, holds: status === 'open', message: `${by.id} (${by.role}) has broken the glass until ${new Date(ends).toISOString()}: ${reason}` },
      { rule: `${OVERDUE_RULE}/${number}`, holds: status === 'overdue', message: `nobody has judged yet whether ${by.id} (${by.role}) was right to break the glass` },
    ];
    for (const { rule, holds, message } of rules) {
      if (holds) this.#care.raise(subject, { rule, priority: 'low', message, evidence }, occasion);
      else this.#care.clear({ subject, rule }, occasion);
    }
  }

  /** How long after this wall time an episode ends or its review is overdue; undefined: never. */
  dueIn(wall: UnixMillis | undefined): Millis | undefined {
    const due = wall === undefined ? undefined : dueIn(this.#state.glass, wall);
    return due === undefined || wall === undefined ? undefined : Millis(due - wall);
  }

  forget({ kind, id }: Subject): void {
    if (kind === 'patient') this.#set(withoutPatient(this.#state, id));
  }

  #set(state: ConsentState): void {
    this.#state = state;
    this.#changed = true;
  }

  /** Undefined when nothing changed since the last call. */
  takeChange(): ConsentState | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return this.#state;
  }
}

const subjectOf = (patient: string): Subject => ({ kind: 'patient', id: patient });
