import { equalBytes } from './ledger/bytes.ts';
import { generateSecret, signingKeyFrom, type SigningKey } from './ledger/es256k.ts';
import { secretIn } from './operations/data-folder.ts';
import type { PrivateFiles } from './vault/root-key.ts';

const KEY_FILE = 'gateway.key';
/** Of the key that is to follow. It is there before anybody hears of it, so that a crash in between costs nothing. */
const NEXT_KEY_FILE = 'gateway.next.key';

/**
 * The gateway's signing key and, while one follows the other, the next. Which of them a block needs stands in the chain, so both may be
 * here at any moment; the old one goes when no block needs it any more.
 */
export class GatewayKeys {
  readonly #files: PrivateFiles;
  readonly #random: (size: number) => Uint8Array;
  #current: SigningKey;
  #next: SigningKey | undefined;
  /** The first run made the key. */
  readonly created: boolean;
  /** Of the file of the key. */
  readonly path: string;

  /** Makes the key on the first run. Throws {@link ConfigError} for files that hold none. */
  constructor(files: PrivateFiles, random: (size: number) => Uint8Array) {
    this.#files = files;
    this.#random = random;
    const { secret, created, path } = secretIn(files, KEY_FILE, () => generateSecret(random));
    this.created = created;
    this.path = path;
    this.#current = signingKeyFrom(secret);
    if (files.read(NEXT_KEY_FILE) === undefined) return;
    const next = this.next();
    // A crash after it took the other's place.
    if (!equalBytes(next.publicKey, this.#current.publicKey)) return;
    files.remove(NEXT_KEY_FILE);
    this.#next = undefined;
  }

  get current(): SigningKey {
    return this.#current;
  }

  /** The key with this public key, if its secret is here. */
  keyFor = (publicKey: Uint8Array): SigningKey | undefined => [this.#current, this.#next].find((key) => key !== undefined && equalBytes(key.publicKey, publicKey));

  /** The key that is to follow the current one; made, durably, when there is none. */
  next(): SigningKey {
    this.#next ??= signingKeyFrom(secretIn(this.#files, NEXT_KEY_FILE, () => generateSecret(this.#random)).secret);
    return this.#next;
  }

  /** Every block from here on needs that key: when it is the next one, it takes the other's place, whose secret goes. Returns whether it did. */
  settle(publicKey: Uint8Array): boolean {
    const next = this.#next;
    if (next === undefined || !equalBytes(next.publicKey, publicKey)) return false;
    this.#files.write(KEY_FILE, `${Buffer.from(next.secret).toString('hex')}\n`);
    this.#files.remove(NEXT_KEY_FILE);
    [this.#current, this.#next] = [next, undefined];
    return true;
  }
}
