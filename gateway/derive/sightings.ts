import type { Announced } from '../decode/home-assistant.ts';
import type { Looks } from '../decode/recognise.ts';
import type { UnixMillis } from '../quantity.ts';
import type { DeviceId, Sequence } from '../reading.ts';

/** Something that speaks through a connection of ours and reaches nobody: to be approved, bound, or left alone. JSON. */
export type Sighting = Readonly<{
  connection: DeviceId;
  /** In the source's words, which device behind the connection it is; absent when the connection itself speaks. */
  address?: string;
  /** Of the last message, as its place in the journal. */
  topic: string;
  sequence: Sequence;
  /** `announced`: a discovery message told of it. */
  why: 'unapproved_device' | 'unbound_device' | 'unknown_topic' | 'announced';
  /** Gateway wall clock. */
  first: UnixMillis;
  last: UnixMillis;
  messages: number;
  /** What it is, or looks like. */
  looks?: Looks;
  announced?: readonly Announced[];
}>;

/** What one message showed. */
export type Sight = Source & Readonly<{ sequence: Sequence; why: Sighting['why']; at: UnixMillis; announced?: readonly Announced[] }>;

type Source = Readonly<{ connection: DeviceId; address?: string | undefined; topic: string }>;

/** Strangers remembered; whoever was seen longest ago makes room. */
const MOST_KEPT = 256;
/** Messages of a stranger that are looked into: each costs several attempts to decode it. */
const LOOKED_INTO = 3;
/** Values of one announcement that are kept. */
const MOST_ANNOUNCED = 32;

/** Under one name: a device behind a connection, or else a topic. */
const nameOf = ({ connection, address, topic }: Source): string => `${connection}\n${address ?? ''}\n${address === undefined ? topic : ''}`;

export class Sightings {
  readonly #sightings: Map<string, Sighting>;
  #changed = new Map<string, Sighting | undefined>();

  constructor(sightings: ReadonlyMap<string, Sighting>) {
    this.#sightings = new Map([...sightings].toSorted(([, a], [, b]) => a.sequence - b.sequence));
  }

  /** `look` is asked at the first few messages, until it sees something. */
  see(sight: Sight, look: () => Looks | undefined): void {
    const { connection, address, topic, sequence, why, at, announced } = sight;
    const name = nameOf(sight);
    const before = this.#sightings.get(name);
    const messages = (before?.messages ?? 0) + 1;
    const looks = before?.looks ?? (messages <= LOOKED_INTO ? look() : undefined);
    const told = announced?.slice(0, MOST_ANNOUNCED) ?? before?.announced;
    this.#set(name, {
      connection, topic, sequence, why, first: before?.first ?? at, last: at, messages,
      ...(address === undefined ? {} : { address }),
      ...(looks === undefined ? {} : { looks }),
      ...(told === undefined ? {} : { announced: told }),
    });
    if (this.#sightings.size > MOST_KEPT) this.#drop(this.#sightings.keys().next().value as string);
  }

  /** It is approved and bound now, or its announcement was taken back. */
  forget(sight: Source): void {
    // The common case by far: there are no strangers.
    if (this.#sightings.size === 0) return;
    const name = nameOf(sight);
    if (this.#sightings.has(name)) this.#drop(name);
  }

  /** What changed since the last call; undefined for what is gone. */
  takeChanges(): ReadonlyMap<string, Sighting | undefined> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** Who was seen last stands last. */
  #set(name: string, sighting: Sighting): void {
    this.#sightings.delete(name);
    this.#sightings.set(name, sighting);
    this.#changed.set(name, sighting);
  }

  #drop(name: string): void {
    this.#sightings.delete(name);
    this.#changed.set(name, undefined);
  }
}
