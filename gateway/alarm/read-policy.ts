import type { Priority } from '../context/finding.ts';
import { DecodeError } from '../errors.ts';
import type { Millis } from '../quantity.ts';
import { DAYS, EVERYONE, type AlarmPolicy, type Course, type Level, type Person, type QuietHours, type QuietWindow } from './policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const DAY_MINUTES = 24 * 60;

/**
 * The policy of an `operator` frame: {@link AlarmPolicy} as JSON, durations in milliseconds. A journal outlives the program that wrote it,
 * so what stands there is checked before it is followed; members of later versions are ignored. Throws {@link DecodeError} `wrong_shape`
 * and says where.
 */
export function readPolicy(value: unknown): AlarmPolicy {
  const fields = fieldsOf(value);
  const people = listOf(fields, 'people').map(readPerson);
  return {
    people,
    physiological: readCourses(fields, 'physiological', people),
    technical: readCourses(fields, 'technical', people),
    technicalHighest: expected('technicalHighest', priorityOf(fields['technicalHighest'])),
    quiet: readQuiet(fieldsOf(fields['quiet'])),
    most: whole(fields, 'most', 1),
  };
}

function readPerson(value: unknown): Person {
  const fields = fieldsOf(value);
  return { name: text(fields, 'name'), roles: texts(fields, 'roles') };
}

function readCourses(fields: Fields, kind: string, people: readonly Person[]): Readonly<Record<Priority, Course>> {
  const courses = fieldsOf(fields[kind]);
  const read = (priority: Priority): Course => readCourse(fieldsOf(courses[priority]), `${kind}.${priority}`, people);
  return { high: read('high'), medium: read('medium'), low: read('low') };
}

function readCourse(fields: Fields, where: string, people: readonly Person[]): Course {
  const course: Course = {
    delay: duration(fields, 'delay', 0),
    levels: listOf(fields, 'levels').map(readLevel),
    realarm: duration(fields, 'realarm', 1),
    snooze: duration(fields, 'snooze', 0),
    episode: duration(fields, 'episode', 0),
    latched: expected('latched', typeof fields['latched'] === 'boolean' ? fields['latched'] : undefined),
  };
  const known = new Set([EVERYONE, ...people.flatMap(({ name, roles }) => [name, ...roles])]);
  if (course.levels.length === 0) throw wrong(`${where} has no level`);
  if (course.levels.some(({ to }) => to.length === 0 || !to.every((each) => known.has(each)))) throw wrong(`a level of ${where} reaches nobody`);
  const longest = Math.max(course.delay, course.snooze, course.episode, ...course.levels.map(({ within }) => within));
  if (longest > course.realarm) throw wrong(`${where} may be silent for longer than its re-alarm time`);
  return course;
}

function readLevel(value: unknown): Level {
  const fields = fieldsOf(value);
  return { to: texts(fields, 'to'), within: duration(fields, 'within', 1) };
}

function readQuiet(fields: Fields): QuietHours {
  return {
    timeZone: text(fields, 'timeZone'),
    hours: listOf(fields, 'hours').map(readWindow),
    mediumDelay: duration(fields, 'mediumDelay', 0),
    watchLimit: duration(fields, 'watchLimit', 0),
  };
}

function readWindow(value: unknown): QuietWindow {
  const fields = fieldsOf(value);
  const [from, until] = [whole(fields, 'from', 0), whole(fields, 'until', 0)];
  if (from >= DAY_MINUTES || until > DAY_MINUTES || from === until) throw wrong('quiet hours must be within a day');
  return { from, until, days: texts(fields, 'days').map((day) => expected('days', DAYS.find((each) => each === day))) };
}

const priorityOf = (value: unknown): Priority | undefined => (value === 'high' || value === 'medium' || value === 'low' ? value : undefined);

const wrong = (what: string): DecodeError => new DecodeError('wrong_shape', `the alarm policy cannot be followed: ${what}`);

function expected<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw wrong(`"${name}" is not what this version knows`);
  return value;
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return expected(name, Array.isArray(value) ? (value as readonly unknown[]) : undefined);
}

const textOrNone = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const text = (fields: Fields, name: string): string => expected(name, textOrNone(fields[name]));
const texts = (fields: Fields, name: string): readonly string[] => listOf(fields, name).map((each) => expected(name, textOrNone(each)));

function whole(fields: Fields, name: string, least: number): number {
  const value = fields[name];
  return expected(name, Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined);
}

const duration = (fields: Fields, name: string, least: number): Millis => whole(fields, name, least) as Millis;
