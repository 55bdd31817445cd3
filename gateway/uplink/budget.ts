/** How many bytes went over a link in a day and a month, and how many may. Pure; days are those of the gateway's time zone. */

import { type Bytes, Bytes as bytes } from '../quantity.ts';

/** What may go over a link in all. Absent: as much as there is. */
export type Budget = Readonly<{ day?: Bytes; month?: Bytes; /** Part of it that is kept for alarms, 0 to 1. */ reserved: number }>;

/** `day` is YYYY-MM-DD and `month` YYYY-MM, as the clock showed when they were counted. */
export type Usage = Readonly<{ day: string; dayBytes: number; month: string; monthBytes: number }>;

export const NOTHING_USED: Usage = { day: '', dayBytes: 0, month: '', monthBytes: 0 };

/** `today`: YYYY-MM-DD; undefined while the clock cannot be believed, when what is counted goes to the day that was the last. */
export function used(usage: Usage, more: number, today: string | undefined): Usage {
  const day = today ?? usage.day;
  const month = day.slice(0, 7);
  return {
    day,
    dayBytes: (day === usage.day ? usage.dayBytes : 0) + more,
    month,
    monthBytes: (month === usage.month ? usage.monthBytes : 0) + more,
  };
}

export type BudgetLeft = Readonly<{
  /** Bytes that are left, the smaller of day and month; undefined without a budget. Below 0 when alarms went over it. */
  left: Bytes | undefined;
  /** Whether anything but alarms may go. */
  forAll: boolean;
}>;

/** Alarms are never held back by a budget: the reserve is what is kept free for them. */
export function leftOf({ day, month, reserved }: Budget, { dayBytes, monthBytes }: Usage): BudgetLeft {
  const lefts = [
    ...(day === undefined ? [] : [{ left: day - dayBytes, reserve: day * reserved }]),
    ...(month === undefined ? [] : [{ left: month - monthBytes, reserve: month * reserved }]),
  ];
  if (lefts.length === 0) return { left: undefined, forAll: true };
  return { left: bytes(Math.round(Math.min(...lefts.map(({ left }) => left)))), forAll: lefts.every(({ left, reserve }) => left > reserve) };
}
