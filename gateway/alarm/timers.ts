import { Millis } from '../quantity.ts';
import type { Alarm } from './alarm.ts';
import type { Moment } from './moment.ts';
import type { Course } from './policy.ts';
import type { Why } from './step.ts';
import { tell } from './tell.ts';

/**
 * Does what was due by now, in the order in which it was due, and of equals the older alarm first. However long nobody asked, each alarm
 * moves on by one stage only: a time to answer counts from when somebody was told, not from when they should have been.
 */
export function fireTimers(moment: Moment): void {
  for (let alarm = nextDue(moment); alarm !== undefined; alarm = nextDue(moment)) fire(moment, alarm);
}

function nextDue({ alarms, now }: Moment): Alarm | undefined {
  let next: Alarm | undefined;
  for (const alarm of alarms) {
    if (alarm.dueAt !== null && alarm.dueAt <= now && alarm.dueAt < (next?.dueAt ?? Infinity)) next = alarm;
  }
  return next;
}

function fire(moment: Moment, alarm: Alarm): void {
  const late = Millis(moment.now - (alarm.dueAt ?? moment.now));
  const why = whyNext(alarm, moment.courseOf(alarm));
  switch (alarm.phase) {
    case 'cleared':
      return moment.forget(alarm);
    case 'pending':
      return tell(moment, alarm, { ...alarm, phase: 'active' }, why, late);
    case 'acknowledged':
      return tell(moment, alarm, { ...alarm, phase: 'active', revision: alarm.revision + 1, level: 0, nextLevel: 1, acknowledgedBy: null }, why, late);
    case 'active':
    case 'latched':
      return tell(moment, alarm, { ...alarm, snooze: null }, why, late);
  }
}

/** Why a live alarm is told when its time is over. One that was told to nobody since it became active is a relapse of what somebody acknowledged. */
export function whyNext({ phase, snooze, held, level, nextLevel }: Alarm, { levels }: Course): Why {
  if (phase === 'pending') return 'delay_over';
  if (phase === 'acknowledged') return 'realarm';
  if (snooze !== null) return 'snooze_ended';
  if (held) return 'hold_over';
  if (level === 0) return 'episode_over';
  return level < Math.min(nextLevel, levels.length) ? 'escalated' : 'told_again';
}

/** What waited for the end of quiet hours is due now. */
export function endQuiet(moment: Moment): void {
  for (const alarm of moment.alarms) {
    if (alarm.held && alarm.phase !== 'cleared') moment.keep({ ...alarm, dueAt: moment.now });
  }
}
