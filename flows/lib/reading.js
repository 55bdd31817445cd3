/** Reads what was filled in, and what messages bring: a mistake says what, where and what was expected. */

import { Mistake, isObject } from './palette.js';
import { isTest } from './trial.js';

/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {import('../red.d.ts').Subject} Subject */
/** @typedef {import('../red.d.ts').Config} Config */

/** Longer paths lead nowhere. */
const DEEPEST = 8;

/** @param {Config} config @param {string} field */
export function textOf(config, field) {
  const value = config[field];
  return typeof value === 'string' ? value.trim() : '';
}

/** Names with commas between them; none: everything. @param {Config} config @param {string} field */
export function namesOf(config, field) {
  return textOf(config, field).split(',').map((name) => name.trim()).filter((name) => name !== '');
}

/** @param {readonly string[]} names @param {string | null | undefined} name */
export const fits = (names, name) => names.length === 0 || (typeof name === 'string' && names.includes(name));

/** @param {Config} config @param {string} field @param {{ least?: number, most?: number }} [bounds] */
export function numberOf(config, field, { least = -Infinity, most = Infinity } = {}) {
  const value = config[field];
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (!Number.isFinite(number) || number < least || number > most) throw new Mistake('fieldNumber', { field, found: shown(value) });
  return number;
}

/** What stands at a path such as payload.value; undefined where nothing does. @param {FlowMessage} message @param {string} path */
export function at(message, path) {
  /** @type {unknown} */
  let value = message;
  for (const name of path.split('.').slice(0, DEEPEST)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = /** @type {Record<string, unknown>} */ (value)[name];
  }
  return value;
}

/** Whom a message is about: what the node says, else the message. Throws {@link Mistake}. @param {FlowMessage} message @param {Config} config @returns {Subject} */
export function subjectOf(message, config) {
  const subject = mayBeAbout(message, config);
  if (subject === null) throw new Mistake('noSubject', { found: shown(message['subject']) });
  return subject;
}

/** As {@link subjectOf}, and null for a message that is about nobody. @param {FlowMessage} message @param {Config} config @returns {Subject | null} */
export function mayBeAbout(message, config) {
  const patient = textOf(config, 'patient');
  if (patient !== '') return { kind: 'patient', id: patient };
  const { subject } = message;
  if (subject === undefined || subject === null) return typeof message['patient'] === 'string' && message['patient'] !== '' ? { kind: 'patient', id: message['patient'] } : null;
  if (!isObject(subject) || (subject['kind'] !== 'patient' && subject['kind'] !== 'room') || typeof subject['id'] !== 'string') throw new Mistake('badSubject', { found: shown(subject) });
  return { kind: subject['kind'], id: subject['id'] };
}

/** The alarm in a message, from an alarm in or from a raise alarm; null in a test, where there is none. Throws {@link Mistake}. @param {FlowMessage} message */
export function alarmOf(message) {
  const { alarm } = message;
  const number = isObject(alarm) ? (alarm['alarm'] ?? alarm['id']) : undefined;
  if (number === 0 && isTest(message)) return { alarm: null, revision: null };
  if (!isObject(alarm) || !isCount(number) || !isCount(alarm['revision'])) throw new Mistake('noAlarm', { found: shown(alarm) });
  return { alarm: number, revision: alarm['revision'] };
}

/** @param {unknown} value @returns {value is number} */
const isCount = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value > 0;

/** Puts what a message says into the places {of.a.text}. @param {string} text @param {FlowMessage} message */
export function filled(text, message) {
  return text.replaceAll(/\{([\w.]{1,100})\}/g, (_, path) => plain(at(message, String(path))));
}

/** The text that was filled in, else the payload; the payload also where a test brings nothing of what the text names. @param {string} text @param {FlowMessage} message */
export function wordsFor(text, message) {
  const words = text === '' ? '' : filled(text, message);
  return text === '' || (words.trim() === '' && isTest(message)) ? plain(message['payload']) : words;
}

/** A text that people and programs may be shown: no control characters, no direction marks. @param {unknown} value @returns {string} */
export function plain(value) {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : typeof value === 'number' || typeof value === 'boolean' ? String(value) : jsonOf(value);
  return text.replaceAll(/[^\P{C}\n]/gu, '');
}

/** What was found, short enough for a message of error. @param {unknown} value */
export function shown(value) {
  const text = value === undefined ? 'nothing' : jsonOf(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** @param {unknown} value @returns {string} */
function jsonOf(value) {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}

/**
 * The chain that was filled in: a line for each level, such as "daughter, nina: 2min". Throws {@link Mistake}.
 * @param {string} text
 */
export function chainIn(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (lines.length === 0) throw new Mistake('noChain');
  return lines.map((line) => {
    const [, names = '', within = ''] = /^(.+):\s*(\d+(?:\.\d+)?\s*(?:s|min|h|d))$/.exec(line) ?? [];
    const to = names.split(',').map((name) => name.trim()).filter((name) => name !== '');
    if (to.length === 0) throw new Mistake('badLevel', { found: shown(line) });
    return { to, within: within.replace(/\s+/g, '') };
  });
}

/** Values that were filled in: a line for each, such as "spo2 85". Throws {@link Mistake}. @param {string} text */
export function valuesIn(text) {
  /** @type {Record<string, number>} */
  const values = {};
  for (const line of text.split('\n').map((each) => each.trim()).filter((each) => each !== '')) {
    const [, name = '', value = ''] = /^([a-z0-9_]+)[\s:=]+(-?\d+(?:\.\d+)?)$/.exec(line) ?? [];
    if (name === '') throw new Mistake('badValue', { found: shown(line) });
    values[name] = Number(value);
  }
  return values;
}
