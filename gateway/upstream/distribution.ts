/** The part of a hospital node that exchanges chains with the nodes of other hospitals: what they ask for, what it asks them for, and what comes of forks. */

import type { FastifyInstance } from 'fastify';
import { messageOf } from '../errors.ts';
import type { BlockStore, Fork } from '../ledger/block-store.ts';
import type { Millis } from '../quantity.ts';
import { writeEvidence } from './evidence-files.ts';
import { HeadBook } from './head-book.ts';
import { addHeadRoutes } from './head-routes.ts';
import type { Countersigner } from './countersigner.ts';
import { Peers, type PeersOptions, type PeerStatus } from './peers.ts';
import { observed } from './observed-blocks.ts';

export type DistributionOptions = Omit<PeersOptions, 'blocks' | 'countersigner' | 'random' | 'monotonic'> & Readonly<{
  blocks: BlockStore;
  /** Data folder of the node. */
  data: string;
  randomBytes: (size: number) => Uint8Array;
  random: () => number;
  /** A clock that only goes forward. */
  monotonic: () => Millis;
  /** See HeadBookOptions. */
  readAgainAfter?: Millis;
}>;

export class Distribution {
  /** The store that everything which changes blocks, receipts and forks in this process MUST use. */
  readonly blocks: BlockStore;
  readonly #options: DistributionOptions;
  readonly #book: HeadBook;
  #peers: Peers | undefined;

  /** Writes the evidence of forks that has no file yet. Throws {@link StoreError}. */
  static async open(options: DistributionOptions): Promise<Distribution> {
    const distribution = new Distribution(options);
    for (const fork of await options.blocks.forks()) distribution.#writeEvidence(fork);
    return distribution;
  }

  private constructor(options: DistributionOptions) {
    const { blocks, randomBytes: random, monotonic: now, readAgainAfter } = options;
    this.#options = options;
    this.#book = new HeadBook({ blocks, random, now, ...(readAgainAfter !== undefined && { readAgainAfter }) });
    this.blocks = observed(blocks, {
      appended: (state) => this.#book.appended(state),
      countersigned: (id) => this.#book.touched(id, { forked: false }),
      forked: (fork) => {
        this.#writeEvidence(fork);
        this.#book.touched(fork, { forked: true });
      },
    });
  }

  addRoutes(app: FastifyInstance): void {
    addHeadRoutes(app, { blocks: this.blocks, book: this.#book });
  }

  /** Peers that nothing is copied from yet. */
  peersFor(countersigner: Countersigner): Peers {
    this.#peers ??= new Peers({ ...this.#options, blocks: this.blocks, countersigner });
    return this.#peers;
  }

  /** Of each peer; none before there are peers. */
  status(): readonly PeerStatus[] {
    return this.#peers?.status() ?? [];
  }

  /** Ends copying. */
  async close(): Promise<void> {
    await this.#peers?.close();
  }

  /** The store has it in any case. */
  #writeEvidence(fork: Fork): void {
    const { data, log } = this.#options;
    try {
      const path = writeEvidence(data, fork);
      log.warn({ path }, 'there is evidence of a fork: "vitalgate verify fork" judges it');
    } catch (error) {
      log.error({ error: messageOf(error) }, 'the evidence of a fork cannot be written to a file; it is in the store');
    }
  }
}
