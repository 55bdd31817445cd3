import { readFileSync } from 'node:fs';
import type { IClientOptions, MqttClient } from 'mqtt';
import { ConfigError, messageOf } from '../errors.ts';
import { Minutes, Seconds, type Millis } from '../quantity.ts';
import type { DeviceId, Frame, Sequence } from '../reading.ts';
import type { Clock } from './clock.ts';

/** A subscription to another broker: the one that Zigbee2MQTT or Home Assistant already uses. */
export type BridgeOptions = Readonly<{
  /** Name of the connection, as a device has one: its frames are `devices/<name>/<topic there>`. */
  name: DeviceId;
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  url: string;
  /** MQTT topic filters (§4.7). */
  topics: readonly string[];
  /** MQTT 5 (default) or 3.1.1. */
  version: '5' | '3.1.1';
  username?: string;
  /** First line is the password. */
  passwordFile?: string;
  /** Certificate authority of the broker in PEM, for mqtts. Default: those Node trusts. */
  caFile?: string;
}>;

export type BridgeHooks = Readonly<{
  /** See Acceptor.acceptAll: resolves only when the frames would survive a power cut. */
  accept: (frames: readonly Frame[]) => Promise<Sequence>;
  /** See Acceptor.offer: for QoS 0. */
  offer: (frame: Frame) => boolean;
  clock: Clock;
  observe: BridgeObserver;
}>;

export type BridgeObserver = Readonly<{
  received: () => void;
  /** `waited`: from the arrival of the message until it was durable. */
  accepted: (waited: Millis) => void;
  refused: (name: DeviceId, reason: 'store_fault' | 'qos0_dropped', message: string) => void;
  /** The connection stands and the subscription is made, or it does not; told once for each change. */
  link: (name: DeviceId, state: 'connected' | 'disconnected', detail: string) => void;
}>;

export type Bridge = Readonly<{
  /** Says something there: QoS 0, not retained. False, and nothing is said or kept, while the connection is away. */
  publish: (topic: string, payload: Uint8Array) => boolean;
  close: () => Promise<void>;
}>;

const RECONNECT_EVERY = Seconds(2);
/** How long the other broker keeps what we have not acknowledged (MQTT 5 §3.1.2.11.2); 3.1.1 brokers decide for themselves. */
const SESSION_EXPIRY = Minutes(7 * 24 * 60);
/** Messages the other broker may send before it waits for acknowledgements (MQTT 5 §3.1.2.11.3). */
const RECEIVE_MAXIMUM = 100;

/**
 * Follows another broker for as long as it is asked to, with a session that broker keeps. A message of QoS 1 MUST NOT be
 * acknowledged before `accept` resolved; when it rejects, the connection is cut instead, and the broker sends the message again.
 * What it retained is from before: its frame says so. Throws {@link ConfigError} for files that cannot be read; a broker that is
 * away is told to the observer, and tried again.
 */
export async function followBroker(options: BridgeOptions, hooks: BridgeHooks): Promise<Bridge> {
  const clientOptions = clientOptionsOf(options);
  // Loaded by those who have a bridge only: it costs memory.
  const { connect } = await import('mqtt');
  return new Follower(connect(options.url, clientOptions), options, hooks);
}

const clientIdOf = (name: string): string => `vitalgate-${name}`;
/** Where others can see whether the bridge stands: `online` or, left by its will, `offline`; retained. */
const statusTopicOf = (name: string): string => `vitalgate/${name}/status`;

function clientOptionsOf({ name, version, username, passwordFile, caFile }: BridgeOptions): IClientOptions {
  const five = version === '5';
  return {
    clientId: clientIdOf(name),
    protocolVersion: five ? 5 : 4,
    clean: false,
    reconnectPeriod: RECONNECT_EVERY,
    resubscribe: false,
    will: { topic: statusTopicOf(name), payload: Buffer.from('offline'), qos: 1, retain: true },
    ...(five ? { properties: { sessionExpiryInterval: SESSION_EXPIRY / 1000, receiveMaximum: RECEIVE_MAXIMUM } } : {}),
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { password: textIn(passwordFile).split(/\r?\n/)[0] ?? '' }),
    ...(caFile === undefined ? {} : { ca: textIn(caFile) }),
  };
}

function textIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

type Message = Readonly<{ topic: string; payload: string | Buffer; qos: 0 | 1 | 2; dup: boolean; retain: boolean }>;
type Done = (error?: Error) => void;

class Follower implements Bridge {
  readonly #client: MqttClient;
  readonly #options: BridgeOptions;
  readonly #hooks: BridgeHooks;
  #told: string | undefined;
  #closed = false;
  #settled: Promise<unknown> = Promise.resolve();

  constructor(client: MqttClient, options: BridgeOptions, hooks: BridgeHooks) {
    this.#client = client;
    this.#options = options;
    this.#hooks = hooks;
    // The client acknowledges when this calls back, and hands over the next message only then.
    client.handleMessage = (message, done) => this.#take(message, done);
    client.on('connect', () => void this.#subscribe());
    client.on('error', (error) => this.#tell('disconnected', messageOf(error)));
    client.on('close', () => this.#tell('disconnected', 'the connection is closed'));
  }

  publish(topic: string, payload: Uint8Array): boolean {
    if (this.#closed || !this.#client.connected) return false;
    this.#client.publish(topic, Buffer.from(payload), { qos: 0 });
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#settled.catch(() => undefined);
    if (this.#client.connected) await this.#client.publishAsync(statusTopicOf(this.#options.name), 'offline', { qos: 1, retain: true }).catch(() => undefined);
    await this.#client.endAsync();
  }

  async #subscribe(): Promise<void> {
    const { topics, name } = this.#options;
    try {
      const granted = await this.#client.subscribeAsync([...topics], { qos: 1 });
      const refused = granted.filter(({ qos }) => qos >= 0x80).map(({ topic }) => topic);
      if (refused.length > 0) return this.#tell('disconnected', `the broker refuses the subscription to ${refused.join(', ')}`);
      this.#client.publish(statusTopicOf(name), 'online', { qos: 1, retain: true });
      return this.#tell('connected', `${this.#options.url}, ${topics.join(', ')}`);
    } catch (error) {
      return this.#tell('disconnected', messageOf(error));
    }
  }

  #take(message: Message, done: Done): void {
    const { accept, offer, clock, observe } = this.#hooks;
    const { name } = this.#options;
    // What is not acknowledged comes again.
    if (this.#closed) return;
    const frame = this.#frameOf(message);
    observe.received();
    if (message.qos === 0) {
      if (!offer(frame)) observe.refused(name, 'qos0_dropped', message.topic);
      return done();
    }
    this.#settled = accept([frame]).then(
      () => {
        observe.accepted((clock.uptime() - frame.uptime) as Millis);
        done();
      },
      (fault: Error) => {
        observe.refused(name, 'store_fault', fault.message);
        this.#client.stream.destroy();
      },
    );
  }

  #frameOf({ topic, payload, qos, dup, retain }: Message): Frame {
    const { clock } = this.#hooks;
    const { name } = this.#options;
    return {
      source: 'bridge',
      device: name,
      topic: `devices/${name}/${topic}`,
      qos,
      dup,
      payload: typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload,
      receivedAt: clock.now(),
      uptime: clock.uptime(),
      clockTrust: clock.trust(),
      ...(retain ? { retained: true } : {}),
    };
  }

  #tell(state: 'connected' | 'disconnected', detail: string): void {
    // What a connection says about its end comes in several pieces; the first one says why.
    if (this.#closed || this.#told === state || this.#told === `${state} ${detail}`) return;
    this.#told = state;
    this.#hooks.observe.link(this.#options.name, state, detail);
  }
}
