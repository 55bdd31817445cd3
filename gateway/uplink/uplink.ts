/** All hospitals and both lanes: one {@link Relay} for each pair, and what they have reached together. */

import { ConfigError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { hasLeft, receiptedHeight, type Term } from '../ledger/terms.ts';
import { type Millis, Seconds } from '../quantity.ts';
import { type Lane, LANES } from '../reading.ts';
import type { RelayCursors } from './cursors.ts';
import { HospitalClient, type Way } from './hospital-client.ts';
import { Relay, type RelayHospital, type RelayOptions, type RelayStatus, type UplinkLog } from './relay.ts';
import { type RelayTime, type RetryOptions, RetrySchedule } from './retry.ts';

/** `joining`: it copies the chain, and its receipts count as soon as the chain says so. */
export type UplinkHospital = RelayHospital;

export type UplinkOptions = Readonly<{
  /** The gateway's chain, 16 bytes. */
  chain: Uint8Array;
  /** Where blocks go. A receipt counts when its key was a hospital of the authority in force at its height. */
  hospitals: readonly UplinkHospital[];
  /** Who was in force when, in a lane, as of the last block that was sealed. */
  terms: (lane: Lane) => readonly Term[];
  blocks: BlockStore;
  cursors: RelayCursors;
  time: RelayTime;
  /** Chance for the back-off: numbers from 0 up to, not including, 1. */
  random: () => number;
  log: UplinkLog;
  /** Back-off of both lanes; an alarm never waits longer than {@link ALARM_RETRY_CAP}. Default: see {@link RetryOptions}. */
  retry?: RetryOptions;
  /** How requests get to hospitals, by name. `mended`: see {@link RelayOptions}. */
  ways: Readonly<{ alarms: (hospital: string) => Way; records: (hospital: string) => Way; mended?: NonNullable<RelayOptions['mended']> }>;
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
  const opened = await Promise.all(options.hospitals.map((hospital) => openRelays(options, hospital)));
  return new Uplink(new Map(LANES.map((lane) => [lane, opened.flatMap((relays) => relays.get(lane) ?? [])])), options.terms);
}

export class Uplink {
  readonly #terms: UplinkOptions['terms'];
  readonly #relays: Map<Lane, readonly Relay[]>;
  /** What they countersigned while they were there counts on. */
  readonly #left = new Map<Lane, readonly Relay[]>();

  /** Starts the relays; {@link startUplink} opens them. */
  constructor(relays: ReadonlyMap<Lane, readonly Relay[]>, terms: UplinkOptions['terms']) {
    this.#relays = new Map(relays);
    this.#terms = terms;
    for (const relay of this.#all()) relay.start();
  }

  /** Every hospital and lane: how far, how far behind, and what is in the way. */
  async status(): Promise<readonly RelayStatus[]> {
    return await Promise.all(this.#all().map((relay) => relay.status()));
  }

  /** Up to where at least one hospital has answered for the lane; undefined before the first. */
  relayedHeight(lane: Lane): number | undefined {
    return receiptedHeight(this.#terms(lane), (key) => this.heightOf(lane, key), ({ hospitals }) => Math.min(1, hospitals.length));
  }

  /** Up to where the quorum in force has countersigned the lane; undefined before the first. It never falls while the gateway runs. */
  receiptedHeight(lane: Lane): number | undefined {
    return receiptedHeight(this.#terms(lane), (key) => this.heightOf(lane, key));
  }

  /** Up to where a hospital, by its key, has countersigned the lane; undefined before its first receipt. */
  heightOf(lane: Lane, key: Uint8Array): number | undefined {
    return [...this.#of(lane), ...(this.#left.get(lane) ?? [])].find(({ hospital }) => equalBytes(hospital.key, key))?.height;
  }

  /** Resolves when no alarm is on its way to a hospital, by its key. */
  async alarmsSettled(key: Uint8Array): Promise<void> {
    await this.#of('alarm').find(({ hospital }) => equalBytes(hospital.key, key))?.settled();
  }

  /** Ends the relays of the lane to hospitals that have left: they get no block any more, and nobody waits for them. */
  async dropLeft(lane: Lane): Promise<void> {
    const left = this.#of(lane).filter(({ hospital }) => !isServed(hospital, this.#terms(lane)));
    this.#relays.set(lane, this.#of(lane).filter((relay) => !left.includes(relay)));
    this.#left.set(lane, [...(this.#left.get(lane) ?? []), ...left]);
    await Promise.all(left.map((relay) => relay.stop()));
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
}

const isServed = ({ key, joining = false }: Pick<UplinkHospital, 'key' | 'joining'>, terms: readonly Term[]): boolean => joining || !hasLeft(terms, key);

async function openRelays(options: UplinkOptions, hospital: UplinkHospital): Promise<ReadonlyMap<Lane, Relay>> {
  const served = (lane: Lane): boolean => isServed(hospital, options.terms(lane));
  const alarms = served('alarm') ? await openRelay(options, hospital, 'alarm') : undefined;
  const records = served('record') ? await openRelay(options, hospital, 'record', alarms) : undefined;
  return new Map([...(alarms ? [['alarm', alarms] as const] : []), ...(records ? [['record', records] as const] : [])]);
}

/** `first`: what it waits for while that has something to send. */
function openRelay(options: UplinkOptions, hospital: UplinkHospital, lane: Lane, first?: Relay): Promise<Relay> {
  const { chain, time, random, ways } = options;
  return Relay.open({
    ...options,
    id: { chain, lane },
    hospital,
    client: new HospitalClient(lane === 'alarm' ? ways.alarms(hospital.name) : ways.records(hospital.name)),
    retry: new RetrySchedule(retryOf(lane, options.retry ?? {}), random, time.now),
    ...(first && { turn: () => first.settled() }),
    ...(ways.mended && { mended: ways.mended }),
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
