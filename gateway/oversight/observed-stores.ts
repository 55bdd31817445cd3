/** The stores of a hospital node, with somebody who is told what they took. What is told is true: it is durable when it is told. */

import { StoreError } from '../errors.ts';
import { type BlockStore, type Fork, type LaneId, passedOn } from '../ledger/block-store.ts';
import type { Release } from '../ledger/release.ts';
import { Bytes, type Millis, type UnixMillis } from '../quantity.ts';
import type { ReleaseStore } from '../upstream/release-store.ts';

/** The newest of some blocks of one lane that became durable together. */
export type TakenBlocks = LaneId & Readonly<{
  height: number;
  /** Of that block, the gateway's clock. */
  time: UnixMillis;
  /** Compressed public key that speaks for the chain now. */
  gateway: Uint8Array;
  /** The one that it began with. */
  firstKey: Uint8Array;
  blocks: number;
  bytes: Bytes;
}>;

/** Called while a request is served: MUST be quick, and MUST NOT throw. */
export type StoreObserver = Readonly<{
  took: (taken: TakenBlocks) => void;
  /** Of appends, whatever became of them: how long the store took, an fsync or a quorum of standbys included. */
  appended: (duration: Millis) => void;
  countersigned: (id: LaneId) => void;
  forked: (fork: LaneId & Readonly<{ height: number }>) => void;
  released: (release: Readonly<{ chain: Uint8Array; payloads: number; keys: number; erased: number; bytes: Bytes }>) => void;
  /** Whether a write came through. */
  wrote: (fault: StoreError | undefined) => void;
}>;

/** One that tells all of them. */
export function everyObserver(...observers: readonly StoreObserver[]): StoreObserver {
  return {
    took: (taken) => observers.forEach((each) => each.took(taken)),
    appended: (duration) => observers.forEach((each) => each.appended(duration)),
    countersigned: (id) => observers.forEach((each) => each.countersigned(id)),
    forked: (fork) => observers.forEach((each) => each.forked(fork)),
    released: (release) => observers.forEach((each) => each.released(release)),
    wrote: (fault) => observers.forEach((each) => each.wrote(fault)),
  };
}

type Clock = () => number;

/** `uptime`: milliseconds that never go back. */
export function observedBlocks(blocks: BlockStore, observer: StoreObserver, uptime: Clock): BlockStore {
  return {
    ...passedOn(blocks),
    append: async (first, ...following) => {
      const began = uptime();
      const outcome = await reported(blocks.append(first, ...following), observer);
      observer.appended((uptime() - began) as Millis);
      if (outcome.outcome === 'committed') {
        const all = [first, ...following];
        const { verified: { state, header } } = all.at(-1) ?? first;
        observer.took({
          chain: state.chain, lane: state.lane, height: state.height, time: header.time, gateway: state.authority.gateway, firstKey: state.parameters.gateway,
          blocks: all.length, bytes: Bytes(all.reduce((sum, { bytes }) => sum + bytes.length, 0)),
        });
      }
      return outcome;
    },
    putReceipt: async (id, height, fingerprint, receipt) => {
      await reported(blocks.putReceipt(id, height, fingerprint, receipt), observer);
      observer.countersigned(id);
    },
    putFork: async (fork: Fork) => {
      await reported(blocks.putFork(fork), observer);
      observer.forked({ chain: fork.chain, lane: fork.lane, height: fork.height });
    },
  };
}

export function observedReleases(releases: ReleaseStore, observer: StoreObserver): ReleaseStore {
  return {
    lastNumber: (chain) => releases.lastNumber(chain),
    keys: (chain) => releases.keys(chain),
    payloads: (chain, key) => releases.payloads(chain, key),
    put: async (release: Release) => {
      const isKept = await reported(releases.put(release), observer);
      if (!isKept) return false;
      const { chain, payloads, keys, erased } = release;
      observer.released({
        chain, payloads: payloads.length, keys: keys.length, erased: erased.length,
        bytes: Bytes(payloads.reduce((sum, { sealed }) => sum + sealed.length, 0)),
      });
      return true;
    },
  };
}

async function reported<T>(write: Promise<T>, observer: StoreObserver): Promise<T> {
  try {
    const written = await write;
    observer.wrote(undefined);
    return written;
  } catch (error) {
    if (error instanceof StoreError) observer.wrote(error);
    throw error;
  }
}
