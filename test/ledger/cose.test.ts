import { describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { type CborValue, encode, Tagged } from '../../gateway/ledger/cbor.ts';
import { DOMAINS, openSign1, sign1, SIGN1_TAG, signedBytes, verifySign1 } from '../../gateway/ledger/cose.ts';
import { signingKeyFrom, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';

const key = signingKeyFrom(new Uint8Array(32).fill(7));
const other = signingKeyFrom(new Uint8Array(32).fill(8));
const payload = new TextEncoder().encode('This is the content.');
const PROTECTED = Uint8Array.of(0xa1, 0x01, 0x38, 0x2e);

describe('COSE_Sign1', () => {
  it('has the bytes drawn in its docstring', () => {
    const bytes = toHex(sign1(payload, key, DOMAINS.block));
    expect(bytes.slice(0, -128)).toBe('d28444a101382ea054546869732069732074686520636f6e74656e742e5840');
    expect(bytes.slice(-128)).toBe(toHex(openSign1(sign1(payload, key, DOMAINS.block)).signature));
  });

  it('signs the Sig_structure of RFC 9052 §4.4 with the domain as external_aad', () => {
    // 84, "Signature1", protected header, 17 bytes of external_aad, 20 bytes of payload
    expect(toHex(signedBytes(payload, DOMAINS.block))).toBe(
      `846a5369676e61747572653144a101382e51${Buffer.from('vitalgate/block/1').toString('hex')}54${toHex(payload)}`,
    );
  });

  it('verifies with the key and the domain it was made with, and with no other', () => {
    const envelope = openSign1(sign1(payload, key, DOMAINS.block));
    expect(verifySign1(envelope, key.publicKey, DOMAINS.block)).toBe(true);
    expect(verifySign1(envelope, key.publicKey, DOMAINS.block, verifyWithNodeCrypto)).toBe(true);
    expect(verifySign1(envelope, other.publicKey, DOMAINS.block)).toBe(false);
    expect(verifySign1(envelope, key.publicKey, DOMAINS.receipt)).toBe(false);
    expect(verifySign1({ ...envelope, payload: Uint8Array.of(0) }, key.publicKey, DOMAINS.block)).toBe(false);
  });

  it('has the same bytes for the same payload and key, so that a replay reproduces it', () => {
    expect(sign1(payload, key, DOMAINS.block)).toEqual(sign1(payload, key, DOMAINS.block));
  });

  const { signature } = openSign1(sign1(payload, key, DOMAINS.block));
  const refused: readonly [name: string, value: CborValue][] = [
    ['no tag', [PROTECTED, new Map(), payload, signature]],
    ['another algorithm', new Tagged(SIGN1_TAG, [Uint8Array.of(0xa1, 0x01, 0x26), new Map(), payload, signature])],
    ['an empty protected header', new Tagged(SIGN1_TAG, [new Uint8Array(), new Map(), payload, signature])],
    ['an unprotected header', new Tagged(SIGN1_TAG, [PROTECTED, new Map([[4, payload]]), payload, signature])],
    ['a detached payload', new Tagged(SIGN1_TAG, [PROTECTED, new Map(), null, signature])],
    ['a short signature', new Tagged(SIGN1_TAG, [PROTECTED, new Map(), payload, signature.slice(1)])],
    ['a fifth part', new Tagged(SIGN1_TAG, [PROTECTED, new Map(), payload, signature, 0])],
    ['a map instead of the array', new Tagged(SIGN1_TAG, new Map([[1, 2]]))],
  ];
  for (const [name, value] of refused) {
    it(`is refused with ${name}`, () => {
      const bytes = encode(value, { tags: [SIGN1_TAG] });
      expect(() => openSign1(bytes)).toThrow(expect.objectContaining({ code: 'VG_CBOR', fault: 'malformed' }));
    });
  }
});
