import type { SubjectContext, ThresholdRule } from '../context/rules.ts';
import type { Checkpoint, DeriveStore, DerivedState, EvidenceSpan, Quarantined, SeenChunk, Totals } from '../derive/derive-store.ts';
import { Sequence, type DeviceId } from '../reading.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import {
  allOf,
  bindingsKey,
  contextKey,
  derivationKey,
  deviceStatusKey,
  evidenceKey,
  memoryKey,
  nameAt,
  numberAt,
  payloadKey,
  pendingKey,
  profilesKey,
  quarantineKey,
  sightingKey,
  windowKey,
} from './keys.ts';

type Bindings = NonNullable<ReturnType<DerivedState['bindings']['get']>>;

/** The record under `D`. Small records of derivation are JSON: read by people when something is wrong. */
type Root = Readonly<{ cursor: number; entrySequence: number; rules: readonly ThresholdRule[]; contract?: string; totals: Totals; steady?: NonNullable<DerivedState['steady']> }>;

const NOTHING_YET: Root = {
  cursor: 0,
  entrySequence: 0,
  rules: [],
  totals: { readings: 0, duplicates: 0, events: 0, implausibleDeviceClocks: 0, quarantined: {}, recovered: 0 },
};

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');
const fromJson = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString('utf8'));

export class StoredDerivation implements DeriveStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(): Promise<DerivedState> {
    let root = NOTHING_YET;
    const bindings = new Map<DeviceId, Bindings>();
    for await (const [key, value] of this.#store.range(allOf('D'))) {
      if (key.length === derivationKey().length) root = fromJson(value) as Root;
      else bindings.set(nameAt(key, 1) as DeviceId, fromJson(value) as Bindings);
    }
    const { contract, steady, ...rest } = root;
    return {
      ...rest,
      steady,
      contract: contract === undefined ? undefined : Buffer.from(contract, 'hex'),
      profiles: await this.#loadProfiles(),
      bindings,
      devices: (await this.#loadNamed('I')) as DerivedState['devices'],
      sightings: (await this.#loadNamed('S')) as DerivedState['sightings'],
      memories: await this.#loadNamed('M'),
      seen: await this.#loadSeen(),
      contexts: (await this.#loadNamed('X')) as ReadonlyMap<string, SubjectContext>,
    };
  }

  async #loadProfiles(): Promise<DerivedState['profiles']> {
    const record = await this.#store.get(profilesKey());
    return record === undefined ? [] : (fromJson(record) as DerivedState['profiles']);
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

  async #loadNamed(letter: 'I' | 'M' | 'S' | 'X'): Promise<ReadonlyMap<string, unknown>> {
    const records = new Map<string, unknown>();
    for await (const [key, value] of this.#store.range(allOf(letter))) records.set(nameAt(key, 1), fromJson(value));
    return records;
  }

  async commit(checkpoints: readonly Checkpoint[]): Promise<void> {
    const last = checkpoints.at(-1);
    if (last === undefined) return;
    const { cursor, entrySequence, rules, contract, totals, steady } = last;
    const root: Root = { cursor, entrySequence, rules, totals, ...(steady === undefined ? {} : { steady }), ...(contract === undefined ? {} : { contract: Buffer.from(contract).toString('hex') }) };
    const changes = checkpoints.flatMap(changesOf);
    await this.#store.write([...changes, { key: derivationKey(), value: toJson(root) }], { sync: false });
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

function changesOf(checkpoint: Checkpoint): Change[] {
  const { cursor, entries, evidence, quarantined, released, profiles, memories, bindings, devices, sightings, seen, forgotten, contexts } = checkpoint;
  return [
    ...entries.map((entry) => ({ key: pendingKey(entry.lane, entry.sequence), value: entry.bytes })),
    ...entries.flatMap(({ sequence, secret }) =>
      secret === undefined ? [] : [{ key: payloadKey(sequence), value: Buffer.concat([secret.salt, secret.payload]) }],
    ),
    { key: evidenceKey(evidence.last), value: toJson(evidence) },
    ...quarantined.map(({ sequence, ...rest }) => ({ key: quarantineKey(sequence), value: toJson(rest) })),
    ...released.map((sequence) => ({ key: quarantineKey(sequence) })),
    ...(profiles === undefined ? [] : [{ key: profilesKey(), value: toJson(profiles) }]),
    ...[...memories].map(([name, memory]) => ({ key: memoryKey(name), value: toJson(memory) })),
    ...[...bindings].map(([device, decided]) => ({ key: bindingsKey(device), value: toJson(decided) })),
    ...[...devices].map(([device, status]) => ({ key: deviceStatusKey(device), value: toJson(status) })),
    ...[...sightings].map(([name, sighting]) => ({ key: sightingKey(name), ...(sighting === undefined ? {} : { value: toJson(sighting) }) })),
    ...[...seen].map(([device, identities]) => ({ key: windowKey(cursor, device), value: identities })),
    ...forgotten.map(({ window, device }) => ({ key: windowKey(window, device) })),
    ...[...contexts].map(([name, context]) => ({ key: contextKey(name), value: toJson(context) })),
  ];
}
