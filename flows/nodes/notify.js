/** Tells somebody. Every attempt has a result: at the node, in the message, and of alarms in the chain. */

import { Mistake, isObject } from '../lib/palette.js';
import { filled, fits, namesOf, numberOf, plain, textOf, wordsFor } from '../lib/reading.js';
import { isTest } from '../lib/trial.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** `place`: an address of the web, or the name of a buzzer or command. @typedef {{ channel: string, place: string }} Way */
/** @typedef {{ person: string | null, title: string, text: string, message: FlowMessage }} Notice */
/** `skipped`: nobody was told for certain. @typedef {{ outcome: 'handed_over' | 'failed' | 'skipped', detail: string }} Result */

const LONGEST_TEXT = 1000;
/** Of the contract. */
const LONGEST_DETAIL = 500;
const LONGEST_TITLE = 120;
const LONGEST_NAME = 64;
const MOST_PEOPLE = 50;
const MOST_WAYS = 10;
/** Of the answer of a gateway, behind the time that telling may take. */
const ANSWER_MARGIN_MS = 5000;
const BY_WEB = ['webhook', 'ntfy'];
/** Who is told these ways the gateway knows how to reach; the others are near it. */
const TO_PERSON = ['email', 'sms'];
const BY_DEVICE = ['buzzer', 'command'];
const BY_GATEWAY = [...TO_PERSON, ...BY_DEVICE];
/** How urgent it is, as ntfy says it (https://docs.ntfy.sh/publish/#message-priority). @type {ReadonlyMap<unknown, string>} */
const NTFY_PRIORITY = new Map([['high', '5'], ['medium', '4'], ['low', '3']]);

/** @param {Palette} palette */
export function notify(palette) {
  palette.register('notify', (node, config) => {
    const [channel, only] = [textOf(config, 'channel') || 'screen', namesOf(config, 'people')];
    const first = wayIn(channel, textOf(config, BY_WEB.includes(channel) ? 'address' : 'device'));
    const ways = [first, ...waysIn(textOf(config, 'otherwise'))];
    const isForNobody = BY_DEVICE.includes(channel) && ways.every((way) => !TO_PERSON.includes(way.channel));
    const within = numberOf({ seconds: 10, ...config }, 'seconds', { least: 1, most: 120 }) * 1000;
    const secret = node.credentials?.['token'] ?? '';

    /** @param {Way} way @param {Notice} notice @returns {Promise<Result>} */
    const tell = async (way, notice) => {
      const { channel: by, place } = way;
      try {
        if (by === 'screen') {
          palette.RED.comms.publish('debug', { id: node.id, z: '', name: node.name ?? 'notify', topic: notice.person ?? '', msg: notice.text, format: `string[${notice.text.length}]` });
          return { outcome: 'skipped', detail: 'shown in the editor only, for trying out' };
        }
        if (BY_GATEWAY.includes(by)) return await askToTell(way, notice);
        // What is secret is for the address it was filled in with, and for no other.
        const request = by === 'ntfy' ? ntfyRequest(notice, way === first ? secret : '') : webhookRequest(notice, way === first ? secret : '');
        const answer = await fetch(place, { method: 'POST', ...request, signal: AbortSignal.timeout(within), redirect: 'error' });
        await answer.body?.cancel();
        return { outcome: answer.ok ? 'handed_over' : 'failed', detail: `answered ${answer.status}` };
      } catch (error) {
        return { outcome: 'failed', detail: palette.explain(error).slice(0, LONGEST_DETAIL) };
      }
    };

    /** The same buzzer for several people is one ask, which the gateway carries out once. @param {Way} way @param {Notice} notice @returns {Promise<Result>} */
    const askToTell = async ({ channel: by, place }, { person, title, text, message }) => {
      const to = TO_PERSON.includes(by) ? person : place;
      if (to === null) throw new Mistake('noPerson');
      const ask = { ask: 'tell', by, ...(to === '' ? {} : { to }), ...(title === '' ? {} : { title }), text, within: `${within / 1000}s` };
      const { outcome, detail } = await palette.ask(node, config, message, ask, within + ANSWER_MARGIN_MS);
      return { outcome: outcome === 'handed_over' ? 'handed_over' : 'failed', detail: plain(detail).slice(0, LONGEST_DETAIL) };
    };

    /** One way after the other, until one works. @param {Notice} notice */
    const attemptsFor = async (notice) => {
      /** @type {({ channel: string } & Result)[]} */
      const attempts = [];
      for (const way of ways) {
        const before = attempts.at(-1);
        if (before !== undefined) palette.show(node, 'yellow', 'ring', palette.say('status.next', { person: notice.person ?? before.channel, channel: way.channel, detail: before.detail }));
        const result = await tell(way, notice);
        attempts.push({ channel: way.channel, ...result });
        if (result.outcome !== 'failed') break;
      }
      return attempts;
    };

    const tellAll = async (/** @type {FlowMessage} */ message, /** @type {import('../red.d.ts').Send} */ send) => {
      // Whoever tries out a flow wants to see that this way works, whoever was made up to be told.
      const named = isTest(message) && only.length > 0 ? only.slice(0, MOST_PEOPLE) : whomToTell(message, only);
      // A bell is for whoever is near, whoever they are.
      const people = named.length > 0 && isForNobody ? [null] : named;
      const said = wordsFor(textOf(config, 'text'), message).slice(0, LONGEST_TEXT).toWellFormed();
      if (said.trim() === '') throw new Mistake('noText');
      const text = isTest(message) ? palette.say('status.tried', { text: said }).slice(0, LONGEST_TEXT).toWellFormed() : said;
      if (people.length === 0) return palette.show(node, 'grey', 'ring', palette.say('status.nobody'));
      const title = filled(textOf(config, 'title'), message).replaceAll('\n', ' ').trim().slice(0, LONGEST_TITLE).toWellFormed();
      // Nobody waits for somebody else's telephone, and what cannot be noted keeps nobody from being told.
      const results = await Promise.all(people.map(async (person) => {
        const attempts = await attemptsFor({ person, title, text, message });
        const last = attempts.at(-1) ?? { channel, outcome: 'failed', detail: '' };
        const isTold = last.outcome !== 'failed';
        palette.show(node, isTold ? 'green' : 'red', isTold ? 'dot' : 'ring', palette.say(`status.${isTold && BY_DEVICE.includes(last.channel) ? 'done' : last.outcome}`, { person: person ?? last.channel, channel: last.channel, detail: last.detail }));
        const out = { ...message, notified: { person, ...last, text, attempts } };
        send(isTold ? [out, null] : [null, out]);
        return { person, attempts };
      }));
      await Promise.all(results.map(async ({ person, attempts }) => {
        for (const attempt of attempts) await noteResult(person, message, attempt);
      }));
    };
    palette.onInput(node, tellAll);
    palette.trials.set(node, async () => await tellAll({ topic: 'test', payload: palette.say('status.test'), vitalgate: { test: true } }, (out) => node.send(out)));

    /** In the chain stands what became of telling somebody of an alarm. @param {string | null} person @param {FlowMessage} message @param {{ channel: string } & Result} attempt */
    const noteResult = async (person, message, { channel: by, outcome, detail }) => {
      const { alarm } = message;
      if (isTest(message) || !isObject(alarm) || typeof alarm['step'] !== 'number' || typeof alarm['alarm'] !== 'number') return;
      await palette.ask(node, config, message, { ask: 'notified', alarm: alarm['alarm'], step: alarm['step'], person: person ?? (first.place.slice(0, LONGEST_NAME) || by), channel: by, outcome, detail });
    };

    node.on('close', (_, done) => {
      node.status({});
      done();
    });
  }, { credentials: { token: { type: 'password' } } });
}

