/**
 * A family's device on a real broker: MQTT 3.1.1, clean sessions, its own will. What was published with QoS 1 and not acknowledged is
 * published again on the next connection, in order and with DUP; QoS 0 goes as the network goes.
 */

import { connect, type MqttClient } from 'mqtt';
import { Millis, Seconds } from '../gateway/quantity.ts';
import { type Message, type Speaker, topicOf } from './families/family.ts';
import type { Faults, Transmission } from './faults.ts';
import { Bell, type Link, type LinkCounts, Tally } from './link.ts';
import type { Random } from './random.ts';

export type MqttLinkOptions = Readonly<{
  /** `mqtt://host:port` or `mqtts://host:port`. */
  brokerUrl: string;
  /** User name and client identifier. */
  device: string;
  /** Absent: the connection is anonymous. */
  password?: string;
  /** Topic before those of the messages; empty at the root. */
  base: string;
  speaker: Speaker;
  faults: Faults;
  /** Spreads reconnections. */
  random: Random;
  signal: AbortSignal;
  /** Called with the payload of a command. */
  onCommand: (payload: Uint8Array) => void;
  log: (line: string) => void;
}>;

const SHORTEST_PAUSE = Millis(100);
const LONGEST_PAUSE = Millis(300);
/** How long an orderly end may take. */
const GRACE = Seconds(1);

/** A message on its way, and whether it was on its way before. */
type Pending = Readonly<{ message: Message; bytes: Uint8Array }> & { sentBefore: boolean };

export class MqttLink implements Link {
  readonly #options: MqttLinkOptions;
  readonly #tally = new Tally();
  readonly #bell = new Bell();
  readonly #unacknowledged = new Set<Pending>();
  #client: MqttClient;
  #isOpen = false;
  /** Between two connections. */
  #isGone = false;
  #isEnding = false;
  #pause: NodeJS.Timeout | undefined;

  /** Connects at once. */
  constructor(options: MqttLinkOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#bell.ring(), { once: true });
    this.#client = this.#connect();
  }

  get counts(): LinkCounts {
    return this.#tally.counts;
  }

  async ready(): Promise<number | undefined> {
    await this.#bell.until(() => this.#isOpen || this.#options.signal.aborted || undefined);
    return this.#options.signal.aborted ? undefined : this.#tally.counts.connections;
  }

  send(message: Message, spared = false): void {
    const whole: Transmission = { bytes: message.payload, kind: 'good' };
    for (const transmission of spared ? [whole] : this.#options.faults.disturb(message.payload)) {
      this.#tally.transmitted(transmission, message);
      this.#publish({ message, bytes: transmission.bytes, sentBefore: false });
    }
  }

  cut(): void {
    this.#isOpen = false;
    this.#client.stream.destroy();
  }

  async drained(): Promise<void> {
    await this.#bell.until(() => this.#unacknowledged.size === 0 || this.#options.signal.aborted || undefined);
  }

  async close(farewell: readonly Message[]): Promise<void> {
    for (const message of farewell) if (this.#isOpen) this.send(message, true);
    this.#isEnding = true;
    clearTimeout(this.#pause);
    // Its own end waits for ever when what is in flight is never acknowledged.
    const impatience = setTimeout(() => this.#client.stream.destroy(), GRACE);
    this.#client.end(!this.#isOpen);
    await this.#bell.until(() => this.#isGone || undefined);
    clearTimeout(impatience);
  }

  #connect(): MqttClient {
    const { brokerUrl, device, password, speaker, base } = this.#options;
    const will = speaker.will?.();
    this.#isGone = false;
    const client = connect(brokerUrl, {
      clientId: device,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      ...(password === undefined ? {} : { username: device, password }),
      ...(will === undefined ? {} : { will: { topic: topicOf(base, will.topic), payload: Buffer.from(will.payload), qos: will.qos, retain: will.retain } }),
    });
    client.on('error', (error) => this.#options.log(`${device}: ${error.message}`));
    client.once('connect', () => this.#opened());
    client.once('close', () => this.#closed());
    client.on('message', (_topic, payload) => this.#options.onCommand(payload));
    return client;
  }

  #opened(): void {
    const { speaker, base, device, log } = this.#options;
    this.#isOpen = true;
    this.#tally.add('connections');
    log(`${device}: connected, ${this.#unacknowledged.size} waiting`);
    if (speaker.hears !== undefined) this.#client.subscribe(topicOf(base, speaker.hears.topic), { qos: 1 });
    // Publishing puts nothing new into the set.
    for (const pending of this.#unacknowledged) {
      this.#tally.add('repeated');
      this.#publish(pending);
    }
    this.#bell.ring();
  }

  #closed(): void {
    const { random, device, log } = this.#options;
    this.#isOpen = false;
    this.#isGone = true;
    this.#bell.ring();
    if (this.#isEnding) return;
    log(`${device}: disconnected`);
    this.#pause = setTimeout(() => (this.#client = this.#connect()), random.between(SHORTEST_PAUSE, LONGEST_PAUSE));
  }

  #publish(pending: Pending): void {
    const { message: { topic, absolute, qos, retain }, bytes } = pending;
    if (qos > 0) this.#unacknowledged.add(pending);
    if (!this.#isOpen) return;
    const dup = pending.sentBefore;
    pending.sentBefore = true;
    this.#client.publish(absolute === true ? topic : topicOf(this.#options.base, topic), Buffer.from(bytes), { qos, retain, dup }, (error) => {
      // An error is that of a connection that broke: it stays for the next one.
      if (error || qos === 0 || !this.#unacknowledged.delete(pending)) return;
      this.#tally.add('acknowledged');
      this.#bell.ring();
    });
  }
}

