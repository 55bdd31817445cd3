import { NOTHING_DERIVED, type Checkpoint, type ContinuationPoint, type DeriveStore, type DerivedState, type EvidenceSpan, type Quarantined, type Resumption, type SeenChunk, type Totals } from '../derive/derive-store.ts';
import { Sequence, type DeviceId } from '../reading.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import {
  allOf,
  bindingsKey,
  alarmsKey,
  committedKey,
  derivationKey,
  deviceStatusKey,
  evidenceKey,
  memoryKey,
  nameAt,
  numberAt,
  consentKey,
  ordersKey,
  payloadKey,
  pendingKey,
  profilesKey,
  quarantineKey,
  sightingKey,
  summariesKey,
  watchKey,
  windowKey,
} from './keys.ts';

type Bindings = NonNullable<ReturnType<DerivedState['bindings']['get']>>;

/** The record under `D`: where the state stands. Small records of derivation are JSON: read by people when something is wrong. */
type Root = Readonly<{ cursor: number; entrySequence: number; epoch: number; succession?: DerivedState['succession']; totals: Totals; steady?: NonNullable<DerivedState['steady']> }>;

/** The record under `O`: how far entries are committed, which is at or ahead of where the state stands. */
type Committed = Resumption['committed'];

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
const fromJson = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));

