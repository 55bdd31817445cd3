import { PSEUDONYM_BYTES } from '../ledger/entry.ts';
import { nameOf, type Subject } from '../reading.ts';
import { deriveSecret, SECRET_BYTES } from '../vault/kdf.ts';
import { KEY_ID_BYTES, type VaultKey } from '../vault/keyring.ts';

/** What belongs to no subject is the gateway's own. */
export const ownerOf = (subject: Subject | undefined): string => (subject === undefined ? 'gateway' : nameOf(subject));

/** Makes id and secret of a new key: random in a gateway. */
export type MakeKey = (owner: string, epoch: number) => Pick<VaultKey, 'id' | 'secret'>;

export const randomKeys = (random: (size: number) => Uint8Array): MakeKey => () => ({ id: Buffer.from(random(KEY_ID_BYTES)).toString('hex'), secret: random(SECRET_BYTES) });

/**
 * The keys of subjects as derivation uses them: one for each subject and epoch, so that the same journal gives the same bytes.
 * From a key come, each unpredictable without it and gone with it:
 *
 *     tag     = KDF(key, "tag" ‖ number)[0..16]     what an entry calls its subject: another word in every entry
 *     salt    = KDF(key, "salt" ‖ number)           of the entry's commitment
 *     number  = 8 bytes, big endian, of the entry
 *
 * A key that is not there yet is made, and given out with the entries that need it: it MUST be durable before them.
 */
export class SubjectKeys {
  readonly #keys = new Map<string, VaultKey>();
  readonly #make: MakeKey;
  readonly #input = { tag: Buffer.from('tag--------', 'latin1'), salt: Buffer.from('salt--------', 'latin1') };
  #epoch = 1;
  #made: VaultKey[] = [];

  /** `keys`: those that are there; of devices and the like, too. */
  constructor(keys: readonly VaultKey[], make: MakeKey) {
    this.#make = make;
    for (const key of keys) this.#keys.set(placeOf(key.owner, key.epoch), key);
  }

  get epoch(): number {
    return this.#epoch;
  }

  enter(epoch: number): void {
    this.#epoch = epoch;
  }

  /** The owner's key of this epoch. */
  current(owner: string): VaultKey {
    const place = placeOf(owner, this.#epoch);
    const key = this.#keys.get(place);
    if (key !== undefined) return key;
    const made: VaultKey = { ...this.#make(owner, this.#epoch), owner, epoch: this.#epoch, about: owner === 'gateway' ? [] : [owner] };
    this.#keys.set(place, made);
    this.#made.push(made);
    return made;
  }

  tag(key: VaultKey, entry: number): Uint8Array {
    return deriveSecret(key.secret, withNumber(this.#input.tag, entry)).subarray(0, PSEUDONYM_BYTES);
  }

  salt(key: VaultKey, entry: number): Uint8Array {
    return deriveSecret(key.secret, withNumber(this.#input.salt, entry));
  }

  /** Forgets the keys of an owner, up to and with an epoch: what comes after gets new ones. Returns their ids, in order. */
  forget(owner: string, through = Infinity): readonly string[] {
    const gone = [...this.#keys].filter(([, key]) => key.owner === owner && key.epoch <= through);
    for (const [place] of gone) this.#keys.delete(place);
    return gone.map(([, { id }]) => id).toSorted();
  }

  /** Those made since the last call. */
  takeMade(): readonly VaultKey[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }
}

const placeOf = (owner: string, epoch: number): string => `${epoch} ${owner}`;

function withNumber(input: Buffer, n: number): Buffer {
  // The upper half by division: an entry's number is below 2^53.
  input.writeUInt32BE(Math.floor(n / 2 ** 32), input.length - 8);
  input.writeUInt32BE(n % 2 ** 32, input.length - 4);
  return input;
}
