import { Doorbell } from '../doorbell.ts';
import { Seconds, type Millis } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import { idOf, SEQUENCES, topicOf, type Consumers, type KeptConsumer, type Positions, type SequenceName } from './consumers.ts';
import type { Current, FlowSource, FlowView, Numbered } from './desk.ts';
import { CONTRACT, type Message, type Topic } from './messages.ts';

export type DeliveryOptions = Readonly<{
  source: FlowSource;
  consumers: Consumers;
  /** As it was when this delivery began. */
  consumer: KeptConsumer;
  topics: readonly Topic[];
  view: FlowView;
  /** Whether the consumer is there and may see anything still. */
  mayGoOn: () => boolean;
  /** Sends; none: a sign of life. Resolves when there is room for more; false when the consumer is gone. */
  send: (messages: readonly Message[]) => Promise<boolean>;
  /** Silence after which a sign of life is sent. Default 15 s. */
  heartbeat?: Millis;
}>;

/** Messages that may be on their way without an acknowledgement, of each sequence: a consumer that acknowledges nothing costs no more. */
const MOST_UNDER_WAY = 256;
const AT_A_TIME = 64;
/** Things whose newest state is kept for a slow reader; more are not told of. */
const MOST_CURRENT = 4096;

/**
 * Hands one consumer what it asked for: what is numbered from where it stopped, in order, as it comes and as long as it acknowledges; how
 * things are now as fast as it reads. Everything waits in the gateway's store or is replaced by what is newer, so that a slow consumer
 * costs no memory and holds nobody up.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #bell = new Doorbell();
  readonly #current = new Map<string, Current>();
  /** Nothing was sent for a heartbeat. */
  #isSilent = false;
  /** The last that was read from the source, and what of it waits for an acknowledgement. */
  readonly #read: Record<SequenceName, number>;
  readonly #underWay: Readonly<Record<SequenceName, number[]>>;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#read = { ...options.consumer.acknowledged };
    this.#underWay = Object.fromEntries(SEQUENCES.map((name) => [name, []])) as unknown as Record<SequenceName, number[]>;
  }

  wake(): void {
    this.#bell.ring();
  }

  /** Until the consumer leaves, is too slow, or may not see anything any more. */
  async follow(): Promise<void> {
    const { source, consumers, topics, mayGoOn, send, heartbeat = Seconds(15) } = this.#options;
    const pulse = setInterval(() => {
      this.#isSilent = true;
      this.wake();
    }, heartbeat);
    const leave = [() => clearInterval(pulse), source.onNumbered(() => this.wake()), consumers.onAcknowledged(() => this.wake()), source.onCurrent(topics, (current) => this.#keep(current))];
    try {
      while (mayGoOn()) {
        const messages = [...(await this.#numbered()), ...(await this.#takeCurrent())];
        if (messages.length > 0 || this.#isSilent) {
          this.#isSilent = false;
          if (!mayGoOn() || !(await send(messages))) return;
          continue;
        }
        await this.#bell.wait();
      }
    } finally {
      for (const each of leave) each();
    }
  }

  #keep(current: readonly Current[]): void {
    for (const each of current) {
      const known = this.#current.get(each.key);
      if (known === undefined && this.#current.size >= MOST_CURRENT) continue;
      // What waits longest stays in front.
      this.#current.set(each.key, known === undefined ? each : passedOver(known, each));
    }
    this.wake();
  }

  async #takeCurrent(): Promise<readonly Message[]> {
    const { view } = this.#options;
    const all = [...this.#current.values()].slice(0, AT_A_TIME).map((each) => ({ each, key: each.key }));
    for (const { key } of all) this.#current.delete(key);
    const seen = all.filter(({ each }) => mayHave(view, each)).map(({ each }) => each);
    await view.disclose(seen.flatMap(({ subject }) => subject ?? []), 'values');
    return seen.map(({ key: _, subject: _of, ...said }) => ({ contract: CONTRACT, redelivered: false, ...said }));
  }

  async #numbered(): Promise<readonly Message[]> {
    const { consumers, consumer: { person, name, handedOver }, topics, view } = this.#options;
    const messages: Message[] = [];
    const shown: Subject[] = [];
    const now = consumers.find(person, name);
    if (now === undefined) return [];
    for (const sequence of SEQUENCES.filter((each) => topics.includes(topicOf(each)))) {
      for (const each of await this.#next(sequence, now)) {
        messages.push(messageOf(sequence, each, each.position <= handedOver[sequence]));
        if (each.subject !== null) shown.push(each.subject);
      }
    }
    await view.disclose(shown, 'alarm history');
    await consumers.handOver(person, name, this.#read);
    await this.#passUnseen(now);
    return messages;
  }

  /** What is next of a sequence and may be seen, as far as acknowledgements leave room. */
  async #next(sequence: SequenceName, { acknowledged }: KeptConsumer): Promise<readonly Numbered[]> {
    const underWay = this.#underWay[sequence];
    while ((underWay[0] ?? Infinity) <= acknowledged[sequence]) underWay.shift();
    const room = Math.min(MOST_UNDER_WAY - underWay.length, AT_A_TIME);
    if (room <= 0) return [];
    const next = await this.#options.source.after(sequence, this.#read[sequence], room);
    const seen = next.filter(({ subject }) => this.#options.view.maySee(subject));
    this.#read[sequence] = next.at(-1)?.position ?? this.#read[sequence];
    underWay.push(...seen.map(({ position }) => position));
    return seen;
  }

  /** What the consumer may not see, and waits for nothing before it, is done with. */
  async #passUnseen({ acknowledged }: KeptConsumer): Promise<void> {
    const { consumers, consumer: { person, name } } = this.#options;
    const passed = SEQUENCES.filter((each) => this.#underWay[each].length === 0 && this.#read[each] > acknowledged[each]);
    if (passed.length > 0) await consumers.acknowledge(person, name, Object.fromEntries(passed.map((each) => [each, this.#read[each]])) as Partial<Positions>);
  }
}

function messageOf(sequence: SequenceName, { position, subject: _, ...said }: Numbered, redelivered: boolean): Message {
  return { contract: CONTRACT, id: idOf(sequence, position), redelivered, ...said };
}

const mayHave = (view: FlowView, current: Current): boolean =>
  view.maySee(current.subject) && (current.topic === 'device' || current.subject === null || view.maySeeValue(current.subject, measurementOf(current)));

const measurementOf = (current: Exclude<Current, { topic: 'device' }>): string => (current.topic === 'vital' ? current.vital.measurement : current.room.measurement);

/** The newer one, which says how many were passed over for it. */
function passedOver(before: Current, after: Current): Current {
  if (before.topic === 'vital' && after.topic === 'vital') return { ...after, vital: { ...after.vital, skipped: after.vital.skipped + before.vital.skipped + 1 } };
  if (before.topic === 'room' && after.topic === 'room') return { ...after, room: { ...after.room, skipped: after.room.skipped + before.room.skipped + 1 } };
  return after;
}
