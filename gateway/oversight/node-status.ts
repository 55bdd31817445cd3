/** How a hospital node does, for those who run it. Nothing in it is about a patient. */

import type { StoreError } from '../errors.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { type Bytes, Millis, type UnixMillis } from '../quantity.ts';
import type { GatewayBook, GatewayPage, GatewayQuery, GatewayTotals, GatewayView } from './gateway-book.ts';
import type { StoreObserver } from './observed-stores.ts';
import type { OutputReporter, OutputStatus } from './output-status.ts';

export type DiskStatus = Readonly<{ /** Of the data folder. */ used: Bytes; /** That the file system has left. */ free: Bytes }>;

/** Counted by this process, since it started. */
type Totals = { blocks: number; bytes: number; receipts: number; gaps: number; forks: number; failures: Record<string, number>; releases: number; payloads: number; erasures: number };

export type NodeStatus = Readonly<{
  name: string;
  /** Compressed public key, hexadecimal. */
  key: string;
  fingerprint: string;
  version: string;
  startedAt: UnixMillis;
  uptime: Millis;
  /** This node's clock. */
  now: UnixMillis;
  store: Readonly<{ kind: string; state: 'working' | 'failing'; fault: string | null }>;
  /** Null: it could not be measured, or not yet. */
  disk: DiskStatus | null;
  gateways: GatewayTotals & Readonly<{ /** False while what is in the store is still being read. */ isRead: boolean }>;
  totals: Readonly<Totals>;
  outputs: readonly OutputStatus[];
}>;

/** The whole answer: the node, and one page of gateways. */
export type StatusAnswer = Readonly<{ node: NodeStatus } & GatewayPage>;

export type NodeOversightOptions = Readonly<{
  node: Pick<NodeStatus, 'name' | 'key' | 'fingerprint' | 'version'>;
  storeKind: string;
  book: GatewayBook;
  outputs: readonly OutputReporter[];
  measureDisk: () => Promise<DiskStatus>;
  now: () => UnixMillis;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
}>;

/** Counts what happens to a node and says how it does. */
export class NodeOversight {
  readonly #options: NodeOversightOptions;
  readonly #totals: Totals = { blocks: 0, bytes: 0, receipts: 0, gaps: 0, forks: 0, failures: {}, releases: 0, payloads: 0, erasures: 0 };
  readonly #startedAt: UnixMillis;
  readonly #began: Millis;
  #fault: StoreError | undefined;
  #disk: DiskStatus | null = null;

  constructor(options: NodeOversightOptions) {
    this.#options = options;
    this.#startedAt = options.now();
    this.#began = options.uptime();
  }

  /** To be told what stores took. */
  get observer(): StoreObserver {
    const { book } = this.#options;
    const totals = this.#totals;
    return {
      took: (taken) => {
        totals.blocks += taken.blocks;
        totals.bytes += taken.bytes;
        book.took(taken);
      },
      appended: () => undefined,
      countersigned: (id) => {
        totals.receipts += 1;
        book.countersigned(id);
      },
      forked: (fork) => {
        totals.forks += 1;
        book.forked(fork);
      },
      released: (release) => {
        totals.releases += 1;
        totals.payloads += release.payloads;
        totals.erasures += release.erased;
        book.released(release);
      },
      wrote: (fault) => (this.#fault = fault),
    };
  }

  /** An offer that was not taken; `reason`: a word for programs. */
  refused(id: LaneId, reason: string): void {
    if (reason === 'gap') this.#totals.gaps += 1;
    else this.#totals.failures[reason] = (this.#totals.failures[reason] ?? 0) + 1;
    this.#options.book.refused(id, reason);
  }

  /** Measures the disk and reads what others have done to the store, until `signal` ends it. Throws {@link StoreError}. */
  async look(signal: AbortSignal): Promise<void> {
    this.#disk = await this.#options.measureDisk().catch(() => null);
    await this.#options.book.refresh(signal);
  }

  status(query: GatewayQuery): StatusAnswer {
    return { node: this.node(), ...this.#options.book.list(query) };
  }

  node(): NodeStatus {
    const { node, storeKind, book, outputs, now, uptime } = this.#options;
    const fault = this.#fault;
    return {
      ...node, startedAt: this.#startedAt, uptime: Millis(Math.round(uptime() - this.#began)), now: now(),
      store: { kind: storeKind, state: fault === undefined ? 'working' : 'failing', fault: fault?.message ?? null },
      disk: this.#disk,
      gateways: { ...book.totals(), isRead: book.isRead },
      totals: { ...this.#totals, failures: { ...this.#totals.failures } },
      outputs: outputs.flatMap((report) => report()),
    };
  }

  gateway(chain: string): GatewayView | undefined {
    return this.#options.book.view(chain);
  }
}
