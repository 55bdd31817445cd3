/** A gateway reduced to its pen: it seals blocks of one lane that a hospital can judge. */

import type { BlockStore, LaneId } from '../../gateway/ledger/block-store.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { encodeEntry } from '../../gateway/ledger/entry.ts';
import { signingKeyFrom, type SigningKey } from '../../gateway/ledger/es256k.ts';
import { chainIdOf, encodeParameters, type GenesisParameters } from '../../gateway/ledger/genesis.ts';
import { sealBlock, sealGenesis, type SealedBlock } from '../../gateway/ledger/sealer.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Lane } from '../../gateway/reading.ts';

/** A key that is the same in every run. */
export const keyOf = (name: string): SigningKey => signingKeyFrom(sha256(Buffer.from(name)));

export const GATEWAY = keyOf('gateway');

const START = UnixMillis(1_790_000_000_000);

export function parametersOf(hospitals: readonly string[] = ['north'], gateway = GATEWAY, work = 0): GenesisParameters {
  return {
    gateway: gateway.publicKey,
    hospitals: hospitals.map((name) => ({ name, key: keyOf(name).publicKey })),
    quorum: hospitals.length,
    work,
    created: START,
    nonce: new Uint8Array(16),
  };
}

/** An entry that says nothing but its number and a word, so that two stories can differ. */
const entry = (sequence: number, story: string): Uint8Array =>
  encodeEntry({ kind: 'event', sequence, time: START, fields: new Map([['story', story]]) });

export class ChainWriter {
  readonly id: LaneId;
  readonly blocks: SealedBlock[] = [];
  readonly #key: SigningKey;
  readonly #parameters: GenesisParameters;

  constructor(lane: Lane = 'record', parameters = parametersOf(), key = GATEWAY) {
    this.#parameters = parameters;
    this.#key = key;
    this.id = { chain: chainIdOf(encodeParameters(parameters)), lane };
  }

  /** A gateway with `count` blocks, the genesis block among them. */
  static async of(count: number, ...rest: ConstructorParameters<typeof ChainWriter>): Promise<ChainWriter> {
    const writer = new ChainWriter(...rest);
    while (writer.blocks.length < count) await writer.seal();
    return writer;
  }

  /** The same gateway once more, from before its last `forget` blocks: what an old copy of its disk would be. */
  copy(forget = 0): ChainWriter {
    const copy = new ChainWriter(this.id.lane, this.#parameters, this.#key);
    copy.blocks.push(...this.blocks.slice(0, this.blocks.length - forget));
    return copy;
  }

  get state(): ChainState | undefined {
    return this.blocks.at(-1)?.newState;
  }

  at(height: number): SealedBlock {
    const block = this.blocks[height];
    if (block === undefined) throw new Error(`no block ${height} was sealed`);
    return block;
  }

  /** The next block. `story` makes it another block than one sealed at this height with another story. */
  async seal(story = 'true'): Promise<SealedBlock> {
    const block = this.state === undefined ? await this.#genesis(story) : await this.#successor(this.state, story);
    this.blocks.push(block);
    return block;
  }

  async #genesis(story: string): Promise<SealedBlock> {
    const time = UnixMillis(START + story.length);
    return await sealGenesis({ lane: this.id.lane, parameters: this.#parameters, time, key: this.#key });
  }

  async #successor(state: ChainState, story: string): Promise<SealedBlock> {
    const first = state.lastEntrySequence + 1;
    return await sealBlock({ state, entries: [entry(first, story), entry(first + 1, story)], time: START, key: this.#key, contracts: [] });
  }

  /** Puts every block the store does not have yet into it, as sealing on the gateway does. */
  async keepIn(store: BlockStore): Promise<void> {
    const from = ((await store.head(this.id))?.height ?? -1) + 1;
    for (const { bytes } of this.blocks.slice(from)) {
      const { outcome } = await store.append({ bytes, verified: verifyBlock(await store.head(this.id), bytes) });
      if (outcome !== 'committed') throw new Error(`the store says ${outcome}`);
    }
  }
}

/** The block with one bit of its signature turned: everything fits but the key. */
export function withBrokenSignature({ bytes, hash }: SealedBlock): Uint8Array {
  const broken = Uint8Array.from(bytes);
  const marker = Buffer.from(broken.buffer).indexOf(Buffer.of(0x58, 0x40), 8);
  if (marker < 0 || hash.length !== 32) throw new Error('no signature found');
  broken[marker + 2 + 40] = (broken[marker + 2 + 40] as number) ^ 1;
  return broken;
}
