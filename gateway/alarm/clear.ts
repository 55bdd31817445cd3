import { Millis } from '../quantity.ts';
import type { Alarm } from './alarm.ts';
import type { Key } from './condition.ts';
import type { Moment } from './moment.ts';
import type { Details } from './step.ts';

/** A condition is over. Without a live alarm that shows it, or with one that is latched already, nothing happens. */
export function clear(moment: Moment, key: Key, why: 'cleared' | 'withdrawn'): void {
  const alarm = moment.find(key);
  if (alarm === undefined || alarm.phase === 'cleared' || alarm.phase === 'latched') return;
  if (alarm.phase === 'active' && moment.courseOf(alarm).latched) return moment.change(alarm, { ...alarm, phase: 'latched' }, why);
  end(moment, alarm, why);
}

/** Out of the list, but remembered for as long as the same condition would be the same episode. */
export function end(moment: Moment, alarm: Alarm, why: 'cleared' | 'withdrawn' | 'acknowledged', details: Details = {}): void {
  const dueAt = Millis(moment.now + moment.courseOf(alarm).episode);
  const answered = alarm.phase === 'acknowledged' || why === 'acknowledged';
  const afterwards = answered ? afterAnswer(moment, alarm) : { resume: { phase: alarm.phase === 'pending' ? alarm.phase : ('active' as const), at: alarm.dueAt } };
  moment.change(alarm, { ...alarm, phase: 'cleared', dueAt, snooze: null, acknowledgedBy: null, ...afterwards }, why, details);
}

/** IEC 60601-1-8: an acknowledgement holds until the condition is over. A relapse is told anew, but not more often than once in `episode`. */
function afterAnswer(moment: Moment, alarm: Alarm): Pick<Alarm, 'level' | 'nextLevel' | 'held' | 'resume'> {
  const at = Millis((alarm.toldAt ?? moment.now) + moment.courseOf(alarm).episode);
  return { level: 0, nextLevel: 1, held: false, resume: { phase: 'active', at } };
}
