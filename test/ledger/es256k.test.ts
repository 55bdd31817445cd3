import { randomBytes } from 'node:crypto';
import { utils } from '@noble/secp256k1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fingerprint, fingerprintBytes, generateSecret, isCanonicalSignature, isPublicKey, signES256K, signingKeyFrom, verifyWithNoble,
  verifyWithNodeCrypto,
} from '../../gateway/ledger/es256k.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const scalar = (value: bigint): Uint8Array => hex(value.toString(16).padStart(64, '0'));
const big = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes)}`);
const joined = (r: bigint, s: bigint): Uint8Array => Buffer.concat([scalar(r), scalar(s)]);

const key = signingKeyFrom(scalar(0x1234567890abcdefn));
const message = utf8('a header');
const signature = signES256K(message, key);
const r = big(signature.subarray(0, 32));
const s = big(signature.subarray(32));

/** The verdict of both back ends, which must be one. */
function verdict(of: Uint8Array, signed: Uint8Array, publicKey: Uint8Array): boolean {
  const noble = verifyWithNoble(of, signed, publicKey);
  expect(verifyWithNodeCrypto(of, signed, publicKey)).toBe(noble);
  return noble;
}

describe('ES256K signatures', () => {
  it('are those of RFC 6979 with the lower s, as widely published for secret 1', () => {
    const one = signingKeyFrom(scalar(1n));
    expect(toHex(one.publicKey)).toBe('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798');
    expect(toHex(signES256K(utf8('Satoshi Nakamoto'), one))).toBe(
      '934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5',
    );
  });

  it('are accepted by both back ends', () => {
    expect(verdict(message, signature, key.publicKey)).toBe(true);
  });

  it('are always canonical', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => {
      expect(isCanonicalSignature(signES256K(bytes, key))).toBe(true);
    }), { numRuns: 20 });
  });

  it('are canonical up to and with an s of exactly half the order', () => {
    expect(isCanonicalSignature(joined(1n, ORDER / 2n))).toBe(true);
    expect(isCanonicalSignature(joined(1n, ORDER / 2n + 1n))).toBe(false);
    expect(isCanonicalSignature(joined(ORDER - 1n, 1n))).toBe(true);
  });

  const refused: readonly [name: string, signature: Uint8Array][] = [
    ['the higher s, which OpenSSL alone would accept', joined(r, ORDER - s)],
    ['r of 0', joined(0n, s)],
    ['s of 0', joined(r, 0n)],
    ['both of 0', joined(0n, 0n)],
    ['r equal to the order', joined(ORDER, s)],
    ['r above the order', joined(2n ** 256n - 1n, s)],
    ['s equal to the order', joined(r, ORDER)],
    ['s just above half the order', joined(r, ORDER / 2n + 1n)],
    ['s of exactly half the order, but for another message', joined(r, ORDER / 2n)],
    ['r and s swapped', joined(s, r)],
    ['63 bytes', signature.subarray(0, 63)],
    ['65 bytes', Buffer.concat([signature, Uint8Array.of(0)])],
    ['nothing', new Uint8Array()],
  ];
  for (const [name, forged] of refused) {
    it(`are refused by both back ends with ${name}`, () => {
      expect(verdict(message, forged, key.publicKey)).toBe(false);
    });
  }

  it('are refused by both back ends with any one bit flipped, in signature, message or key', () => {
    const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      return copy;
    };
    for (let bit = 0; bit < 512; bit += 11) expect(verdict(message, flip(signature, bit), key.publicKey)).toBe(false);
    for (let bit = 0; bit < message.length * 8; bit += 7) expect(verdict(flip(message, bit), signature, key.publicKey)).toBe(false);
    for (let bit = 0; bit < 33 * 8; bit += 7) expect(verdict(message, signature, flip(key.publicKey, bit))).toBe(false);
  });

  it('are judged the same by both back ends when r and s are any numbers', () => {
    const number = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.constantFrom(r, s, ORDER - s, ORDER - r, 1n));
    fc.assert(fc.property(number, number, (anyR, anyS) => {
      expect(verdict(message, joined(anyR, anyS), key.publicKey)).toBe(anyR === r && anyS === s);
    }), { numRuns: 60 });
  });

  const badKeys: readonly [name: string, key: Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['an uncompressed point', Buffer.concat([Uint8Array.of(4), new Uint8Array(64)])],
    ['an x that is on no point', hex(`02${'00'.repeat(31)}05`)],
    ['an x beyond the field', hex(`02${'ff'.repeat(32)}`)],
    ['a wrong first byte', hex(`05${toHex(key.publicKey).slice(2)}`)],
    ['the point of another key', signingKeyFrom(scalar(77n)).publicKey],
  ];
  for (const [name, publicKey] of badKeys) {
    it(`are refused by both back ends when the key is ${name}`, () => {
      expect(verdict(message, signature, publicKey)).toBe(false);
    });
  }

  it('come from a key that is a point for both back ends or for neither', () => {
    const x = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(fc.property(fc.integer({ min: 0, max: 8 }), x, (head, bytes) => {
      const candidate = Uint8Array.of(head, ...bytes);
      expect(isPublicKey(candidate)).toBe(utils.isValidPublicKey(candidate, true));
    }), { numRuns: 200 });
    for (const [, publicKey] of badKeys.slice(0, -1)) expect(isPublicKey(publicKey)).toBe(false);
  });
});

describe('signing keys', () => {
  it('are refused when the secret is 0, the order, or not 32 bytes', () => {
    for (const secret of [scalar(0n), scalar(ORDER), new Uint8Array(31), new Uint8Array(33).fill(1)]) {
      expect(() => signingKeyFrom(secret)).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
    }
  });

  it('are generated from what the random source gives, skipping what is no scalar', () => {
    const offers = [scalar(0n), scalar(ORDER), scalar(5n)];
    expect(generateSecret(() => offers.shift() as Uint8Array)).toEqual(scalar(5n));
    expect(isPublicKey(signingKeyFrom(generateSecret(randomBytes)).publicKey)).toBe(true);
  });

  it('are not generated from a source that is stuck', () => {
    expect(() => generateSecret((length) => new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
  });

  it('are named by the first 16 bytes of SHA-256 of the public key', () => {
    const one = signingKeyFrom(scalar(1n));
    expect(fingerprint(one.publicKey)).toBe('0f715baf5d4c2ed329785cef29e562f7');
    expect(toHex(fingerprintBytes(one.publicKey))).toBe(fingerprint(one.publicKey));
  });
});
