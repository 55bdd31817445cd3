/** The way to one gateway: what it tells, acknowledged when flows are done with it, and what it is asked. */

import { eventsOf } from './events.js';
import { UnderWay } from './under-way.js';

/** @typedef {import('../red.d.ts').GatewayMessage} GatewayMessage */
/** @typedef {import('../red.d.ts').Topic} Topic */
/** `away`: why it cannot be reached. @typedef {{ state: 'connecting' } | { state: 'connected' } | { state: 'away', why: string }} LinkState */
/** `take` calls `done` when its flow is done with a message. @typedef {{ topics: readonly Topic[], take: (message: GatewayMessage, done: () => void) => void, show: (state: LinkState) => void }} Follower */
/** @typedef {'alarms' | 'blocks' | 'now'} Kind */

/** Of the contract (gateway/flows/README.md). */
const CONTRACT = 1;
const ANSWER_WITHIN_MS = 10_000;
/** The gateway gives a sign of life every 15 s. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** What the gateway refused, with its own word for it. */
export class Refused extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Each kind has a consumer of its own: what is slow with values holds up no alarm, and who begins with blocks is not flooded with the past. @type {Readonly<Record<Topic, Kind>>} */
const KIND_OF = { alarm: 'alarms', block: 'blocks', vital: 'now', room: 'now', device: 'now' };

export class GatewayLink {
  #place;
  #name;
  /** @type {Map<Kind, Feed>} */
  #feeds = new Map();

  /**
   * @param {import('../red.d.ts').Place} place
   * @param {string} name what the consumers of these flows are called: the same after a restart
   */
  constructor(place, name) {
    this.#place = place;
    this.#name = name;
  }

  /**
   * Follows topics of one kind. Returns what ends it; `removed`: for good, so that nothing needs to be kept for it.
   * @param {Follower} follower
   * @returns {(removed: boolean) => Promise<void>}
   */
  follow(follower) {
    const kind = KIND_OF[follower.topics[0] ?? 'alarm'];
    const feed = this.#feeds.get(kind) ?? new Feed(this, `${this.#name}-${kind}`);
    this.#feeds.set(kind, feed);
    feed.join(follower);
    return async (removed) => {
      if (!feed.leave(follower)) return;
      this.#feeds.delete(kind);
      if (removed) await this.request('DELETE', `/api/flows/consumers/${feed.consumer}`).catch(() => undefined);
    };
  }

  /**
   * Has the gateway do something. Throws {@link Refused}, or an Error when it cannot be reached.
   * @param {object} ask @param {number} [patience] milliseconds that the answer may take @returns {Promise<Record<string, unknown>>}
   */
  async ask(ask, patience) {
    const answer = /** @type {{ result?: Record<string, unknown> }} */ (await this.request('POST', '/api/flows/asks', ask, patience));
    return answer.result ?? {};
  }

  /** What there is to choose from. */
  async lists() {
    return /** @type {import('../red.d.ts').Lists} */ (await this.request('GET', '/api/flows/lists'));
  }

  /** Whose token it is, and what they may do. */
  async asker() {
    return /** @type {{ person: string, access: string }} */ (await this.request('GET', '/api/session'));
  }

  get url() {
    return this.#place.url;
  }

  /** @param {string} consumer @param {readonly string[]} ids */
  async acknowledge(consumer, ids) {
    await this.request('POST', '/api/flows/acknowledgements', { consumer, ids });
  }

  /** @param {'GET' | 'POST' | 'DELETE'} method @param {string} path @param {object} [body] @param {number} [patience] @returns {Promise<unknown>} */
  async request(method, path, body, patience = ANSWER_WITHIN_MS) {
    const answer = await this.open(method, path, AbortSignal.timeout(patience), body);
    return answer.status === 204 ? {} : await answer.json();
  }

  /** @param {'GET' | 'POST' | 'DELETE'} method @param {string} path @param {AbortSignal} signal @param {object} [body] */
  async open(method, path, signal, body) {
    const headers = { authorization: `Bearer ${this.#place.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(new URL(path, this.#place.url), { method, headers, signal, redirect: 'error', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    } catch (error) {
      throw new Error(`the gateway at ${this.#place.url} cannot be reached: ${reasonOf(error)}`, { cause: error });
    }
    if (!answer.ok) throw await refusalIn(answer);
    return answer;
  }
}

/** @param {Response} answer */
async function refusalIn(answer) {
  const said = /** @type {{ error?: unknown, message?: unknown }} */ (await answer.json().catch(() => ({})));
  return new Refused(typeof said.error === 'string' ? said.error : `http_${answer.status}`, typeof said.message === 'string' ? said.message : `the gateway answered ${answer.status}`);
}

/** @param {unknown} error @returns {string} */
export function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.message === 'fetch failed' ? reasonOf(error.cause) : error.message || error.name;
}

