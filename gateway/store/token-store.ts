import type { KeptToken, TokenStore } from '../people/tokens.ts';
import type { KeyValueStore } from './key-value.ts';
import { allOf, tokenKey } from './keys.ts';

/** Tokens over any engine: everything but the digest, which is the key, as JSON. */
export class StoredTokens implements TokenStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async put({ digest, ...kept }: KeptToken): Promise<void> {
    await this.#store.write([{ key: tokenKey(digest), value: Buffer.from(JSON.stringify(kept), 'utf8') }], { sync: true });
  }

  async remove(digests: readonly Uint8Array[]): Promise<void> {
    if (digests.length > 0) await this.#store.write(digests.map((digest) => ({ key: tokenKey(digest) })), { sync: true });
  }

  async list(): Promise<readonly KeptToken[]> {
    const tokens: KeptToken[] = [];
    for await (const [key, value] of this.#store.range(allOf('A'))) {
      tokens.push({ ...(JSON.parse(Buffer.from(value).toString('utf8')) as Omit<KeptToken, 'digest'>), digest: Uint8Array.from(key.subarray(1)) });
    }
    return tokens;
  }
}
