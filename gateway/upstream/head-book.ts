/**
 * What has changed here since a peer asked last, so that two nodes with ten thousand chains that rest say little to each other. Every lane has the
 * number of its last change; a peer gives back the number it was told. Numbers are of this process: after it was started again they mean nothing, and
 * the peer is told of every lane once more, which is 1.5 MB for ten thousand chains.
 */

import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import type { ChainState } from '../ledger/state.ts';
import type { Millis } from '../quantity.ts';
import { LANES, type Lane } from '../reading.ts';

/** Most lanes of one answer. */
export const MOST_HEADS = 1000;

export type HeadBookOptions = Readonly<{
  blocks: Pick<BlockStore, 'head' | 'chains' | 'forks'>;
  random: (size: number) => Uint8Array;
  /** Other processes write into the same store: when it was read this long ago, it is read again. Default: nobody else does. */
  readAgainAfter?: Millis;
  /** A clock that only goes forward. */
  now: () => Millis;
}>;

export type ToldHead = Readonly<{ chain: string; lane: Lane; height: number; hash: string; forked: boolean }>;
/** `cursor`: what to ask with next; `more`: there is more to be told now. */
export type HeadsPage = Readonly<{ cursor: string; more: boolean; heads: readonly ToldHead[] }>;

/** `hospital`: lanes of chains whose parameters or authority name this key alone, hexadecimal. */
export type HeadsQuery = Readonly<{ since?: string; hospital?: string; limit?: number }>;

type Line = Readonly<{ number: number; height: number; hospitals: ReadonlySet<string> }>;

export class HeadBook {
  readonly #options: HeadBookOptions;
  readonly #epoch: string;
  /** In the order of their numbers. */
  readonly #lines = new Map<string, Line>();
  readonly #forked = new Set<string>();
  /** Thousands of chains have the same few hospitals. */
  readonly #hospitals = new Map<string, ReadonlySet<string>>();
  #number = 0;
  #reading: Promise<void> | undefined;
  #readAt: Millis | undefined;

  constructor(options: HeadBookOptions) {
    this.#options = options;
    this.#epoch = toHex(options.random(8));
  }

  /** The lane has come to this state. */
  appended(state: ChainState): void {
    this.#enter(nameOf(state), { height: state.height, hospitals: this.#hospitalsOf(state) });
  }

  /** Something was said about the lane: a receipt, or that it is forked. */
  touched(id: LaneId, { forked }: Readonly<{ forked: boolean }>): void {
    const name = nameOf(id);
    if (forked) this.#forked.add(name);
    const line = this.#lines.get(name);
    if (line !== undefined) this.#enter(name, line);
  }

  /** What changed since the cursor, the oldest change first; everything when the cursor is none of this book. Throws {@link StoreError}. */
  async since({ since = '', hospital, limit = MOST_HEADS }: HeadsQuery): Promise<HeadsPage> {
    await this.#read();
    const after = this.#numberIn(since);
    const names: string[] = [];
    let last = after;
    let more = false;
    for (const [name, { number, hospitals }] of this.#lines) {
      if (number <= after) continue;
      more = names.length >= limit;
      if (more) break;
      last = number;
      if (hospital === undefined || hospitals.has(hospital)) names.push(name);
    }
    const heads = await Promise.all(names.map((name) => this.#tell(name)));
    return { cursor: `${this.#epoch}.${last}`, more, heads: heads.filter((head) => head !== undefined) };
  }

  async #tell(name: string): Promise<ToldHead | undefined> {
    const id = laneIn(name);
    const head = await this.#options.blocks.head(id);
    return head && { chain: toHex(head.chain), lane: head.lane, height: head.height, hash: toHex(head.hash), forked: this.#forked.has(name) };
  }

  #numberIn(cursor: string): number {
    const [epoch, number] = cursor.split('.');
    return epoch === this.#epoch && number !== undefined && /^\d{1,15}$/.test(number) ? Number(number) : 0;
  }

  #enter(name: string, line: Omit<Line, 'number'>): void {
    this.#number += 1;
    this.#lines.delete(name);
    this.#lines.set(name, { ...line, number: this.#number });
  }

  async #read(): Promise<void> {
    const { readAgainAfter, now } = this.#options;
    const isOld = this.#readAt !== undefined && readAgainAfter !== undefined && now() - this.#readAt >= readAgainAfter;
    if (this.#readAt !== undefined && !isOld) return;
    this.#reading ??= this.#readAll().finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #readAll(): Promise<void> {
    const { blocks, now } = this.#options;
    for (const chain of await blocks.chains()) {
      for (const lane of LANES) {
        const head = await blocks.head({ chain, lane });
        if (head !== undefined && (this.#lines.get(nameOf(head))?.height ?? -1) < head.height) this.appended(head);
      }
    }
    for (const fork of await blocks.forks()) {
      if (!this.#forked.has(nameOf(fork))) this.touched(fork, { forked: true });
    }
    this.#readAt = now();
  }

  #hospitalsOf({ parameters, authority }: ChainState): ReadonlySet<string> {
    const keys = [...parameters.hospitals, ...authority.hospitals].map(({ key }) => toHex(key));
    const name = keys.join();
    const known = this.#hospitals.get(name) ?? new Set(keys);
    this.#hospitals.set(name, known);
    return known;
  }
}

const nameOf = ({ chain, lane }: LaneId): string => `${toHex(chain)}/${lane}`;

function laneIn(name: string): LaneId {
  const [chain = '', lane] = name.split('/');
  return { chain: Uint8Array.from(Buffer.from(chain, 'hex')), lane: lane as Lane };
}