/** One consumer, and the nodes that share it. */
class Feed {
  consumer;
  #link;
  /** @type {Set<Follower>} */
  #followers = new Set();
  #underWay = new UnderWay();
  #stop = new AbortController();
  /** @type {LinkState} */
  #state = { state: 'connecting' };
  #isAcknowledging = false;
  #wait = FIRST_WAIT_MS;
  #isPlanned = false;

  /** @param {GatewayLink} link @param {string} consumer */
  constructor(link, consumer) {
    this.#link = link;
    this.consumer = consumer;
  }

  /** @param {Follower} follower */
  join(follower) {
    const before = this.#topics();
    this.#followers.add(follower);
    follower.show(this.#state);
    if (this.#topics() === before || this.#isPlanned) return;
    this.#isPlanned = true;
    // All nodes of a deploy join in the same turn.
    setImmediate(() => {
      this.#isPlanned = false;
      this.#stop.abort();
      this.#stop = new AbortController();
      if (this.#followers.size > 0) void this.#run(this.#stop.signal);
    });
  }

  /** True when it was the last. @param {Follower} follower */
  leave(follower) {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return false;
    this.#stop.abort();
    return true;
  }

  #topics() {
    return [...new Set([...this.#followers].flatMap(({ topics }) => topics))].sort().join(',');
  }

  /** @param {AbortSignal} stop */
  async #run(stop) {
    while (!stop.aborted) {
      try {
        await this.#read(stop);
      } catch (error) {
        if (!stop.aborted) this.#show({ state: 'away', why: reasonOf(error) });
      }
      if (!stop.aborted) await pause(this.#wait, stop);
      this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
    }
  }

  /** @param {AbortSignal} stop */
  async #read(stop) {
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(new Error('the gateway has given no sign of life')), SILENCE_MS);
    try {
      const answer = await this.#link.open('GET', `/api/flows/messages?consumer=${this.consumer}&topics=${this.#topics()}`, AbortSignal.any([stop, silent.signal]));
      if (answer.body === null) throw new Error('the gateway answered nothing');
      const heard = new TransformStream({
        transform: (/** @type {Uint8Array} */ chunk, controller) => {
          clearTimeout(timer);
          timer = setTimeout(() => silent.abort(new Error('the gateway has given no sign of life')), SILENCE_MS);
          controller.enqueue(chunk);
        },
      });
      for await (const { event, data } of eventsOf(answer.body.pipeThrough(heard))) {
        if (event === 'welcome') {
          this.#wait = FIRST_WAIT_MS;
          this.#show({ state: 'connected' });
          void this.#acknowledge();
        } else if (event === 'message') this.#take(data);
      }
      throw new Error('the gateway ended the connection');
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {string} data */
  #take(data) {
    const message = /** @type {GatewayMessage} */ (JSON.parse(data));
    if (message.contract !== CONTRACT) throw new Error(`the gateway speaks version ${message.contract} of the contract, this palette version ${CONTRACT}: bring the older one up to date`);
    const followers = [...this.#followers].filter(({ topics }) => topics.includes(message.topic));
    if (KIND_OF[message.topic] === 'now') {
      for (const follower of followers) follower.take(message, () => undefined);
      return;
    }
    if (!this.#underWay.take(message.id)) return void this.#acknowledge();
    let left = followers.length;
    const done = () => {
      left -= 1;
      if (left > 0) return;
      this.#underWay.done(message.id);
      void this.#acknowledge();
    };
    if (followers.length === 0) done();
    for (const follower of followers) follower.take(message, done);
  }

  async #acknowledge() {
    if (this.#isAcknowledging) return;
    this.#isAcknowledging = true;
    try {
      for (let ids = this.#underWay.acknowledgeable; ids.length > 0; ids = this.#underWay.acknowledgeable) {
        await this.#link.acknowledge(this.consumer, ids);
        this.#underWay.forget(ids);
      }
    } catch {
      // Whatever the gateway does not know of comes again with the next connection, and is acknowledged then.
      if (this.#followers.size > 0) setTimeout(() => void this.#acknowledge(), LONGEST_WAIT_MS).unref();
    } finally {
      this.#isAcknowledging = false;
    }
  }

  /** @param {LinkState} state */
  #show(state) {
    this.#state = state;
    for (const follower of this.#followers) follower.show(state);
  }
}

/** @param {number} time @param {AbortSignal} stop @returns {Promise<void>} */
function pause(time, stop) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, time);
    stop.addEventListener('abort', end, { once: true });
  });
}
