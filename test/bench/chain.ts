import { randomBytes } from 'node:crypto';
import { encodeEntry, SALT_BYTES, commitment } from '../../gateway/ledger/entry.ts';
import { generateSecret, signingKeyFrom, type SigningKey } from '../../gateway/ledger/es256k.ts';
import { sealBlock, sealGenesis, type SealedBlock } from '../../gateway/ledger/sealer.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

/** A record lane under a key of its own that grows block by block. */
export class GrowingLane {
  readonly genesis: SealedBlock;
  readonly #key: SigningKey;
  #state: ChainState;

  private constructor(genesis: SealedBlock, key: SigningKey) {
    this.genesis = genesis;
    this.#key = key;
    this.#state = genesis.newState;
  }

  static async begin(): Promise<GrowingLane> {
    const key = signingKeyFrom(generateSecret((size) => randomBytes(size)));
    const parameters = { gateway: key.publicKey, hospitals: [], quorum: 0, work: 0, created: now(), nonce: randomBytes(16) };
    return new GrowingLane(await sealGenesis({ lane: 'record', parameters, time: now(), key }), key);
  }

  /** The lane after its last block. */
  get state(): ChainState {
    return this.#state;
  }

  /** Entries that may stand in the next block: summaries of windows, as derivation makes them. */
  nextEntries(count: number): Uint8Array[] {
    return Array.from({ length: count }, (_, i) => summaryEntry(this.#state.lastEntrySequence + 1 + i));
  }

  async seal(entries: readonly Uint8Array[]): Promise<SealedBlock> {
    const sealed = await sealBlock({ state: this.#state, entries, time: now(), key: this.#key, contracts: [] });
    this.#state = sealed.newState;
    return sealed;
  }
}

const now = (): UnixMillis => UnixMillis(Date.now());

function summaryEntry(sequence: number): Uint8Array {
  const fields = new Map([['first', sequence * 100], ['last', sequence * 100 + 99]]);
  const commit = commitment(randomBytes(SALT_BYTES), Buffer.from(`payload of ${sequence}`));
  return encodeEntry({ kind: 'summary', sequence, time: now(), subject: randomBytes(16), fields, commit });
}
