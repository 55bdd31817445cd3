import type { Credential, CredentialStore } from '../ingest/devices.ts';
import type { DeviceId } from '../reading.ts';
import type { KeyValueStore } from './key-value.ts';
import { allOf, credentialKey, nameAt } from './keys.ts';

/** What is kept, as JSON; bytes are base64. A record with a fingerprint is a certificate's, every other one a password's. */
type Kept = Readonly<{ fingerprint: string }> | Readonly<{ salt: string; hash: string; memory: number; passes: number; parallelism: number }>;

/** Credentials over any engine. */
export class StoredCredentials implements CredentialStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async find(device: DeviceId): Promise<Credential | undefined> {
    const bytes = await this.#store.get(credentialKey(device));
    if (bytes === undefined) return undefined;
    return credentialOf(device, JSON.parse(Buffer.from(bytes).toString('utf8')) as Kept);
  }

  async put(credential: Credential): Promise<void> {
    const text = JSON.stringify(keptOf(credential));
    await this.#store.write([{ key: credentialKey(credential.device), value: Buffer.from(text, 'utf8') }], { sync: true });
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

function keptOf(credential: Credential): Kept {
  if (credential.kind === 'certificate') return { fingerprint: Buffer.from(credential.fingerprint).toString('base64') };
  const { salt, hash, memory, passes, parallelism } = credential;
  return { salt: Buffer.from(salt).toString('base64'), hash: Buffer.from(hash).toString('base64'), memory, passes, parallelism };
}

function credentialOf(device: DeviceId, kept: Kept): Credential {
  if ('fingerprint' in kept) return { kind: 'certificate', device, fingerprint: Buffer.from(kept.fingerprint, 'base64') };
  return { ...kept, kind: 'password', device, salt: Buffer.from(kept.salt, 'base64'), hash: Buffer.from(kept.hash, 'base64') };
}
