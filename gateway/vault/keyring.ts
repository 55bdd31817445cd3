/**
 * The keys under which everything personal lies on the disk: many small ones, so that one can be destroyed without touching the
 * others. A key belongs to an owner for one epoch, and says of whom the data under it tell. Destroying a key destroys what lies under it,
 * wherever copies of that are.
 *
 *     patient/anna, room/7, gateway       what derivation says of them, in payloads of entries
 *     device/clip, said/patient/anna,     frames of the journal: of a device, what people said of a subject, everything else
 *     journal
 *     state, index                        what is remembered, and the names it lies under
 */

import { StoreError } from '../errors.ts';
import { SECRET_BYTES } from './kdf.ts';

export const KEY_ID_BYTES = 8;
/** Before the name of a subject: the owner of what people said of it. */
export const SAID_OF = 'said/';
export const JOURNAL_OWNER = 'journal';
/** Names are found by what comes from its key: it has one for ever. */
export const INDEX_OWNER = 'index';

export type VaultKey = Readonly<{
  /** 8 random bytes, hexadecimal: its name in what lies under it. It tells nothing of its owner. */
  id: string;
  owner: string;
  /** The epoch it was made in. Epochs are counted from 1 and have no gaps. */
  epoch: number;
  secret: Uint8Array;
  /** Names of the subjects (`patient/anna`) whose data may lie under it. */
  about: readonly string[];
}>;

/** Where keys are kept (keyring-file.ts). */
export interface KeyShelf {
  load(): readonly VaultKey[];
  /** MUST NOT return before they would survive a power cut. A later key of the same id replaces the earlier. Throws {@link StoreError}. */
  add(keys: readonly VaultKey[]): void;
  /** Keeps these and no others, and makes what was kept before unreadable, as far as the disk lets it (README). Throws {@link StoreError}. */
  replace(keys: readonly VaultKey[]): void;
}

export class Keyring {
  readonly #shelf: KeyShelf;
  readonly #random: (size: number) => Uint8Array;
  readonly #byId = new Map<string, VaultKey>();
  readonly #current = new Map<string, VaultKey>();
  #unsaved: VaultKey[] = [];
  #epoch: number;

  /** Throws {@link StoreError} for a shelf that cannot be read. */
  constructor(shelf: KeyShelf, random: (size: number) => Uint8Array) {
    this.#shelf = shelf;
    this.#random = random;
    this.#epoch = 1;
    for (const key of shelf.load()) this.#put(key);
    for (const { epoch } of this.#byId.values()) this.#epoch = Math.max(this.#epoch, epoch);
  }

  #put(key: VaultKey): void {
    this.#byId.set(key.id, key);
    const before = this.#current.get(key.owner);
    if (before === undefined || before.id === key.id || key.epoch >= before.epoch) this.#current.set(key.owner, key);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** From now on new keys are of this epoch. Smaller numbers than now change nothing. */
  enter(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** The key under which new data of an owner lie. One that is new is kept only by {@link save}. */
  current(owner: string): VaultKey {
    const key = this.#current.get(owner);
    return key !== undefined && key.epoch >= this.#epoch ? key : this.#make(owner, key?.about ?? aboutOf(owner));
  }

  /** The first key of an owner, whatever the epoch: for what must not change with it. */
  first(owner: string): VaultKey {
    return this.all().find((key) => key.owner === owner) ?? this.current(owner);
  }

  /** Another key for what an owner has from now on, of which the subjects in `about` are told. */
  turn(owner: string, about: readonly string[]): VaultKey {
    return this.#make(owner, [...new Set([...aboutOf(owner), ...about])]);
  }

  /** What lies under the owner's key of now is about these subjects, too. */
  alsoAbout(owner: string, about: readonly string[]): void {
    const key = this.#current.get(owner);
    if (key === undefined || about.every((each) => key.about.includes(each))) return;
    this.#keep({ ...key, about: [...new Set([...key.about, ...about])] });
  }

  #make(owner: string, about: readonly string[]): VaultKey {
    const id = Buffer.from(this.#random(KEY_ID_BYTES)).toString('hex');
    const key = { id, owner, epoch: this.#epoch, secret: this.#random(SECRET_BYTES), about };
    this.#keep(key);
    return key;
  }

  #keep(key: VaultKey): void {
    this.#put(key);
    this.#unsaved.push(key);
  }

  /** Takes keys that were made elsewhere (derive/subject-keys.ts), and keeps them durably. Throws {@link StoreError}. */
  adopt(keys: readonly VaultKey[]): void {
    for (const key of keys) if (!this.#byId.has(key.id)) this.#keep(key);
    this.save();
  }

  /** Makes all keys durable. What lies under a key MUST NOT become durable before it. Throws {@link StoreError}. */
  save(): void {
    if (this.#unsaved.length === 0) return;
    this.#shelf.add(this.#unsaved);
    this.#unsaved = [];
  }

  /** Undefined for one that was destroyed. */
  byId(id: string): VaultKey | undefined {
    return this.#byId.get(id);
  }

  /** All of them, in the order in which they were made. */
  all(): readonly VaultKey[] {
    return [...this.#byId.values()];
  }

  /** Destroys keys for good. Throws {@link StoreError}; then all are there still. */
  destroy(ids: ReadonlySet<string>): void {
    const kept = this.all().filter(({ id }) => !ids.has(id));
    this.#shelf.replace(kept);
    this.#unsaved = [];
    for (const id of ids) this.#forget(id);
  }

  #forget(id: string): void {
    const key = this.#byId.get(id);
    this.#byId.delete(id);
    if (key !== undefined && this.#current.get(key.owner)?.id === id) this.#current.delete(key.owner);
    key?.secret.fill(0);
  }
}

/** Patients and rooms are told of by what is theirs, and by what was said of them. */
function aboutOf(owner: string): readonly string[] {
  const name = owner.startsWith(SAID_OF) ? owner.slice(SAID_OF.length) : owner;
  return /^(?:patient|room)\//.test(name) ? [name] : [];
}

/** A shelf that forgets everything with the process, for commands and tests that keep nothing. */
export class NoShelf implements KeyShelf {
  readonly #keys: readonly VaultKey[];
  constructor(keys: readonly VaultKey[] = []) {
    this.#keys = keys;
  }
  load(): readonly VaultKey[] {
    return this.#keys;
  }
  add(): void {
    throw new StoreError('VG_STORE_WRITE', 'these keys are only read: nothing new can be kept under them');
  }
  replace(): void {
    this.add();
  }
}
