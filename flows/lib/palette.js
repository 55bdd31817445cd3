/** What the nodes share: the gateway they speak to, how they say what they do, and how a mistake reaches Catch nodes. */

import { GatewayLink, Refused, reasonOf } from './gateway-link.js';
import { Progress } from './progress.js';
import { isTest } from './trial.js';

/** @typedef {import('../red.d.ts').Red} Red */
/** @typedef {import('../red.d.ts').FlowNode} FlowNode */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {import('../red.d.ts').GatewayMessage} GatewayMessage */
/** @typedef {import('../red.d.ts').Config} Config */
/** @typedef {import('../red.d.ts').Send} Send */

/** Inside a gateway's own Node-RED, where nothing needs to be filled in. */
const OWN = 'node-red';
const LONGEST_STATUS = 60;
/** Asks that are for real in a test, too: they change nothing, or say themselves that it is a test. */
const REAL_IN_TESTS = new Set(['context', 'tell']);

/** A mistake of a message or of what was filled in: a key of `error` in locales/, which says what, where, and what was expected. */
export class Mistake extends Error {
  /** @param {string} key @param {Readonly<Record<string, unknown>>} [values] */
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

export class Palette {
  /** @param {Red} RED @param {() => Date} now */
  constructor(RED, now) {
    this.RED = RED;
    this.now = now;
    this.progress = new Progress(RED.hooks);
    /** @type {GatewayLink | undefined} */
    this.own = undefined;
    /** Of the nodes that say where a gateway is. @type {WeakMap<FlowNode, GatewayLink>} */
    this.links = new WeakMap();
    /** How nodes are tried out. @type {WeakMap<FlowNode, () => void | Promise<void>>} */
    this.trials = new WeakMap();
    /** What nodes said last, whole. @type {WeakMap<FlowNode, string>} */
    this.said = new WeakMap();
  }

  /** @param {string} key @param {Readonly<Record<string, unknown>>} [values] */
  say(key, values) {
    return this.RED._(`vitalgate.${key}`, values);
  }

  /** @param {unknown} error @returns {string} */
  explain(error) {
    if (error instanceof Mistake) return this.say(`error.${error.key}`, error.values);
    if (error instanceof Refused) return this.say('error.refused', { code: error.code, why: error.message });
    return reasonOf(error);
  }

  /** The gateway that a node names, else the one this Node-RED belongs to. @param {Config} config */
  linkFor(config) {
    const named = typeof config['gateway'] === 'string' && config['gateway'] !== '' ? this.RED.nodes.getNode(config['gateway']) : undefined;
    if (named === null) throw new Mistake('noGateway');
    const link = named === undefined ? this.ownLink() : this.links.get(named);
    if (link === undefined) throw new Mistake('noGateway');
    return link;
  }

  ownLink() {
    const { vitalgate } = this.RED.settings;
    if (vitalgate !== undefined) this.own ??= new GatewayLink(vitalgate, OWN);
    return this.own;
  }

  /** @param {string} type @param {(node: FlowNode, config: Config) => void} begin @param {object} [options] */
  register(type, begin, options) {
    const palette = this;
    /** @this {FlowNode} @param {Config} config */
    function Constructor(config) {
      palette.RED.nodes.createNode(this, config);
      try {
        begin(this, config);
      } catch (error) {
        palette.showMistake(this, error);
        this.error(palette.explain(error));
      }
    }
    this.RED.nodes.registerType(`vitalgate-${type}`, Constructor, options);
  }

  /**
   * Handles what comes in. Whatever goes wrong stands at the node and reaches Catch nodes.
   * @param {FlowNode} node @param {(message: FlowMessage, send: Send) => void | Promise<void>} handle
   */
  onInput(node, handle) {
    node.on('input', (message, send, done) => {
      const handled = async () => {
        try {
          await handle(message, send);
        } catch (error) {
          this.showMistake(node, error);
          return done(this.explain(error));
        }
        done();
      };
      void handled();
    });
  }

