import { nameOf, type Subject } from '../reading.ts';
import { deriveSecret } from './kdf.ts';
import { INDEX_OWNER, type Keyring } from './keyring.ts';

const HANDLE_BYTES = 16;

/** What a subject is called where names are written down by others: in addresses, which proxies and browsers keep. It says nothing of them, and stays the same. */
export class Handles {
  readonly #key: Buffer;
  readonly #subjects = new Map<string, Subject>();

  constructor(keyring: Keyring) {
    this.#key = deriveSecret(keyring.first(INDEX_OWNER).secret, 'handles');
  }

  of(subject: Subject): string {
    const handle = `${subject.kind[0]}-${deriveSecret(this.#key, nameOf(subject)).toString('hex', 0, HANDLE_BYTES)}`;
    this.#subjects.set(handle, subject);
    return handle;
  }

  /** The subject of a handle that was given out before. */
  subjectOf(handle: string): Subject | undefined {
    return this.#subjects.get(handle);
  }
}
