import type { LookupAddress } from 'node:dns';
import type { AddressMemory } from '../uplink/known-addresses.ts';
import type { KeptUsage, UsageMemory } from '../uplink/link.ts';
import type { KeyValueStore } from './key-value.ts';
import { hospitalAddressKey, linkUsageKey } from './keys.ts';

/** What is known of links, as JSON. A power cut may take what a minute cost, and what was resolved a moment ago. */
export class StoredLinks {
  readonly usage: UsageMemory;
  readonly addresses: AddressMemory;

  constructor(store: KeyValueStore) {
    const read = async <T>(key: Uint8Array): Promise<T | undefined> => {
      const bytes = await store.get(key);
      return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as T);
    };
    const write = async (key: Uint8Array, value: unknown): Promise<void> => await store.write([{ key, value: Buffer.from(JSON.stringify(value), 'utf8') }], { sync: false });
    this.usage = { load: (link) => read<KeptUsage>(linkUsageKey(link)), save: (link, usage) => write(linkUsageKey(link), usage) };
    this.addresses = { load: async (host) => (await read<LookupAddress[]>(hospitalAddressKey(host))) ?? [], save: (host, found) => write(hospitalAddressKey(host), found) };
  }
}
