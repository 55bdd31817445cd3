/** Nodes with which flows begin: alarms, values, events, rooms, devices and blocks of a gateway. */

import { sampleAlarm, sampleBlock, sampleDevice, sampleMeasured, sampleSubject } from '../lib/samples.js';
import { fits, namesOf, numberOf, plain, textOf } from '../lib/reading.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').Subject} Subject */
/** @typedef {import('../red.d.ts').AlarmStep} AlarmStep */

/** Steps of an alarm by what people call them. */
const MOMENTS = new Map(/** @type {[string, (step: AlarmStep) => boolean][]} */ ([
  ['told', ({ told }) => told !== null],
  ['begins', ({ why }) => why === 'raised'],
  ['acknowledged', ({ why }) => why === 'acknowledged'],
  ['over', ({ why }) => why === 'cleared'],
  ['everything', () => true],
]));
const RANKS = ['low', 'medium', 'high'];
/** Subjects, devices and measurements that are remembered of: more are forgotten, the oldest first. */
const MOST_REMEMBERED = 4096;

/** @param {Subject | null} subject */
const about = (subject) => ({ subject, ...(subject?.kind === 'patient' ? { patient: subject.id } : {}), ...(subject?.kind === 'room' ? { room: subject.id } : {}) });

/** @param {readonly string[]} who @param {Subject | null} subject */
const isAbout = (who, subject) => who.length === 0 || (subject !== null && who.includes(subject.id));

/** @param {Map<string, string>} memory @param {string} key @param {string} now Whether it is another than before */
function isNews(memory, key, now) {
  const before = memory.get(key);
  memory.delete(key);
  memory.set(key, now);
  if (memory.size > MOST_REMEMBERED) memory.delete(memory.keys().next().value ?? '');
  return before !== now;
}

/** @param {Palette} palette */
export function alarmIn(palette) {
  palette.register('alarm-in', (node, config) => {
    const [who, rules, least] = [namesOf(config, 'who'), namesOf(config, 'rules'), RANKS.indexOf(textOf(config, 'priority'))];
    const isMoment = MOMENTS.get(textOf(config, 'moment') || 'told');
    palette.follow(node, config, ['alarm'], (message) => {
      if (message.topic !== 'alarm') return undefined;
      const { alarm } = message;
      const isWanted = isMoment?.(alarm) === true && isAbout(who, alarm.subject) && RANKS.indexOf(alarm.priority ?? 'low') >= least;
      if (!isWanted || !(rules.length === 0 || rules.some((rule) => alarm.rule === rule || alarm.rule?.endsWith(`/${rule}`) === true || alarm.rule === `flow:${rule}`))) return undefined;
      return { out: { topic: 'alarm', payload: alarm.message ?? alarm.why, alarm, ...about(alarm.subject) }, text: plain(alarm.message ?? alarm.why) };
    }, (lists) => {
      const moment = textOf(config, 'moment');
      const why = { acknowledged: 'acknowledged', over: 'cleared' }[moment] ?? 'raised';
      const phase = { acknowledged: { from: 'active', to: 'acknowledged' }, over: { from: 'active', to: 'cleared' } }[moment] ?? {};
      const [rule] = rules;
      return sampleAlarm(config, lists, { why, ...phase, message: palette.say('status.test'), ...(why === 'raised' ? {} : { told: null }), ...(rule === undefined ? {} : { rule: rule.includes('/') || rule.startsWith('flow:') ? rule : `flow:${rule}` }) });
    });
  });
}

/** @param {Palette} palette @param {'vital' | 'room'} topic */
function measuredIn(palette, topic) {
  palette.register(`${topic}-in`, (node, config) => {
    const [who, measurements, withDoubtful] = [namesOf(config, 'who'), namesOf(config, 'measurements'), config['doubtful'] === true];
    palette.follow(node, config, [topic], (message) => {
      const measured = message.topic === 'vital' ? message.vital : message.topic === 'room' ? message.room : undefined;
      if (measured === undefined || !isAbout(who, measured.subject) || !fits(measurements, measured.measurement) || (measured.doubt !== null && !withDoubtful)) return undefined;
      return { out: { topic: measured.measurement, payload: measured.value, unit: measured.unit, [topic]: measured, ...about(measured.subject) }, text: `${measured.subject.id} ${measured.measurement} ${measured.value}` };
    }, (lists) => sampleMeasured(topic, measuredSubject(config, lists, topic), measurements[0] ?? (topic === 'vital' ? 'spo2' : 'room_temperature'), lists));
  });
}

