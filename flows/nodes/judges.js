/** Nodes that decide what goes on: conditions that last, silence, and quiet hours. */

import { Mistake, isObject } from '../lib/palette.js';
import { at, mayBeAbout, numberOf, shown, subjectOf, textOf } from '../lib/reading.js';
import { isTest } from '../lib/trial.js';
import { clockIn, isWithin, timeOfDay, minuteIn } from '../lib/quiet.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {import('../red.d.ts').Config} Config */

/** People, rooms and measurements that one node keeps apart; further ones are refused. */
const MOST_APART = 1000;
const LONGEST_SECONDS = 7 * 24 * 3600;
/** Of those that are kept apart, as many are named in words. */
const MOST_NAMED = 5;

/** What the message is of: each patient or room, and each thing measured, is judged by itself. @param {FlowMessage} message */
function keyOf(message) {
  const subject = mayBeAbout(message, {});
  return JSON.stringify([subject?.kind, subject?.id, typeof message['topic'] === 'string' ? message['topic'] : '']);
}

/** For people: whom, and what of them. @param {string} key */
function nameOf(key) {
  const [, who = '', topic = ''] = /** @type {(string | null)[]} */ (JSON.parse(key));
  return [who, topic].filter((each) => each !== '' && each !== null).join(' ') || '–';
}

/** @param {Palette} palette @param {readonly string[]} each */
const listed = (palette, each) => (each.length === 0 ? palette.say('trial.nothingYet') : each.slice(0, MOST_NAMED).join('; ') + (each.length > MOST_NAMED ? ' …' : ''));

/** @param {ReadonlyMap<string, unknown>} kept @param {string} key */
function keepApart(kept, key) {
  if (!kept.has(key) && kept.size >= MOST_APART) throw new Mistake('tooMany', { most: MOST_APART });
}

/** @type {ReadonlyMap<string, (value: number, limit: number) => boolean>} */
const COMPARISONS = new Map([
  ['below', (value, limit) => value < limit],
  ['above', (value, limit) => value > limit],
  ['atMost', (value, limit) => value <= limit],
  ['atLeast', (value, limit) => value >= limit],
]);

/** @param {Palette} palette */
export function when(palette) {
  palette.register('when', (node, config) => {
    const comparison = textOf(config, 'comparison') || 'below';
    const holds = COMPARISONS.get(comparison);
    if (holds === undefined) throw new Mistake('badComparison', { found: shown(comparison) });
    const limit = numberOf(config, 'limit');
    const back = config['back'] === undefined || config['back'] === '' ? limit : numberOf(config, 'back');
    const isLow = comparison === 'below' || comparison === 'atMost';
    if (isLow ? back < limit : back > limit) throw new Mistake('badBack', { limit, back });
    const dwell = numberOf({ dwell: 0, ...config }, 'dwell', { least: 0, most: LONGEST_SECONDS }) * 1000;
    const path = textOf(config, 'path') || 'payload';
    /** `pending`: it holds, and not for long enough yet; `latest`: what is sent when it has. @type {Map<string, { isOn: boolean, latest: FlowMessage, pending?: ReturnType<typeof setTimeout> | undefined }>} */
    const judged = new Map();

    palette.onInput(node, (message, send) => {
      const value = at(message, path);
      if (typeof value !== 'number' || !Number.isFinite(value)) throw new Mistake('noNumber', { path, found: shown(value) });
      if (isTest(message)) {
        // What was made up changes nothing that is judged.
        const isMet = holds(value, limit);
        palette.showTest(node, palette.say(isMet ? 'trial.holds' : 'trial.holdsNot', { value, seconds: dwell / 1000 }));
        return isMet ? send([message, null]) : undefined;
      }
      const key = keyOf(message);
      keepApart(judged, key);
      const state = judged.get(key) ?? { isOn: false, latest: message };
      judged.set(key, state);
      state.latest = message;
      if (state.isOn) {
        // Between the two limits it stays as it is, so that a value at the edge does not come and go.
        const isOver = back === limit ? !holds(value, limit) : isLow ? value >= back : value <= back;
        if (!isOver) return palette.show(node, 'red', 'dot', palette.say('status.holds', { value }));
        state.isOn = false;
        palette.show(node, 'green', 'dot', palette.say('status.isOver', { value }));
        return send([null, message]);
      }
      if (!holds(value, limit)) {
        clearTimeout(state.pending);
        state.pending = undefined;
        return palette.show(node, 'green', 'dot', String(value));
      }
      if (state.pending !== undefined) return undefined;
      const begin = () => {
        state.isOn = true;
        state.pending = undefined;
        palette.show(node, 'red', 'dot', palette.say('status.holds', { value: shown(at(state.latest, path)) }));
      };
      if (dwell === 0) {
        begin();
        return send([message, null]);
      }
      palette.show(node, 'yellow', 'dot', palette.say('status.pending', { value }));
      state.pending = setTimeout(() => {
        begin();
        node.send([state.latest, null]);
      }, dwell);
    });
    palette.trials.set(node, () => {
      const rule = { path, comparison: palette.say(`choice.comparison.${comparison}`), limit, seconds: dwell / 1000, back };
      const now = [...judged].map(([key, { isOn, pending, latest }]) => palette.say(isOn ? 'trial.isOn' : pending === undefined ? 'trial.isOff' : 'trial.isPending', { of: nameOf(key), value: shown(at(latest, path)) }));
      palette.show(node, 'blue', 'ring', palette.say('trial.when', { ...rule, now: listed(palette, now) }));
    });
    node.on('close', (_, done) => {
      for (const { pending } of judged.values()) clearTimeout(pending);
      node.status({});
      done();
    });
  });
}

