import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEntry, SALT_BYTES } from '../../gateway/ledger/entry.ts';
import { CborError } from '../../gateway/ledger/cbor.ts';
import { verifyWithNodeCrypto, verifyWithNoble } from '../../gateway/ledger/es256k.ts';
import { type Release, signPayloadKey, signRelease, verifyPayloadKey, verifyRelease } from '../../gateway/ledger/release.ts';
import { hpkeOpen, hpkePairFrom, hpkeSeal } from '../../gateway/vault/hpke.ts';
import { pseudonymOf } from '../../gateway/vault/pseudonym.ts';
import { contentSecret, openContent, openContentKey, releaseKeyId, sealContent, sealContentKey } from '../../gateway/vault/release.ts';
import { keyNamed } from '../ledger/succession-fixture.ts';
import { countingBytes, memoryKeyring } from './known-keys.ts';

const CHAIN = new Uint8Array(16).fill(9);
const [GATEWAY, NORTH, SOUTH] = ['gateway', 'north', 'south'].map(keyNamed) as [ReturnType<typeof keyNamed>, ReturnType<typeof keyNamed>, ReturnType<typeof keyNamed>];
const pairOf = (fill: number): ReturnType<typeof hpkePairFrom> => hpkePairFrom(new Uint8Array(32).fill(fill));
const random = countingBytes();

/** Every copy of the bytes with one bit changed. */
function* flipped(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Uint8Array.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    yield copy;
  }
}

describe('HPKE', () => {
  it('opens the test vector of RFC 9180 for its key derivation: the public key of the recipient', () => {
    // RFC 9180 appendix A.1.1: X25519, skRm and pkRm.
    const { publicBytes } = hpkePairFrom(Buffer.from('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8', 'hex'));
    expect(Buffer.from(publicBytes).toString('hex')).toBe('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d');
  });

  it('opens for the recipient, the purpose and the place it was sealed for, and for no other', async () => {
    const context = { info: Buffer.from('what for'), bound: Buffer.from('where') };
    const sealed = await hpkeSeal(pairOf(1).publicBytes, Buffer.from('secret'), context);
    expect(Buffer.from((await hpkeOpen(pairOf(1), sealed, context)) ?? []).toString()).toBe('secret');
    expect(await hpkeOpen(pairOf(2), sealed, context)).toBeUndefined();
    expect(await hpkeOpen(pairOf(1), sealed, { ...context, bound: Buffer.from('elsewhere') })).toBeUndefined();
    expect(await hpkeOpen(pairOf(1), sealed, { ...context, info: Buffer.from('other') })).toBeUndefined();
  });
});

describe('a content key', () => {
  const keyring = memoryKeyring();
  const anna = keyring.current('patient/anna');
  const place = (recipient: Uint8Array): { chain: Uint8Array; recipient: Uint8Array } => ({ chain: CHAIN, recipient });

  it('opens for its recipient alone, and says by what name it may know the subject', async () => {
    const sealed = await sealContentKey(keyring, anna, { key: NORTH.publicKey, hpke: pairOf(1).publicBytes }, CHAIN);
    expect(await openContentKey(pairOf(1), sealed, place(NORTH.publicKey))).toEqual({
      secret: Uint8Array.from(contentSecret(anna, NORTH.publicKey)), kind: 'patient', epoch: 1,
      pseudonym: Uint8Array.from(pseudonymOf(keyring, NORTH.publicKey, 1, 'patient/anna')), before: Uint8Array.from(pseudonymOf(keyring, NORTH.publicKey, 0, 'patient/anna')),
    });
    expect(await openContentKey(pairOf(2), sealed, place(NORTH.publicKey))).toBeUndefined();
    expect(await openContentKey(pairOf(1), sealed, place(SOUTH.publicKey))).toBeUndefined();
    for (const ciphertext of flipped(sealed.ciphertext.subarray(0, 24))) expect(await openContentKey(pairOf(1), { ...sealed, ciphertext: Buffer.concat([ciphertext, sealed.ciphertext.subarray(24)]) }, place(NORTH.publicKey))).toBeUndefined();
  });

  it('tells the pseudonym of the last epoch in which there was one, so that an epoch without anything makes nobody a stranger', async () => {
    const keys = memoryKeyring();
    keys.current('patient/otto');
    keys.enter(4);
    const sealed = await sealContentKey(keys, keys.current('patient/otto'), { key: NORTH.publicKey, hpke: pairOf(1).publicBytes }, CHAIN);
    expect(await openContentKey(pairOf(1), sealed, place(NORTH.publicKey))).toMatchObject({
      epoch: 4, pseudonym: Uint8Array.from(pseudonymOf(keys, NORTH.publicKey, 4, 'patient/otto')), before: Uint8Array.from(pseudonymOf(keys, NORTH.publicKey, 1, 'patient/otto')),
    });
  });

  it('and its id and the pseudonyms are others for every recipient, subject and epoch: none can be joined over them', () => {
    const otto = keyring.current('patient/otto');
    const said = [anna, otto].flatMap((key) => [NORTH, SOUTH].flatMap(({ publicKey }) => [
      releaseKeyId(key, publicKey), contentSecret(key, publicKey), ...[1, 2, 3].map((epoch) => pseudonymOf(keyring, publicKey, epoch, key.owner)),
    ])).map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(said).size).toBe(said.length);
    expect(pseudonymOf(keyring, NORTH.publicKey, 1, 'patient/anna')).toEqual(pseudonymOf(keyring, NORTH.publicKey, 1, 'patient/anna'));
  });
});

