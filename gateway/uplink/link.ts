/** One way out of the house: an interface, what it may carry, and what that has cost. */

import type { Bytes, Millis } from '../quantity.ts';
import { type Budget, type BudgetLeft, leftOf, NOTHING_USED, type Usage, used } from './budget.ts';
import { type Found, type Interfaces, isPlaced, type LinkPlace } from './interfaces.ts';
import { misledInWords } from './routes.ts';

/**
 * Kinds of traffic, the most urgent first. `alarm`: blocks of the alarm lane; `record`: the other blocks, and what lies beside blocks of
 * events and summaries; `detail`: everything else beside them, waveforms for instance.
 */
export const TRAFFIC = ['alarm', 'record', 'detail'] as const;
export type Traffic = (typeof TRAFFIC)[number];

export type LinkOptions = Readonly<{
  name: string;
  /** Default: the machine chooses where packets leave, and nothing is known of it. */
  place?: LinkPlace;
  /** The last kind of {@link TRAFFIC} that it carries. */
  carries: Traffic;
  budget: Budget;
  /** How often the hospital is asked whether it answers, while nothing else goes over the link. */
  probe: Millis;
}>;

/** What went over a link and to where it was counted. `counter` is that of the interface at that time, of that start of the machine. */
export type KeptUsage = Usage & Readonly<{ counter?: Readonly<{ boot: string; interface: string; bytes: number }> }>;

/** Keeps what links have cost. Throws {@link StoreError}. */
export interface UsageMemory {
  load(link: string): Promise<KeptUsage | undefined>;
  save(link: string, usage: KeptUsage): Promise<void>;
}

export type Counted = Readonly<{ sent: number; received: number }>;

export class Link {
  readonly options: LinkOptions;
  readonly #interfaces: Interfaces;
  readonly #today: () => string | undefined;
  readonly #counted = new Map<Traffic, { sent: number; received: number }>(TRAFFIC.map((kind) => [kind, { sent: 0, received: 0 }]));
  #usage: KeptUsage;
  #found: Found;
  /** Another interface that its packets leave through, as far as was looked. */
  misledTo: string | undefined;

  /** `today`: the day as YYYY-MM-DD, undefined while the clock cannot be believed. */
  constructor(options: LinkOptions, usage: KeptUsage | undefined, interfaces: Interfaces, today: () => string | undefined) {
    this.options = options;
    this.#interfaces = interfaces;
    this.#today = today;
    this.#usage = usage ?? NOTHING_USED;
    this.#found = { absent: 'not looked at yet' };
  }

  get name(): string {
    return this.options.name;
  }

  get found(): Found {
    return this.#found;
  }

  get usage(): KeptUsage {
    return this.#usage;
  }

  get left(): BudgetLeft {
    return leftOf(this.options.budget, this.#usage);
  }

  /** By kind of traffic: bytes of requests and answers since the start, without what TLS, TCP and IP add. */
  get counted(): ReadonlyMap<Traffic, Counted> {
    return this.#counted;
  }

  /** Whether traffic of that kind may go over it now. */
  admits(kind: Traffic): boolean {
    return kind === 'alarm' || (TRAFFIC.indexOf(kind) <= TRAFFIC.indexOf(this.options.carries) && this.left.forAll);
  }

  /** Looks at the interface again. Returns what is another than before: its address, or that it is there. */
  look(): Found | undefined {
    const { place } = this.options;
    const found: Found = place === undefined ? { address: '' } : this.#interfaces.find(place);
    this.#countInterface(found);
    const changed = JSON.stringify(found) !== JSON.stringify(this.#found);
    this.#found = found;
    if (changed) this.misledTo = undefined;
    return changed ? found : undefined;
  }

  /** Bytes of requests and answers. They count for the budget where the interface does not say what went over it. */
  count(kind: Traffic, sent: number, received: number): void {
    const counted = this.#counted.get(kind);
    if (counted === undefined) return;
    counted.sent += sent;
    counted.received += received;
    if (this.#usage.counter === undefined) this.#use(sent + received, undefined);
  }

  /** What other programs sent over it costs as much: the interface knows. */
  #countInterface(found: Found): void {
    const name = 'interface' in found ? found.interface : undefined;
    const bytes = name === undefined ? undefined : this.#interfaces.bytesOf(name);
    if (name === undefined || bytes === undefined) return;
    const { boot } = this.#interfaces;
    const { counter } = this.#usage;
    const goesOn = counter !== undefined && counter.boot === boot && counter.interface === name && counter.bytes <= bytes;
    // An interface that began anew has sent all of it since. One that is seen for the first time may have been there for months.
    const more = goesOn ? bytes - counter.bytes : counter === undefined ? 0 : bytes;
    this.#use(more, { boot, interface: name, bytes });
  }

  #use(more: number, counter: KeptUsage['counter']): void {
    const kept = counter ?? this.#usage.counter;
    this.#usage = { ...used(this.#usage, more, this.#today()), ...(kept && { counter: kept }) };
  }
}

export type LinkStatus = Readonly<{
  link: string;
  /** Where it leaves: an interface with its address, or why there is none. */
  at: string;
  /** Why its packets leave another way, and what to do; null where they do not, as far as is known. */
  misled: string | null;
  carries: Traffic;
  dayBytes: number;
  monthBytes: number;
  /** Bytes left of the budget; null without one. */
  left: Bytes | null;
  counted: Readonly<Record<Traffic, Counted>>;
}>;

export function statusOf(link: Link): LinkStatus {
  const { found, usage, left, misledTo } = link;
  return {
    link: link.name,
    at: 'absent' in found ? found.absent : [found.interface, found.address].filter(Boolean).join(' ') || 'wherever the machine sends it',
    misled: misledTo === undefined || !isPlaced(found) ? null : misledInWords(link.name, found, misledTo),
    carries: link.options.carries,
    dayBytes: usage.dayBytes,
    monthBytes: usage.monthBytes,
    left: left.left ?? null,
    counted: Object.fromEntries(TRAFFIC.map((kind) => [kind, { ...(link.counted.get(kind) ?? { sent: 0, received: 0 }) }])) as LinkStatus['counted'],
  };
}
