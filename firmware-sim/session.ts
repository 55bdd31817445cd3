/**
 * One connection of a device: MQTT 3.1.1, QoS 1, clean session. It sends the buffer in order through a window of unacknowledged
 * messages, and ends for good when the connection does.
 *
 * mqtt.js keeps a store of its own and would repeat from it. Here every connection is a new client object with
 * `reconnectPeriod: 0`, used only while connected, so that store dies with the connection and the ring buffer alone decides
 * what is sent again: exactly the messages without a PUBACK, in their order, with the same `seq` and the same bytes.
 */

import { connect, type MqttClient } from 'mqtt';

import { formatDuration, type Millis } from '../gateway/quantity.ts';
import { topicOf } from './message.ts';
import type { BufferedMessage, RingBuffer } from './ring-buffer.ts';

export type SessionOptions = Readonly<{
  /** `mqtt://host:port` or `mqtts://host:port`. */
  brokerUrl: string;
  /** Also the user name and the client identifier. */
  deviceId: string;
  password: string;
  /** Most messages sent and not yet acknowledged. */
  window: number;
  /** Silence after which the device pings; the broker hangs up after one and a half times this [MQTT-3.1.2-24]. Whole seconds. */
  keepalive: Millis;
  /** How long CONNACK, and then the next PUBACK, may take before the connection is given up. */
  ackTimeout: Millis;
}>;

export type SessionEvents = Readonly<{
  /** CONNACK accepted. */
  opened: () => void;
  /** A message is about to be sent that was sent on an earlier connection. */
  repeating: (message: BufferedMessage) => void;
  /** PUBACK arrived and the buffer has released the message; once for each message that was not overwritten before. */
  acknowledged: (message: BufferedMessage) => void;
  /** The connection is gone; called once. `reason` is for people. */
  closed: (reason: string) => void;
}>;

export class Session {
  readonly #options: SessionOptions;
  readonly #buffer: RingBuffer;
  readonly #events: SessionEvents;
  readonly #client: MqttClient;
  readonly #closed = Promise.withResolvers<void>();
  #state: 'connecting' | 'open' | 'ending' | 'closed' = 'connecting';
  #next: number;
  #inFlight = 0;
  #reason = 'closed by the broker';
  #ackTimer: NodeJS.Timeout | undefined;

  /** Connects at once. */
  constructor(options: SessionOptions, buffer: RingBuffer, events: SessionEvents) {
    this.#options = options;
    this.#buffer = buffer;
    this.#events = events;
    this.#next = buffer.oldest;
    this.#client = connect(options.brokerUrl, {
      clientId: options.deviceId,
      username: options.deviceId,
      password: options.password,
      protocolVersion: 4,
      clean: true,
      keepalive: options.keepalive / 1000,
      connectTimeout: options.ackTimeout,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
    });
    this.#client.on('error', (error) => {
      this.#reason = error.message;
    });
    this.#client.once('connect', () => this.#open());
    this.#client.once('close', () => this.#close());
  }

  /** Sends what the buffer holds and this connection has not sent yet, in order, as far as the window allows. */
  pump(): void {
    while (this.#state === 'open' && this.#inFlight < this.#options.window) {
      const message = this.#nextMessage();
      if (message === undefined) return;
      this.#send(message);
    }
  }

  /** Sends nothing new, waits up to `grace` for what is in flight, says DISCONNECT, and resolves when the socket is closed. */
  async end(grace: Millis): Promise<void> {
    if (this.#state === 'closed') return;
    const impatience = setTimeout(() => this.#hangUp('stopped before everything was acknowledged'), grace);
    if (this.#state === 'connecting') this.#hangUp('stopped');
    if (this.#state === 'open' && this.#inFlight === 0) this.#client.end();
    this.#state = 'ending';
    await this.#closed.promise;
    clearTimeout(impatience);
  }

  #open(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.#events.opened();
    this.pump();
  }

  #nextMessage(): BufferedMessage | undefined {
    // What was overwritten or acknowledged meanwhile leaves holes; the order stays.
    for (this.#next = Math.max(this.#next, this.#buffer.oldest); this.#next < this.#buffer.next; this.#next += 1) {
      const message = this.#buffer.get(this.#next);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  #send(message: BufferedMessage): void {
    this.#next = message.seq + 1;
    this.#inFlight += 1;
    const dup = message.sent;
    if (dup) this.#events.repeating(message);
    message.sent = true;
    this.#ackTimer ??= this.#awaitAcknowledgement();
    // DUP tells the receiver that it may have seen this before [MQTT-3.3.1-1].
    this.#client.publish(topicOf(this.#options.deviceId), message.payload, { qos: 1, dup }, (error) => {
      if (!error) this.#acknowledge(message);
    });
  }

  #acknowledge(message: BufferedMessage): void {
    this.#inFlight -= 1;
    if (this.#buffer.acknowledge(message.seq)) this.#events.acknowledged(message);
    // mqtt.js may hand over acknowledgements it had received before the connection closed: they count, and that is all.
    if (this.#state === 'closed') return;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = this.#inFlight > 0 ? this.#awaitAcknowledgement() : undefined;
    if (this.#state === 'ending' && this.#inFlight === 0) this.#client.end();
    this.pump();
  }

  #awaitAcknowledgement(): NodeJS.Timeout {
    return setTimeout(() => this.#hangUp(`no acknowledgement for ${formatDuration(this.#options.ackTimeout)}`), this.#options.ackTimeout);
  }

  #hangUp(reason: string): void {
    this.#reason = reason;
    this.#client.stream.destroy();
  }

  #close(): void {
    this.#state = 'closed';
    clearTimeout(this.#ackTimer);
    this.#closed.resolve();
    this.#events.closed(this.#reason);
  }
}
