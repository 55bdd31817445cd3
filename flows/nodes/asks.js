/** Nodes that have the gateway do something, or answer. */

import { Mistake, isObject } from '../lib/palette.js';
import { sampleForNode } from '../lib/samples.js';
import { isTest } from '../lib/trial.js';
import { alarmOf, chainIn, mayBeAbout, numberOf, plain, subjectOf, textOf, valuesIn, wordsFor } from '../lib/reading.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {import('../red.d.ts').FlowNode} FlowNode */
/** @typedef {import('../red.d.ts').Config} Config */
/** @typedef {import('../red.d.ts').Send} Send */

/** Of the contract. */
const LONGEST_MESSAGE = 500;
const LONGEST_NOTE = 2000;

/** Handles what comes in, and what somebody has it try out. @param {Palette} palette @param {FlowNode} node @param {Config} config @param {(message: FlowMessage, send: Send) => Promise<void>} handle */
function takes(palette, node, config, handle) {
  palette.onInput(node, handle);
  palette.trials.set(node, async () => await handle(sampleForNode(config, await palette.linkFor(config).lists(), palette.say('status.test')), (out) => node.send(out)));
}

/** Who would be told one after the other, from the answer to a dry run. @param {Palette} palette @param {Record<string, unknown>} result */
function levelsIn(palette, { levels }) {
  const each = Array.isArray(levels) ? levels.filter(isObject) : [];
  return each.map(({ people, within }) => `${Array.isArray(people) && people.length > 0 ? people.join(', ') : palette.say('trial.nobody')} (${spanOf(Number(within))})`).join(' → ');
}

/** @param {number} time */
function spanOf(time) {
  const unit = time % 3_600_000 === 0 ? 'h' : time % 60_000 === 0 ? 'min' : 's';
  return `${time / { h: 3_600_000, min: 60_000, s: 1000 }[unit]} ${unit}`;
}

/** The text that was filled in, else what the message brings. @param {FlowMessage} message @param {string} text @param {number} longest */
function wordsOf(message, text, longest) {
  const words = wordsFor(text, message);
  if (words.trim() === '') throw new Mistake('noText');
  return words.slice(0, longest);
}

/** What is known now, and one value of it as payload. @param {Palette} palette */
export function patientContext(palette) {
  palette.register('patient-context', (node, config) => {
    const wanted = textOf(config, 'wanted');
    takes(palette, node, config, async (message, send) => {
      const subject = subjectOf(message, config);
      const viewer = viewerOf(message);
      const result = await palette.ask(node, config, message, { ask: 'context', subject, ...(viewer === undefined ? {} : { viewer }) });
      const known = isObject(result['known']) ? result['known'] : {};
      const value = wanted === '' ? undefined : valueIn(known, wanted);
      const out = { ...message, subject, ...(subject.kind === 'patient' ? { patient: subject.id } : {}), context: known, alarms: result['alarms'], ...(value === undefined ? {} : { payload: value }) };
      if (isTest(message)) palette.showTest(node, inWords(palette, subject.id, known, result['alarms']));
      else palette.show(node, 'green', 'dot', wanted === '' ? subject.id : `${subject.id} ${wanted} ${value ?? '–'}`);
      send(wanted !== '' && value === undefined ? [null, out] : [out, null]);
    });
  });
}

/** What is known of somebody, for people. @param {Palette} palette @param {string} who @param {Record<string, unknown>} known @param {unknown} alarms */
function inWords(palette, who, known, alarms) {
  const scores = listIn(known, 'scores').map(({ name, value }) => `${plain(name)} ${plain(value ?? '–')}`);
  const values = listIn(known, 'values').map(({ measurement, value, unit, quality }) => `${plain(measurement)} ${plain(value)}${unit === '1' ? '' : ` ${plain(unit)}`}${quality === 'stale' ? ` (${palette.say('trial.stale')})` : ''}`);
  const whereabouts = ['room', 'activity'].flatMap((name) => (typeof known[name] === 'string' && known[name] !== 'unknown' ? [plain(known[name])] : []));
  const usual = listIn(known, 'baselines').map(({ name, value, unit }) => `${plain(name)} ${typeof value === 'number' ? Math.round(value * 10) / 10 : '–'}${unit === '1' ? '' : ` ${plain(unit)}`}`);
  const all = [...scores, ...whereabouts, ...values, ...usual];
  return palette.say('trial.context', { who, known: all.length === 0 ? palette.say('trial.nothing') : all.join(', '), alarms: Array.isArray(alarms) ? alarms.length : 0 });
}

