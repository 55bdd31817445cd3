/** All hospitals and both lanes: one {@link Relay} for each pair, and what they have reached together. */

import { ConfigError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import { quorumHeight } from '../ledger/quorum.ts';
import { type Millis, Seconds } from '../quantity.ts';
import { type Lane, LANES } from '../reading.ts';
import type { RelayCursors } from './cursors.ts';
import { HospitalClient, type HospitalClientOptions } from './hospital-client.ts';
import { Relay, type RelayHospital, type RelayOptions, type RelayStatus, type UplinkLog } from './relay.ts';
import { type RelayTime, type RetryOptions, RetrySchedule } from './retry.ts';

export type UplinkHospital = RelayHospital & Pick<HospitalClientOptions, 'url'>;

export type UplinkOptions = Readonly<{
  /** The gateway's chain, 16 bytes. */
  chain: Uint8Array;
  /** Where blocks go. Names and keys MUST be those of the chain's genesis parameters, or their receipts mean nothing. */
  hospitals: readonly UplinkHospital[];
  /** How many hospitals must countersign before a block is receipted. */
  quorum: number;
  blocks: BlockStore;
  cursors: RelayCursors;
  time: RelayTime;
  /** Chance for the back-off: numbers from 0 up to, not including, 1. */
  random: () => number;
  log: UplinkLog;
  /** Back-off of both lanes; an alarm never waits longer than {@link ALARM_RETRY_CAP}. Default: see {@link RetryOptions}. */
  retry?: RetryOptions;
  /** How long one request may take. Default 10 s. */
  deadline?: Millis;
  /** How requests leave. Default: the global fetch. */
  fetch?: typeof fetch;
  onReceipt?: NonNullable<RelayOptions['onReceipt']>;
  onState?: NonNullable<RelayOptions['onState']>;
}>;

/** Longest pause before an alarm is tried again. */
export const ALARM_RETRY_CAP: Millis = Seconds(5);

/**
 * Starts relaying. Resolves when the cursors are read, so that {@link Uplink.receiptedHeight} is right from the first
 * moment; hospitals may be unreachable then and for ever. Throws {@link ConfigError} when two hospitals share a name or
 * a key, and {@link StoreError}.
 */
export async function startUplink(options: UplinkOptions): Promise<Uplink> {
  refuseTwins(options.hospitals);
  const openLane = async (lane: Lane): Promise<readonly [Lane, readonly Relay[]]> =>
    [lane, await Promise.all(options.hospitals.map((hospital) => openRelay(options, hospital, lane)))];
  return new Uplink(new Map(await Promise.all(LANES.map(openLane))), options.quorum);
}

export class Uplink {
  readonly #quorum: number;
  readonly #relays: ReadonlyMap<Lane, readonly Relay[]>;

  /** Starts the relays; {@link startUplink} opens them. */
  constructor(relays: ReadonlyMap<Lane, readonly Relay[]>, quorum: number) {
    this.#relays = relays;
    this.#quorum = quorum;
    for (const relay of this.#all()) relay.start();
  }

  /** Every hospital and lane: how far, how far behind, and what is in the way. */
  async status(): Promise<readonly RelayStatus[]> {
    return await Promise.all(this.#all().map((relay) => relay.status()));
  }

  /** Up to where at least one hospital has answered for the lane; undefined before the first. */
  relayedHeight(lane: Lane): number | undefined {
    return quorumHeight(this.#heights(lane), 1);
  }

  /** Up to where the quorum has countersigned the lane; undefined before the first. It never falls while the gateway runs. */
  receiptedHeight(lane: Lane): number | undefined {
    return quorumHeight(this.#heights(lane), this.#quorum);
  }

  /** A block of that lane was sealed. */
  wake(lane: Lane): void {
    for (const relay of this.#of(lane)) relay.wake();
  }

  /** Aborts what is under way and resolves when nothing runs any more: only then may the stores be closed. */
  async stop(): Promise<void> {
    await Promise.all(this.#all().map((relay) => relay.stop()));
  }

  #of(lane: Lane): readonly Relay[] {
    return this.#relays.get(lane) ?? [];
  }

  #all(): readonly Relay[] {
    return LANES.flatMap((lane) => this.#of(lane));
  }

  #heights(lane: Lane): number[] {
    return this.#of(lane).flatMap(({ height }) => (height === undefined ? [] : [height]));
  }
}

function openRelay(options: UplinkOptions, hospital: UplinkHospital, lane: Lane): Promise<Relay> {
  const { chain, time, random, deadline, fetch: send } = options;
  return Relay.open({
    ...options,
    id: { chain, lane },
    hospital,
    client: new HospitalClient({ url: hospital.url, ...(deadline !== undefined && { deadline }), ...(send && { fetch: send }) }),
    retry: new RetrySchedule(retryOf(lane, options.retry ?? {}), random, time.now),
  });
}

function retryOf(lane: Lane, retry: RetryOptions): RetryOptions {
  if (lane !== 'alarm') return retry;
  return { ...retry, cap: Math.min(retry.cap ?? ALARM_RETRY_CAP, ALARM_RETRY_CAP) as Millis };
}

/** One key under two addresses would be counted twice. */
function refuseTwins(hospitals: readonly UplinkHospital[]): void {
  for (const what of ['name', 'key'] as const) {
    const values = hospitals.map((hospital) => (what === 'key' ? toHex(hospital.key) : hospital.name));
    const twin = values.find((value, index) => values.indexOf(value) < index);
    if (twin !== undefined) throw new ConfigError(`two hospitals have the ${what} ${twin}: each must be another`);
  }
}
