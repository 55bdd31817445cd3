/** The section `alarms` of the configuration: who is told, how soon, what may be silent and for how long. */

import { z } from 'zod';
import type { AlarmPolicy, Course, QuietHours } from '../alarm/policy.ts';
import { ACCESSES, type Contact, type Person } from '../people/access.ts';
import { Millis, Minutes, Seconds } from '../quantity.ts';
import { count, duration, line, name, timeOfDay, timeZone, word } from './fields.ts';
import { mailAddress, telephoneNumber } from './notices-section.ts';
import { checkAlarms, checkCourse, checkQuiet } from './relations.ts';
import { ALWAYS, setting } from './setting.ts';

const MOST_PEOPLE = 200;
const MOST_LEVELS = 10;
const MOST_WINDOWS = 20;
const LONGEST = Minutes(7 * 24 * 60);
const NONE = Millis(0);
/** Until the section of the gateway, which knows its own, puts that in. */
export const ZONE_OF_GATEWAY = '';

const person = z
  .strictObject({
    name: name('a name').describe('Name of the person in alarms and in the chain; unique in this file. A short one, or a number of your own.'),
    access: setting(word(...ACCESSES), 'caregiver', 'What the person may do with a token: viewer (see), caregiver (also answer alarms and enter observations), clinician (also prescribe the SpO2 scale) or administrator (as caregiver, and put rule packs in force).'),
    patients: z
      .array(line('a patient id', 64), { error: 'expected a list of patient ids' })
      .max(500, { error: 'expected at most 500 patients' })
      .optional()
      .describe('Whom alone the person looks after, with the rooms they live in: nobody else\'s alarms and values are shown to them. Default: everybody.'),
    roles: z
      .array(name('a role'), { error: 'expected a list of roles' })
      .max(20, { error: 'expected at most 20 roles' })
      .prefault([])
      .describe('Roles by which levels can name the person, for example nurse. Default: none.'),
    email: mailAddress().optional().describe('Where the person gets mail that flows ask for (notices.email). It stays in this file. Default: none.'),
    phone: telephoneNumber().optional().describe('Where the person gets short messages that flows ask for (the modem of a link). It stays in this file. Default: none.'),
  })
  .describe('Somebody who is told of alarms.');

const level = (within: string) =>
  z
    .strictObject({
      to: z
        .array(name('a name or a role'), { error: 'expected a list of names and roles' })
        .min(1, { error: 'expected at least one name or role' })
        .max(50, { error: 'expected at most 50 names and roles' })
        .prefault(['everyone'])
        .describe('Who is told: names and roles of people, or everyone. Default everyone.'),
      within: setting(duration(Seconds(1), LONGEST), within, 'How long they have to acknowledge before the next level is told, or at the last level they again, a duration.'),
    })
    .describe('Who is told together.');

type Defaults = Readonly<{ delay: string; within: string; realarm: string; snooze: string; episode: string; latched: boolean }>;

const course = (what: string, defaults: Defaults) =>
  z
    .strictObject({
      delay: setting(duration(NONE, LONGEST), defaults.delay, 'It is told when it has persisted for so long, a duration (alarm signal generation delay).'),
      levels: z
        .array(level(defaults.within), { error: 'expected a list of levels' })
        .min(1, { error: 'expected at least one level' })
        .max(MOST_LEVELS, { error: `expected at most ${MOST_LEVELS} levels` })
        .prefault([{}])
        .describe(`Who is told, one level after the other until somebody acknowledges. Default: everyone, again every ${defaults.within}.`),
      realarm: setting(duration(Seconds(1), LONGEST), defaults.realarm, 'It alarms once more when it persists for so long after it was acknowledged, a duration. Nothing may silence it for longer.'),
      snooze: setting(duration(NONE, LONGEST), defaults.snooze, 'Longest pause (IEC 60601-1-8 audio paused), a duration; 0s is none.'),
      episode: setting(duration(NONE, LONGEST), defaults.episode, 'What comes back within this time is the same alarm and not told at once, a duration; 0s is never.'),
      latched: z
        .boolean({ error: 'expected true or false' })
        .prefault(defaults.latched)
        .describe(`Whether it stays until somebody acknowledges it, also when it is over. Default ${defaults.latched}.`),
    })
    // Not while one of them is wrong: a number without its unit is no duration that others could be compared with.
    .superRefine(checkCourse)
    .transform((given): Course => given)
    .prefault({})
    .describe(`How alarms of ${what} go.`);

