/** The data path of a gateway over any engine, without network: frames go in, sealed blocks come out. */

import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { Doorbell } from '../../gateway/doorbell.ts';
import type { StoreError } from '../../gateway/errors.ts';
import type { Clock } from '../../gateway/ingest/clock.ts';
import type { ErasableJournal } from '../../gateway/ingest/journal.ts';
import { firstAuthority } from '../../gateway/ledger/authority.ts';
import type { Term } from '../../gateway/ledger/terms.ts';
import { beginChain } from '../../gateway/ledger/begin-chain.ts';
import type { BlockStore, PendingEntries } from '../../gateway/ledger/block-store.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { decodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { fingerprintBytes, type SigningKey } from '../../gateway/ledger/es256k.ts';
import type { GenesisParameters } from '../../gateway/ledger/genesis.ts';
import { signReceipt } from '../../gateway/ledger/receipt.ts';
import { verifyBlock, type VerifiedBlock } from '../../gateway/ledger/verify.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { KiB, Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { DeviceId, Frame, Lane } from '../../gateway/reading.ts';
import { StoredBlocks, StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { traceMessage, type Trace } from '../../gateway/trace.ts';
import { START } from '../derive/story.ts';
import { Keyring } from '../../gateway/vault/keyring.ts';
import { random } from '../vault/folder-keys.ts';
import { MemoryShelf } from '../vault/known-keys.ts';
import { GATEWAY, keyOf, parametersOf } from '../upstream/gateway-chain.ts';

const HOSPITALS = ['north', 'south'] as const;

const started = performance.now();
/** A wall clock that stands still, beside the monotonic clock that paces sealing. */
const CLOCK: Clock = { now: () => START, uptime: () => Millis(performance.now() - started), trust: () => 'synchronised' };

type Parts = Readonly<{
  journal: ErasableJournal;
  deriveStore: StoredDerivation;
  blocks: BlockStore;
  pending: PendingEntries;
  chain: Uint8Array;
  parameters: GenesisParameters;
  terms: (lane: Lane) => readonly Term[];
  keyring: Keyring;
}>;

export class House implements AsyncDisposable {
  readonly parts: Parts;
  readonly sealed: VerifiedBlock[] = [];
  readonly checkpoints: Checkpoint[] = [];
  readonly faults: (StoreError | undefined)[] = [];
  accepted = 0;
  readonly #noted = new Doorbell();
  #pipeline: Pipeline | undefined;

  private constructor(parts: Parts) {
    this.parts = parts;
  }

  /** Opens everything over the store, a chain of two hospitals with it, and starts. `shelf`: of the store's keys, where it is not new. */
  static async open(store: KeyValueStore, sealAge = Millis(20), shelf = new MemoryShelf()): Promise<House> {
    const blocks = new StoredBlocks(store, { removePending: true });
    const { chain, parameters } = await beginChain({ blocks, key: GATEWAY, now: CLOCK.now, propose: () => parametersOf(HOSPITALS) });
    const keyring = new Keyring(shelf, random);
    const journal = await openJournal(store, { bootId: new Uint8Array(16), keys: keyring, random });
    const house = new House(
      { journal, deriveStore: new StoredDerivation(store), blocks, pending: new StoredPendingEntries(store), chain, parameters, keyring, terms: () => [{ from: 0, authority: firstAuthority(parameters) }] }
    );
    house.#pipeline = await Pipeline.start({
      ...house.parts, begun: firstAuthority(parameters), keyFor: () => GATEWAY, random, clock: CLOCK, seal: { entries: 50, bytes: KiB(16), age: sealAge },
      observe: {
        accepted: (_run, messages) => house.#note(() => (house.accepted += messages)),
        derived: (checkpoints) => house.#note(() => house.checkpoints.push(...checkpoints)),
        sealed: (block) => house.#note(() => house.sealed.push(block)),
        storeFault: (fault) => house.#note(() => house.faults.push(fault)),
        loopFault: (_loop, fault) => house.#note(() => house.faults.push(fault)),
      },
    });
    return house;
  }

  get pipeline(): Pipeline {
    if (this.#pipeline === undefined) throw new Error('the house is not open');
    return this.#pipeline;
  }

  /** Accepts frames and waits until a block of the record lane covers the last of them. */
  async seal(...frames: readonly Frame[]): Promise<number[]> {
    const sequences = await Promise.all(frames.map((frame) => this.pipeline.accept(frame)));
    await this.until(() => this.coveredThrough() >= Math.max(...sequences));
    return sequences;
  }

  coveredThrough(): number {
    const last = this.sealed.flatMap(({ entries }) => entries).map((bytes) => decodeEntry(bytes)).findLast(
      ({ kind }) => kind === 'evidence'
    );
    return (last?.fields.get('last') as number | undefined) ?? 0;
  }

  /** Waits until it holds, asking whenever something was observed; the test's own time limit is the limit. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#noted.wait();
  }

  #note(keep: () => unknown): void {
    keep();
    this.#noted.ring();
  }

  /** A hospital's receipt for a block of the record lane, as the relay stores it. */
  async receipt(name: string, height: number, key: SigningKey = keyOf(name)): Promise<void> {
    const id = { chain: this.parts.chain, lane: 'record' } as const;
    const { header, hash } = openBlock(await this.parts.blocks.block(id, height) as Uint8Array);
    const receipt = signReceipt(
      { ...id, height, hash, treeSize: header.treeSize, treeRoot: header.treeRoot, time: UnixMillis(START + 1) }, key,
    );
    await this.parts.blocks.putReceipt(id, height, fingerprintBytes(key.publicKey), receipt);
  }

  trace(device: string, sequence?: number): Promise<Trace> {
    const sources = { ...this.parts, derived: this.pipeline.derived };
    return traceMessage(sources, device as DeviceId, sequence as Parameters<typeof traceMessage>[2]);
  }

  /** Verifies every block of a lane from its genesis block on and returns the entries. */
  async audit(lane: Lane): Promise<Entry[]> {
    const entries: Entry[] = [];
    let state: VerifiedBlock['state'] | undefined;
    for await (const bytes of this.parts.blocks.blocks({ chain: this.parts.chain, lane }, 0)) {
      const verified = verifyBlock(state, bytes, { chain: this.parts.chain, lane });
      ({ state } = verified);
      entries.push(...verified.entries.map((entry) => decodeEntry(entry)));
    }
    return entries;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipeline?.stop();
  }
}
