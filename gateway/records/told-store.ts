import type { StoreError } from '../errors.ts';
import type { ReleasedKey } from '../ledger/release.ts';

/** What a gateway said of somebody's consents, sealed as it came, with the content key it lies under. */
export type ToldRow = Readonly<{
  chain: Uint8Array;
  /** Of the release it came in: a greater one is newer. */
  number: number;
  key: ReleasedKey;
  sealed: Uint8Array;
  /** Pseudonyms of whom it is about, 32 hexadecimal digits each. */
  names: readonly string[];
}>;

/** What gateways said of people's consents, the newest of everybody. Throws {@link StoreError}. */
export interface ToldStore {
  /**
   * Keeps it in place of what was said before of anybody of these names, whose other names it takes over; an older number changes nothing. MUST be durable when it resolves.
   */
  put(row: ToldRow): Promise<void>;
  /** What is known of whoever has that pseudonym. */
  of(name: string): Promise<ToldRow | undefined>;
  /** Whether anything was ever kept of people of a chain. */
  knows(chain: Uint8Array): Promise<boolean>;
  /** All names of those of whom it is known under one of these content keys. */
  namesUnder(chain: Uint8Array, keys: readonly Uint8Array[]): Promise<readonly string[]>;
  /** Destroys what lies under these content keys. MUST be durable when it resolves. */
  forget(chain: Uint8Array, keys: readonly Uint8Array[]): Promise<void>;
}
