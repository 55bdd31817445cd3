import { hash } from 'node:crypto';
import type { Subject } from '../reading.ts';

const PSEUDONYM_LENGTH = 16;

const SECRET_BYTES = 32;
/** The purposes of salts, all of one length. */
export type SaltPurpose = 'entry' | 'frame';
const PURPOSE_BYTES = 5;

/**
 * Salts and pseudonyms, computed from the gateway's subject key so that derivation needs no random source and gives
 * the same bytes every time. Without the key nobody can guess a payload from its commitment, or an identity from its
 * pseudonym:
 *
 *     subject secret = KDF(subject key, "subject" ‖ kind ‖ "/" ‖ id)
 *     pseudonym      = KDF(subject secret, "pseudonym")[0..16]
 *     salt           = KDF(subject secret, purpose (5 bytes) ‖ number (8 bytes, big endian))
 *
 * KDF is the one-step key derivation of NIST SP 800-56C rev. 2 §4.1 with SHA-256: SHA-256(00 00 00 01 ‖ secret ‖ info).
 * A salt is needed for every frame; this costs one compression where an HMAC costs four.
 */
export class SubjectSecrets {
  readonly #key: Uint8Array;
  readonly #cache = new Map<string, Buffer>();

  /** `key`: 32 random bytes, private to the gateway. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  pseudonym(subject: Subject): Uint8Array {
    return derive(this.#secretOf(subject), 'pseudonym').subarray(0, PSEUDONYM_LENGTH);
  }

  /** A 32-byte salt for entry or frame `number`. Without a subject (nobody is bound to the device) it is the gateway's own. */
  salt(subject: Subject | undefined, purpose: SaltPurpose, number: number): Uint8Array {
    const input = Buffer.allocUnsafe(4 + SECRET_BYTES + PURPOSE_BYTES + 8);
    input.writeUInt32BE(1, 0);
    input.set(this.#secretOf(subject), 4);
    input.write(purpose, 4 + SECRET_BYTES, 'latin1');
    // The upper half by division: a sequence is below 2^53.
    input.writeUInt32BE(Math.floor(number / 2 ** 32), 4 + SECRET_BYTES + PURPOSE_BYTES);
    input.writeUInt32BE(number % 2 ** 32, 4 + SECRET_BYTES + PURPOSE_BYTES + 4);
    return hash('sha256', input, 'buffer');
  }

  #secretOf(subject: Subject | undefined): Buffer {
    const name = subject === undefined ? 'gateway/' : `${subject.kind}/${subject.id}`;
    let secret = this.#cache.get(name);
    if (secret === undefined) {
      secret = derive(this.#key, `subject${name}`);
      this.#cache.set(name, secret);
    }
    return secret;
  }
}

function derive(secret: Uint8Array, info: string): Buffer {
  return hash('sha256', Buffer.concat([Buffer.of(0, 0, 0, 1), secret, Buffer.from(info, 'utf8')]), 'buffer');
}
