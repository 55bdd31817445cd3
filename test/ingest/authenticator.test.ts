import { randomBytes } from 'node:crypto';
import { argon2id } from '@noble/hashes/argon2.js';
import { describe, expect, it } from 'vitest';
import { Authenticator, generatePassword, makeCredential, type Credential, type CredentialStore, type Proof } from '../../gateway/ingest/devices.ts';
import type { DeviceId } from '../../gateway/reading.ts';

const CLIP = 'clip' as DeviceId;
const GHOST = 'ghost' as DeviceId;
const secret = (text: string): Proof => ({ kind: 'password', password: Buffer.from(text, 'utf8') });
const certificate = (fill: number): Proof => ({ kind: 'certificate', fingerprint: new Uint8Array(32).fill(fill) });

class Credentials implements CredentialStore {
  readonly #kept = new Map<DeviceId, Credential>();

  static async with(device: DeviceId, password: string): Promise<Credentials> {
    const credentials = new Credentials();
    await credentials.put(await makeCredential(device, password, randomBytes));
    return credentials;
  }

  async find(device: DeviceId): Promise<Credential | undefined> {
    return this.#kept.get(device);
  }

  async put(credential: Credential): Promise<void> {
    this.#kept.set(credential.device, credential);
  }

  async remove(device: DeviceId): Promise<boolean> {
    return this.#kept.delete(device);
  }