/** Who looks at a page of the gateway's own Node-RED (gateway/nodered/): they are shown what they may see, whatever flows may. @param {FlowMessage} message */
function viewerOf({ req }) {
  const headers = typeof req === 'object' && req !== null && 'headers' in req && isObject(req.headers) ? req.headers : {};
  const viewer = headers['x-vitalgate-person'];
  return typeof viewer === 'string' && viewer !== '' ? viewer : undefined;
}

/** A score, such as NEWS2, a measurement that is not stale, what is usual, such as usual_night_rate, or the room or the activity of somebody. @param {Record<string, unknown>} known @param {string} wanted */
function valueIn(known, wanted) {
  const entries = [...listIn(known, 'scores'), ...listIn(known, 'values'), ...listIn(known, 'baselines')];
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
    takes(palette, node, config, async (message, send) => {
      const ask = { ...alarmOf(message), ...(minutes === undefined ? { ask: 'acknowledge' } : { ask: 'snooze', minutes }) };
      const result = await palette.ask(node, config, message, ask);
      if (isTest(message)) {
        palette.showTest(node, palette.say(minutes === undefined ? 'trial.acknowledge' : 'trial.snooze', { by: result['by'], minutes }));
        return send(message);
      }
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
    takes(palette, node, config, async (message, send) => {
      const subject = mayBeAbout(message, config);
      const said = isOver ? '' : wordsOf(message, textOf(config, 'text'), LONGEST_MESSAGE);
      const ask = isOver ? { ask: 'clear', subject, name } : { ask: 'raise', subject, name, priority, message: said, ...(kind === '' ? {} : { kind }), ...(chain === undefined ? {} : { chain }) };
      const result = await palette.ask(node, config, message, ask);
      if (isTest(message)) {
        const who = subject?.id ?? palette.say('trial.nobodyInParticular');
        palette.showTest(node, palette.say(isOver ? 'trial.clear' : 'trial.raise', { name, who, text: said, priority: palette.say(`choice.priority.${priority}`), levels: levelsIn(palette, result) }));
        // Whoever follows gets an alarm as it would be: the one there is, or one that there is not, with the number 0.
        const wouldBe = { id: 0, revision: 0, subject, rule: `flow:${name}`, priority, message: said };
        return send({ ...message, payload: isOver ? message['payload'] : said, subject, alarm: result['alarm'] ?? wouldBe });
      }
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
    takes(palette, node, config, async (message, send) => {
      const { alarm, revision } = alarmOf(message);
      const result = await palette.ask(node, config, message, { ask: 'escalate', alarm, revision, chain });
      if (isTest(message)) {
        palette.showTest(node, palette.say('trial.escalate', { levels: levelsIn(palette, result) }));
        return send(message);
      }
      palette.show(node, 'yellow', 'dot', chain.map(({ to }) => to.join(', ')).join(' → '));
      send({ ...message, alarm: result['alarm'], changed: result['changed'] });
    });
  });
}

/** @param {Palette} palette */
export function noteToRecord(palette) {
  palette.register('note', (node, config) => {
    takes(palette, node, config, async (message, send) => {
      const subject = subjectOf(message, config);
      const text = wordsOf(message, textOf(config, 'text'), LONGEST_NOTE);
      await palette.ask(node, config, message, { ask: 'note', subject, text });
      if (isTest(message)) palette.showTest(node, palette.say('trial.note', { who: subject.id, text }));
      else palette.show(node, 'green', 'dot', text);
      send(message);
    });
  });
}

/** @param {Palette} palette */
export function simulate(palette) {
  palette.register('simulate', (node, config) => {
    const filledIn = valuesIn(textOf(config, 'values'));
    const give = async (/** @type {FlowMessage} */ message) => {
      const patient = textOf(config, 'patient');
      if (patient === '') throw new Mistake('noTestPatient');
      const values = isObject(message['values']) ? message['values'] : filledIn;
      if (Object.keys(values).length === 0) throw new Mistake('noValues');
      await palette.ask(node, config, message, { ask: 'simulate', patient, values });
      const said = `${patient} ${Object.entries(values).map(([name, value]) => `${name} ${plain(value)}`).join(', ')}`;
      if (isTest(message)) palette.showTest(node, said);
      else palette.show(node, 'blue', 'dot', said);
    };
    palette.onInput(node, give);
    // A test patient is there for that: the values are given.
    palette.trials.set(node, async () => await give({}));
  });
}
