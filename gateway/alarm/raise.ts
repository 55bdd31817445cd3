import type { Evidence, Priority } from '../context/finding.ts';
import { Millis } from '../quantity.ts';
import type { Alarm } from './alarm.ts';
import { lower, MOST_FRAMES, rank, type Condition } from './condition.ts';
import { aboutOf, type Moment } from './moment.ts';
import { peopleOf, type AlarmPolicy } from './policy.ts';
import { hasRoomFor } from './room.ts';
import type { Details, Untold } from './step.ts';
import { earlier, laterBy, quietHold, tell } from './tell.ts';

/** A condition was raised: the first time, while its alarm lives, or soon after it was over. Makes at least one step, which tells somebody or says why not. */
export function raise(moment: Moment, condition: Condition): void {
  const known = moment.find(condition);
  const priority = priorityOf(condition, moment.policy);
  if (known === undefined) return begin(moment, condition, priority);
  const seen = seenAgain(moment, known, condition);
  if (rank(priority) > rank(known.priority)) return heighten(moment, known, { ...seen, priority }, asked(condition, priority));
  const details: Details = { ...asked(condition, known.priority), untold: known.phase === 'cleared' ? 'same_episode' : untoldOf(seen) };
  if (seen.phase === known.phase) return moment.change(known, seen, 'repeated', details);
  moment.change(known, { ...seen, revision: seen.revision + 1 }, 'raised_again', details);
}

function priorityOf({ kind, priority }: Condition, { technicalHighest }: AlarmPolicy): Priority {
  return kind === 'technical' ? lower(priority, technicalHighest) : priority;
}

const asked = ({ priority }: Condition, given: Priority): Details => (priority === given ? {} : { asked: priority });

function begin(moment: Moment, condition: Condition, priority: Priority): void {
  const alarm = fresh(moment, condition, priority);
  const details = asked(condition, priority);
  if (!hasRoomFor(moment, alarm)) return turnAway(moment, alarm, details);
  const { delay } = moment.courseOf(alarm);
  if (delay === 0) tell(moment, undefined, alarm, 'raised', Millis(0), details);
  else moment.change(undefined, { ...alarm, phase: 'pending', dueAt: Millis(moment.now + delay) }, 'raised', { ...details, untold: 'delay' });
}

function fresh(moment: Moment, { subject, rule, kind, message, watched, evidence, levels }: Condition, priority: Priority): Alarm {
  return {
    id: moment.newId(), subject, rule, kind, priority, message, watched: watched === true, evidence: bounded(evidence), count: 1, raisedAt: moment.now,
    phase: 'active', revision: 1, prioritySince: 1, level: 0, nextLevel: 1, toldAt: null, dueAt: null, held: false, snooze: null, acknowledgedBy: null, resume: null,
    ...(levels === undefined ? {} : { levels }),
  };
}

/** Where nothing less urgent could make room it cannot be followed or acknowledged: of high priority, all levels are told at once. */
function turnAway(moment: Moment, alarm: Alarm, details: Details): void {
  const { levels } = moment.courseOf(alarm);
  const to = peopleOf(moment.policy, levels.flatMap((level) => level.to));
  const outcome: Details = alarm.priority === 'high' ? { told: { level: levels.length, levels: levels.length, to } } : { untold: 'no_room' };
  moment.note({ alarm: alarm.id, about: aboutOf(alarm), from: 'none', to: 'none', why: 'no_room', revision: alarm.revision, next: null, ...details, ...outcome });
}

const bounded = (evidence: Evidence | null): Evidence | null => (evidence === null ? null : { ...evidence, frames: evidence.frames.slice(-MOST_FRAMES) });

/** The alarm with what is new about its condition, which persists (again). */
function seenAgain(moment: Moment, known: Alarm, { message, watched, evidence }: Condition): Alarm {
  const seen: Alarm = { ...known, message, watched: known.watched || watched === true, evidence: bounded(evidence), count: known.count + 1 };
  return heldShorter(moment, known, persisting(moment, seen));
}

function persisting(moment: Moment, alarm: Alarm): Alarm {
  if (alarm.phase === 'latched') return { ...alarm, phase: 'active' };
  return alarm.resume === null ? alarm : resumed(moment, alarm, alarm.resume);
}

/** Goes on where it was when it cleared, as if the time between had not been: what would have been due is due now. */
function resumed(moment: Moment, alarm: Alarm, { phase, at }: NonNullable<Alarm['resume']>): Alarm {
  const isFree = alarm.held && !moment.quiet;
  const dueAt = isFree ? moment.now : at === null ? null : Millis(Math.max(moment.now, at));
  return { ...alarm, phase, dueAt, resume: null };
}

/** Quiet hours hold it back for a shorter time once a person under watch is not seen because of it. */
function heldShorter(moment: Moment, before: Alarm, seen: Alarm): Alarm {
  if (!seen.held || seen.watched === before.watched) return seen;
  return { ...seen, dueAt: earlier(seen.dueAt, laterBy(moment.now, quietHold(moment.policy, seen))) };
}

/** An answer to the lower priority was no answer to this one. */
function heighten(moment: Moment, before: Alarm, seen: Alarm, details: Details): void {
  const revision = before.revision + 1;
  const alarm: Alarm = { ...seen, revision, prioritySince: revision, level: 0, nextLevel: 1, held: false, snooze: null, acknowledgedBy: null };
  if (alarm.phase !== 'pending') return tell(moment, before, { ...alarm, phase: 'active' }, 'priority_raised', Millis(0), details);
  const dueAt = Millis(Math.min(alarm.dueAt ?? moment.now, moment.now + moment.courseOf(alarm).delay));
  moment.change(before, { ...alarm, dueAt }, 'priority_raised', { ...details, untold: 'delay' });
}

function untoldOf({ phase, snooze, held, level }: Alarm): Untold {
  if (phase === 'pending') return 'delay';
  if (phase === 'acknowledged') return 'acknowledged';
  if (snooze !== null) return 'snoozed';
  if (held) return 'quiet';
  return level === 0 ? 'same_episode' : 'already_told';
}