  /**
   * Somebody pressed the button of a node: what came of it, in words. What goes wrong stands at the node, too.
   * @param {FlowNode} node
   */
  async tryOut(node) {
    try {
      const trial = this.trials.get(node);
      // Without one, something is wrong with what was filled in, and the node says so.
      if (trial !== undefined) await trial();
      else if (!this.said.has(node)) throw new Mistake('noNode');
      return this.said.get(node) ?? '';
    } catch (error) {
      this.showMistake(node, error);
      throw error;
    }
  }

  /** What a node would have done. @param {FlowNode} node @param {string} text */
  showTest(node, text) {
    this.show(node, 'blue', 'ring', this.say('status.tried', { text }));
  }

  /** @param {FlowNode} node @param {unknown} error */
  showMistake(node, error) {
    this.show(node, 'red', 'ring', this.explain(error));
  }

  /**
   * Says at a node what it did, and when.
   * @param {FlowNode} node @param {import('../red.d.ts').Status['fill']} fill @param {import('../red.d.ts').Status['shape']} shape @param {string} text
   */
  show(node, fill, shape, text) {
    this.said.set(node, text);
    const short = text.length > LONGEST_STATUS ? `${text.slice(0, LONGEST_STATUS - 1)}…` : text;
    node.status({ fill, shape, text: `${short} ${this.now().toTimeString().slice(0, 5)}` });
  }

  /**
   * Follows topics of a gateway. `handle` gives what is to be sent on, or undefined for what this node passes over.
   * @param {FlowNode} node @param {Config} config @param {readonly import('../red.d.ts').Topic[]} topics
   * @param {(message: GatewayMessage) => { out: FlowMessage, port?: number, text: string } | undefined} handle
   * @param {(lists: import('../red.d.ts').Lists) => GatewayMessage} sample one that `handle` sends on
   */
  follow(node, config, topics, handle, sample) {
    /** @param {GatewayMessage} message @param {{ out: FlowMessage, port?: number }} handled */
    const outputs = (message, { out, port = 0 }) => [...Array.from({ length: port }, () => null), { ...out, _msgid: `${node.id}-${message.id}`, vitalgate: message }];
    this.trials.set(node, async () => {
      const message = sample(await this.linkFor(config).lists());
      const handled = handle(message);
      if (handled === undefined) throw new Mistake('noSample');
      node.send(outputs(message, handled));
      this.showTest(node, this.say('status.sample', { text: handled.text }));
    });
    const leave = this.linkFor(config).follow({
      topics,
      show: (state) => {
        if (state.state === 'away') this.show(node, 'red', 'ring', state.why);
        else if (state.state === 'connected') this.show(node, 'green', 'ring', this.say('status.connected'));
        else node.status({ fill: 'yellow', shape: 'ring', text: this.say('status.connecting') });
      },
      take: (message, done) => {
        try {
          const handled = handle(message);
          if (handled === undefined) return done();
          this.show(node, 'green', 'dot', handled.text);
          const id = `${node.id}-${message.id}`;
          this.progress.follow(id, () => node.send(outputs(message, handled)), done);
        } catch (error) {
          this.showMistake(node, error);
          node.error(this.explain(error), { vitalgate: message });
          done();
        }
      },
    });
    node.on('close', (removed, done) => {
      node.status({});
      leave(removed).then(done, done);
    });
  }

  /**
   * Asks the gateway, with an id that is the same for the same message, so that nothing is done twice; because of a test nothing is done at all.
   * @param {FlowNode} node @param {Config} config @param {FlowMessage} message @param {Readonly<Record<string, unknown>>} ask
   * @param {number} [patience] milliseconds that the answer may take
   */
  async ask(node, config, message, ask, patience) {
    const { vitalgate: origin, _msgid: own } = message;
    const of = isObject(origin) && typeof origin['id'] === 'string' ? origin['id'] : own;
    const dryRun = isTest(message) && !REAL_IN_TESTS.has(String(ask['ask']));
    return await this.linkFor(config).ask({ ...(of === undefined ? {} : { id: `${node.id} ${of}`.slice(0, 128) }), ...ask, ...(dryRun ? { dryRun } : {}) }, patience);
  }
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