export class StoredDerivation implements DeriveStore {
  readonly #store: KeyValueStore;
  #committed: number | undefined;
  /** Of the state, by key: what later checkpoints changed and the last one that was written whole does not know. */
  #unwritten = new Map<string, Change>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<Resumption> {
    let root: Root = { cursor: 0, entrySequence: 0, epoch: 1, totals: NOTHING_DERIVED.totals };
    const bindings = new Map<DeviceId, Bindings>();
    for await (const [key, value] of this.#store.range(allOf('D'))) {
      if (key.length === derivationKey().length) root = fromJson(value) as Root;
      else bindings.set(nameAt(key, 1) as DeviceId, fromJson(value) as Bindings);
    }
    const { steady, succession = {}, ...rest } = root;
    const state: DerivedState = {
      ...rest,
      steady,
      succession,
      orders: ((await this.#loadOne(ordersKey())) ?? NOTHING_DERIVED.orders) as DerivedState['orders'],
      consent: ((await this.#loadOne(consentKey())) ?? NOTHING_DERIVED.consent) as DerivedState['consent'],
      alarms: ((await this.#loadOne(alarmsKey())) ?? NOTHING_DERIVED.alarms) as DerivedState['alarms'],
      profiles: ((await this.#loadOne(profilesKey())) ?? []) as DerivedState['profiles'],
      bindings,
      devices: (await this.#loadNamed('I')) as DerivedState['devices'],
      sightings: (await this.#loadNamed('S')) as DerivedState['sightings'],
      memories: await this.#loadNamed('M'),
      seen: await this.#loadSeen(),
      watches: (await this.#loadNamed('X')) as DerivedState['watches'],
      summaries: (await this.#loadNamed('Y')) as DerivedState['summaries'],
    };
    return { state, committed: await this.#loadCommitted() };
  }

  async #loadCommitted(): Promise<Committed> {
    return ((await this.#loadOne(committedKey())) ?? { cursor: 0, entrySequence: 0 }) as Committed;
  }

  async #loadOne(key: Uint8Array): Promise<unknown> {
    const record = await this.#store.get(key);
    return record === undefined ? undefined : fromJson(record);
  }

  async #loadSeen(): Promise<ReadonlyMap<DeviceId, readonly SeenChunk[]>> {
    const seen = new Map<DeviceId, SeenChunk[]>();
    for await (const [key, identities] of this.#store.range(allOf('W'))) {
      const device = nameAt(key, 9) as DeviceId;
      const chunks = seen.get(device) ?? [];
      chunks.push({ window: Sequence(numberAt(key, 1)), identities });
      seen.set(device, chunks);
    }
    return seen;
  }

  async #loadNamed(letter: 'I' | 'M' | 'S' | 'X' | 'Y'): Promise<ReadonlyMap<string, unknown>> {
    const records = new Map<string, unknown>();
    for await (const [key, value] of this.#store.range(allOf(letter))) records.set(nameAt(key, 1), fromJson(value));
    return records;
  }

  /** After which frame derivation would go on if the process ended now. */
  async resumesAfter(): Promise<number> {
    return ((await this.#loadOne(derivationKey())) as Root | undefined)?.cursor ?? 0;
  }

  async commit(checkpoints: readonly Checkpoint[]): Promise<void> {
    const last = checkpoints.at(-1);
    if (last === undefined) return;
    this.#committed ??= (await this.#loadCommitted()).cursor;
    const committed = this.#committed;
    const said = checkpoints.filter(({ cursor }) => cursor > committed).flatMap(recordsOf);
    const { unwritten, written } = statesAfter(this.#unwritten, checkpoints);
    const { cursor, entrySequence } = last;
    const progress = cursor > committed ? [{ key: committedKey(), value: toJson({ cursor, entrySequence } satisfies Committed) }] : [];
    const changes = [...said, ...written, ...progress];
    if (changes.length > 0) await this.#store.write(changes, { sync: false });
    this.#unwritten = unwritten;
    this.#committed = Math.max(committed, cursor);
  }

  async continueAt({ cursor, entrySequence, lastStep, lastAlarm, succession, evidence }: ContinuationPoint, checkpoints: readonly Checkpoint[]): Promise<void> {
    const { written } = statesAfter(this.#unwritten, checkpoints);
    const { state } = await this.load();
    const last = checkpoints.at(-1);
    const root: Root = { ...(last === undefined ? rootIn(state) : rootOf(last)), cursor, entrySequence, succession };
    const alarms = checkpoints.findLast((each) => each.alarms !== undefined)?.alarms ?? state.alarms;
    const changes = [
      ...written,
      ...evidence.map((span) => ({ key: evidenceKey(span.last), value: toJson(span) })),
      { key: alarmsKey(), value: toJson({ ...alarms, lastStep: Math.max(alarms.lastStep, lastStep), lastAlarm: Math.max(alarms.lastAlarm, lastAlarm) }) },
      { key: derivationKey(), value: toJson(root) },
      { key: committedKey(), value: toJson({ cursor, entrySequence } satisfies Committed) },
    ];
    await this.#store.write(changes, { sync: true });
    this.#unwritten = new Map();
    this.#committed = cursor;
  }

  async forgetQuarantined(sequences: readonly Sequence[]): Promise<void> {
    await this.#store.write(sequences.map((sequence) => ({ key: quarantineKey(sequence) })), { sync: true });
  }

  async quarantine(from: Sequence, limit: number): Promise<readonly Quarantined[]> {
    const quarantined: Quarantined[] = [];
    for await (const [key, value] of this.#store.range({ ...allOf('Q'), gte: quarantineKey(from), limit })) {
      quarantined.push({ ...(fromJson(value) as Omit<Quarantined, 'sequence'>), sequence: Sequence(numberAt(key, 1)) });
    }
    return quarantined;
  }

  async evidenceFor(sequence: Sequence): Promise<EvidenceSpan | undefined> {
    for await (const [, value] of this.#store.range({ gte: evidenceKey(sequence), lt: evidenceKey(Number.MAX_SAFE_INTEGER), limit: 1 })) {
      return fromJson(value) as EvidenceSpan;
    }
    return undefined;
  }
}

/** Follows the state through checkpoints: what has to be written now, and what is kept until all of it is written. */
function statesAfter(before: ReadonlyMap<string, Change>, checkpoints: readonly Checkpoint[]): Readonly<{ unwritten: Map<string, Change>; written: readonly Change[] }> {
  let unwritten = new Map(before);
  const written: Change[] = [];
  for (const checkpoint of checkpoints) {
    for (const change of stateOf(checkpoint)) unwritten.set(Buffer.from(change.key).toString('latin1'), change);
    if (checkpoint.remembered === undefined) continue;
    written.push(...unwritten.values(), ...rememberedOf(checkpoint.remembered), { key: derivationKey(), value: toJson(rootOf(checkpoint)) });
    unwritten = new Map();
  }
  return { unwritten, written };
}

const rootIn = ({ cursor, entrySequence, epoch, succession, totals, steady }: DerivedState): Root => ({ cursor, entrySequence, epoch, succession, totals, ...(steady === undefined ? {} : { steady }) });
const rootOf = ({ cursor, entrySequence, epoch, succession, totals, steady }: Checkpoint): Root => ({ cursor, entrySequence, epoch, succession, totals, ...(steady === undefined ? {} : { steady }) });

/** What a window gave for others to read. */
function recordsOf({ entries, evidence, quarantined, released }: Checkpoint): Change[] {
  return [
    ...entries.map((entry) => ({ key: pendingKey(entry.lane, entry.sequence), value: entry.bytes })),
    ...entries.flatMap(({ sequence, sealed }) => (sealed === undefined ? [] : [{ key: payloadKey(sequence), value: sealed }])),
    { key: evidenceKey(evidence.last), value: toJson(evidence) },
    ...quarantined.map(({ sequence, ...rest }) => ({ key: quarantineKey(sequence), value: toJson(rest) })),
    ...released.map((sequence) => ({ key: quarantineKey(sequence) })),
  ];
}

function stateOf({ cursor, profiles, memories, bindings, devices, sightings, seen, forgotten, orders, consent, alarms }: Checkpoint): Change[] {
  return [
    ...(profiles === undefined ? [] : [{ key: profilesKey(), value: toJson(profiles) }]),
    ...(consent === undefined ? [] : [{ key: consentKey(), value: toJson(consent) }]),
    ...(orders === undefined ? [] : [{ key: ordersKey(), value: toJson(orders) }]),
    ...(alarms === undefined ? [] : [{ key: alarmsKey(), value: toJson(alarms) }]),
    ...[...memories].map(([name, memory]) => ({ key: memoryKey(name), value: toJson(memory) })),
    ...[...bindings].map(([device, decided]) => ({ key: bindingsKey(device), value: toJson(decided) })),
    ...[...devices].map(([device, status]) => ({ key: deviceStatusKey(device), value: toJson(status) })),
    ...[...sightings].map(([name, sighting]) => ({ key: sightingKey(name), ...(sighting === undefined ? {} : { value: toJson(sighting) }) })),
    ...[...seen].map(([device, identities]) => ({ key: windowKey(cursor, device), value: identities })),
    ...forgotten.map(({ window, device }) => ({ key: windowKey(window, device) })),
  ];
}

const rememberedOf = ({ watches, summaries }: NonNullable<Checkpoint['remembered']>): Change[] => [
  ...[...watches].map(([name, watch]) => ({ key: watchKey(name), ...(watch === undefined ? {} : { value: toJson(watch) }) })),
  ...[...summaries].map(([name, open]) => ({ key: summariesKey(name), ...(open === undefined ? {} : { value: toJson(open) }) })),
];