const physiological = z
  .strictObject({
    high: course('high priority', { delay: '0s', within: '2min', realarm: '10min', snooze: '2min', episode: '1min', latched: true }),
    medium: course('medium priority', { delay: '0s', within: '10min', realarm: '30min', snooze: '10min', episode: '5min', latched: false }),
    low: course('low priority', { delay: '1min', within: '8h', realarm: '24h', snooze: '8h', episode: '30min', latched: false }),
  })
  .prefault({})
  .describe('Alarms about a person.');

const technical = z
  .strictObject({
    highest: setting(word('high', 'medium', 'low'), 'medium', 'Highest priority a technical alarm can have.'),
    high: course('high priority', { delay: '0s', within: '5min', realarm: '15min', snooze: '5min', episode: '5min', latched: false }),
    medium: course('medium priority', { delay: '30s', within: '15min', realarm: '1h', snooze: '30min', episode: '10min', latched: false }),
    low: course('low priority', { delay: '2min', within: '8h', realarm: '24h', snooze: '8h', episode: '30min', latched: false }),
  })
  .prefault({})
  .describe('Alarms about sensors, links and the gateway.');

const day = word('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun');

const quiet = z
  .strictObject({
    timeZone: timeZone().optional().describe('Time zone of the hours, for example Europe/Berlin. Default: that of the gateway.'),
    hours: z
      .array(
        z.strictObject({
          from: timeOfDay().describe('When it becomes quiet, local time in quotes, for example "22:00".'),
          until: timeOfDay().describe('When it ends, local time; of the next day when that is before "from".'),
          days: z
            .array(day, { error: 'expected a list of days' })
            .min(1, { error: 'expected at least one day' })
            .prefault(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])
            .describe('Days on which it begins. Default: every day.'),
        }),
        { error: 'expected a list of quiet hours' },
      )
      .max(MOST_WINDOWS, { error: `expected at most ${MOST_WINDOWS} quiet hours` })
      .prefault([])
      .describe('When low priority is silent and medium is late; high never is. Default: never.'),
    mediumDelay: setting(duration(NONE, LONGEST), '30min', 'How late medium priority may be told in quiet hours, a duration.'),
    watchLimit: setting(duration(NONE, LONGEST), '15min', 'How late it may be told in quiet hours, at any priority, that a person under watch is not seen, a duration.'),
  })
  .superRefine(checkQuiet)
  .prefault({})
  .transform(({ timeZone: zone, ...given }): QuietHours => ({ timeZone: zone ?? (given.hours.length === 0 ? 'UTC' : ZONE_OF_GATEWAY), ...given }))
  .describe('Hours in which people are not woken for what can wait.');

export const alarmSection = z
  .strictObject({
    people: z
      .array(person, { error: 'expected a list of people' })
      .max(MOST_PEOPLE, { error: `expected at most ${MOST_PEOPLE} people` })
      .prefault([])
      .describe('Who can be told. Default: nobody; alarms are on the pages only.'),
    physiological,
    technical,
    quiet,
    most: setting(count('alarms', 16, 10_000), 256, 'Alarms that are kept at a time; beyond that the least urgent is dropped, and the chain says so.'),
  })
  .superRefine(checkAlarms, ALWAYS)
  .transform(({ technical: { highest, ...courses }, ...given }): AlarmPolicy & Readonly<{ people: readonly (Person & Contact)[] }> => ({ ...given, technical: courses, technicalHighest: highest }))
  .prefault({})
  .describe('What becomes of alarms: who is told, how soon, and what may be silent for how long.');
