import { dueIn, type Episode, type GlassStatus, statusOf } from '../consent/break-glass.ts';
import { DecodeError } from '../errors.ts';
import { Millis, type UnixMillis } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import type { Care, Occasion } from './care.ts';
import { changeConsent, withoutPatient, type ConsentAction } from './consent-changes.ts';
import { nameOfEpisode, type ConsentState, type EpisodeElsewhere } from './consent-state.ts';
import type { Drafts } from './drafts.ts';
import { noteFromHospital, type HospitalNoteAction } from './hospital-notes.ts';

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

  /** Takes what a hospital says of people there, each number once: what comes again, after a crash in between, changes nothing. Throws {@link DecodeError} for what is no note. */
  takeNote(action: HospitalNoteAction, occasion: Occasion): void {
    const noted = noteFromHospital(this.#state, action, occasion.time);
    if (noted === undefined) return;
    this.#set(noted.state);
    if (noted.draft !== undefined) this.#drafts.add({ lane: 'record', time: occasion.time, ...noted.draft });
    this.#look(occasion, occasion.time);
  }

  /** What time alone has changed: episodes that are over, reviews that are overdue. */
  passTime(occasion: Occasion): void {
    if (occasion.wall !== undefined && this.#episodes.length > 0) this.#look(occasion, occasion.wall);
  }

  get #episodes(): readonly (Episode | EpisodeElsewhere)[] {
    return [...this.#state.glass, ...(this.#state.elsewhere ?? [])];
  }

  #look(occasion: Occasion, wall: UnixMillis): void {
    const episodes = this.#episodes;
    const changed = episodes.filter((episode) => statusOf(episode, wall) !== this.#state.told[nameOfEpisode(episode)]);
    if (changed.length === 0) return;
    for (const episode of changed) this.#tell(episode, statusOf(episode, wall), occasion);
    this.#set({ ...this.#state, told: Object.fromEntries(episodes.map((episode) => [nameOfEpisode(episode), statusOf(episode, wall)])) });
  }

  /** Clearing what is not raised changes nothing. */
  #tell(episode: Episode | EpisodeElsewhere, status: GlassStatus, occasion: Occasion): void {
    const { patient, by, reason, ends } = episode;
    const name = nameOfEpisode(episode);
    const subject = subjectOf(patient);
    const evidence = { condition: '', values: [], frames: [] };
    const rules = [
      { rule: `${OPEN_RULE}/${name}`, holds: status === 'open', message: `${by.id} (${by.role}) has broken the glass until ${new Date(ends).toISOString()}: ${reason}` },
      { rule: `${OVERDUE_RULE}/${name}`, holds: status === 'overdue', message: `nobody has judged yet whether ${by.id} (${by.role}) was right to break the glass` },
    ];
    for (const { rule, holds, message } of rules) {
      if (holds) this.#care.raise(subject, { rule, priority: 'low', message, evidence }, occasion);
      else this.#care.clear({ subject, rule }, occasion);
    }
  }

  /** How long after this wall time an episode ends or its review is overdue; undefined: never. */
  dueIn(wall: UnixMillis | undefined): Millis | undefined {
    const due = wall === undefined ? undefined : dueIn(this.#episodes, wall);
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
