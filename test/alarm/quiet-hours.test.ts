import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAYS, type QuietWindow } from '../../gateway/alarm/policy.ts';
import { isQuiet } from '../../gateway/alarm/quiet-hours.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

const at = (text: string): UnixMillis => UnixMillis(Date.parse(text));
const clock = (text: string): number => 60 * Number(text.slice(0, 2)) + Number(text.slice(3));
const window = (from: string, until: string, days: QuietWindow['days'] = DAYS): QuietWindow => ({ from: clock(from), until: clock(until), days });
const NIGHT = window('22:00', '06:30');

describe('quiet hours', () => {
  const table: readonly [what: string, timeZone: string, hours: readonly QuietWindow[], instant: string, quiet: boolean][] = [
    ['are none where none are given', 'Europe/Berlin', [], '2026-01-05T23:00:00Z', false],
    ['begin at their first minute', 'UTC', [NIGHT], '2026-01-05T22:00:00Z', true],
    ['do not begin before', 'UTC', [NIGHT], '2026-01-05T21:59:59Z', false],
    ['go on after midnight', 'UTC', [NIGHT], '2026-01-06T00:00:00Z', true],
    ['end before their last minute', 'UTC', [NIGHT], '2026-01-06T06:29:59Z', true],
    ['are over then', 'UTC', [NIGHT], '2026-01-06T06:30:00Z', false],
    ['may lie within a day', 'UTC', [window('13:00', '14:00')], '2026-01-06T13:30:00Z', true],
    ['may end at midnight', 'UTC', [window('22:00', '24:00')], '2026-01-06T23:59:00Z', true],
    ['that end at midnight do not go on', 'UTC', [window('22:00', '24:00')], '2026-01-07T00:00:00Z', false],
    ['may be several', 'UTC', [window('13:00', '14:00'), NIGHT], '2026-01-06T23:00:00Z', true],
    ['are local: winter', 'Europe/Berlin', [NIGHT], '2026-01-05T21:00:00Z', true],
    ['are local: summer', 'Europe/Berlin', [NIGHT], '2026-07-05T20:00:00Z', true],
    ['are local: a zone of half an hour', 'Asia/Kolkata', [NIGHT], '2026-07-05T16:30:00Z', true],
    ['are local: the other side of midnight', 'Pacific/Auckland', [window('00:00', '01:00')], '2026-07-05T12:30:00Z', true],
    // 2026-01-09 is a Friday.
    ['begin on their days only', 'UTC', [window('22:00', '06:30', ['fri'])], '2026-01-08T23:00:00Z', false],
    ['begin on their days', 'UTC', [window('22:00', '06:30', ['fri'])], '2026-01-09T23:00:00Z', true],
    ['belong to the day they began on', 'UTC', [window('22:00', '06:30', ['fri'])], '2026-01-10T05:00:00Z', true],
    ['of the day before were not', 'UTC', [window('22:00', '06:30', ['fri'])], '2026-01-09T05:00:00Z', false],
    ['of a Sunday go on into Monday', 'UTC', [window('22:00', '06:30', ['sun'])], '2026-01-12T05:00:00Z', true],
    // Clocks in Berlin go from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25.
    ['hold in the hour before clocks are put forward', 'Europe/Berlin', [window('01:00', '03:00')], '2026-03-29T00:59:00Z', true],
    ['are over when clocks were put forward to their end', 'Europe/Berlin', [window('01:00', '03:00')], '2026-03-29T01:00:00Z', false],
    ['hold when clocks show an hour the first time', 'Europe/Berlin', [window('02:15', '02:45')], '2026-10-25T00:30:00Z', true],
    ['hold when clocks show an hour the second time', 'Europe/Berlin', [window('02:15', '02:45')], '2026-10-25T01:30:00Z', true],
    ['do not hold between the two', 'Europe/Berlin', [window('02:15', '02:45')], '2026-10-25T01:00:00Z', false],
  ];
  for (const [what, timeZone, hours, instant, quiet] of table) {
    it(`${what}: ${instant}`, () => expect(isQuiet({ timeZone, hours }, at(instant))).toBe(quiet));
  }

  it('refuse a zone that does not exist', () => {
    expect(() => isQuiet({ timeZone: 'Europe/Atlantis', hours: [NIGHT] }, at('2026-01-05T23:00:00Z'))).toThrow(RangeError);
  });

  it('cover as many minutes of a week as their windows have', () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    fc.assert(fc.property(minute, minute, fc.subarray([...DAYS]), (from, until, days) => {
      fc.pre(from !== until);
      const hours = [{ from, until, days }];
      const monday = Date.parse('2026-01-05T00:00:00Z');
      let minutes = 0;
      for (let m = 0; m < 7 * 1440; m += 30) if (isQuiet({ timeZone: 'UTC', hours }, UnixMillis(monday + 60_000 * m))) minutes += 30;
      const length = (until - from + 1440) % 1440;
      expect(Math.abs(minutes - days.length * length)).toBeLessThanOrEqual(30 * days.length);
    }), { numRuns: 30 });
  });
});
