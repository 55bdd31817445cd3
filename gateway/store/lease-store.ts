import { CborFields } from '../ledger/cbor-fields.ts';
import { decode, encode, type CborKey, type CborValue } from '../ledger/cbor.ts';
import type { Millis, UnixMillis } from '../quantity.ts';
import type { Leases } from '../records/lease.ts';
import type { KeyValueStore } from './key-value.ts';
import { leaseKey } from './keys.ts';

/** Leases over any engine, by this machine's wall clock: { 1: holder, 2: until }. */
export class StoredLeases implements Leases {
  readonly #store: KeyValueStore;
  readonly #now: () => UnixMillis;

  constructor(store: KeyValueStore, now: () => UnixMillis) {
    this.#store = store;
    this.#now = now;
  }

  async hold(name: string, holder: string, length: Millis): Promise<boolean> {
    const from = await this.#store.get(leaseKey(name));
    const now = this.#now();
    if (from !== undefined) {
      const lease = decodeLease(from);
      if (lease.holder !== holder && lease.until > now) return false;
    }
    return await this.#store.swap({ key: leaseKey(name), from, to: encodeLease(holder, now + length) }, []);
  }

  async release(name: string, holder: string): Promise<void> {
    const from = await this.#store.get(leaseKey(name));
    if (from !== undefined && decodeLease(from).holder === holder) await this.#store.swap({ key: leaseKey(name), from, to: encodeLease(holder, 0) }, []);
  }
}

const encodeLease = (holder: string, until: number): Uint8Array => encode(new Map<CborKey, CborValue>([[1, holder], [2, until]]));

function decodeLease(value: Uint8Array): Readonly<{ holder: string; until: number }> {
  const fields = new CborFields(decode(value), 'lease', [1, 2]);
  return { holder: fields.text(1), until: fields.count(2) };
}
