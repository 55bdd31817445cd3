import type { Duplex } from 'node:stream';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import mqttPacket from 'mqtt-packet';
import { Bytes, KiB, type Millis } from '../quantity.ts';
import { isDeviceId, type DeviceId, type Frame, type Sequence } from '../reading.ts';
import type { Clock } from './clock.ts';
import type { AuthenticationOutcome, Proof } from './devices.ts';
import { PublishLane } from './mqtt-lane.ts';
import type { Security, ServerCertificate } from './mqtt-layer.ts';
import { openListeners, type Address, type ListenerAddresses } from './mqtt-listeners.ts';
import { MAX_TOPIC_LENGTH, Sessions, frameOf, isOwn, type Content, type Session } from './mqtt-session.ts';
import { guardPackets } from './packet-limit.ts';

export type MqttBrokerOptions = Readonly<{
  /** Plain TCP; "none": nowhere. */
  listen: Address | 'none';
  /** MQTT in TLS. `requireCertificate`: nobody gets in over TLS without a certificate. Default: nowhere. */
  tls?: Readonly<{ listen: Address | 'none'; requireCertificate: boolean }> | undefined;
  /** MQTT in WebSocket, with TLS below it or not. Default: nowhere. */
  webSocket?: Readonly<{ listen: Address; tls: boolean }> | undefined;
  /** Needed where TLS is spoken. */
  serverCertificate?: ServerCertificate | undefined;
  /** Largest payload of one PUBLISH. */
  maxPayload: Bytes;
  /** Connections at a time; further ones are closed at once. */
  maxConnections: number;
  /** QoS 2 messages of one client between PUBREC and PUBREL; one more closes its connection. */
  maxInFlight: number;
  /** Levels of a topic; a deeper one closes the connection. */
  maxTopicLevels: number;
  /** Messages a second of one device, on average; a faster one is read more slowly. */
  maxRate: number;
  /** Bytes a second of one device, on average; a faster one is read more slowly. No fewer than {@link maxPayload}. */
  maxRateBytes: Bytes;
  /** Longest keep-alive a client may ask for; a longer one, or none, is refused on connecting. */
  keepAliveLimit: Millis;
  /** A client that has not come through TLS, or WebSocket, by then, or has not sent CONNECT as long after that, is closed. */
  connectTimeout: Millis;
  /** How often a busy connection's messages go the way of all packets, through Aedes; 0 is always. Default 250 ms. */
  throughAedesEvery?: Millis;
}>;

/** What ingest is handed. The broker decides nothing about readings and keeps none. */
export type MqttBrokerHooks = Readonly<{
  authenticate: (device: DeviceId, proof: Proof) => Promise<AuthenticationOutcome>;
  /** See Acceptor.acceptAll: resolves only when the frames would survive a power cut. */
  accept: (frames: readonly Frame[]) => Promise<Sequence>;
  /** See Acceptor.offer: for QoS 0. */
  offer: (frame: Frame) => boolean;
  clock: Clock;
  observe: MqttObserver;
}>;

/** Why a connection or a message was turned away. Metric labels: do not rename. */
export type RefusalReason =
  | 'too_many_connections'
  | 'failed_handshake'
  | 'malformed_packet'
  | 'oversized_packet'
  | 'missing_credentials'
  | 'wrong_credentials'
  | 'missing_certificate'
  | 'wrong_certificate'
  | 'overloaded'
  | 'taken_over'
  | 'foreign_topic'
  | 'subscription'
  | 'store_fault'
  | 'qos0_dropped'
  | 'client_error';

export type MqttObserver = Readonly<{
  connected: (delta: 1 | -1) => void;
  received: (qos: 0 | 1 | 2) => void;
  /** `waited`: from the arrival of the frame until it was durable, in milliseconds. */
  accepted: (waited: Millis) => void;
  refused: (reason: RefusalReason, detail: Readonly<{ device?: string; message?: string }>) => void;
  /** A connection of the device is left unread for so long, because the device is too fast. */
  throttled: (device: DeviceId, duration: Millis) => void;
}>;

export type MqttBroker = Readonly<{
  addresses: ListenerAddresses;
  /** What the gateway itself says, to whoever subscribed to it: QoS 0, not retained. Devices subscribe below their own prefix only. */
  publish: (topic: string, payload: Uint8Array) => void;
  /**
   * Closes every connection of a device at once, and returns how many were logged in. What such a connection still says, its
   * will included, is nobody's; a proof that is being checked meanwhile comes too late.
   */
  disconnect: (device: DeviceId) => number;
  close: () => Promise<void>;
}>;