describe('content', () => {
  const secret = new Uint8Array(32).fill(4);

  it('opens as it was sealed, whole or an excerpt, for its entry and chain alone', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.integer({ min: 1, max: 2 ** 48 }), (payload, whole, entry) => {
      const content = { ...(whole && { salt: new Uint8Array(SALT_BYTES).fill(6) }), payload };
      const sealed = sealContent(secret, content, { chain: CHAIN, entry }, random);
      expect(openContent(secret, { entry, sealed }, CHAIN)).toEqual(content);
      expect(openContent(secret, { entry: entry + 1, sealed }, CHAIN)).toBeUndefined();
      expect(openContent(secret, { entry, sealed }, new Uint8Array(16))).toBeUndefined();
    }), { numRuns: 50 });
  });

  it('does not open with any single bit changed, nor cut short', () => {
    const sealed = sealContent(secret, { payload: Buffer.from('seventy-eight') }, { chain: CHAIN, entry: 1 }, random);
    for (const changed of flipped(sealed)) expect(openContent(secret, { entry: 1, sealed: changed }, CHAIN)).toBeUndefined();
    for (let length = 0; length < sealed.length; length++) expect(openContent(secret, { entry: 1, sealed: sealed.subarray(0, length) }, CHAIN)).toBeUndefined();
  });
});

describe('a release', () => {
  const release: Release = {
    chain: CHAIN, recipient: NORTH.publicKey, number: 3,
    keys: [{ id: new Uint8Array(8).fill(1), encapsulated: new Uint8Array(32).fill(2), ciphertext: new Uint8Array(9).fill(3) }],
    payloads: [{ key: new Uint8Array(8).fill(1), entry: 12, sealed: new Uint8Array(30).fill(5) }], erased: [new Uint8Array(8).fill(7)],
  };
  const expected = { gateway: GATEWAY.publicKey, chain: CHAIN, recipient: NORTH.publicKey };
  const verdict = (bytes: Uint8Array, check = verifyWithNodeCrypto): unknown => {
    try {
      const judged = verifyRelease(bytes, expected, check);
      return typeof judged === 'string' ? judged : 'good';
    } catch (error) {
      if (error instanceof CborError) return error.fault;
      throw error;
    }
  };

  it('is what the gateway signed for this recipient and chain, and nothing else is', () => {
    expect(verifyRelease(signRelease(release, GATEWAY), expected, verifyWithNoble)).toEqual(release);
    expect(verdict(signRelease(release, NORTH))).toBe('bad_signature');
    expect(verdict(signRelease({ ...release, recipient: SOUTH.publicKey }, GATEWAY))).toBe('wrong_recipient');
    expect(verdict(signRelease({ ...release, chain: new Uint8Array(16) }, GATEWAY))).toBe('wrong_chain');
    expect(verdict(signPayloadKey(new Uint8Array(32), GATEWAY))).not.toBe('good');
    expect(verdict(encodeEntry({ kind: 'event', sequence: 1, time: 1 as never, fields: new Map() }))).not.toBe('good');
  });

  it('is refused with any single bit changed, by both ways of checking', () => {
    for (const [at, changed] of [...flipped(signRelease(release, GATEWAY))].entries()) {
      expect(verdict(changed)).not.toBe('good');
      if (at % 17 === 0) expect(verdict(changed, verifyWithNoble)).not.toBe('good');
    }
  });

  it('holds at most a thousand parts of one kind', () => {
    expect(() => signRelease({ ...release, erased: Array.from({ length: 1001 }, () => new Uint8Array(8)) }, GATEWAY)).toThrow('at most 1000');
  });
});

describe('a key for payloads', () => {
  it('counts when the key that its owner is known by has signed it', () => {
    const signed = signPayloadKey(pairOf(1).publicBytes, NORTH);
    expect(verifyPayloadKey(signed, NORTH.publicKey, verifyWithNodeCrypto)).toEqual(Uint8Array.from(pairOf(1).publicBytes));
    expect(verifyPayloadKey(signed, SOUTH.publicKey, verifyWithNodeCrypto)).toBeUndefined();
    for (const changed of flipped(signed)) {
      try {
        expect(verifyPayloadKey(changed, NORTH.publicKey, verifyWithNodeCrypto)).toBeUndefined();
      } catch (error) {
        expect(error).toBeInstanceOf(CborError);
      }
    }
  });
});
