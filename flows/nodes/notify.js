/** Tells somebody. Every attempt has a result: at the node, in the message, and of alarms in the chain. */

import { Mistake, isObject } from '../lib/palette.js';
import { isTest } from '../lib/trial.js';
import { fits, namesOf, numberOf, textOf, wordsFor } from '../lib/reading.js';
import { reasonOf } from '../lib/gateway-link.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {{ person: string | null, text: string, message: FlowMessage }} Notice */
/** `skipped`: nobody was told for certain. @typedef {{ outcome: 'handed_over' | 'failed' | 'skipped', detail: string }} Result */

const LONGEST_TEXT = 1000;
/** Of the contract. */
const LONGEST_DETAIL = 500;
const MOST_PEOPLE = 50;
/** How urgent it is, as ntfy says it (https://docs.ntfy.sh/publish/#message-priority). @type {ReadonlyMap<unknown, string>} */
const NTFY_PRIORITY = new Map([['high', '5'], ['medium', '4'], ['low', '3']]);

/** @param {Palette} palette */
export function notify(palette) {
  palette.register('notify', (node, config) => {
    const [channel, only] = [textOf(config, 'channel') || 'screen', namesOf(config, 'people')];
    const address = addressIn(channel, textOf(config, 'address'));
    const within = numberOf({ seconds: 10, ...config }, 'seconds', { least: 1, most: 120 }) * 1000;
    const secret = node.credentials?.['token'] ?? '';

    /** @param {Notice} notice @returns {Promise<Result>} */
    const tell = async (notice) => {
      if (address === undefined) {
        palette.RED.comms.publish('debug', { id: node.id, z: '', name: node.name ?? 'notify', topic: notice.person ?? '', msg: notice.text, format: `string[${notice.text.length}]` });
        return { outcome: 'skipped', detail: 'shown in the editor only, for trying out' };
      }
      const request = channel === 'ntfy' ? ntfyRequest(notice, secret) : webhookRequest(notice, secret);
      try {
        const answer = await fetch(address, { method: 'POST', ...request, signal: AbortSignal.timeout(within), redirect: 'error' });
        await answer.body?.cancel();
        return { outcome: answer.ok ? 'handed_over' : 'failed', detail: `answered ${answer.status}` };
      } catch (error) {
        return { outcome: 'failed', detail: reasonOf(error).slice(0, LONGEST_DETAIL) };
      }
    };

    const tellAll = async (/** @type {FlowMessage} */ message, /** @type {import('../red.d.ts').Send} */ send) => {
      // Whoever tries out a flow wants to see that this way works, whoever was made up to be told.
      const people = isTest(message) && only.length > 0 ? only : whomToTell(message).filter((person) => person === null || fits(only, person));
      const said = wordsFor(textOf(config, 'text'), message).slice(0, LONGEST_TEXT);
      if (said.trim() === '') throw new Mistake('noText');
      const text = isTest(message) ? palette.say('status.tried', { text: said }) : said;
      if (people.length === 0) return palette.show(node, 'grey', 'ring', palette.say('status.nobody'));
      // Nobody waits for somebody else's telephone, and what cannot be noted keeps nobody from being told.
      const results = await Promise.all(people.map(async (person) => {
        const result = await tell({ person, text, message });
        const isTold = result.outcome !== 'failed';
        palette.show(node, isTold ? 'green' : 'red', isTold ? 'dot' : 'ring', palette.say(`status.${result.outcome}`, { person: person ?? channel, detail: result.detail }));
        const out = { ...message, notified: { person, channel, ...result, text } };
        send(isTold ? [out, null] : [null, out]);
        return { person, result };
      }));
      await Promise.all(results.map(({ person, result }) => noteResult(person, message, result)));
    };
    palette.onInput(node, tellAll);
    palette.trials.set(node, async () => await tellAll({ topic: 'test', payload: palette.say('status.test'), vitalgate: { test: true } }, (out) => node.send(out)));

    /** In the chain stands what became of telling somebody of an alarm. @param {string | null} person @param {FlowMessage} message @param {Result} result */
    const noteResult = async (person, message, { outcome, detail }) => {
      const { alarm } = message;
      if (isTest(message) || person === null || !isObject(alarm) || typeof alarm['step'] !== 'number' || typeof alarm['alarm'] !== 'number') return;
      await palette.ask(node, config, message, { ask: 'notified', alarm: alarm['alarm'], step: alarm['step'], person, channel, outcome, detail });
    };

    node.on('close', (_, done) => {
      node.status({});
      done();
    });
  }, { credentials: { token: { type: 'password' } } });
}

/** Who is to be told of a step of an alarm; of anything else one notice goes to the address. @param {FlowMessage} message @returns {readonly (string | null)[]} */
function whomToTell(message) {
  const { alarm } = message;
  const told = isObject(alarm) ? alarm['told'] : undefined;
  if (told === undefined) return [null];
  /** @type {readonly unknown[]} */
  const to = isObject(told) && Array.isArray(told['to']) ? told['to'] : [];
  return to.flatMap((name) => (typeof name === 'string' && name !== '' ? [name] : [])).slice(0, MOST_PEOPLE);
}

/** @param {string} channel @param {string} address */
function addressIn(channel, address) {
  if (channel === 'screen') return undefined;
  if (channel !== 'webhook' && channel !== 'ntfy') throw new Mistake('badChannel', { found: JSON.stringify(channel.slice(0, 40)) });
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) throw new Mistake('badAddress', { found: JSON.stringify(address.slice(0, 60)) });
  return address;
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
