import type { Credential, CredentialStore } from '../ingest/devices.ts';
import type { DeviceId } from '../reading.ts';
import type { KeyValueStore } from './key-value.ts';
import { allOf, credentialKey, nameAt } from './keys.ts';

/** Credentials over any engine, as JSON with base64 for salt and hash. */
export class StoredCredentials implements CredentialStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async find(device: DeviceId): Promise<Credential | undefined> {
    const bytes = await this.#store.get(credentialKey(device));
    if (bytes === undefined) return undefined;
    const { salt, hash, memory, passes, parallelism } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<'salt' | 'hash', string> &
      Record<'memory' | 'passes' | 'parallelism', number>;
    return { device, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64'), memory, passes, parallelism };
  }

  async put({ device, salt, hash, memory, passes, parallelism }: Credential): Promise<void> {
    const text = JSON.stringify({
      salt: Buffer.from(salt).toString('base64'),
      hash: Buffer.from(hash).toString('base64'),
      memory,
      passes,
      parallelism,
    });
    await this.#store.write([{ key: credentialKey(device), value: Buffer.from(text, 'utf8') }], { sync: true });
  }

  async remove(device: DeviceId): Promise<boolean> {
    const key = credentialKey(device);
    if ((await this.#store.get(key)) === undefined) return false;
    await this.#store.write([{ key }], { sync: true });
    return true;
  }

  async list(): Promise<readonly DeviceId[]> {
    const devices: DeviceId[] = [];
    for await (const [key] of this.#store.range(allOf('U'))) devices.push(nameAt(key, 1) as DeviceId);
    return devices;
  }
}
