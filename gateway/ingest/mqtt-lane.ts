import type { Duplex } from 'node:stream';
import type { Client } from 'aedes';
import { Millis, type Bytes } from '../quantity.ts';
import type { Frame } from '../reading.ts';
import type { Clock } from './clock.ts';
import { frameOf, isOwn, type Session } from './mqtt-session.ts';
import type { Allowance } from './pace.ts';
import type { Taken } from './packet-limit.ts';
import { PUBACK_LENGTH, acknowledgements, readPublishes, type Publish } from './publish-lane.ts';

const THROUGH_AEDES_EVERY = Millis(250);

type LaneOptions = Readonly<{
  /** Largest packet: its remaining length, in bytes. */
  limit: Bytes;
  maxTopicLevels: number;
  throughAedesEvery?: Millis;
}>;

type LaneHooks = Readonly<{
  sessionOf: (client: Client) => Session | undefined;
  /** See Acceptor.acceptAll. */
  accept: (frames: readonly Frame[]) => Promise<unknown>;
  onFault: (client: Client, detail: Readonly<{ device: string; message: string }>) => void;
  clock: Clock;
  observe: Readonly<{ received: (qos: 1) => void; accepted: (waited: Millis) => void }>;
}>;

/**
 * A short cut for what devices send most, QoS 1 PUBLISH, past the stages of Aedes: a third of the processor time of an
 * acknowledgement. It takes only what is beyond doubt and leaves every judgement that is not "yes" to Aedes and the hooks
 * above. Aedes watches the keep-alive, so it is shown a busy connection's packets every now and then.
 */
export class PublishLane {
  readonly #client: Client;
  readonly #stream: Duplex;
  readonly #options: LaneOptions;
  readonly #hooks: LaneHooks;
  #shownAedes: number;
  #lastTopic: string | undefined;

  constructor(client: Client, stream: Duplex, options: LaneOptions, hooks: LaneHooks) {
    this.#client = client;
    this.#stream = stream;
    this.#options = options;
    this.#hooks = hooks;
    this.#shownAedes = hooks.clock.uptime();
  }

  take(bytes: Buffer, most: Allowance): Taken | undefined {
    const now = this.#hooks.clock.uptime();
    const taken = now - this.#shownAedes < (this.#options.throughAedesEvery ?? THROUGH_AEDES_EVERY) ? this.#tryTake(bytes, most) : undefined;
    if (taken === undefined) this.#shownAedes = now;
    return taken;
  }

  #tryTake(bytes: Buffer, most: Allowance): Taken | undefined {
    const session = this.#hooks.sessionOf(this.#client);
    // A client that does not read its acknowledgements is made to wait by Aedes.
    if (session === undefined || !this.#client.connected || this.#stream.writableNeedDrain) return undefined;
    const run = readPublishes(bytes, this.#options.limit, most);
    if (run === undefined || !run.publishes.every(({ topic }) => this.#mayGoTo(topic, session))) return undefined;
    return { messages: run.publishes.length, length: run.length, cut: run.cut, settled: this.#accept(session, run.publishes) };
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
        this.#hooks.onFault(this.#client, { device, message: fault.message });
        this.#stream.destroy();
      },
    );
  }

  #acknowledge(acks: Buffer, waited: Millis): void {
    for (let i = 0; i < acks.length; i += PUBACK_LENGTH) this.#hooks.observe.accepted(waited);
    if (this.#stream.writable) this.#stream.write(acks);
  }
}
