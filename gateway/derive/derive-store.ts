import { NO_ALARMS, type AlarmState } from '../alarm/alarm.ts';
import type { WatchState } from '../context/watch.ts';
import type { Profile } from '../decode/profile.ts';
import type { QuarantineReason } from '../errors.ts';
import type { DeviceId, FrameSource, Lane, Sequence } from '../reading.ts';
import type { Bindings } from './bindings.ts';
import { type ConsentState, NO_CONSENT_STATE } from './consent-state.ts';
import type { TimedStep } from './alarm-book.ts';
import type { DeviceStatus } from './device-status.ts';
import { NO_ORDERS, type Orders } from './orders.ts';
import type { OpenSummaries } from './summary.ts';
import type { Sighting } from './sightings.ts';
import type { SteadyState } from './steady-time.ts';
import type { SuccessionState } from './succession-state.ts';
import type { VaultKey } from '../vault/keyring.ts';

/** An entry with what stays beside the chain: its payload and the salt of its commitment, sealed. */
export type DerivedEntry = Readonly<{
  lane: Lane;
  sequence: number;
  /** ledger/entry.ts, encoded. */
  bytes: Uint8Array;
  /** vault/payload.ts. */
  sealed?: Uint8Array;
}>;

/** Which journal frames one evidence entry covers. */
export type EvidenceSpan = Readonly<{ first: Sequence; last: Sequence; entry: number }>;

/** A frame, or a part of it, that was not understood. The frame itself stays in the journal. */
export type Quarantined = Readonly<{
  sequence: Sequence;
  device: DeviceId | '';
  /** One item for every part that was rejected, in order. */
  rejections: readonly Readonly<{ reason: QuarantineReason; message: string }>[];
  /** Who could not understand it; absent when no profile reads its topic. */
  decoder?: Readonly<{ name: string; version: number }>;
  /** Which device behind the connection it is about, in the source's words. */
  address?: string;
  /** The parts that were understood, as decode/operator.ts names readings. */
  taken?: readonly string[];
}>;

/** A connection whose decoder missed what it needs to understand it (decode/decoder.ts). */
export type Resync = Readonly<{
  /** The last frame of this topic in its window that said so. */
  sequence: Sequence;
  source: FrameSource;
  connection: DeviceId;
  topic: string;
  /** Which device behind the connection, in the source's words. */
  address: string;
}>;

/** How often each thing happened since the journal began. */
export type Totals = Readonly<{
  readings: number;
  duplicates: number;
  events: number;
  implausibleDeviceClocks: number;
  quarantined: Readonly<Partial<Record<QuarantineReason, number>>>;
  /** Readings that a second attempt got out of quarantine; they are among `readings`, too. */
  recovered: number;
}>;

/** The identities (8 bytes each) of a device's frames in one window, for recognising repetitions. */
export type SeenChunk = Readonly<{ window: Sequence; identities: Uint8Array }>;

/** Everything derivation remembers between frames. */
export type DerivedState = Readonly<{
  /** The last frame that was derived; 0 at the beginning. */
  cursor: number;
  /** The last entry that was made; 0 at the beginning. */
  entrySequence: number;
  /** Of the keys under which what is said of subjects lies; from 1. */
  epoch: number;
  /** Of who speaks for the chain. */
  succession: SuccessionState;
  /** What people decided about watching. */
  orders: Orders;
  consent: ConsentState;
  alarms: AlarmState;
  /** As configured; the built-in ones are not among them. */
  profiles: readonly Profile[];
  bindings: ReadonlyMap<DeviceId, Bindings>;
  devices: ReadonlyMap<DeviceId, DeviceStatus>;
  /** Who speaks and reaches nobody, under names of their own (sightings.ts). */
  sightings: ReadonlyMap<string, Sighting>;
  /** Undefined before the first frame. */
  steady: SteadyState | undefined;
  /** What decoders keep between frames, by connection and decoder (meaning.ts). JSON. */
  memories: ReadonlyMap<string, unknown>;
  seen: ReadonlyMap<DeviceId, readonly SeenChunk[]>;
  /** What is remembered of everybody who is watched, by the subject's name. */
  watches: ReadonlyMap<string, WatchState>;
  /** What was measured of them in the minute and the quarter of an hour that go on. */
  summaries: ReadonlyMap<string, OpenSummaries>;
  totals: Totals;
}>;

