import { argon2, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { DeviceId } from '../reading.ts';

/** An argon2id hash (RFC 9106) of a device's password, never the password. */
export type PasswordCredential = Readonly<{
  kind: 'password';
  device: DeviceId;
  salt: Uint8Array;
  hash: Uint8Array;
  /** Memory in KiB, passes and lanes the hash was made with; kept so that they can grow later. */
  memory: number;
  passes: number;
  parallelism: number;
}>;

/** The certificate a device shows: the SHA-256 of its DER bytes. */
export type CertificateCredential = Readonly<{ kind: 'certificate'; device: DeviceId; fingerprint: Uint8Array }>;

/** What proves a device's identity. A device has one: another one takes its place. */
export type Credential = PasswordCredential | CertificateCredential;

/** What a device shows to prove its identity. */
export type Proof = Readonly<{ kind: 'password'; password: Uint8Array }> | Readonly<{ kind: 'certificate'; fingerprint: Uint8Array }>;

/** Where credentials are kept. */
export interface CredentialStore {
  find(device: DeviceId): Promise<Credential | undefined>;
  /** Adds or replaces. MUST NOT resolve before it is durable. */
  put(credential: Credential): Promise<void>;
  /** Returns false when there was none. */
  remove(device: DeviceId): Promise<boolean>;
  list(): Promise<readonly DeviceId[]>;
}

const argon2id = promisify(argon2);
/** RFC 9106 §4, reduced to what a Raspberry Pi does in about 0.1 s: 19 MiB, 2 passes, 1 lane (the OWASP minimum). */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const HASH_LENGTH = 32;

/** A fresh password: 24 characters of `A-Z a-z 0-9 - _`, 144 bits. */
export function generatePassword(random: (size: number) => Uint8Array): string {
  return Buffer.from(random(18)).toString('base64url');
}

/** Hashes a password for storage. */
export async function makeCredential(device: DeviceId, password: string, random: (size: number) => Uint8Array): Promise<PasswordCredential> {
  const salt = random(16);
  return { kind: 'password', device, salt, hash: await digest(Buffer.from(password, 'utf8'), { salt, ...COST }), ...COST };
}

async function digest(password: Uint8Array, cost: Pick<PasswordCredential, 'salt' | 'memory' | 'passes' | 'parallelism'>): Promise<Uint8Array> {
  return await argon2id('argon2id', {
    message: password,
    nonce: cost.salt,
    memory: cost.memory,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: HASH_LENGTH,
  });
}

export type AuthenticationOutcome = 'accepted' | 'wrong_credentials' | 'wrong_certificate' | 'overloaded';

export type AuthenticatorOptions = Readonly<{
  credentials: CredentialStore;
  /** At most this many hashes are computed at a time, so that a storm of connections leaves the disk a thread. Default 2. */
  concurrency?: number;
  /** At most this many connections wait for their hash; further ones are told to come back. Default 500. */
  maxWaiting?: number;
}>;

/**
 * Checks passwords and certificates. A device that was proven once is recognised by a keyed digest held in memory only, so that hundreds
 * of devices reconnecting after an outage do not each cost an argon2id.
 */
export class Authenticator {
  readonly #credentials: CredentialStore;
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly #memoryKey = randomBytes(32);
  readonly #proven = new Map<string, { digest: Buffer; hash: Uint8Array }>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(options: AuthenticatorOptions) {
    this.#credentials = options.credentials;
    this.#concurrency = options.concurrency ?? 2;
    this.#maxWaiting = options.maxWaiting ?? 500;
  }

  /** Judges by what is registered for the device now: a certificate it had before is worth nothing. */
  async authenticate(device: DeviceId, proof: Proof): Promise<AuthenticationOutcome> {
    const credential = await this.#credentials.find(device);
    if (proof.kind === 'password') return await this.#checkPassword(device, credential?.kind === 'password' ? credential : undefined, proof.password);
    return credential?.kind === 'certificate' && timingSafeEqual(credential.fingerprint, proof.fingerprint) ? 'accepted' : 'wrong_certificate';
  }

  async #checkPassword(device: DeviceId, credential: PasswordCredential | undefined, password: Uint8Array): Promise<AuthenticationOutcome> {
    const quick = createHmac('sha256', this.#memoryKey).update(device).update('\0').update(password).digest();
    const proven = this.#proven.get(device);
    // Comparing the stored hash makes a changed or removed credential effective at once.
    if (credential !== undefined && proven !== undefined && proven.hash.length === credential.hash.length) {
      if (timingSafeEqual(proven.hash, credential.hash) && timingSafeEqual(proven.digest, quick)) return 'accepted';
    }
    if (this.#queue.length >= this.#maxWaiting) return 'overloaded';
    await this.#turn();
    try {
      return await this.#prove(credential, password, device, quick);
    } finally {
      this.#release();
    }
  }

  async #prove(credential: PasswordCredential | undefined, password: Uint8Array, device: DeviceId, quick: Buffer): Promise<AuthenticationOutcome> {
    // An unknown device costs the same time as a wrong password, so names cannot be probed.
    const cost = credential ?? { salt: this.#memoryKey.subarray(0, 16), ...COST };
    const hash = await digest(password, cost);
    if (credential === undefined || hash.length !== credential.hash.length || !timingSafeEqual(hash, credential.hash)) {
      return 'wrong_credentials';
    }
    this.#proven.set(device, { digest: quick, hash: credential.hash });
    return 'accepted';
  }

  async #turn(): Promise<void> {
    if (this.#running < this.#concurrency) this.#running += 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  /** Hands the place to whoever waits longest, so that nobody who comes now can slip in between. */
  #release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
