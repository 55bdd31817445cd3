import type { Release, ReleasedKey, ReleasedPayload } from '../ledger/release.ts';

/** What gateways have given this hospital, sealed as it came, apart from the blocks: one can go without the other. Throws {@link StoreError}. */
export interface ReleaseStore {
  /** Of the last release of this chain; 0 before the first. */
  lastNumber(chain: Uint8Array): Promise<number>;

  /**
   * Keeps keys and payloads and destroys what is erased, with its number: all or nothing. MUST be durable when it resolves to true; false, and nothing is
   * kept, when its number is not above the last one: of two releases that race, also in two processes, none brings back what the other has erased.
   */
  put(release: Release): Promise<boolean>;

  /** The content keys of a chain. */
  keys(chain: Uint8Array): AsyncIterable<ReleasedKey>;

  /** What lies under a content key, by entry. */
  payloads(chain: Uint8Array, key: Uint8Array): AsyncIterable<Pick<ReleasedPayload, 'entry' | 'sealed'>>;
}