export const NOTHING_DERIVED: DerivedState = {
  cursor: 0,
  entrySequence: 0,
  epoch: 1,
  succession: {},
  orders: NO_ORDERS,
  consent: NO_CONSENT_STATE,
  alarms: NO_ALARMS,
  profiles: [],
  bindings: new Map(),
  devices: new Map(),
  sightings: new Map(),
  steady: undefined,
  memories: new Map(),
  seen: new Map(),
  watches: new Map(),
  summaries: new Map(),
  totals: { readings: 0, duplicates: 0, events: 0, implausibleDeviceClocks: 0, quarantined: {}, recovered: 0 },
};

/** How far a chain has come that this store does not know all of. */
export type ContinuationPoint = Readonly<{
  /** The last frame it has evidence of, and the number of its last entry. */
  cursor: number;
  entrySequence: number;
  /** The last step of an alarm, and the last alarm, that it tells of. */
  lastStep: number;
  lastAlarm: number;
  succession: SuccessionState;
  /** What its blocks say of the evidence of frames. */
  evidence: readonly EvidenceSpan[];
}>;

/** Where a restart begins: from `state` on frames are derived again, and those through `committed` only to know what they led to. */
export type Resumption = Readonly<{
  state: DerivedState;
  /** The last frame whose entries are committed, and the last entry. Never before the state's. */
  committed: Readonly<{ cursor: number; entrySequence: number }>;
}>;

/** What one window of frames gave, and the state after it as far as it changed. */
export type Checkpoint = Readonly<{
  cursor: Sequence;
  entrySequence: number;
  epoch: number;
  succession: SuccessionState;
  /** Keys that were made for these entries: they MUST be durable before the checkpoint. */
  keys: readonly VaultKey[];
  totals: Totals;
  entries: readonly DerivedEntry[];
  evidence: EvidenceSpan;
  /** New ones, and what is left of those that were tried again. */
  quarantined: readonly Quarantined[];
  /** What is in quarantine no longer. */
  released: readonly Sequence[];
  /** The profiles now in force; undefined when this window did not change them. */
  profiles: readonly Profile[] | undefined;
  memories: ReadonlyMap<string, unknown>;
  /** As far as they changed. */
  bindings: ReadonlyMap<DeviceId, Bindings>;
  devices: ReadonlyMap<DeviceId, DeviceStatus>;
  /** Undefined for what was forgotten. */
  sightings: ReadonlyMap<string, Sighting | undefined>;
  steady: SteadyState | undefined;
  /** Identities of this window's frames, kept under its cursor. */
  seen: ReadonlyMap<DeviceId, Uint8Array>;
  /** Chunks that fell out of a device's duplicate window. */
  forgotten: readonly Readonly<{ window: Sequence; device: DeviceId }>[];
  /** Undefined when they did not change. */
  orders: Orders | undefined;
  consent: ConsentState | undefined;
  alarms: AlarmState | undefined;
  steps: readonly TimedStep[];
  /**
   * What is remembered of everybody, as far as it changed since this was there before; undefined in most checkpoints: it is too much to
   * write each time. A restart begins where it was written last.
   */
  remembered: Readonly<{ /** Undefined for what was forgotten. */ watches: ReadonlyMap<string, WatchState | undefined>; /** Undefined for what has nothing open. */ summaries: ReadonlyMap<string, OpenSummaries | undefined> }> | undefined;
  /** One for each topic; not kept: what nobody answers, the next message says again. */
  resyncs: readonly Resync[];
}>;

export interface DeriveStore {
  /** Where to go on. Its cost depends on the number of devices and subjects, never on the backlog. */
  load(): Promise<Resumption>;

  /**
   * Applies checkpoints, in order: all or nothing. What they say is kept at once; the state they lead to MUST be kept as a whole with
   * one that brings `remembered`, and may be before. Of checkpoints that were committed before a restart only the state counts. It need not be
   * synced: what a power cut takes is derived again from the journal, to the same bytes.
   */
  commit(checkpoints: readonly Checkpoint[]): Promise<void>;

  /**
   * Takes the state that checkpoints lead to, without what they say: others have said it, and go on behind `point`. Each of them MUST bring
   * `remembered`; none is needed where the state stands at the point already. Durable when it resolves.
   */
  continueAt(point: ContinuationPoint, checkpoints: readonly Checkpoint[]): Promise<void>;

  /** Takes frames out of quarantine that are gone from the journal. */
  forgetQuarantined(sequences: readonly Sequence[]): Promise<void>;

  /** What is in quarantine from `from` on, in order, at most `limit`. */
  quarantine(from: Sequence, limit: number): Promise<readonly Quarantined[]>;

  /** The evidence entry that covers a frame; undefined while its window is open. */
  evidenceFor(sequence: Sequence): Promise<EvidenceSpan | undefined>;
}
