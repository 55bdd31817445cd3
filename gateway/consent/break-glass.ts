/**
 * Breaking the glass: somebody with an authorised role sees everything of one patient for a while, gives the reason, and answers for it. The
 * patient is told at once, and within seven days somebody else with a role that may judges whether it was right.
 *
 *     open ── its time is over, or ended ──▸ ended ── reviewed ──▸ reviewed
 *                                              └── nobody did in time ──▸ overdue ── reviewed ──▸ reviewed
 *
 * Pure: every step is told what time it is, and what is open, ended or overdue follows from it. JSON, bounded.
 */

import { type Millis, Minutes, UnixMillis } from '../quantity.ts';
import { isSubjectId } from '../reading.ts';
import { isLine, LONGEST_NAME, LONGEST_REMARK } from './fields.ts';

/** Defaults and limits: choices of this project. HIPAA 164.312(a)(2)(ii) asks for an emergency procedure and names no number. */
export const DEFAULT_TIME = Minutes(4 * 60);
export const LONGEST_TIME = Minutes(24 * 60);
export const REVIEW_WITHIN = Minutes(7 * 24 * 60);
const SHORTEST_REASON = 10;
/** Episodes that are open, or wait for their review. Reviewed ones make room. */
export const MOST_EPISODES = 512;

/** Words of people/access.ts and of vocabulary.ts. */
const MAY_BREAK: readonly string[] = ['clinician', 'emergency'];
const MAY_REVIEW: readonly string[] = ['clinician', 'administrator'];

export const VERDICTS = ['justified', 'unjustified'] as const;
export type GlassVerdict = (typeof VERDICTS)[number];

/** Who does it, as whoever let them in has checked. */
export type GlassActor = Readonly<{ id: string; role: string }>;

export type Episode = Readonly<{
  /** Unique; ascending. */
  number: number;
  patient: string;
  by: GlassActor;
  reason: string;
  opened: UnixMillis;
  /** When its time is over, or was ended. */
  ends: UnixMillis;
  endedBy?: GlassActor;
  /** By when it must be reviewed. */
  due: UnixMillis;
  review?: Readonly<{ at: UnixMillis; by: GlassActor; verdict: GlassVerdict; remark: string }>;
}>;

/** In the order they were opened. */
export type Glass = readonly Episode[];

export type GlassStatus = 'open' | 'ended' | 'reviewed' | 'overdue';

export type GlassRefusal =
  | 'role_may_not'
  | 'bad_reason'
  | 'bad_time'
  | 'bad_name'
  | 'already_open'
  | 'too_many'
  | 'unknown_episode'
  | 'not_open'
  | 'still_open'
  | 'own_episode'
  | 'already_reviewed';

/** For people. */
export const GLASS_WORDS: Readonly<Record<GlassRefusal, string>> = {
  role_may_not: 'this role may not do that',
  bad_reason: 'expected a reason of at least ten characters that says something',
  bad_time: 'expected at most 24 hours',
  bad_name: 'expected the id of a patient and of a person',
  already_open: 'this person has broken the glass for this patient already',
  too_many: 'too many episodes wait for their review',
  unknown_episode: 'there is no episode of that number',
  not_open: 'it is over already',
  still_open: 'it goes on: it is judged when it is over',
  own_episode: 'somebody else has to judge it',
  already_reviewed: 'it was judged before',
};

type Result = Readonly<{ glass: Glass; episode: Episode }> | GlassRefusal;

export function statusOf({ ends, due, review }: Episode, now: UnixMillis): GlassStatus {
  if (review !== undefined && review.at <= now) return 'reviewed';
  if (now < ends) return 'open';
  return now < due ? 'ended' : 'overdue';
}

/** At least ten characters that say something: not one repeated. */
export function isReason(text: string): boolean {
  const said = text.replace(/\s/gu, '').toLowerCase();
  return isLine(text, LONGEST_REMARK) && text.trim().length >= SHORTEST_REASON && new Set(said).size > 1;
}

