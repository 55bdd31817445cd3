/**
 * Knows when a flow is done with a message: when every node it went to has said so, by Node-RED's own account of what is delivered and
 * completed (https://nodered.org/docs/api/hooks/messaging). A message is acknowledged to the gateway only then, so that one that was on
 * its way when Node-RED was killed comes again.
 */

/** @typedef {import('../red.d.ts').HookEvent} HookEvent */
/** @typedef {{ waiting: Map<string, number>, isSent: boolean, done: () => void, timer: ReturnType<typeof setTimeout> }} Journey */

/** After that a message counts as handed on: there are nodes that never say that they are done. */
const PATIENCE_MS = 300_000;
const LABEL = 'vitalgate';

export class Progress {
  #hooks;
  /** By the id that Node-RED gives a message and its copies. @type {Map<string, Journey>} */
  #journeys = new Map();

  /** @param {import('../red.d.ts').Hooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /**
   * Sends, and calls `done` once when all nodes behind are done with it.
   * @param {string} id @param {() => void} send @param {() => void} done
   */
  follow(id, send, done) {
    if (this.#journeys.size === 0) this.#listen();
    /** @type {Journey} */
    const journey = { waiting: new Map(), isSent: false, done, timer: setTimeout(() => this.#end(id), PATIENCE_MS) };
    journey.timer.unref();
    this.#journeys.set(id, journey);
    try {
      send();
    } finally {
      journey.isSent = true;
      this.#look(id, journey);
    }
  }

  #listen() {
    this.#hooks.remove(`*.${LABEL}`);
    this.#hooks.add(`preDeliver.${LABEL}`, ({ msg: { _msgid: id } = {}, destination }) => this.#count(id, destination?.id, 1));
    this.#hooks.add(`onComplete.${LABEL}`, ({ msg: { _msgid: id } = {}, node }) => this.#count(id, node?.id, -1));
  }

  /** @param {string | undefined} id @param {string | undefined} node @param {1 | -1} by */
  #count(id, node, by) {
    const journey = id === undefined ? undefined : this.#journeys.get(id);
    if (id === undefined || node === undefined || journey === undefined) return;
    const now = (journey.waiting.get(node) ?? 0) + by;
    // A node that was reached by a link, and not by a wire, was not counted on its way in.
    if (now > 0) journey.waiting.set(node, now);
    else journey.waiting.delete(node);
    this.#look(id, journey);
  }

  /** @param {string} id @param {Journey} journey */
  #look(id, journey) {
    if (journey.isSent && journey.waiting.size === 0) this.#end(id);
  }

  /** @param {string} id */
  #end(id) {
    const journey = this.#journeys.get(id);
    if (journey === undefined) return;
    this.#journeys.delete(id);
    clearTimeout(journey.timer);
    if (this.#journeys.size === 0) this.#hooks.remove(`*.${LABEL}`);
    journey.done();
  }
}
