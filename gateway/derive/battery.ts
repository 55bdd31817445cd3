/** What is told of a battery, and when. All numbers are choices of this project, in percent. */

/** Nobody says how long a device lasts at them. It is good again once it was charged. */
export const LOW_BATTERY = 15;
export const EMPTY_BATTERY = 5;
const GOOD_BATTERY = 25;
/** So much more, and it is on its charger: readings of a battery waver by one. */
const CHARGED = 2;

export type BatteryTold = 'low' | 'empty';

/** What is to be told at so many percent; undefined: nothing, or that it is good again. */
export function batteryAfter(told: BatteryTold | undefined, percent: number): BatteryTold | undefined {
  if (percent <= EMPTY_BATTERY) return 'empty';
  if (told === 'empty' && percent < GOOD_BATTERY) return told;
  if (percent <= LOW_BATTERY) return 'low';
  return percent >= GOOD_BATTERY ? undefined : told;
}

/** Whether it rises: `lowest` is the least it had since its device measures nothing. */
export const isCharging = (percent: number, lowest: number): boolean => percent - lowest >= CHARGED;
