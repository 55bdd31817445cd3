/**
 * The keyring on disk: `keyring.<n>` under the key of generation n, which is in `vault.key` with n.
 *
 *     "VGK1"                                              4 bytes
 *     chunks: length (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16)   AES-256-GCM, bound to generation (8) ‖ number of the chunk (8)
 *
 * A chunk is a list of keys in JSON and is appended with one fsync. Destroying keys writes the others into a file of the next
 * generation under a new key, puts that key into `vault.key`, and then overwrites the file before. A crash between leaves one of
 * the two generations whole; a chunk that was torn by one was never said to be kept.
 */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError, messageOf } from '../errors.ts';
import { NONCE_BYTES, openBytes, sealBytes, TAG_BYTES } from './aead.ts';
import { SECRET_BYTES } from './kdf.ts';
import type { KeyShelf, VaultKey } from './keyring.ts';

const MAGIC = Buffer.from('VGK1', 'latin1');

/** The key of the keyring and which generation it opens. */
export type RootKey = Readonly<{ generation: number; secret: Uint8Array }>;

/** Where the root key is (root-key.ts). `write` MUST replace it durably and as a whole. */
export type RootKeyPlace = Readonly<{ read: () => RootKey | undefined; write: (key: RootKey) => void }>;

export type KeyringFileOptions = Readonly<{ folder: string; root: RootKeyPlace; random: (size: number) => Uint8Array; readOnly?: boolean }>;

type Stored = Omit<VaultKey, 'secret'> & Readonly<{ secret: string }>;

export class KeyringFile implements KeyShelf {
  readonly #options: KeyringFileOptions;
  #root: RootKey;
  #chunks = 0;
  /** Bytes of whole chunks. */
  #size = 0;

  /** Makes an empty one where there is none. Throws {@link StoreError} when root key and file do not belong together. */
  constructor(options: KeyringFileOptions) {
    this.#options = options;
    const root = options.root.read();
    if (root === undefined) {
      if (keyringsIn(options.folder).length > 0) {
        throw new StoreError('VG_STORE_CORRUPT', `${options.folder} holds a keyring but its root key is missing: restore vault.key from the copy you keep, or everything personal stays unreadable`);
      }
      this.#root = { generation: 1, secret: options.random(SECRET_BYTES) };
      this.#create([]);
      options.root.write(this.#root);
    } else {
      this.#root = root;
    }
    if (options.readOnly !== true) this.#removeOthers();
  }

  get #path(): string {
    return pathOf(this.#options.folder, this.#root.generation);
  }

  load(): readonly VaultKey[] {
    const bytes = this.#read();
    const keys = new Map<string, VaultKey>();
    let offset = MAGIC.length;
    this.#chunks = 0;
    while (offset + 4 <= bytes.length) {
      const end = offset + 4 + bytes.readUInt32BE(offset);
      if (end > bytes.length) break;
      for (const key of this.#openChunk(bytes.subarray(offset + 4, end))) keys.set(key.id, key);
      this.#chunks += 1;
      offset = end;
    }
    this.#size = offset;
    if (offset < bytes.length && this.#options.readOnly !== true) this.#truncate();
    return [...keys.values()];
  }

  #read(): Buffer {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path);
    } catch (cause) {
      throw new StoreError('VG_STORE_READ', `the keyring ${this.#path} cannot be read: ${messageOf(cause)}`, { cause });
    }
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new StoreError('VG_STORE_CORRUPT', `${this.#path} is not a keyring`);
    return bytes;
  }

  #openChunk(chunk: Buffer): readonly VaultKey[] {
    const plain = openBytes(this.#root.secret, chunk.subarray(0, NONCE_BYTES), chunk.subarray(NONCE_BYTES), this.#bound());
    if (plain === undefined) throw new StoreError('VG_STORE_CORRUPT', `chunk ${this.#chunks} of the keyring ${this.#path} does not open: the file was changed, or vault.key is of another gateway`);
    return (JSON.parse(plain.toString('utf8')) as Stored[]).map((each) => ({ ...each, secret: Buffer.from(each.secret, 'hex') }));
  }

  #bound(): Buffer {
    const bound = Buffer.alloc(16);
    bound.writeBigUInt64BE(BigInt(this.#root.generation), 0);
    bound.writeBigUInt64BE(BigInt(this.#chunks), 8);
    return bound;
  }

  add(keys: readonly VaultKey[]): void {
    this.#writing(() => {
      const chunk = this.#chunkOf(keys);
      const file = openSync(this.#path, 'r+');
      try {
        writeAll(file, chunk, this.#size);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      this.#chunks += 1;
      this.#size += chunk.length;
    });
  }

  #chunkOf(keys: readonly VaultKey[]): Buffer {
    const plain = Buffer.from(JSON.stringify(keys.map(({ secret, ...rest }): Stored => ({ ...rest, secret: Buffer.from(secret).toString('hex') }))), 'utf8');
    const nonce = this.#options.random(NONCE_BYTES);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(NONCE_BYTES + plain.length + TAG_BYTES);
    return Buffer.concat([head, nonce, sealBytes(this.#root.secret, nonce, plain, this.#bound())]);
  }

  replace(keys: readonly VaultKey[]): void {
    this.#writing(() => {
      const before = { path: this.#path, root: this.#root };
      this.#root = { generation: before.root.generation + 1, secret: this.#options.random(SECRET_BYTES) };
      try {
        this.#create(keys);
        this.#options.root.write(this.#root);
      } catch (error) {
        this.#root = before.root;
        this.load();
        throw error;
      }
      shred(before.path);
      before.root.secret.fill(0);
    });
  }

  #create(keys: readonly VaultKey[]): void {
    this.#chunks = 0;
    const bytes = keys.length === 0 ? MAGIC : Buffer.concat([MAGIC, this.#chunkOf(keys)]);
    this.#writing(() => {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        writeAll(file, bytes, 0);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      syncFolder(this.#options.folder);
    });
    this.#chunks = keys.length === 0 ? 0 : 1;
    this.#size = bytes.length;
  }

  #truncate(): void {
    this.#writing(() => {
      const file = openSync(this.#path, 'r+');
      try {
        ftruncateSync(file, this.#size);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
  }

  /** Generations that a crash left behind. */
  #removeOthers(): void {
    for (const name of keyringsIn(this.#options.folder)) {
      const path = join(this.#options.folder, name);
      if (path !== this.#path) this.#writing(() => shred(path));
    }
  }

  #writing(write: () => void): void {
    if (this.#options.readOnly === true) throw new StoreError('VG_STORE_WRITE', 'the keyring was opened for reading');
    try {
      write();
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      throw new StoreError('VG_STORE_WRITE', `the keyring ${this.#path} cannot be written: ${messageOf(cause)}`, { cause });
    }
  }
}

const pathOf = (folder: string, generation: number): string => join(folder, `keyring.${generation}`);

const keyringsIn = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => /^keyring\.\d+$/.test(name)) : []);

/** Overwrites, then removes. What a file system or a flash card keeps besides is out of reach (README). */
function shred(path: string): void {
  const { size } = statSync(path);
  const file = openSync(path, 'r+');
  try {
    writeAll(file, Buffer.alloc(size), 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  rmSync(path);
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
