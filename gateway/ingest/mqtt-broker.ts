import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import mqttPacket from 'mqtt-packet';
import { ConfigError, messageOf } from '../errors.ts';
import { Bytes, Millis } from '../quantity.ts';
import { isDeviceId, type DeviceId, type Frame, type Sequence } from '../reading.ts';
import type { Clock } from './clock.ts';
import type { AuthenticationOutcome } from './devices.ts';
import { guardPackets, type Taken } from './packet-limit.ts';
import { PUBACK_LENGTH, acknowledgements, readPublishes, type Publish } from './publish-lane.ts';

export type MqttBrokerOptions = Readonly<{
  listen: Readonly<{ host: string; port: number }>;
  /** Largest payload of one PUBLISH. */
  maxPayload: Bytes;
  /** Connections at a time; further ones are closed at once. */
  maxConnections: number;
  /** QoS 2 messages of one client between PUBREC and PUBREL; one more closes its connection. */
  maxInFlight: number;
  /** Levels of a topic; a deeper one closes the connection. */
  maxTopicLevels: number;
  /** Longest keep-alive a client may ask for; a longer one, or none, is refused on connecting. */
  keepAliveLimit: Millis;
  /** A client that has not sent CONNECT by then is closed. */
  connectTimeout: Millis;
  /** How often a busy connection's messages go the way of all packets, through Aedes; 0 is always. Default 250 ms. */
  throughAedesEvery?: Millis;
}>;

/** What ingest is handed. The broker decides nothing about readings and keeps none. */
export type MqttBrokerHooks = Readonly<{
  authenticate: (device: DeviceId, password: Uint8Array) => Promise<AuthenticationOutcome>;
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
  | 'malformed_packet'
  | 'oversized_packet'
  | 'missing_credentials'
  | 'wrong_credentials'
  | 'overloaded'
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
}>;

export type MqttBroker = Readonly<{
  address: AddressInfo;
  /** What the gateway itself says, to whoever subscribed to it: QoS 0, not retained. Devices subscribe below their own prefix only. */
  publish: (topic: string, payload: Uint8Array) => void;
  close: () => Promise<void>;
}>;

/** MQTT's largest fixed header, topic length field and packet identifier, beside topic and payload. */
const PACKET_OVERHEAD = 5 + 2 + 2;
const MAX_TOPIC_LENGTH = 1024;
const MAX_CLIENT_ID_LENGTH = 256;
const THROUGH_AEDES_EVERY = Millis(250);
const NOT_AUTHORISED = 5;
const SERVER_UNAVAILABLE = 3;

// The parser would keep a buffer for every packet identifier there is: 65,536 objects, 7 MB, to save one small allocation.
mqttPacket.writeToStream.cacheNumbers = false;

/**
 * An MQTT 3.1.1 broker to which devices publish under `devices/<own id>/…`.
 *
 * PUBACK and PUBREC MUST NOT leave before `accept` resolved. Aedes sends both after its `authorizePublish` hook and
 * before anything else, so that hook is the only place where this can be kept; when `accept` rejects, the connection
 * is closed without an acknowledgement, and the device sends again. Throws {@link ConfigError} when the address cannot be
 * taken.
 */