/** MQTT's largest fixed header, topic length field and packet identifier, beside topic and payload. */
const PACKET_OVERHEAD = 5 + 2 + 2;
const MAX_CLIENT_ID_LENGTH = 256;
/** A WebSocket message may hold one packet, and small ones beside it. */
const BESIDE_A_PACKET = KiB(64);
const NOT_AUTHORISED = 5;
const SERVER_UNAVAILABLE = 3;
/** The refusals after which it is worth coming again: MQTT 3.1.1 §3.2.2.3, return code 3. */
const COME_AGAIN: ReadonlySet<RefusalReason> = new Set(['overloaded', 'taken_over']);
const TWO_WITH_ONE_ID =
  'two programs seem to use one client id and throw each other out; the one that is connected stays. Give each program a client id, better a device, of its own';

// The parser would keep a buffer for every packet identifier there is: 65,536 objects, 7 MB, to save one small allocation.
mqttPacket.writeToStream.cacheNumbers = false;

/**
 * An MQTT 3.1.1 broker to which devices publish under `devices/<own id>/…`.
 *
 * PUBACK and PUBREC MUST NOT leave before `accept` resolved. Aedes sends both after its `authorizePublish` hook and
 * before anything else, so that hook is the only place where this can be kept; when `accept` rejects, the connection
 * is closed without an acknowledgement, and the device sends again. Throws {@link ConfigError} when an address cannot be
 * taken.
 */
export async function startMqttBroker(options: MqttBrokerOptions, hooks: MqttBrokerHooks): Promise<MqttBroker> {
  const conversation = new Conversation(options, hooks);
  await conversation.aedes.listen();
  try {
    const listeners = await openListeners(
      { ...options, maxMessage: Bytes(conversation.limit + BESIDE_A_PACKET) },
      { arrived: (stream, security) => conversation.begin(stream, security), refused: (reason, message) => hooks.observe.refused(reason, { message }) },
    );
    return {
      addresses: listeners.addresses,
      publish: (topic, payload) => conversation.publish(topic, payload),
      disconnect: (device) => conversation.disconnect(device),
      close: async () => {
        const closed = conversation.close();
        await listeners.close();
        await closed;
      },
    };
  } catch (error) {
    // Its timers would keep the process alive.
    await conversation.close();
    throw error;
  }
}

type Done = (error?: Error) => void;

/**
 * What devices publish is for the gateway and ends in `authorizePublish`: it is handed on to no subscriber, so no queue
 * for one that is away can grow. What the gateway itself publishes reaches the device that subscribed to it.
 */
class DeviceBroker extends Aedes {
  override publish(packet: PublishPacket, publisher: Client | Done | null, done?: Done): void {
    if (typeof publisher === 'function') super.publish(packet, publisher);
    else done?.();
  }
}

type Detail = Parameters<MqttObserver['refused']>[1];
type Refusal = Readonly<{ reason: RefusalReason; detail?: Detail }>;

/** Everything that is said over MQTT, whatever the streams it is said on. */
class Conversation {
  readonly aedes: DeviceBroker;
  /** Largest packet: its remaining length. */
  readonly limit: Bytes;
  readonly #options: MqttBrokerOptions;
  readonly #hooks: MqttBrokerHooks;
  readonly #sessions: Sessions;
  readonly #security = new WeakMap<Client, Security>();
  /** Whose connection ends for a reason that was counted. Aedes tells the same end again, sometimes several times. */
  readonly #refused = new WeakSet<Client>();

