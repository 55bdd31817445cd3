/**
 * A week of twenty people: what they live through, what their devices say of it, and the truth of what happened. Seeded; no
 * clock, no health data of anybody, and no medical model. It knows nothing of what the gateway makes of it.
 */

import type { UnixMillis } from '../../gateway/quantity.ts';
import { DAY } from '../activity.ts';
import { Random } from '../random.ts';
import { drawCast, MOST_PEOPLE, type Person, type RoomKind } from './cast.ts';
import { WeekBody, type Body } from './body.ts';
import { liveDays, type Stay } from './daily-life.ts';
import { drawVisits, livedWith } from './fate.ts';
import { fixedIn } from './fixed.ts';
import type { Gadget, Scene } from './gadget.ts';
import { WeekHome, type Presence, type WeekRoom } from './home.ts';
import type { Delivery, Outbox } from './post.ts';
import { drawScript, roomId, type ScriptedEvent } from './script.ts';
import { wornBy } from './worn.ts';

export type WeekOptions = Readonly<{
  seed: number | string;
  /** 1 to {@link MOST_PEOPLE}. */
  people: number;
  /** Days before the scored ones, in which nothing happens and habits are learnt. */
  leadIn: number;
  /** Scored days. */
  days: number;
  /** The first local midnight, at which it begins. */
  epoch: UnixMillis;
}>;

/** Something a nurse saw and wrote down. */
export type Round = Readonly<{ at: number; patient: string; /** Awake and clear. */ alert: boolean; /** Litres of oxygen a minute. */ oxygen: number }>;

export type Told = Readonly<{ is: 'delivery'; delivery: Delivery }> | Readonly<{ is: 'round'; round: Round }>;

export type Week = Readonly<{
  people: readonly Person[];
  /** Every device, and whom it measures. */
  devices: readonly Readonly<{ device: string; subject: string }>[];
  /** The homes, as somebody would write them down. */
  homes: readonly Readonly<{ id: string; alone: boolean; rooms: readonly Readonly<{ room: string; kind: RoomKind }>[] }>[];
  prescriptions: readonly Readonly<{ patient: string; spo2Scale: 1 | 2 }>[];
  script: readonly ScriptedEvent[];
  /** In order of arrival, once. `at` is milliseconds since the epoch of the options; the last ones may come after the last midnight. */
  live: () => Generator<Told, void, undefined>;
}>;

/** Seconds that pass at once. */
const STRIDE = 4;

/** The same options give the same week, message by message. */
export function simulateWeek({ seed, people: count, leadIn, days, epoch }: WeekOptions): Week {
  const random = new Random(`week ${seed}`);
  const people = drawCast(Math.min(count, MOST_PEOPLE), random.split('cast'));
  const script = drawScript({ people, leadIn, days, random: random.split('script') });
  const buckets = new Buckets();
  const outbox: Outbox = (delivery) => buckets.add({ is: 'delivery', delivery });
  const lives = people.map((person) => new Life(person, script.filter(({ patient }) => patient === person.id), leadIn + days, { epoch, outbox, random: random.split(person.id) }));
  return {
    people,
    devices: lives.flatMap(({ gadgets }) => gadgets.map(({ device, subject }) => ({ device, subject }))),
    homes: people.map(({ id, alone, rooms }) => ({ id, alone, rooms: rooms.map((kind) => ({ room: roomId(id, kind), kind })) })),
    prescriptions: people.filter(({ spo2Scale }) => spo2Scale === 2).map(({ id, spo2Scale }) => ({ patient: id, spo2Scale })),
    script,
    live: function* () {
      for (let now = 0; now < (leadIn + days) * DAY; now += STRIDE) {
        for (const life of lives) life.stride(now, (round) => buckets.add({ is: 'round', round }));
        yield* buckets.take(now + STRIDE);
      }
      yield* buckets.take(Infinity);
    },
  };
}

const instantOf = (told: Told): number => (told.is === 'delivery' ? told.delivery.at : told.round.at);

/** What is on its way, by the stride in which it arrives. */
class Buckets {
  readonly #all = new Map<number, Told[]>();

