import { UsageError } from '../errors.ts';
import type { Topic } from './messages.ts';

/** What is numbered without gaps, kept by the gateway, and told in order: steps of alarms, and blocks of each lane. */
export const SEQUENCES = ['alarm', 'sealed-alarm', 'sealed-record', 'receipted-alarm', 'receipted-record'] as const;
export type SequenceName = (typeof SEQUENCES)[number];
export type Positions = Readonly<Record<SequenceName, number>>;

export const topicOf = (sequence: SequenceName): Topic => (sequence === 'alarm' ? 'alarm' : 'block');

/** The id of a message, such as `alarm-17` or `sealed-record-4`. */
export const idOf = (sequence: SequenceName, position: number): string => `${sequence}-${position}`;

/** The inverse of {@link idOf}; undefined for what is the id of nothing that is acknowledged. */
export function placeOf(id: string): Readonly<{ sequence: SequenceName; position: number }> | undefined {
  const [, name, digits] = /^([a-z-]+)-([1-9]\d{0,14})$/.exec(id) ?? [];
  const sequence = SEQUENCES.find((each) => each === name);
  return sequence === undefined ? undefined : { sequence, position: Number(digits) };
}

/** Somebody's flow, and how far it has come. */
export type KeptConsumer = Readonly<{
  person: string;
  /** What the flow calls itself; a person can have several. */
  name: string;
  /** Everything up to there is done with. */
  acknowledged: Positions;
  /** Everything up to there was handed over at least once. Never less than `acknowledged`. */
  handedOver: Positions;
}>;

/** Where consumers are kept. Throws StoreError. */
export interface ConsumerStore {
  /** MUST NOT resolve before it is durable. */
  put(consumer: KeptConsumer): Promise<void>;
  remove(person: string, name: string): Promise<void>;
  list(): Promise<readonly KeptConsumer[]>;
}

/** Choices of this project: nobody's flows may fill the disk with names. */
const MOST_OF_A_PERSON = 32;
const MOST = 256;

const keyOf = (person: string, name: string): string => `${person}\n${name}`;

/** Knows every consumer and how far it has come. What it says is on disk. */
export class Consumers {
  readonly #store: ConsumerStore;
  readonly #kept: Map<string, KeptConsumer>;
  readonly #listeners = new Set<() => void>();
  #lastChange: Promise<unknown> = Promise.resolve();

  static async open(store: ConsumerStore): Promise<Consumers> {
    return new Consumers(store, await store.list());
  }

  private constructor(store: ConsumerStore, kept: readonly KeptConsumer[]) {
    this.#store = store;
    this.#kept = new Map(kept.map((each) => [keyOf(each.person, each.name), each]));
  }

  of(person: string): readonly KeptConsumer[] {
    return [...this.#kept.values()].filter((each) => each.person === person);
  }

  find(person: string, name: string): KeptConsumer | undefined {
    return this.#kept.get(keyOf(person, name));
  }

  /** Calls back after every acknowledgement. Listeners MUST return at once and not throw. Returns what ends it. */
  onAcknowledged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The consumer of this name; one that is new begins at `heads`, so that nobody is flooded with the past. Throws {@link UsageError} for one too many. */
  begin(person: string, name: string, heads: Positions): Promise<Readonly<{ consumer: KeptConsumer; isNew: boolean }>> {
    return this.#inTurn(async () => {
      const known = this.find(person, name);
      if (known !== undefined) return { consumer: known, isNew: false };
      if (this.of(person).length >= MOST_OF_A_PERSON || this.#kept.size >= MOST) throw new UsageError(`there are ${this.of(person).length} consumers of ${person} already: remove those that nobody needs`);
      const consumer: KeptConsumer = { person, name, acknowledged: heads, handedOver: heads };
      await this.#put(consumer);
      return { consumer, isNew: true };
    });
  }

  /** Notes, before anything is sent, how far things are handed over. Does nothing for a consumer that was removed meanwhile. */
  handOver(person: string, name: string, positions: Partial<Positions>): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.find(person, name);
      if (known === undefined) return;
      const handedOver = furthest(known.handedOver, positions);
      if (!same(handedOver, known.handedOver)) await this.#put({ ...known, handedOver });
    });
  }

  /** Everything of these sequences up to these positions is done with. What was never handed over cannot be. */
  acknowledge(person: string, name: string, positions: Partial<Positions>): Promise<KeptConsumer | undefined> {
    return this.#inTurn(async () => {
      const known = this.find(person, name);
      if (known === undefined) return undefined;
      const acknowledged = nearest(furthest(known.acknowledged, positions), known.handedOver);
      if (same(acknowledged, known.acknowledged)) return known;
      const consumer = { ...known, acknowledged };
      await this.#put(consumer);
      for (const listener of this.#listeners) listener();
      return consumer;
    });
  }

  remove(person: string, name: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.find(person, name) === undefined) return false;
      await this.#store.remove(person, name);
      return this.#kept.delete(keyOf(person, name));
    });
  }

  async #put(consumer: KeptConsumer): Promise<void> {
    await this.#store.put(consumer);
    this.#kept.set(keyOf(consumer.person, consumer.name), consumer);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change);
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }
}

const each = (position: (name: SequenceName) => number): Positions =>
  Object.fromEntries(SEQUENCES.map((name) => [name, position(name)])) as Record<SequenceName, number>;
const furthest = (a: Positions, b: Partial<Positions>): Positions => each((name) => Math.max(a[name], b[name] ?? 0));
const nearest = (a: Positions, b: Positions): Positions => each((name) => Math.min(a[name], b[name]));
const same = (a: Positions, b: Positions): boolean => SEQUENCES.every((name) => a[name] === b[name]);
