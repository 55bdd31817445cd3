import { decode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { SubjectKeys, type MakeKey } from '../../gateway/derive/subject-keys.ts';
import { deriveSecret } from '../../gateway/vault/kdf.ts';
import { Keyring, type KeyShelf, type VaultKey } from '../../gateway/vault/keyring.ts';
import { openPayload, type OpenedPayload } from '../../gateway/vault/payload.ts';

const SEED = new Uint8Array(32).fill(0x5e);
const known = new Map<string, VaultKey>();

/** The same key for the same owner and epoch, in every process. */
const knownKey: MakeKey = (owner, epoch) => {
  const secret = deriveSecret(SEED, `${epoch} ${owner}`);
  const id = deriveSecret(secret, 'id').toString('hex', 0, 8);
  known.set(id, { id, owner, epoch, secret, about: [] });
  return { id, secret };
};

/** There at any time: deriving anew finds the keys that deriving before had made. */
class KnownSubjectKeys extends SubjectKeys {
  override takeMade(): readonly VaultKey[] {
    super.takeMade();
    return [];
  }
}

export const knownSubjectKeys = (): SubjectKeys => new KnownSubjectKeys([], knownKey);

/** All known keys that this process has asked for. */
export const knownKeys = (): readonly VaultKey[] => [...known.values()];

/** What was sealed under known keys; undefined where there is nothing. */
export function openKnown({ bytes, sealed }: Readonly<{ bytes: Uint8Array; sealed?: Uint8Array }>): OpenedPayload | undefined {
  return sealed === undefined ? undefined : openPayload({ byId: (id) => known.get(id) }, bytes, sealed);
}

function payloadOf(entry: Readonly<{ bytes: Uint8Array; sealed?: Uint8Array }>): Uint8Array {
  const open = openKnown(entry);
  if (open === undefined) throw new Error('the entry has no payload, or none under a known key');
  return open.payload;
}

/** What an entry says beside the chain, with whose key it lies under. */
export function saidIn(entry: Readonly<{ bytes: Uint8Array; sealed?: Uint8Array }>): Record<string, unknown> {
  const { subject, payload } = openKnown(entry) ?? { subject: undefined, payload: payloadOf(entry) };
  return { ...(subject === undefined ? {} : { subject }), ...Object.fromEntries(decode(payload, { floats: true }) as CborMap) };
}

/** Keeps keys as a disk would, for as long as the test lasts. */
export class MemoryShelf implements KeyShelf {
  keys: VaultKey[] = [];
  load(): readonly VaultKey[] {
    return this.keys.map(copyOf);
  }
  add(keys: readonly VaultKey[]): void {
    this.keys = [...this.keys.filter(({ id }) => !keys.some((key) => key.id === id)), ...keys.map(copyOf)];
  }
  replace(keys: readonly VaultKey[]): void {
    this.keys = keys.map(copyOf);
  }
}

const copyOf = (key: VaultKey): VaultKey => ({ ...key, secret: Uint8Array.from(key.secret) });

/** Bytes that never come twice, and are the same in every run. */
export function countingBytes(): (size: number) => Uint8Array {
  let next = 0;
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i += 32) bytes.set(deriveSecret(SEED, `bytes ${next++}`).subarray(0, Math.min(32, size - i)), i);
    return bytes;
  };
}

export const memoryKeyring = (shelf: KeyShelf = new MemoryShelf()): Keyring => new Keyring(shelf, countingBytes());

/** Of frames in tests, where nobody guesses. */
export const FRAME_SALT = new Uint8Array(16).fill(0x5a);
