/** A gateway reduced to what it gives a hospital: entries in blocks of two lanes, payloads under content keys, erasures. */

import { randomBytes } from 'node:crypto';
import type { BlockStore, LaneId } from '../../gateway/ledger/block-store.ts';
import { encode, type CborValue } from '../../gateway/ledger/cbor.ts';
import { commitment, encodeEntry, type EntryKind, type FieldValue } from '../../gateway/ledger/entry.ts';
import { chainIdOf, encodeParameters } from '../../gateway/ledger/genesis.ts';
import type { Release, ReleasedKey, ReleasedPayload } from '../../gateway/ledger/release.ts';
import { sealBlock, sealGenesis, type SealedBlock } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Lane } from '../../gateway/reading.ts';
import { hpkePairFrom } from '../../gateway/vault/hpke.ts';
import { Keyring } from '../../gateway/vault/keyring.ts';
import { contentSecret, releaseKeyId, sealContent, sealContentKey } from '../../gateway/vault/release.ts';
import { keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { countingBytes, MemoryShelf } from '../vault/known-keys.ts';

/** The hospital that everything is given to. */
export const NORTH = { pair: hpkePairFrom(new Uint8Array(32).fill(9)), recipient: keyOf('north').publicKey };

export const START = UnixMillis(1_790_000_000_000);

type Written = Readonly<{ owner: string; salt: Uint8Array; payload: Uint8Array; key: Uint8Array; secret: Uint8Array }>;

export type EntryOptions = Readonly<{ lane?: Lane; kind?: EntryKind; time?: number; fields?: Readonly<Record<string, FieldValue>>; payload?: CborValue }>;

export class GivingGateway {
  readonly chain: Uint8Array;
  readonly keyring: Keyring;
  readonly #gateway;
  readonly #parameters;
  readonly #heads = new Map<Lane, SealedBlock>();
  readonly #waiting = new Map<Lane, Uint8Array[]>();
  readonly #written = new Map<number, Written>();
  #entry = 0;
  #number = 0;

  /** Two of one `secrets` have the same keys, and so call people the same. */
  constructor(name = 'gateway', secrets = 0) {
    const random = countingBytes();
    for (let n = 0; n < secrets; n++) random(32 * 1024);
    this.keyring = new Keyring(new MemoryShelf(), random);
    this.#gateway = keyOf(name);
    this.#parameters = parametersOf(['north'], this.#gateway);
    this.chain = chainIdOf(encodeParameters(this.#parameters));
  }

  /** From now on keys are of this epoch. */
  enter(epoch: number): void {
    this.keyring.enter(epoch);
  }

  /** Writes an entry about `owner` (`patient/anna`), to be sealed in the next block of its lane, and returns its number. */
  write(owner: string, { lane = 'record', kind = 'summary', time = START, fields = {}, payload }: EntryOptions = {}): number {
    const sequence = (this.#entry += 1);
    const salt = randomBytes(32);
    const bytes = encode(payload ?? new Map<string, CborValue>([['says', `${owner} ${sequence}`], ['value', sequence / 2]]), { floats: true });
    const key = this.keyring.current(owner);
    this.#written.set(sequence, { owner, salt, payload: bytes, key: releaseKeyId(key, NORTH.recipient), secret: contentSecret(key, NORTH.recipient) });
    const entry = encodeEntry({ kind, sequence, time: UnixMillis(time), subject: randomBytes(16), fields: new Map(Object.entries(fields)), commit: commitment(salt, bytes) });
    this.#waiting.set(lane, [...(this.#waiting.get(lane) ?? []), entry]);
    return sequence;
  }

  /** Seals what waits in a lane into one block, and keeps that. */
  async seal(blocks: BlockStore, lane: Lane = 'record'): Promise<void> {
    const id: LaneId = { chain: this.chain, lane };
    const key = this.#gateway;
    const head = this.#heads.get(lane) ?? (await this.#keep(blocks, id, await sealGenesis({ lane, parameters: this.#parameters, time: START, key })));
    const entries = this.#waiting.get(lane) ?? [];
    this.#waiting.delete(lane);
    if (entries.length > 0) await this.#keep(blocks, id, await sealBlock({ state: head.newState, entries, time: START, key, contracts: [] }));
  }

  async #keep(blocks: BlockStore, id: LaneId, block: SealedBlock): Promise<SealedBlock> {
    const { outcome } = await blocks.append({ bytes: block.bytes, verified: verifyBlock(await blocks.head(id), block.bytes) });
    if (outcome !== 'committed') throw new Error(`the store says ${outcome}`);
    this.#heads.set(id.lane, block);
    return block;
  }

  /** The content key under which an entry's payload lies, by id. */
  keyOf(entry: number): Uint8Array {
    return this.#writtenAt(entry).key;
  }

  #writtenAt(entry: number): Written {
    const written = this.#written.get(entry);
    if (written === undefined) throw new Error(`no entry ${entry} was written`);
    return written;
  }

  /** The content key of an owner for an epoch, sealed for the hospital. */
  async sealedKey(owner: string, epoch = this.keyring.epoch): Promise<ReleasedKey> {
    const key = this.keyring.all().find((each) => each.owner === owner && each.epoch === epoch);
    if (key === undefined) throw new Error(`${owner} has no key of epoch ${epoch}`);
    return await sealContentKey(this.keyring, key, { key: NORTH.recipient, hpke: NORTH.pair.publicBytes }, this.chain);
  }

  /** `excerpt`: this instead of the whole. `salt`: another than it was committed with. */
  sealedPayload(entry: number, { excerpt, salt }: Readonly<{ excerpt?: CborValue; salt?: Uint8Array }> = {}): ReleasedPayload {
    const { key, secret, ...whole } = this.#writtenAt(entry);
    const content = excerpt === undefined ? { salt: salt ?? whole.salt, payload: whole.payload } : { payload: encode(excerpt, { floats: true }) };
    return { key, entry, sealed: sealContent(secret, content, { chain: this.chain, entry }, randomBytes) };
  }

  release(parts: Partial<Pick<Release, 'keys' | 'payloads' | 'erased'>>): Release {
    this.#number += 1;
    return { chain: this.chain, recipient: NORTH.recipient, number: this.#number, keys: [], payloads: [], erased: [], ...parts };
  }
}
