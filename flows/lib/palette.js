/** What the nodes share: the gateway they speak to, how they say what they do, and how a mistake reaches Catch nodes. */

import { GatewayLink, Refused, reasonOf } from './gateway-link.js';
import { Progress } from './progress.js';

/** @typedef {import('../red.d.ts').Red} Red */
/** @typedef {import('../red.d.ts').FlowNode} FlowNode */
/** @typedef {import('../red.d.ts').FlowMessage} FlowMessage */
/** @typedef {import('../red.d.ts').GatewayMessage} GatewayMessage */
/** @typedef {import('../red.d.ts').Config} Config */
/** @typedef {import('../red.d.ts').Send} Send */

/** Inside a gateway's own Node-RED, where nothing needs to be filled in. */
const OWN = 'node-red';
const LONGEST_STATUS = 60;

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
  /** @param {Red} RED */
  constructor(RED) {
    this.RED = RED;
    this.progress = new Progress(RED.hooks);
    /** @type {GatewayLink | undefined} */
    this.own = undefined;
    /** Of the nodes that say where a gateway is. @type {WeakMap<FlowNode, GatewayLink>} */
    this.links = new WeakMap();
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

  /** @param {FlowNode} node @param {unknown} error */
  showMistake(node, error) {
    this.show(node, 'red', 'ring', this.explain(error));
  }

  /**
   * Says at a node what it did, and when.
   * @param {FlowNode} node @param {import('../red.d.ts').Status['fill']} fill @param {import('../red.d.ts').Status['shape']} shape @param {string} text
   */
  show(node, fill, shape, text) {
    const short = text.length > LONGEST_STATUS ? `${text.slice(0, LONGEST_STATUS - 1)}…` : text;
    node.status({ fill, shape, text: `${short} ${new Date().toTimeString().slice(0, 5)}` });
  }

  /**
   * Follows topics of a gateway. `handle` gives what is to be sent on, or undefined for what this node passes over.
   * @param {FlowNode} node @param {Config} config @param {readonly import('../red.d.ts').Topic[]} topics
   * @param {(message: GatewayMessage) => { out: FlowMessage, port?: number, text: string } | undefined} handle
   */
  follow(node, config, topics, handle) {
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
          const out = { ...handled.out, _msgid: id, vitalgate: message };
          this.progress.follow(id, () => node.send([...Array.from({ length: handled.port ?? 0 }, () => null), out]), done);
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
   * Asks the gateway, with an id that is the same for the same message, so that nothing is done twice.
   * @param {FlowNode} node @param {Config} config @param {FlowMessage} message @param {Readonly<Record<string, unknown>>} ask
   * @param {number} [patience] milliseconds that the answer may take
   */
  async ask(node, config, message, ask, patience) {
    const { vitalgate: origin, _msgid: own } = message;
    const of = isObject(origin) && typeof origin['id'] === 'string' ? origin['id'] : own;
    return await this.linkFor(config).ask({ ...(of === undefined ? {} : { id: `${node.id} ${of}`.slice(0, 128) }), ...ask }, patience);
  }
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