type Opening = Readonly<{ number: number; patient: string; by: GlassActor; reason: string; time?: Millis }>;

/** Opens an episode. One person has one open per patient: a longer time is asked for with a new reason after it. */
export function openGlass(glass: Glass, { number, patient, by, reason, time = DEFAULT_TIME }: Opening, now: UnixMillis): Result {
  if (!MAY_BREAK.includes(by.role)) return 'role_may_not';
  if (!isReason(reason)) return 'bad_reason';
  if (!Number.isSafeInteger(time) || time < 1 || time > LONGEST_TIME) return 'bad_time';
  if (!isSubjectId(patient) || !isLine(by.id, LONGEST_NAME)) return 'bad_name';
  if (glass.some((each) => each.patient === patient && each.by.id === by.id && statusOf(each, now) === 'open')) return 'already_open';
  const kept = glass.length < MOST_EPISODES ? glass : withoutReviewed(glass);
  if (kept === undefined) return 'too_many';
  const ends = UnixMillis(now + time);
  const episode: Episode = { number, patient, by, reason, opened: now, ends, due: UnixMillis(ends + REVIEW_WITHIN) };
  return { glass: [...kept, episode], episode };
}

function withoutReviewed(glass: Glass): Glass | undefined {
  const oldest = glass.find(({ review }) => review !== undefined);
  return oldest === undefined ? undefined : glass.filter((each) => each !== oldest);
}

/** Ends an episode before its time; the review is due from then. Whoever opened it may, and whoever may review. */
export function endGlass(glass: Glass, number: number, by: GlassActor, now: UnixMillis): Result {
  const found = glass.find((each) => each.number === number);
  if (found === undefined) return 'unknown_episode';
  if (by.id !== found.by.id && !MAY_REVIEW.includes(by.role)) return 'role_may_not';
  if (statusOf(found, now) !== 'open') return 'not_open';
  return replaced(glass, { ...found, ends: now, endedBy: by, due: UnixMillis(now + REVIEW_WITHIN) });
}

type Judging = Readonly<{ number: number; by: GlassActor; verdict: GlassVerdict; remark: string }>;

/** Judges an episode that is over. A late review is a review: it is on record that it was late. */
export function reviewGlass(glass: Glass, { number, by, verdict, remark }: Judging, now: UnixMillis): Result {
  const found = glass.find((each) => each.number === number);
  if (found === undefined) return 'unknown_episode';
  if (!MAY_REVIEW.includes(by.role)) return 'role_may_not';
  if (by.id === found.by.id) return 'own_episode';
  if (!isReason(remark) || !VERDICTS.includes(verdict)) return 'bad_reason';
  if (found.review !== undefined) return 'already_reviewed';
  // While it is open nobody knows yet what will be looked at.
  if (statusOf(found, now) === 'open') return 'still_open';
  return replaced(glass, { ...found, review: { at: now, by, verdict, remark } });
}

const replaced = (glass: Glass, episode: Episode): Result => ({ glass: glass.map((each) => (each.number === episode.number ? episode : each)), episode });

/** When the state of some episode changes next by time alone; undefined: never. For a timer. */
export function dueIn(glass: Glass, now: UnixMillis): UnixMillis | undefined {
  const instants = glass.filter(({ review }) => review === undefined).flatMap(({ ends, due }) => [ends, due]).filter((at) => at > now);
  return instants.length === 0 ? undefined : UnixMillis(Math.min(...instants));
}

/** Whether this person may see everything of the patient now, and by which episode. */
export function openEpisode(glass: Glass, patient: string, person: string | undefined, at: UnixMillis): Episode | undefined {
  return glass.find((each) => each.patient === patient && each.by.id === person && each.opened <= at && at < each.ends);
}

/** What is forgotten with a patient who is erased. */
export const forgetEpisodes = (glass: Glass, patient: string): Glass => glass.filter((each) => each.patient !== patient);