export async function startMqttBroker(options: MqttBrokerOptions, hooks: MqttBrokerHooks): Promise<MqttBroker> {
  const broker = new DeviceBroker({
    maxInflightInbound: options.maxInFlight,
    maxTopicLevels: options.maxTopicLevels,
    connectTimeout: options.connectTimeout,
    keepaliveLimit: Math.floor(options.keepAliveLimit / 1000),
    maxClientsIdLength: MAX_CLIENT_ID_LENGTH,
    preConnect: (_client, packet, done) => {
      // A name space of its own for each user name: nobody can push another device out by taking its client id.
      if (packet.clientId !== '') packet.clientId = `${packet.username ?? ''}/${packet.clientId}`;
      // [MQTT-3.1.2-14]; the parser lets it pass.
      if ((packet.will?.qos as number | undefined) === 3) done(new Error('a will of QoS 3'), false);
      else done(null, true);
    },
    authenticate: (client, username, password, done) => {
      void authenticate(hooks, username, password).then((refusal) => {
        if (refusal === undefined) {
          sessionOf.set(client, { device: username as DeviceId, prefix: `devices/${username}/` });
          done(null, true);
        } else {
          refuse(hooks.observe, client, refusal, { device: username ?? '' });
          done(Object.assign(new Error(refusal), { returnCode: refusal === 'overloaded' ? SERVER_UNAVAILABLE : NOT_AUTHORISED }), null);
        }
      });
    },
    authorizePublish: (client, packet, done) => takePublish(hooks, client, packet, done),
    authorizeSubscribe: (client, subscription, done) => {
      const session = sessionOf.get(client);
      if (session !== undefined && subscription.topic.startsWith(session.prefix)) return done(null, subscription);
      hooks.observe.refused('subscription', { device: session?.device ?? '', message: subscription.topic });
      return done(null, null); // SUBACK 0x80 [MQTT-3.9.3-2]
    },
  });
  await broker.listen();
  countFailures(broker, hooks.observe);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    admit(broker, socket, options, hooks);
  });
  server.maxConnections = options.maxConnections;
  server.on('drop', () => hooks.observe.refused('too_many_connections', {}));
  try {
    const address = await listen(server, options.listen);
    const publish = (topic: string, payload: Uint8Array): void =>
      broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false }, () => undefined);
    return { address, publish, close: () => close(server, broker, sockets) };
  } catch (cause) {
    // Its timers would keep the process alive.
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    throw new ConfigError(`MQTT cannot listen on ${options.listen.host}:${options.listen.port}: ${messageOf(cause)}`, { cause });
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

/** Whose connection it is, and where it may publish. */
type Session = Readonly<{ device: DeviceId; prefix: string }>;
const sessionOf = new WeakMap<Client, Session>();
const deviceOf = (client: Client): DeviceId | '' => sessionOf.get(client)?.device ?? '';
/** Whose connection ends for a reason that was counted. Aedes tells the same end again, sometimes several times. */
const refusedClients = new WeakSet<Client>();

function refuse(observe: MqttObserver, client: Client | null, reason: RefusalReason, detail: Parameters<MqttObserver['refused']>[1]): void {
  if (client !== null && refusedClients.has(client)) return;
  if (client !== null) refusedClients.add(client);
  observe.refused(reason, detail);
}

async function authenticate(
  hooks: MqttBrokerHooks,
  username: string | undefined,
  password: Readonly<Buffer> | undefined,
): Promise<RefusalReason | undefined> {
  if (username === undefined || password === undefined || !isDeviceId(username)) return 'missing_credentials';
  try {
    const outcome = await hooks.authenticate(username, password);
    return outcome === 'accepted' ? undefined : outcome;
  } catch {
    return 'store_fault';
  }
}

function takePublish(hooks: MqttBrokerHooks, client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
  // A will left behind by another process reaches this hook without a client.
  const session = client === null ? undefined : sessionOf.get(client);
  const objection = objectionTo(session, packet);
  if (session === undefined || objection !== undefined) {
    refuse(hooks.observe, client, objection ?? 'foreign_topic', { device: session?.device ?? '', message: packet.topic.slice(0, MAX_TOPIC_LENGTH) });
    return done(new Error(`a device publishes under ${session?.prefix ?? 'devices/<its id>/'} only`));
  }
  const { device } = session;
  // Nothing is retained for later subscribers: the journal is the memory, and it is not for devices to read.
  packet.retain = false;
  const frame = frameOf(device, packet.qos, contentOf(packet), hooks.clock);
  hooks.observe.received(frame.qos);
  if (frame.qos === 0) {
    if (!hooks.offer(frame)) hooks.observe.refused('qos0_dropped', { device });
    return done();
  }
  hooks.accept([frame]).then(
    () => {
      hooks.observe.accepted((hooks.clock.uptime() - frame.uptime) as Millis);
      done();
    },
    (fault: Error) => {
      refuse(hooks.observe, client, 'store_fault', { device, message: fault.message });
      done(fault);
    },
  );
}

function objectionTo(session: Session | undefined, { topic, qos, messageId }: PublishPacket): RefusalReason | undefined {
  if (session === undefined || !isOwn(topic, session)) return 'foreign_topic';
  // The parser puts U+FFFD where the bytes are no UTF-8 [MQTT-1.5.3-1]; U+0000 is forbidden [MQTT-1.5.3-2].
  if (/[\0\uFFFD]/.test(topic)) return 'malformed_packet';
  // [MQTT-2.3.1-1]; a will has none.
  return qos > 0 && messageId !== undefined && messageId < 1 ? 'malformed_packet' : undefined;
}

const isOwn = (topic: string, { prefix }: Session): boolean => topic.length <= MAX_TOPIC_LENGTH && topic.startsWith(prefix);

type Content = Pick<Frame, 'topic' | 'dup' | 'payload'>;

function contentOf({ topic, dup, payload }: PublishPacket): Content {
  return { topic, dup, payload: typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload };
}

function frameOf(device: DeviceId, qos: Frame['qos'], { topic, dup, payload }: Content, clock: Clock): Frame {
  return { source: 'mqtt', device, topic, qos, dup, payload, receivedAt: clock.now(), uptime: clock.uptime(), clockTrust: clock.trust() };
}

function countFailures(broker: Aedes, observe: MqttObserver): void {
  const failed = (client: Client, error: Error): void =>
    refuse(observe, client, reasonOf(error), { device: deviceOf(client), message: error.message });
  broker.on('connectionError', failed);
  broker.on('clientError', failed);
  broker.on('client', () => observe.connected(1));
  broker.on('clientDisconnect', () => observe.connected(-1));
}

const isNetworkError = (error: Error): boolean =>
  'syscall' in error || /keep alive|connect did not arrive|connection closed|drain timeout/.test(error.message);
const reasonOf = (error: Error): RefusalReason => (isNetworkError(error) ? 'client_error' : 'malformed_packet');

function admit(broker: Aedes, socket: Socket, options: MqttBrokerOptions, hooks: MqttBrokerHooks): void {
  socket.setNoDelay(true);
  const limit = Bytes(options.maxPayload + MAX_TOPIC_LENGTH + PACKET_OVERHEAD);
  guardPackets(socket, {
    limit,
    onFault: ({ reason, message }) => {
      if (refusedClients.has(client)) return;
      refuse(hooks.observe, client, reason, { device: deviceOf(client), message });
      socket.destroy();
    },
    divert: (bytes) => lane.take(bytes),
  });
  const client = broker.handle(socket);
  const lane = new PublishLane(client, socket, { ...options, limit }, hooks);
}

/**
 * A short cut for what devices send most, QoS 1 PUBLISH, past the stages of Aedes: a third of the processor time of an
 * acknowledgement. It takes only what is beyond doubt and leaves every judgement that is not "yes" to Aedes and the hooks
 * above. Aedes watches the keep-alive, so it is shown a busy connection's packets every now and then.
 */
class PublishLane {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #options: MqttBrokerOptions & { limit: Bytes };
  readonly #hooks: MqttBrokerHooks;
  #shownAedes: number;
  #lastTopic: string | undefined;

  constructor(client: Client, socket: Socket, options: MqttBrokerOptions & { limit: Bytes }, hooks: MqttBrokerHooks) {
    this.#client = client;
    this.#socket = socket;
    this.#options = options;
    this.#hooks = hooks;
    this.#shownAedes = hooks.clock.uptime();
  }

  take(bytes: Buffer): Taken | undefined {
    const now = this.#hooks.clock.uptime();
    const taken = now - this.#shownAedes < (this.#options.throughAedesEvery ?? THROUGH_AEDES_EVERY) ? this.#tryTake(bytes) : undefined;
    if (taken === undefined) this.#shownAedes = now;
    return taken;
  }

  #tryTake(bytes: Buffer): Taken | undefined {
    const session = sessionOf.get(this.#client);
    // A client that does not read its acknowledgements is made to wait by Aedes.
    if (session === undefined || !this.#client.connected || this.#socket.writableNeedDrain) return undefined;
    const run = readPublishes(bytes, this.#options.limit);
    if (run === undefined || !run.publishes.every(({ topic }) => this.#mayGoTo(topic, session))) return undefined;
    return { length: run.length, settled: this.#accept(session, run.publishes) };
  }

  #mayGoTo(topic: string, session: Session): boolean {
    // Most devices have one topic.
    if (topic === this.#lastTopic) return true;
    if (!isOwn(topic, session) || topic.split('/').length > this.#options.maxTopicLevels) return false;
    this.#lastTopic = topic;
    return true;
  }

  #accept({ device }: Session, publishes: readonly Publish[]): Promise<void> {
    const { accept, clock, observe } = this.#hooks;
    const arrived = clock.uptime();
    const frames = publishes.map((publish) => {
      observe.received(1);
      return frameOf(device, 1, publish, clock);
    });
    // Made now: while the disk writes, only bytes are kept.
    const acks = acknowledgements(publishes);
    return accept(frames).then(
      () => this.#acknowledge(acks, (clock.uptime() - arrived) as Millis),
      (fault: Error) => {
        refuse(observe, this.#client, 'store_fault', { device, message: fault.message });
        this.#socket.destroy();
      },
    );
  }

  #acknowledge(acks: Buffer, waited: Millis): void {
    for (let i = 0; i < acks.length; i += PUBACK_LENGTH) this.#hooks.observe.accepted(waited);
    if (this.#socket.writable) this.#socket.write(acks);
  }
}

function listen(server: Server, address: Readonly<{ host: string; port: number }>): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => resolve(server.address() as AddressInfo));
  });
}

async function close(server: Server, broker: Aedes, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  // Who has not got a CONNACK yet is no client of the broker, and could hold the server open for ever.
  for (const socket of sockets) socket.destroy();
  await closed;
}