/** @param {import('../red.d.ts').Config} config @param {import('../red.d.ts').Lists} lists @param {'vital' | 'room'} topic @returns {Subject} */
function measuredSubject(config, lists, topic) {
  const [named] = namesOf(config, 'who');
  if (topic === 'room') return { kind: 'room', id: named ?? lists.rooms[0] ?? 'test-room' };
  return { kind: 'patient', id: named ?? sampleSubject(config, lists)?.id ?? 'test-patient' };
}

/** @param {Palette} palette */
export function vitalIn(palette) {
  measuredIn(palette, 'vital');
}

/** @param {Palette} palette */
export function roomIn(palette) {
  measuredIn(palette, 'room');
}

/** What begins and ends: a fall, a door that opens, somebody who moves. @param {Palette} palette */
export function eventIn(palette) {
  palette.register('event-in', (node, config) => {
    const [who, events, moment] = [namesOf(config, 'who'), namesOf(config, 'events'), textOf(config, 'moment') || 'begins'];
    /** @type {Map<string, string>} */
    const memory = new Map();
    palette.follow(node, config, ['vital', 'room'], (message) => {
      const measured = message.topic === 'vital' ? message.vital : message.topic === 'room' ? message.room : undefined;
      if (measured === undefined || !events.includes(measured.measurement) || !isAbout(who, measured.subject)) return undefined;
      const { subject, measurement, device, value } = measured;
      const told = (/** @type {boolean} */ begins) => {
        const text = palette.say(begins ? 'status.eventBegins' : 'status.eventEnds', { event: measurement, who: subject.id });
        return { out: { topic: measurement, payload: begins, [message.topic]: measured, ...about(subject) }, text };
      };
      if (message.test === true) return told(moment !== 'ends');
      const key = `${subject.kind} ${subject.id} ${measurement} ${device ?? ''}`;
      const isFirst = !memory.has(key);
      const begins = value !== 0;
      // What nobody saw begin did not end either.
      if (!isNews(memory, key, String(begins)) || (isFirst && !begins) || (moment !== 'both' && begins !== (moment === 'begins'))) return undefined;
      return told(begins);
    }, (lists) => {
      const [named] = namesOf(config, 'who');
      const topic = named !== undefined && lists.rooms.includes(named) ? 'room' : 'vital';
      return sampleMeasured(topic, measuredSubject(config, lists, topic), events[0] ?? 'fall', lists);
    });
  });
}

/** @param {Palette} palette */
export function deviceIn(palette) {
  palette.register('device-in', (node, config) => {
    const [devices, everything] = [namesOf(config, 'devices'), textOf(config, 'moment') === 'everything'];
    const lowBattery = numberOf({ battery: 20, ...config }, 'battery', { least: 0, most: 100 });
    /** @type {Map<string, string>} */
    const memory = new Map();
    palette.follow(node, config, ['device'], (message) => {
      if (message.topic !== 'device' || !fits(devices, message.device.device)) return undefined;
      const { device } = message;
      const { battery, silent, notices } = device;
      const troubles = [
        ...(battery !== null && battery <= lowBattery ? [palette.say('trouble.battery', { battery: Math.round(battery) })] : []),
        ...silent.map((measurement) => palette.say('trouble.silent', { measurement })),
        ...notices.map((notice) => palette.say('trouble.notice', { notice: notice.replaceAll('_', ' ') })),
      ];
      const kinds = [battery !== null && battery <= lowBattery, silent, notices];
      const isFirst = message.test !== true && !memory.has(device.device);
      const isOther = message.test === true || isNews(memory, device.device, JSON.stringify(kinds));
      if (!everything && (!isOther || (isFirst && troubles.length === 0))) return undefined;
      const text = troubles.length === 0 ? palette.say('trouble.none') : troubles.join(', ');
      return { out: { topic: 'device', payload: `${device.device}: ${text}`, device, troubles, ...about(device.subject) }, port: troubles.length === 0 && !everything ? 1 : 0, text: `${device.device} ${text}` };
    }, (lists) => sampleDevice(devices[0] ?? lists.devices[0] ?? 'test-device', sampleSubject({}, lists) ?? null, Math.min(lowBattery, 8)));
  });
}

/** @param {Palette} palette */
export function blockIn(palette) {
  palette.register('block-in', (node, config) => {
    const [event, lane] = [textOf(config, 'moment') || 'receipted', textOf(config, 'lane') || 'both'];
    palette.follow(node, config, ['block'], (message) => {
      if (message.topic !== 'block' || (event !== 'both' && message.block.event !== event) || (lane !== 'both' && message.block.lane !== lane)) return undefined;
      const { block } = message;
      return { out: { topic: 'block', payload: block, block }, text: `${block.lane} ${block.height} ${block.event}` };
    }, () => sampleBlock(event === 'sealed' ? 'sealed' : 'receipted', lane === 'alarm' ? 'alarm' : 'record'));
  });
}
