/**
 * Messages of the contract that a node makes up when somebody tries it out: about somebody the gateway knows, a test patient before
 * anybody else, and marked as a test.
 */

import { randomUUID } from 'node:crypto';
import { namesOf, textOf } from './reading.js';

/** @typedef {import('../red.d.ts').AlarmStep} AlarmStep */
/** @typedef {import('../red.d.ts').Config} Config */
/** @typedef {import('../red.d.ts').GatewayMessage} GatewayMessage */
/** @typedef {import('../red.d.ts').Lists} Lists */
/** @typedef {import('../red.d.ts').Subject} Subject */

/** Values that somebody would want to be told of, in the unit of the contract. Of anything else: it happens, or 1. @type {Readonly<Record<string, number>>} */
const WORTH_TELLING = {
  spo2: 85, heart_rate: 125, pulse_rate: 125, respiratory_rate: 28, body_temperature: 39.4, systolic_pressure: 185, diastolic_pressure: 112,
  glucose: 3.1, room_temperature: 31, humidity: 78, co2: 1800, battery: 8,
};

/** Whom a sample is about: whom the node names, else a test patient, else anybody; undefined where the gateway knows nobody. @param {Config} config @param {Lists} lists @returns {Subject | undefined} */
export function sampleSubject(config, { patients, rooms, testPatients }) {
  const [named = textOf(config, 'patient')] = namesOf(config, 'who');
  if (named !== '') return rooms.includes(named) && !patients.includes(named) ? { kind: 'room', id: named } : { kind: 'patient', id: named };
  const id = testPatients[0] ?? patients[0];
  return id === undefined ? undefined : { kind: 'patient', id };
}

const envelope = () => ({ contract: 1, id: `test-${randomUUID()}`, redelivered: false, test: true });

/** A step that tells somebody; of an alarm that there is not, with the number 0. @param {Config} config @param {Lists} lists @param {Partial<AlarmStep>} said @returns {GatewayMessage} */
export function sampleAlarm(config, lists, said) {
  const subject = sampleSubject(config, lists) ?? null;
  const told = { level: 1, levels: 1, to: lists.people.slice(0, 1).map(({ name }) => name) };
  const now = { time: new Date().toISOString(), why: 'raised', from: 'none', to: 'active', kind: subject?.kind === 'patient' ? 'physiological' : 'technical', count: 1, evidence: null, untold: null, by: null, refusal: null };
  return { ...envelope(), topic: 'alarm', alarm: { step: 0, alarm: 0, revision: 0, subject, rule: 'flow:test', priority: 'high', message: null, told, ...now, ...said } };
}

/** @param {'vital' | 'room'} topic @param {Subject} subject @param {string} measurement @param {Lists} lists @returns {GatewayMessage} */
export function sampleMeasured(topic, subject, measurement, { measurements }) {
  const unit = measurements.find(({ name }) => name === measurement)?.unit ?? '1';
  const measured = { subject, measurement, value: WORTH_TELLING[measurement] ?? 1, unit, measuredAt: new Date().toISOString(), device: null, doubt: null, skipped: 0 };
  return topic === 'vital' ? { ...envelope(), topic, vital: measured } : { ...envelope(), topic, room: measured };
}

/** @param {string} device @param {Subject | null} subject @param {number} battery @returns {GatewayMessage} */
export const sampleDevice = (device, subject, battery) => ({ ...envelope(), topic: 'device', device: { device, subject, lastSeen: new Date().toISOString(), battery, signal: null, silent: [], notices: [] } });

/** @param {'sealed' | 'receipted'} event @param {'alarm' | 'record'} lane @returns {GatewayMessage} */
export const sampleBlock = (event, lane) => ({ ...envelope(), topic: 'block', block: { event, lane, height: 0, hash: '0'.repeat(64), entries: 1, time: new Date().toISOString() } });

/** What a node gets that something has to reach, to be tried out. @param {Config} config @param {Lists} lists @param {string} words */
export function sampleForNode(config, lists, words) {
  const sample = sampleAlarm(config, lists, { message: words });
  const subject = sampleSubject(config, lists);
  const alarm = sample.topic === 'alarm' ? sample.alarm : undefined;
  return { _msgid: sample.id, topic: 'alarm', payload: words, alarm, ...(subject === undefined ? {} : { subject, [subject.kind]: subject.id }), vitalgate: sample };
}