  add(told: Told): void {
    const bucket = Math.floor(instantOf(told) / (STRIDE * 1000));
    const held = this.#all.get(bucket);
    if (held === undefined) this.#all.set(bucket, [told]);
    else held.push(told);
  }

  /** All that arrives before `until`, in order; of two at once the one that was sent first. */
  take(until: number): readonly Told[] {
    const due = [...this.#all.keys()].filter((bucket) => (bucket + 1) * STRIDE <= until).sort((a, b) => a - b);
    return due.flatMap((bucket) => {
      const held = this.#all.get(bucket) ?? [];
      this.#all.delete(bucket);
      return held.sort((a, b) => instantOf(a) - instantOf(b));
    });
  }
}

/** A list of stays that is walked along. */
class Walk {
  readonly #stays: readonly Stay[];
  #index = 0;

  constructor(stays: readonly Stay[]) {
    this.#stays = stays;
  }

  /** What is going on at `now`, which MUST NOT go back between calls. */
  at(now: number): Stay | undefined {
    while ((this.#stays[this.#index]?.until ?? Infinity) <= now) this.#index += 1;
    const stay = this.#stays[this.#index];
    return stay !== undefined && stay.from <= now ? stay : undefined;
  }
}

const BETWEEN: Stay = { from: 0, until: Infinity, doing: 'standing', room: 'hall' };

/** One person with body, home and devices. */
class Life {
  readonly gadgets: readonly Gadget[];
  readonly #person: Person;
  readonly #events: readonly ScriptedEvent[];
  readonly #body: WeekBody;
  readonly #home: WeekHome;
  readonly #own: Walk;
  readonly #others: readonly Walk[];

  constructor(person: Person, events: readonly ScriptedEvent[], days: number, wire: Readonly<{ epoch: UnixMillis; outbox: Outbox; random: Random }>) {
    const { random } = wire;
    this.#person = person;
    this.#events = events;
    this.#body = new WeekBody(person, events, 0, random.split('body'));
    this.#home = new WeekHome(person, events, 0, random.split('home'));
    this.#own = new Walk(livedWith(liveDays(person, days, random.split('life')), events, random.split('fate')));
    const visits = new Walk(drawVisits(person.visits / 10, days, events, random.split('visits')));
    this.#others = person.alone || person.rooms.length === 0 ? [visits] : [visits, new Walk(liveDays(person, days, random.split('spouse')))];
    const own = { ...wire, random: random.split('devices') };
    this.gadgets = [...wornBy(person, own), ...fixedIn(person, own)];
  }

  stride(now: number, write: (round: Round) => void): void {
    const stay = this.#own.at(now) ?? BETWEEN;
    this.#body.advance(now, stay);
    const present = [stay, ...this.#others.flatMap((other) => other.at(now) ?? [])].map(({ doing, room, from }): Presence => ({ doing, room, since: from }));
    this.#home.advance(now, present);
    const scene = this.#sceneAt(now, stay);
    for (const gadget of this.gadgets) gadget.look(scene);
    this.#round(now, write);
  }

  #sceneAt(now: number, stay: Stay): Scene {
    let body: Body | undefined;
    let rooms: readonly WeekRoom[] | undefined;
    const acting = this.#events.filter(({ from, until }) => now >= from && now < until);
    return {
      now, stride: STRIDE, stay, moves: this.#body.moves,
      rooms: () => (rooms ??= this.#home.rooms),
      body: () => (body ??= this.#body.read()),
      acting: (kind) => acting.find((event) => event.kind === kind),
    };
  }

  /** Rounds are spread over the day from seven to ten in the evening. */
  #round(now: number, write: (round: Round) => void): void {
    const { nurseRounds, id, oxygen } = this.#person;
    for (let i = 0; i < nurseRounds; i++) {
      const due = Math.round((7 + (15 * i) / Math.max(1, nurseRounds - 1)) * 900) * 4 + ((id.length * 36) % 600);
      const passed = (now % DAY) - due;
      if (passed >= 0 && passed < STRIDE) write({ at: now * 1000, patient: id, alert: true, oxygen });
    }
  }
}
