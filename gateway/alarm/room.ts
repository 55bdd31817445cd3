import type { Alarm } from './alarm.ts';
import { rank } from './condition.ts';
import { aboutOf, type Moment } from './moment.ts';

/**
 * Makes room for a new alarm, if need be by dropping what weighs less: what is only remembered, then low, medium and high in this order, of
 * each those whose condition is over first, and of equals the oldest. What persists at high priority is never dropped.
 */
export function hasRoomFor(moment: Moment, newcomer: Alarm): boolean {
  while (moment.alarms.length >= moment.policy.most) {
    const victim = lightest(moment.alarms);
    if (victim === undefined || weight(victim) >= weight(newcomer)) return false;
    drop(moment, victim);
  }
  return true;
}

function lightest(alarms: readonly Alarm[]): Alarm | undefined {
  let lightestYet: Alarm | undefined;
  for (const alarm of alarms) if (lightestYet === undefined || weight(alarm) < weight(lightestYet)) lightestYet = alarm;
  return lightestYet;
}

function weight({ phase, priority }: Alarm): number {
  if (phase === 'cleared') return -1;
  return 2 * rank(priority) + (phase === 'latched' ? 0 : 1);
}

function drop(moment: Moment, alarm: Alarm): void {
  moment.note({ alarm: alarm.id, about: aboutOf(alarm), from: alarm.phase, to: 'none', why: 'dropped', revision: alarm.revision, next: null });
  moment.forget(alarm);
}
