import { sha256 } from '../ledger/bytes.ts';
import { PSEUDONYM_BYTES } from '../ledger/entry.ts';
import { nameOf, type DeviceId, type Sequence, type Subject } from '../reading.ts';

const SECRET_BYTES = 32;
/** Both purposes of salts are this long. */
const PURPOSE_BYTES = 5;

/**
 * Salts and pseudonyms, computed from the gateway's subject key so that derivation needs no random source and gives
 * the same bytes every time. Without the key nobody can guess a payload from its commitment, or an identity from its
 * pseudonym:
 *
 *     owner secret = KDF(subject key, owner)               owner: "patient/…", "room/…", "device/…" or "gateway"
 *     pseudonym    = KDF(owner secret, "pseudonym")[0..16]
 *     salt         = KDF(owner secret, purpose (5 bytes) ‖ number (8 bytes, big endian))
 *
 * Entries belong to their subject, frames to their device: whom a device was bound to may change, and a frame's salt
 * must be found again without knowing when.
 *
 * KDF is the one-step key derivation of NIST SP 800-56C rev. 2 §4.1 with SHA-256: SHA-256(00 00 00 01 ‖ secret ‖ info).
 * A salt is needed for every frame; this costs one compression where an HMAC costs four.
 */
export class SubjectSecrets {
  readonly #key: Uint8Array;
  readonly #input = Buffer.alloc(4 + SECRET_BYTES + PURPOSE_BYTES + 8);
  readonly #cache = new Map<string, Uint8Array>();

  /** `key`: 32 random bytes, private to the gateway. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  pseudonym(subject: Subject): Uint8Array {
    return derive(this.#secretOf(nameOf(subject)), 'pseudonym').subarray(0, PSEUDONYM_BYTES);
  }

  /** The salt (32 bytes) of an entry; without a subject it is the gateway's own. */
  entrySalt(subject: Subject | undefined, entry: number): Uint8Array {
    return this.#salt(subject === undefined ? 'gateway' : nameOf(subject), 'entry', entry);
  }

  /** The salt (32 bytes) of a frame's evidence leaf. */
  frameSalt(device: DeviceId | '', sequence: Sequence): Uint8Array {
    return this.#salt(device === '' ? 'gateway' : `device/${device}`, 'frame', sequence);
  }

  #salt(owner: string, purpose: 'entry' | 'frame', number: number): Uint8Array {
    const input = this.#input;
    input.writeUInt32BE(1, 0);
    input.set(this.#secretOf(owner), 4);
    input.write(purpose, 4 + SECRET_BYTES, 'latin1');
    // The upper half by division: a sequence is below 2^53.
    input.writeUInt32BE(Math.floor(number / 2 ** 32), 4 + SECRET_BYTES + PURPOSE_BYTES);
    input.writeUInt32BE(number % 2 ** 32, 4 + SECRET_BYTES + PURPOSE_BYTES + 4);
    return sha256(input);
  }

  #secretOf(owner: string): Uint8Array {
    let secret = this.#cache.get(owner);
    if (secret === undefined) {
      secret = derive(this.#key, owner);
      this.#cache.set(owner, secret);
    }
    return secret;
  }
}

function derive(secret: Uint8Array, info: string): Uint8Array {
  return sha256(Buffer.concat([Buffer.of(0, 0, 0, 1), secret, Buffer.from(info, 'utf8')]));
}