/** Who is to be told of a step of an alarm, as far as this node is for them; of anything else those it is for, or nobody in particular. @param {FlowMessage} message @param {readonly string[]} only @returns {readonly (string | null)[]} */
function whomToTell(message, only) {
  const { alarm } = message;
  const told = isObject(alarm) ? alarm['told'] : undefined;
  if (told === undefined) return only.length === 0 ? [null] : only.slice(0, MOST_PEOPLE);
  /** @type {readonly unknown[]} */
  const to = isObject(told) && Array.isArray(told['to']) ? told['to'] : [];
  return to.flatMap((name) => (typeof name === 'string' && name !== '' && fits(only, name) ? [name] : [])).slice(0, MOST_PEOPLE);
}

/** @param {string} channel @param {string} place @returns {Way} */
function wayIn(channel, place) {
  if (channel === 'screen' || BY_GATEWAY.includes(channel)) return { channel, place };
  if (!BY_WEB.includes(channel)) throw new Mistake('badChannel', { found: JSON.stringify(channel.slice(0, 40)) });
  if (!URL.canParse(place) || !/^https?:$/.test(new URL(place).protocol)) throw new Mistake('badAddress', { found: JSON.stringify(place.slice(0, 60)) });
  return { channel, place };
}

/** What is tried when the first way fails: a line for each, such as "sms", "buzzer bell" or "ntfy https://…". @param {string} text */
function waysIn(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return lines.slice(0, MOST_WAYS).map((line) => {
    const [, channel = '', place = ''] = /^([a-z]+):?(?:\s+(.+))?$/.exec(line) ?? [];
    return wayIn(channel === '' ? line : channel, place);
  });
}

/** @param {Notice} notice @param {string} secret */
function ntfyRequest({ person, text, message }, secret) {
  const priority = isObject(message['alarm']) ? NTFY_PRIORITY.get(message['alarm']['priority']) : undefined;
  // Headers have only ASCII; ntfy reads what is encoded as RFC 2047 says.
  const title = person === null ? undefined : `=?UTF-8?B?${Buffer.from(person, 'utf8').toString('base64')}?=`;
  return { body: text, headers: { ...(priority === undefined ? {} : { priority }), ...(title === undefined ? {} : { title }), ...bearer(secret) } };
}

/** @param {Notice} notice @param {string} secret */
function webhookRequest({ person, text, message }, secret) {
  const { alarm, subject, block, vitalgate } = message;
  const origin = isObject(vitalgate) ? { id: vitalgate['id'], redelivered: vitalgate['redelivered'], test: vitalgate['test'] } : {};
  return { body: JSON.stringify({ ...origin, person, text, subject, alarm, block }), headers: { 'content-type': 'application/json', ...bearer(secret) } };
}

/** @param {string} secret */
const bearer = (secret) => (secret === '' ? {} : { authorization: `Bearer ${secret}` });
