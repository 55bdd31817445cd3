/**
 * Key files that are sealed under a passphrase. A sealed file is one line:
 *
 *     vitalgate-sealed-key-1 argon2id m=65536 t=3 p=1 <salt> <nonce> <ciphertext ‖ tag>        the last three in base64
 *
 * The key is Argon2id of the passphrase (RFC 9106 §4, the second recommended set: 64 MiB, 3 passes); the cipher AES-256-GCM, bound to the
 * file's name, so that one cannot be put in another's place.
 */

import { argon2Sync } from 'node:crypto';
import { ConfigError } from '../errors.ts';
import { NONCE_BYTES, openBytes, sealBytes } from './aead.ts';
import { SECRET_BYTES } from './kdf.ts';
import type { PrivateFiles } from './root-key.ts';

const MARK = 'vitalgate-sealed-key-1';
const COST = { memory: 65_536, passes: 3, parallelism: 1 };
const COST_TEXT = `argon2id m=${COST.memory} t=${COST.passes} p=${COST.parallelism}`;
const SALT_BYTES = 16;

export type SealedFilesOptions = Readonly<{
  files: PrivateFiles;
  /** Undefined: nothing is sealed, and what is cannot be read. */
  passphrase: string | undefined;
  random: (size: number) => Uint8Array;
  /** Whether key files that lie there in clear are sealed when they are read. Only who owns the folder may do that. */
  sealsPlain: boolean;
}>;

export class SealedFiles implements PrivateFiles {
  readonly #options: SealedFilesOptions;
  /** By salt: making one takes a third of a second. */
  readonly #keys = new Map<string, Buffer>();

  constructor(options: SealedFilesOptions) {
    this.#options = options;
  }

  pathOf(name: string): string {
    return this.#options.files.pathOf(name);
  }

  /** Throws {@link ConfigError} for a file that is sealed under another passphrase, or under one when there is none. */
  read(name: string): string | undefined {
    const { files, passphrase, sealsPlain } = this.#options;
    const text = files.read(name);
    if (text === undefined || !isKey(name)) return text;
    if (isSealed(text)) return this.#open(name, text);
    if (passphrase !== undefined && sealsPlain) this.write(name, text);
    return text;
  }

  write(name: string, text: string): void {
    const { files, passphrase } = this.#options;
    files.write(name, passphrase === undefined || !isKey(name) ? text : this.#seal(name, text, passphrase));
  }

  remove(name: string): void {
    this.#options.files.remove(name);
  }

  #seal(name: string, text: string, passphrase: string): string {
    const { random } = this.#options;
    const salt = [...this.#keys.keys()][0] ?? Buffer.from(random(SALT_BYTES)).toString('base64');
    const nonce = random(NONCE_BYTES);
    const sealed = sealBytes(this.#keyUnder(passphrase, salt), nonce, Buffer.from(text, 'utf8'), boundTo(name));
    return `${[MARK, COST_TEXT, salt, Buffer.from(nonce).toString('base64'), sealed.toString('base64')].join(' ')}\n`;
  }

  #open(name: string, text: string): string {
    const { files, passphrase } = this.#options;
    const path = files.pathOf(name);
    if (passphrase === undefined) {
      throw new ConfigError(`the key file ${path} is sealed: give the passphrase as the systemd credential "vitalgate-passphrase", or name a file that holds it in VITALGATE_PASSPHRASE_FILE`);
    }
    const [salt = '', nonce = '', sealed = ''] = text.startsWith(`${MARK} ${COST_TEXT} `) ? text.trim().split(' ').slice(-3) : [];
    const [nonceBytes, sealedBytes] = [Buffer.from(nonce, 'base64'), Buffer.from(sealed, 'base64')];
    const readable = Buffer.from(salt, 'base64').length === SALT_BYTES && nonceBytes.length === NONCE_BYTES;
    const plain = readable ? openBytes(this.#keyUnder(passphrase, salt), nonceBytes, sealedBytes, boundTo(name)) : undefined;
    if (plain === undefined) throw new ConfigError(`the key file ${path} does not open: the passphrase is another, or the file was changed`);
    return plain.toString('utf8');
  }

  #keyUnder(passphrase: string, salt: string): Buffer {
    let key = this.#keys.get(salt);
    if (key === undefined) {
      key = argon2Sync('argon2id', { message: passphrase.normalize('NFC'), nonce: Buffer.from(salt, 'base64'), tagLength: SECRET_BYTES, ...COST });
      this.#keys.set(salt, key);
    }
    return key;
  }
}

/** Whether the text of a key file is sealed. */
export const isSealed = (text: string): boolean => text.startsWith(MARK);

const isKey = (name: string): boolean => name.endsWith('.key');
const boundTo = (name: string): Buffer => Buffer.from(`${MARK} ${name}`, 'utf8');