/** @param {Palette} palette */
export function noData(palette) {
  palette.register('no-data', (node, config) => {
    const patience = numberOf(config, 'minutes', { least: 0.01, most: LONGEST_SECONDS / 60 }) * 60_000;
    /** `since`: when it was heard last, in milliseconds. @type {Map<string, { isSilent: boolean, since: number, last: FlowMessage, timer: ReturnType<typeof setTimeout> }>} */
    const watched = new Map();

    /** @param {string} key @param {FlowMessage} last */
    const wait = (key, last) => {
      const since = palette.now().getTime();
      const timer = setTimeout(() => {
        watched.set(key, { isSilent: true, since, last, timer });
        const who = mayBeAbout(last, {})?.id ?? '';
        const text = palette.say('status.silent', { who, topic: typeof last['topic'] === 'string' ? last['topic'] : '', minutes: patience / 60_000 });
        palette.show(node, 'red', 'dot', text);
        const { _msgid: _, vitalgate: __, ...kept } = last;
        node.send([{ ...kept, payload: text }, null]);
      }, patience);
      watched.set(key, { isSilent: false, since, last, timer });
    };

    const patient = textOf(config, 'patient');
    const measurement = textOf(config, 'measurement');
    // Whoever is named is waited for from the beginning, and not only after a first message.
    if (patient !== '') wait(keyOf({ patient, topic: measurement }), { subject: { kind: 'patient', id: patient }, patient, topic: measurement });

    palette.onInput(node, (message, send) => {
      if (isTest(message)) return palette.showTest(node, palette.say('trial.heard', { minutes: patience / 60_000 }));
      const subject = patient === '' ? mayBeAbout(message, {}) : subjectOf(message, {});
      if ((patient !== '' && subject?.id !== patient) || (measurement !== '' && message['topic'] !== measurement)) return;
      const key = keyOf(patient === '' ? message : { patient, topic: measurement });
      keepApart(watched, key);
      const before = watched.get(key);
      clearTimeout(before?.timer);
      wait(key, message);
      palette.show(node, 'green', 'dot', subject?.id ?? palette.say('status.heard'));
      if (before?.isSilent === true) send([null, message]);
    });
    palette.trials.set(node, () => {
      const minutes = (/** @type {number} */ time) => Math.round(time / 6000) / 10;
      const now = [...watched].map(([key, { isSilent, since }]) => {
        const ago = palette.now().getTime() - since;
        return palette.say(isSilent ? 'trial.isSilent' : 'trial.waits', { of: nameOf(key), ago: minutes(ago), left: minutes(Math.max(0, patience - ago)) });
      });
      palette.show(node, 'blue', 'ring', palette.say('trial.noData', { minutes: patience / 60_000, now: listed(palette, now) }));
    });
    node.on('close', (_, done) => {
      for (const { timer } of watched.values()) clearTimeout(timer);
      node.status({});
      done();
    });
  });
}

/** Lets through by day, and what is urgent always. @param {Palette} palette */
export function quietHours(palette) {
  palette.register('quiet-hours', (node, config) => {
    const [begin, end] = [minuteIn(textOf(config, 'begin'), 'begin'), minuteIn(textOf(config, 'end'), 'end')];
    const clock = new ZoneClock(palette, config);
    palette.onInput(node, async (message, send) => {
      if (!clock.isKnown) await clock.look();
      const isUrgent = isObject(message['alarm']) && message['alarm']['priority'] === 'high';
      const isQuiet = isWithin(clock.minute, begin, end);
      palette.show(node, isQuiet ? 'blue' : 'green', isQuiet && !isUrgent ? 'ring' : 'dot', palette.say(isQuiet ? (isUrgent ? 'status.urgent' : 'status.quiet') : 'status.day'));
      send(isQuiet && !isUrgent ? [null, message] : [message, null]);
    });
    palette.trials.set(node, async () => {
      if (!clock.isKnown) await clock.look();
      const { minute } = clock;
      const times = { time: timeOfDay(minute), where: clock.where, begin: timeOfDay(begin), end: timeOfDay(end) };
      palette.show(node, 'blue', 'ring', palette.say(isWithin(minute, begin, end) ? 'trial.quiet' : 'trial.day', times));
    });
    node.on('close', (_, done) => {
      node.status({});
      done();
    });
  });
}

/** What a clock on the wall shows: in the zone that was filled in, else where the gateway stands; where nobody says, on this machine. */
class ZoneClock {
  #palette;
  #config;
  #zone;
  #clock;
  /** @type {Promise<void> | undefined} */
  #first;

  /** @param {Palette} palette @param {Config} config Throws {@link Mistake} for a zone there is not. */
  constructor(palette, config) {
    this.#palette = palette;
    this.#config = config;
    this.#zone = textOf(config, 'zone');
    this.#clock = clockInZone(this.#zone);
    this.isKnown = this.#zone !== '';
    if (!this.isKnown) this.#first = this.#ask();
  }

  /** Nobody waits for a gateway that does not answer more than once. */
  async look() {
    await this.#first;
    if (!this.isKnown) void this.#ask();
  }

  async #ask() {
    try {
      const { timeZone = '' } = await this.#palette.linkFor(this.#config).lists();
      this.#clock = clockInZone(timeZone);
      [this.#zone, this.isKnown] = [timeZone, true];
    } catch {
      // The clock of this machine counts, until the gateway says where it stands.
    }
  }

  /** Minutes after midnight. */
  get minute() {
    return this.#clock(this.#palette.now());
  }

  /** For people. */
  get where() {
    return this.#zone === '' ? this.#palette.say('trial.thisMachine') : this.#zone;
  }
}

/** @param {string} zone */
function clockInZone(zone) {
  try {
    return clockIn(zone);
  } catch {
    throw new Mistake('badZone', { found: shown(zone) });
  }
}