  constructor(options: MqttBrokerOptions, hooks: MqttBrokerHooks) {
    this.limit = Bytes(options.maxPayload + MAX_TOPIC_LENGTH + PACKET_OVERHEAD);
    this.#options = options;
    this.#hooks = hooks;
    this.#sessions = new Sessions({ maxRate: options.maxRate, maxRateBytes: options.maxRateBytes, uptime: hooks.clock.uptime });
    this.aedes = new DeviceBroker({
      maxInflightInbound: options.maxInFlight,
      maxTopicLevels: options.maxTopicLevels,
      connectTimeout: options.connectTimeout,
      keepaliveLimit: Math.floor(options.keepAliveLimit / 1000),
      maxClientsIdLength: MAX_CLIENT_ID_LENGTH,
      preConnect: (client, packet, done) => {
        // A name space of its own for each device: nobody can push another one out by taking its client id.
        if (packet.clientId !== '') packet.clientId = `${this.#claimed(client, packet.username)}/${packet.clientId}`;
        // [MQTT-3.1.2-14]; the parser lets it pass.
        if ((packet.will?.qos as number | undefined) === 3) done(new Error('a will of QoS 3'), false);
        else done(null, true);
      },
      authenticate: (client, username, password, done) => {
        void this.#logIn(client, username, password).then((refusal) => {
          if (refusal === undefined) return done(null, true);
          const returnCode = COME_AGAIN.has(refusal.reason) ? SERVER_UNAVAILABLE : NOT_AUTHORISED;
          this.#refuse(client, refusal.reason, { device: this.#claimed(client, username), ...refusal.detail });
          return done(Object.assign(new Error(refusal.reason), { returnCode }), null);
        });
      },
      authorizePublish: (client, packet, done) => this.#takePublish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => {
        const session = this.#sessions.of(client);
        if (session !== undefined && subscription.topic.startsWith(session.prefix)) return done(null, subscription);
        hooks.observe.refused('subscription', { device: session?.device ?? '', message: subscription.topic });
        return done(null, null); // SUBACK 0x80 [MQTT-3.9.3-2]
      },
    });
    this.#watch();
  }

  /** Takes a stream on which a client is about to send CONNECT. */
  begin(stream: Duplex, security: Security): void {
    const { limit } = this;
    const { clock, observe } = this.#hooks;
    guardPackets(stream, {
      limit,
      onFault: ({ reason, message }) => {
        if (this.#refused.has(client)) return;
        this.#refuse(client, reason, { device: this.#deviceOf(client), message });
        stream.destroy();
      },
      divert: (bytes, most) => lane.take(bytes, most),
      pace: () => this.#sessions.of(client)?.pace,
      uptime: clock.uptime,
      onPause: (duration) => {
        const session = this.#sessions.of(client);
        if (session !== undefined) observe.throttled(session.device, duration);
      },
    });
    const client = this.aedes.handle(stream);
    this.#security.set(client, security);
    const lane = new PublishLane(client, stream, { ...this.#options, limit }, {
      ...this.#hooks,
      sessionOf: (each) => this.#sessions.of(each),
      onFault: (each, detail) => this.#refuse(each, 'store_fault', detail),
    });
  }

  publish(topic: string, payload: Uint8Array): void {
    this.aedes.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false }, () => undefined);
  }

  disconnect(device: DeviceId): number {
    const clients = this.#sessions.end(device);
    for (const client of clients) {
      // Not its own fault: whatever Aedes makes of it is no refusal.
      this.#refused.add(client);
      client.conn.destroy();
    }
    return clients.length;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.aedes.close(() => resolve()));
  }

  #watch(): void {
    const { observe } = this.#hooks;
    const failed = (client: Client, error: Error): void => this.#refuse(client, reasonOf(error), { device: this.#deviceOf(client), message: error.message });
    this.aedes.on('connectionError', failed);
    this.aedes.on('clientError', failed);
    this.aedes.on('client', (client: Client) => {
      this.#sessions.hold(client);
      observe.connected(1);
    });
    this.aedes.on('clientDisconnect', (client: Client) => {
      const takenOver = this.#sessions.release(client);
      if (takenOver) this.#refuse(client, 'taken_over', { device: this.#deviceOf(client), message: 'a newer connection has the same client id' });
      observe.connected(-1);
    });
  }

  #refuse(client: Client | null, reason: RefusalReason, detail: Detail): void {
    if (client !== null && this.#refused.has(client)) return;
    if (client !== null) this.#refused.add(client);
    this.#hooks.observe.refused(reason, detail);
  }

  #deviceOf(client: Client): DeviceId | '' {
    return this.#sessions.of(client)?.device ?? '';
  }

  /** Who a client says it is: what its certificate says, or else its user name. Nothing is proven by that. */
  #claimed(client: Client, username: string | undefined): string {
    const certificate = this.#security.get(client)?.certificate;
    return typeof certificate === 'object' ? certificate.device : (username ?? '');
  }

  /** Begins the client's session, or says why not. */
  async #logIn(client: Client, username: string | undefined, password: Readonly<Buffer> | undefined): Promise<Refusal | undefined> {
    const offer = offerOf(this.#security.get(client), username, password);
    if (typeof offer === 'string') return { reason: offer };
    const { device, proof } = offer;
    using attempt = this.#sessions.attempt(device);
    const outcome = await this.#prove(offer);
    // Nothing is awaited from here to the session: a revocation finds either the attempt or the session.
    if (outcome !== 'accepted') return { reason: outcome };
    if (attempt.revoked) return { reason: proof.kind === 'certificate' ? 'wrong_certificate' : 'wrong_credentials' };
    if (!this.#sessions.mayHoldId(client)) return { reason: 'taken_over', detail: { message: TWO_WITH_ONE_ID } };
    // A connection that is gone by now will not say so again.
    if (!client.conn.destroyed) this.#sessions.begin(client, device);
    return undefined;
  }

  async #prove({ device, proof }: Offer): Promise<'accepted' | RefusalReason> {
    try {
      return await this.#hooks.authenticate(device, proof);
    } catch {
      return 'store_fault';
    }
  }

  #takePublish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const { accept, clock, observe, offer } = this.#hooks;
    // A will left behind by another process reaches this hook without a client.
    const session = client === null ? undefined : this.#sessions.of(client);
    const objection = objectionTo(session, packet);
    if (session === undefined || objection !== undefined) {
      this.#refuse(client, objection ?? 'foreign_topic', { device: session?.device ?? '', message: packet.topic.slice(0, MAX_TOPIC_LENGTH) });
      return done(new Error(`a device publishes under ${session?.prefix ?? 'devices/<its id>/'} only`));
    }
    const { device } = session;
    // Nothing is retained for later subscribers: the journal is the memory, and it is not for devices to read.
    packet.retain = false;
    const frame = frameOf(device, packet.qos, contentOf(packet), clock);
    observe.received(frame.qos);
    if (frame.qos === 0) {
      if (!offer(frame)) observe.refused('qos0_dropped', { device });
      return done();
    }
    accept([frame]).then(
      () => {
        observe.accepted((clock.uptime() - frame.uptime) as Millis);
        done();
      },
      (fault: Error) => {
        this.#refuse(client, 'store_fault', { device, message: fault.message });
        done(fault);
      },
    );
  }
}

