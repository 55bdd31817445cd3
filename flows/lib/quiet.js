/** Whether an hour of the day is a quiet one. */

import { Mistake } from './palette.js';

/** Minutes after midnight. @param {string} text such as 22:00 @param {string} field */
export function minuteIn(text, field) {
  const [, hours, minutes] = /^([01]?\d|2[0-4]):([0-5]\d)$/.exec(text) ?? [];
  const minute = Number(hours) * 60 + Number(minutes);
  if (!(minute <= 24 * 60)) throw new Mistake('badTime', { field, found: JSON.stringify(text) });
  return minute;
}

/** Such as 07:05. @param {number} minute after midnight */
export const timeOfDay = (minute) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** From `begin` to `end`, over midnight when it ends before it begins; the minute of the end is outside. @param {number} minute @param {number} begin @param {number} end */
export const isWithin = (minute, begin, end) => (begin <= end ? minute >= begin && minute < end : minute >= begin || minute < end);

/** Where a clock shows it: in a time zone such as Europe/Berlin; none: where Node-RED runs. Throws RangeError for one there is not. @param {string} zone */
export function clockIn(zone) {
  const format = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(zone === '' ? {} : { timeZone: zone }) });
  return (/** @type {Date} */ date) => minuteIn(format.format(date), 'clock');
}
