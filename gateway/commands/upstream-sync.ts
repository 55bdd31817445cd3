/** `vitalgate upstream sync`: a node that does not run copies all that its peers have, before it is started for the first time or after a long time. */

import { messageOf, StoreError, UsageError } from '../errors.ts';
import { openDistribution } from '../hospital.ts';
import type { SigningKey } from '../ledger/es256k.ts';
import { createLog } from '../operations/log.ts';
import { Bytes, formatBytes, formatDuration, Millis, Seconds, UnixMillis } from '../quantity.ts';
import { CopyCountersigner } from '../upstream/countersigner.ts';
import type { CopyProgress } from '../upstream/peers.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { counted, type Environment } from './command.ts';
import { textIn } from './text-files.ts';

/** Between two lines where nothing can be written over. */
const LINE_EVERY: Millis = Seconds(5);
const BAR = 24;

export type SyncOptions = Readonly<{ config: UpstreamConfig; key: SigningKey; /** The one peer to copy from. Default: all. */ from: string | undefined }>;

/** Copies everything and returns the exit code: 0 when all that the peers have is here. Throws {@link UsageError} while the node runs, or without peers. */
export async function copyFromPeers({ config, key, from }: SyncOptions, { openBlocks, out, err, signal }: Environment): Promise<number> {
  const peers = config.peers.filter(({ name }) => from === undefined || name === from);
  if (peers.length === 0) throw new UsageError(from === undefined ? 'there are no peers: name the nodes of other hospitals in the configuration (upstream: peers)' : `there is no peer ${from}; there are ${config.peers.map(({ name }) => name).join(', ')}`);
  const stores = await openHere(config, openBlocks);
  const log = createLog(config.log.level === 'info' ? 'warn' : config.log.level, config.name);
  const fault = Promise.withResolvers<never>();
  fault.promise.catch(() => undefined);
  const distribution = await openDistribution({ config: { ...config, peers }, stores, key, textIn, log, onStoreFault: fault.reject });
  const copying = distribution.peersFor(await CopyCountersigner.open({ blocks: distribution.blocks, key, now: () => UnixMillis(Date.now()) }));
  const view = new ProgressView(err, process.stderr.isTTY, process.stderr.columns);
  try {
    const troubles = await Promise.race([copying.copyAll((progress) => view.show(progress), signal), fault.promise]);
    view.end();
    for (const trouble of troubles) err(trouble);
    const { blocks, receipts, bytes } = view.last;
    out(`copied ${counted(blocks, 'block')} and ${counted(receipts, 'receipt')} of others, ${formatBytes(Bytes(bytes))} read`);
    return troubles.length === 0 ? 0 : 1;
  } catch (error) {
    view.end();
    if (!signal.aborted) throw error;
    err('stopped; what was copied stays, and "vitalgate upstream sync" goes on behind it');
    return 1;
  } finally {
    await distribution.close();
    await stores.close();
  }
}

async function openHere({ data, store, durability }: UpstreamConfig, openBlocks: Environment['openBlocks']): ReturnType<Environment['openBlocks']> {
  try {
    return await openBlocks(data, { readOnly: false, store, durability });
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.code !== 'VG_STORE_LOCKED') throw cause;
    throw new UsageError(`the node of ${data} runs: it copies from its peers by itself, and its status says how far it is (${messageOf(cause)})`, { cause });
  }
}

/** One line that changes on a terminal, else a line now and then. */
export class ProgressView {
  readonly #write: (line: string) => void;
  readonly #live: boolean;
  readonly #width: number;
  readonly #began = performance.now();
  #toldAt = -Infinity;
  #last: CopyProgress = { chains: 0, blocks: 0, missing: 0, bytes: 0, receipts: 0 };
  #isOpen = false;

  constructor(write: (line: string) => void, live: boolean, width = 80) {
    [this.#write, this.#live, this.#width] = [write, live, width];
  }

  get last(): CopyProgress {
    return this.#last;
  }

  show(progress: CopyProgress): void {
    const isBegun = this.#last.blocks === 0 && progress.blocks > 0;
    this.#last = progress;
    const now = performance.now();
    if (!this.#live && !isBegun && now - this.#toldAt < LINE_EVERY) return;
    this.#toldAt = now;
    const line = progressLine(progress, Millis(now - this.#began));
    if (!this.#live) return this.#write(line);
    process.stderr.write(`\r\u{1b}[2K${line.slice(0, this.#width)}`);
    this.#isOpen = true;
  }

  /** What comes next begins on a line of its own. */
  end(): void {
    if (this.#isOpen) process.stderr.write('\n');
    this.#isOpen = false;
  }
}

/** For example `[=====>      ] 41 %  2 chains left  12,300 of 30,000 blocks  2,460/s  2.1 MB/s  8 s left`. */
export function progressLine({ chains, blocks, missing, bytes, receipts }: CopyProgress, elapsed: Millis): string {
  const share = blocks + missing === 0 ? 1 : blocks / (blocks + missing);
  const filled = Math.round(share * BAR);
  const rate = (blocks * 1000) / Math.max(1, elapsed);
  const left = missing === 0 || rate === 0 ? '' : `${formatDuration(Seconds(Math.ceil(missing / rate)))} left`;
  const number = (value: number): string => Math.round(value).toLocaleString('en');
  return [
    `[${'='.repeat(filled)}${' '.repeat(BAR - filled)}] ${Math.floor(share * 100)} %`, `${counted(chains, 'chain')} left`, `${number(blocks)} of ${number(blocks + missing)} blocks`, `${number(rate)}/s`,
    `${((bytes / 1e6) * 1000 / Math.max(1, elapsed)).toFixed(1)} MB/s`, ...(receipts > 0 ? [`${number(receipts)} receipts`] : []), left,
  ].join('  ').trimEnd();
}
