/** Who was in force at which height of a lane: read from the few blocks that carry a change. */

import { StoreError } from '../errors.ts';
import { type Lane, LANES } from '../reading.ts';
import { type Authority, firstAuthority } from './authority.ts';
import type { BlockStore, LaneId } from './block-store.ts';
import { openBlock } from './block.ts';
import { equalBytes, toHex } from './bytes.ts';
import { decodeEntry } from './entry.ts';
import { changeIn, inForce, type Succession } from './succession.ts';
import { quorumHeight } from './quorum.ts';
import type { ChainState } from './state.ts';
import type { VerifiedBlock } from './verify.ts';

/** An authority and the first block of the lane it is in force for; until the next term begins. */
export type Term = Readonly<{
  from: number;
  authority: Authority;
  /** It began because the gateway key before it was lost or stolen: what that key signs for blocks from here on is nothing. */
  replaces?: true;
}>;

/** All terms of a lane, the first from height 0; none while it has no block. Throws {@link StoreError}. */
export async function termsOf(blocks: Pick<BlockStore, 'head' | 'block'>, id: LaneId): Promise<readonly Term[]> {
  const head = await blocks.head(id);
  if (head === undefined) return [];
  let terms: readonly Term[] = [{ from: 0, authority: firstAuthority(head.parameters) }];
  for (const height of head.changes) {
    const last = await lastEntryOf(blocks, id, height);
    const { change } = changeIn(decodeEntry(last));
    terms = [...terms, termOf(change.type, inForce(currentTerm(terms).authority, change, height))];
  }
  return terms;
}

async function lastEntryOf(blocks: Pick<BlockStore, 'block'>, id: LaneId, height: number): Promise<Uint8Array> {
  const bytes = await blocks.block(id, height);
  const last = bytes && openBlock(bytes).entries.at(-1);
  if (last === undefined) throw new StoreError('VG_STORE_CORRUPT', `block ${height} of lane ${id.lane}, which carries a change, is missing`);
  return last;
}

/** The terms after a further block. */
export function termsAfter(terms: readonly Term[], { state, succession }: Pick<VerifiedBlock, 'state' | 'succession'>): readonly Term[] {
  if (terms.length === 0) return [{ from: 0, authority: firstAuthority(state.parameters) }];
  return succession === undefined ? terms : [...terms, termOf(succession.signed.change.type, succession)];
}

const termOf = (type: Succession['signed']['change']['type'], { from, authority }: Pick<Succession, 'from' | 'authority'>): Term =>
  ({ from, authority, ...(type === 'replacement' && { replaces: true }) });

/** The term of the next block. */
export const currentTerm = (terms: readonly Term[]): Term => terms.at(-1) as Term;

/** The term of the block at that height. */
export const termAt = (terms: readonly Term[], height: number): Term => (terms.findLast(({ from }) => from <= height) ?? terms[0]) as Term;

/** Whether the key was a gateway key that a replacement took out of force. */
export const isRevoked = (terms: readonly Term[], gateway: Uint8Array): boolean =>
  terms.some((term, index) => term.replaces === true && equalBytes((terms[index - 1] as Term).authority.gateway, gateway))
  && !equalBytes(currentTerm(terms).authority.gateway, gateway);

/** Whether the hospital countersigned once and does no longer. */
export const hasLeft = (terms: readonly Term[], key: Uint8Array): boolean => terms.some((term) => isMember(term, key)) && !isMember(currentTerm(terms), key);

const isMember = ({ authority }: Term, key: Uint8Array): boolean => authority.hospitals.some((hospital) => equalBytes(hospital.key, key));

/** The terms of many lanes, read again only when a lane carries a change that it did not before. */
export class TermBook {
  readonly #blocks: Pick<BlockStore, 'head' | 'block'>;
  readonly #known = new Map<string, readonly Term[]>();

  constructor(blocks: Pick<BlockStore, 'head' | 'block'>) {
    this.#blocks = blocks;
  }

  /** The terms of the lane whose head this is. Throws {@link StoreError}. */
  async of(head: ChainState): Promise<readonly Term[]> {
    const begun: readonly Term[] = [{ from: 0, authority: firstAuthority(head.parameters) }];
    if (head.changes.length === 0) return begun;
    const name = `${toHex(head.chain)}/${head.lane}`;
    const known = this.#known.get(name) ?? begun;
    if (known.length === head.changes.length + 1) return known;
    const terms = await termsOf(this.#blocks, head);
    this.#known.set(name, terms);
    return terms;
  }
}

/** The terms of the two lanes of one chain, followed block by block. */
export class ChainTerms {
  readonly #byLane: Map<Lane, readonly Term[]>;

  /** Throws {@link StoreError}. */
  static async open(blocks: Pick<BlockStore, 'head' | 'block'>, chain: Uint8Array): Promise<ChainTerms> {
    return new ChainTerms(new Map(await Promise.all(LANES.map(async (lane) => [lane, await termsOf(blocks, { chain, lane })] as const))));
  }

  private constructor(byLane: Map<Lane, readonly Term[]>) {
    this.#byLane = byLane;
  }

  of(lane: Lane): readonly Term[] {
    return this.#byLane.get(lane) ?? [];
  }

  take(block: Pick<VerifiedBlock, 'state' | 'succession'>): void {
    this.#byLane.set(block.state.lane, termsAfter(this.of(block.state.lane), block));
  }
}

/**
 * The height up to which a lane is receipted. A receipt counts when its key was a hospital of the authority in force at its height; one
 * for a later block covers the blocks below, so the newest block that the quorum of its own authority has countersigned makes all before
 * it final. `heightOf`: up to where a hospital, by its key, has countersigned; undefined before its first receipt. `needed`: how many
 * hospitals of an authority have to; by default its quorum.
 */
export function receiptedHeight(
  terms: readonly Term[], heightOf: (key: Uint8Array) => number | undefined, needed: (authority: Authority) => number = ({ quorum }) => quorum,
): number | undefined {
  for (let at = terms.length - 1; at >= 0; at--) {
    const { from, authority } = terms[at] as Term;
    const end = terms[at + 1]?.from ?? Infinity;
    const heights = authority.hospitals.map(({ key }) => heightOf(key)).filter((height) => height !== undefined).map((height) => Math.min(height, end - 1));
    const height = quorumHeight(heights, needed(authority));
    if (height !== undefined && height >= from) return height;
  }
  return undefined;
}