  async list(): Promise<readonly DeviceId[]> {
    return [...this.#kept.keys()];
  }
}

describe('a credential', () => {
  it('is an argon2id hash with a salt of its own, and holds no password', async () => {
    const [one, two] = [await makeCredential(CLIP, 'the same password', randomBytes), await makeCredential(CLIP, 'the same password', randomBytes)];
    expect(Buffer.from(one.hash)).not.toEqual(Buffer.from(two.hash));
    expect([one.salt.length, one.hash.length, one.memory, one.passes, one.parallelism]).toEqual([16, 32, 19_456, 2, 1]);
    expect(JSON.stringify(one)).not.toContain('the same password');
  });

  it('is the argon2id that another implementation computes', async () => {
    const { hash, salt, memory, passes, parallelism } = await makeCredential(CLIP, 'pässwörd', randomBytes);
    expect(Buffer.from(hash)).toEqual(Buffer.from(argon2id(Buffer.from('pässwörd'), salt, { t: passes, m: memory, p: parallelism, dkLen: 32 })));
  });

  it('has a password of 144 bits when none is chosen', () => {
    const [one, two] = [generatePassword(randomBytes), generatePassword(randomBytes)];
    expect(one).toMatch(/^[A-Za-z0-9_-]{24}$/);
    expect(one).not.toBe(two);
  });
});

describe('authentication', () => {
  it('lets the right password in and no other', async () => {
    const authenticator = new Authenticator({ credentials: await Credentials.with(CLIP, 'right') });
    expect(await authenticator.authenticate(CLIP, secret('wrong'))).toBe('wrong_credentials');
    expect(await authenticator.authenticate(CLIP, secret(''))).toBe('wrong_credentials');
    expect(await authenticator.authenticate(CLIP, secret('right'))).toBe('accepted');
    expect(await authenticator.authenticate(CLIP, secret('right'))).toBe('accepted');
    // A proven device is no reason to believe another password.
    expect(await authenticator.authenticate(CLIP, secret('wrong'))).toBe('wrong_credentials');
  });

  it('computes a hash for an unknown device too, so that names cannot be probed', async () => {
    const authenticator = new Authenticator({ credentials: await Credentials.with(CLIP, 'right'), concurrency: 1, maxWaiting: 1 });
    // One is computed and one waits: only who needs no hash would get another answer than the third.
    const outcomes = ['a', 'b', 'c'].map((guess) => authenticator.authenticate(GHOST, secret(guess)));
    expect(await Promise.all(outcomes)).toEqual(['wrong_credentials', 'wrong_credentials', 'overloaded']);
  });

  it('computes so many hashes at a time, lets so many wait, and puts the others off', async () => {
    const authenticator = new Authenticator({ credentials: await Credentials.with(CLIP, 'right'), concurrency: 2, maxWaiting: 3 });
    const outcomes = await Promise.all(Array.from({ length: 7 }, () => authenticator.authenticate(CLIP, secret('right'))));
    expect(outcomes).toEqual([...Array.from({ length: 5 }, () => 'accepted'), 'overloaded', 'overloaded']);
    // All places are free again.
    const later = await Promise.all(Array.from({ length: 5 }, () => authenticator.authenticate(CLIP, secret('wrong'))));
    expect(later).toEqual(Array.from({ length: 5 }, () => 'wrong_credentials'));
  });

  it('knows a proven device without a hash, also in a storm of strangers', async () => {
    const authenticator = new Authenticator({ credentials: await Credentials.with(CLIP, 'right'), concurrency: 1, maxWaiting: 1 });
    expect(await authenticator.authenticate(CLIP, secret('right'))).toBe('accepted');
    const storm = Array.from({ length: 10 }, () => authenticator.authenticate(GHOST, secret('any')));
    const known = Array.from({ length: 10 }, () => authenticator.authenticate(CLIP, secret('right')));
    expect(new Set(await Promise.all(known))).toEqual(new Set(['accepted']));
    expect(await authenticator.authenticate(CLIP, secret('wrong'))).toBe('overloaded');
    expect((await Promise.all(storm)).filter((outcome) => outcome === 'overloaded')).toHaveLength(8);
  });

  it('heeds a changed or removed credential at once, whatever was proven before', async () => {
    const credentials = await Credentials.with(CLIP, 'old');
    const authenticator = new Authenticator({ credentials });
    expect(await authenticator.authenticate(CLIP, secret('old'))).toBe('accepted');
    await credentials.put(await makeCredential(CLIP, 'new', randomBytes));
    expect(await authenticator.authenticate(CLIP, secret('old'))).toBe('wrong_credentials');
    expect(await authenticator.authenticate(CLIP, secret('new'))).toBe('accepted');
    await credentials.remove(CLIP);
    expect(await authenticator.authenticate(CLIP, secret('new'))).toBe('wrong_credentials');
    expect(await authenticator.authenticate(CLIP, secret('old'))).toBe('wrong_credentials');
  });

  it('does not take one device for another of the same password', async () => {
    const authenticator = new Authenticator({ credentials: await Credentials.with(CLIP, 'right') });
    expect(await authenticator.authenticate(CLIP, secret('right'))).toBe('accepted');
    expect(await authenticator.authenticate(GHOST, secret('right'))).toBe('wrong_credentials');
  });

  it('lets a device in by the certificate that is registered now, and by no other', async () => {
    const credentials = new Credentials();
    const authenticator = new Authenticator({ credentials });
    expect(await authenticator.authenticate(CLIP, certificate(1))).toBe('wrong_certificate');
    await credentials.put({ kind: 'certificate', device: CLIP, fingerprint: new Uint8Array(32).fill(1) });
    expect(await authenticator.authenticate(CLIP, certificate(1))).toBe('accepted');
    expect(await authenticator.authenticate(CLIP, certificate(2))).toBe('wrong_certificate');
    expect(await authenticator.authenticate(GHOST, certificate(1))).toBe('wrong_certificate');
    await credentials.put({ kind: 'certificate', device: CLIP, fingerprint: new Uint8Array(32).fill(2) });
    expect(await authenticator.authenticate(CLIP, certificate(1))).toBe('wrong_certificate');
    await credentials.remove(CLIP);
    expect(await authenticator.authenticate(CLIP, certificate(2))).toBe('wrong_certificate');
  });

  it('takes no password for a certificate, and no certificate for a password', async () => {
    const credentials = await Credentials.with(CLIP, 'right');
    const authenticator = new Authenticator({ credentials });
    expect(await authenticator.authenticate(CLIP, certificate(1))).toBe('wrong_certificate');
    await credentials.put({ kind: 'certificate', device: CLIP, fingerprint: new Uint8Array(32).fill(1) });
    for (const guess of ['right', '', '\x01'.repeat(32)]) expect(await authenticator.authenticate(CLIP, secret(guess))).toBe('wrong_credentials');
  });
});
