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
  switch (alarm.phase) {
    case 'cleared':
      return moment.forget(alarm);
    case 'pending':
      return tell(moment, alarm, { ...alarm, phase: 'active' }, 'delay_over', late);
    case 'acknowledged':
      return tell(moment, alarm, { ...alarm, phase: 'active', revision: alarm.revision + 1, level: 0, nextLevel: 1, acknowledgedBy: null }, 'realarm', late);
    case 'active':
    case 'latched':
      return goOn(moment, alarm, late);
  }
}

function goOn(moment: Moment, alarm: Alarm, late: Millis): void {
  if (alarm.snooze !== null) return tell(moment, alarm, { ...alarm, snooze: null }, 'snooze_ended', late);
  if (alarm.held) return tell(moment, alarm, alarm, 'hold_over', late);
  tell(moment, alarm, alarm, whyNow(alarm, moment.courseOf(alarm)), late);
}

/** An alarm that was told to nobody since it became active is a relapse of what somebody acknowledged. */
function whyNow({ level, nextLevel }: Alarm, { levels }: Course): Why {
  if (level === 0) return 'episode_over';
  return level < Math.min(nextLevel, levels.length) ? 'escalated' : 'told_again';
}

/** What waited for the end of quiet hours is due now. */
export function endQuiet(moment: Moment): void {
  for (const alarm of moment.alarms) {
    if (alarm.held && alarm.phase !== 'cleared') moment.keep({ ...alarm, dueAt: moment.now });
  }
}
