/** How what devices say reaches the gateway: mostly at once, now and then late, twice, in the wrong order, or all together after a lost link. */

import type { Random } from '../random.ts';
import { Spells } from './drift.ts';

/** One message as it arrives. */
export type Delivery = Readonly<{
  /** Milliseconds since the first local midnight. */
  at: number;
  device: string;
  topic: string;
  payload: Uint8Array;
  /** The sender marked it as a repetition. */
  dup: boolean;
}>;

export type Outbox = (delivery: Delivery) => void;

/** Chance that a message takes a detour on which later ones overtake it, and that it comes twice. */
const DETOUR = 0.001;
const TWICE = 0.0007;
/** Messages a wearable keeps while its link is lost. */
const KEPT = 400;

/** The link of one device. It MUST be asked in ascending time. */
export class Link {
  readonly #random: Random;
  readonly #lost: Spells;
  readonly #keeps: boolean;
  readonly #outbox: Outbox;
  #kept: Delivery[] = [];
  #free = 0;

  /** @param lostEvery seconds between two losses of the link. @param keeps whether the device has a memory for what it could not send. */
  constructor(outbox: Outbox, { lostEvery, keeps }: Readonly<{ lostEvery: number; keeps: boolean }>, random: Random) {
    this.#outbox = outbox;
    this.#keeps = keeps;
    this.#random = random.split('luck');
    this.#lost = new Spells(lostEvery, 420, random.split('link'));
  }

  send(delivery: Omit<Delivery, 'dup'>): void {
    const first: Delivery = { ...delivery, dup: false };
    if (this.#lost.at(delivery.at / 1000)) {
      if (this.#keeps) this.#kept = [...this.#kept.slice(1 - KEPT), first];
      return;
    }
    for (const each of this.#kept) this.#deliver({ ...each, at: Math.max(delivery.at, this.#free) });
    this.#kept = [];
    this.#deliver(first);
  }

  #deliver(delivery: Delivery): void {
    const at = delivery.at + Math.round(this.#random.between(30, 250));
    // What was sent before arrives before, but for a detour.
    const arrives = Math.max(at, this.#free + 5);
    if (this.#random.chance(DETOUR)) {
      this.#outbox({ ...delivery, at: arrives + Math.round(this.#random.between(2000, 40_000)) });
      return;
    }
    this.#free = arrives;
    this.#outbox({ ...delivery, at: arrives });
    if (this.#random.chance(TWICE)) this.#outbox({ ...delivery, at: arrives + Math.round(this.#random.between(500, 5000)), dup: true });
  }
}
