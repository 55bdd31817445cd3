/** Nodes that have the gateway do something, or answer. */

import { Mistake, isObject } from '../lib/palette.js';
import { alarmOf, chainIn, filled, mayBeAbout, numberOf, plain, subjectOf, textOf, valuesIn } from '../lib/reading.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */

/** Of the contract. */
const LONGEST_MESSAGE = 500;
const LONGEST_NOTE = 2000;

/** The text that was filled in, else what the message brings. @param {FlowMessage} message @param {string} text @param {number} longest */
function wordsOf(message, text, longest) {
  const words = text === '' ? plain(message['payload']) : filled(text, message);
  if (words.trim() === '') throw new Mistake('noText');
  return words.slice(0, longest);
}

/** What is known now, and one value of it as payload. @param {Palette} palette */
export function patientContext(palette) {
  palette.register('patient-context', (node, config) => {
    const wanted = textOf(config, 'wanted');
    palette.onInput(node, async (message, send) => {
      const subject = subjectOf(message, config);
      const viewer = viewerOf(message);
      const result = await palette.ask(node, config, message, { ask: 'context', subject, ...(viewer === undefined ? {} : { viewer }) });
      const known = isObject(result['known']) ? result['known'] : {};
      const value = wanted === '' ? undefined : valueIn(known, wanted);
      const out = { ...message, subject, ...(subject.kind === 'patient' ? { patient: subject.id } : {}), context: known, alarms: result['alarms'], ...(value === undefined ? {} : { payload: value }) };
      palette.show(node, 'green', 'dot', wanted === '' ? subject.id : `${subject.id} ${wanted} ${value ?? '–'}`);
      send(wanted !== '' && value === undefined ? [null, out] : [out, null]);
    });
  });
}

/** Who looks at a page of the gateway's own Node-RED (gateway/nodered/): they are shown what they may see, whatever flows may. @param {FlowMessage} message */
function viewerOf({ req }) {
  const headers = typeof req === 'object' && req !== null && 'headers' in req && isObject(req.headers) ? req.headers : {};
  const viewer = headers['x-vitalgate-person'];
  return typeof viewer === 'string' && viewer !== '' ? viewer : undefined;
}

/** A score, such as NEWS2, or a measurement that is not stale, or the room or the activity of somebody. @param {Record<string, unknown>} known @param {string} wanted */
function valueIn(known, wanted) {
  const entries = [...listIn(known, 'scores'), ...listIn(known, 'values')];
  const found = entries.find((entry) => entry['name'] === wanted || (entry['measurement'] === wanted && entry['quality'] !== 'stale'));
  const value = found === undefined && (wanted === 'room' || wanted === 'activity') ? known[wanted] : found?.['value'];
  return typeof value === 'number' || typeof value === 'string' ? value : undefined;
}

/** @param {Record<string, unknown>} known @param {string} name */
function listIn(known, name) {
  const list = known[name];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** @param {Palette} palette */
export function acknowledge(palette) {
  palette.register('acknowledge', (node, config) => {
    const minutes = textOf(config, 'action') === 'snooze' ? numberOf(config, 'minutes', { least: 1, most: 1440 }) : undefined;
    palette.onInput(node, async (message, send) => {
      const ask = { ...alarmOf(message), ...(minutes === undefined ? { ask: 'acknowledge' } : { ask: 'snooze', minutes }) };
      const result = await palette.ask(node, config, message, ask);
      palette.show(node, 'green', 'dot', palette.say(minutes === undefined ? 'status.acknowledged' : 'status.snoozed', { alarm: ask.alarm }));
      send({ ...message, alarm: result['alarm'] });
    });
  });
}

/** @param {Palette} palette */
export function raiseAlarm(palette) {
  palette.register('raise-alarm', (node, config) => {
    const [name, isOver] = [textOf(config, 'alarm'), textOf(config, 'action') === 'clear'];
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(name)) throw new Mistake('badName', { found: JSON.stringify(name.slice(0, 40)) });
    const chain = textOf(config, 'chain') === '' ? undefined : chainIn(textOf(config, 'chain'));
    const [priority, kind] = [textOf(config, 'priority') || 'medium', textOf(config, 'kind')];
    palette.onInput(node, async (message, send) => {
      const subject = mayBeAbout(message, config);
      const said = isOver ? '' : wordsOf(message, textOf(config, 'text'), LONGEST_MESSAGE);
      const ask = isOver ? { ask: 'clear', subject, name } : { ask: 'raise', subject, name, priority, message: said, ...(kind === '' ? {} : { kind }), ...(chain === undefined ? {} : { chain }) };
      const result = await palette.ask(node, config, message, ask);
      if (isOver) palette.show(node, 'grey', 'ring', palette.say('status.over', { name }));
      else palette.show(node, 'red', 'dot', said);
      send({ ...message, payload: isOver ? message['payload'] : said, subject, alarm: result['alarm'] });
    });
  });
}

/** @param {Palette} palette */
export function escalate(palette) {
  palette.register('escalate', (node, config) => {
    const chain = chainIn(textOf(config, 'chain'));
    palette.onInput(node, async (message, send) => {
      const { alarm, revision } = alarmOf(message);
      const result = await palette.ask(node, config, message, { ask: 'escalate', alarm, revision, chain });
      palette.show(node, 'yellow', 'dot', chain.map(({ to }) => to.join(', ')).join(' → '));
      send({ ...message, alarm: result['alarm'], changed: result['changed'] });
    });
  });
}

/** @param {Palette} palette */
export function noteToRecord(palette) {
  palette.register('note', (node, config) => {
    palette.onInput(node, async (message, send) => {
      const subject = subjectOf(message, config);
      const text = wordsOf(message, textOf(config, 'text'), LONGEST_NOTE);
      await palette.ask(node, config, message, { ask: 'note', subject, text });
      palette.show(node, 'green', 'dot', text);
      send(message);
    });
  });
}

/** @param {Palette} palette */
export function simulate(palette) {
  palette.register('simulate', (node, config) => {
    const filledIn = valuesIn(textOf(config, 'values'));
    palette.onInput(node, async (message) => {
      const patient = textOf(config, 'patient');
      if (patient === '') throw new Mistake('noTestPatient');
      const values = isObject(message['values']) ? message['values'] : filledIn;
      if (Object.keys(values).length === 0) throw new Mistake('noValues');
      await palette.ask(node, config, message, { ask: 'simulate', patient, values });
      palette.show(node, 'blue', 'dot', `${patient} ${Object.entries(values).map(([name, value]) => `${name} ${plain(value)}`).join(', ')}`);
    });
  });
}