type Offer = Readonly<{ device: DeviceId; proof: Proof }>;

/** What a client offers to prove, and with what; or why that cannot be enough. Who shows a certificate is judged by nothing else. */
function offerOf(security: Security | undefined, username: string | undefined, password: Readonly<Buffer> | undefined): Offer | RefusalReason {
  const { certificate, required } = security ?? { certificate: 'none', required: true };
  if (certificate === 'unacceptable') return 'wrong_certificate';
  if (certificate !== 'none') {
    if (username !== undefined && username !== certificate.device) return 'wrong_certificate';
    return { device: certificate.device, proof: { kind: 'certificate', fingerprint: certificate.fingerprint } };
  }
  if (required) return 'missing_certificate';
  if (username === undefined || password === undefined || !isDeviceId(username)) return 'missing_credentials';
  return { device: username, proof: { kind: 'password', password } };
}

function objectionTo(session: Session | undefined, { topic, qos, messageId }: PublishPacket): RefusalReason | undefined {
  if (session === undefined || !isOwn(topic, session)) return 'foreign_topic';
  // The parser puts U+FFFD where the bytes are no UTF-8 [MQTT-1.5.3-1]; U+0000 is forbidden [MQTT-1.5.3-2].
  if (/[\0\uFFFD]/.test(topic)) return 'malformed_packet';
  // [MQTT-2.3.1-1]; a will has none.
  return qos > 0 && messageId !== undefined && messageId < 1 ? 'malformed_packet' : undefined;
}

function contentOf({ topic, dup, payload }: PublishPacket): Content {
  return { topic, dup, payload: typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload };
}

const isNetworkError = (error: Error): boolean =>
  'syscall' in error || /keep alive|connect did not arrive|connection closed|drain timeout/.test(error.message);

function reasonOf(error: Error): RefusalReason {
  if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'oversized_packet';
  return isNetworkError(error) ? 'client_error' : 'malformed_packet';
}
