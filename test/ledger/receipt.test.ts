import { describe, expect, it } from 'vitest';
import { type CborKey, type CborValue, decode, encode } from '../../gateway/ledger/cbor.ts';
import { DOMAINS, openSign1, sign1 } from '../../gateway/ledger/cose.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { rootOf } from '../../gateway/ledger/merkle.ts';
import { type ExpectedReceipt, type Receipt, type ReceiptFault, signReceipt, verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { blockAfter, genesisOf, hospitalKey, NOW, strangerKey } from './chain-fixture.ts';

const { newState } = await blockAfter(await genesisOf('alarm'), [4]);
const receipt: Receipt = {
  chain: newState.chain, lane: 'alarm', height: 1, hash: newState.hash, treeSize: 1, treeRoot: rootOf(newState.tree), time: NOW,
};
const expected: ExpectedReceipt = { ...receipt, key: hospitalKey.publicKey };
const bytes = signReceipt(receipt, hospitalKey);

function faultOf(of: Uint8Array, wanted: ExpectedReceipt = expected): ReceiptFault | undefined {
  try {
    verifyReceipt(of, wanted);
    return undefined;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'VG_RECEIPT_REJECTED' });
    return (thrown as { reason: ReceiptFault }).reason;
  }
}

/** The hospital signs something else. */
function forgedRaw(change: (map: Map<CborKey, CborValue>) => void): Uint8Array {
  const map = new Map(decode(openSign1(bytes).payload) as ReadonlyMap<CborKey, CborValue>);
  change(map);
  return sign1(encode(map), hospitalKey, DOMAINS.receipt);
}

describe('a receipt', () => {
  it('is read back as it was signed, by either back end', () => {
    expect(verifyReceipt(bytes, expected)).toEqual(receipt);
    expect(verifyReceipt(bytes, expected, verifyWithNodeCrypto)).toEqual(receipt);
  });

  it('may be asked for the chain and lane only', () => {
    const { key, chain, lane } = expected;
    expect(verifyReceipt(bytes, { key, chain, lane })).toEqual(receipt);
  });

  const other = new Uint8Array(32);
  const mismatches: readonly [fault: ReceiptFault, change: Partial<ExpectedReceipt>][] = [
    ['wrong_key', { key: strangerKey.publicKey }],
    ['wrong_chain', { chain: new Uint8Array(16) }],
    ['wrong_lane', { lane: 'record' }],
    ['wrong_height', { height: 2 }],
    ['wrong_hash', { hash: other }],
    ['wrong_tree', { treeSize: 2 }],
    ['wrong_tree', { treeRoot: other }],
  ];
  for (const [fault, change] of mismatches) {
    it(`is refused when another ${Object.keys(change).join()} is expected: ${fault}`, () => {
      expect(faultOf(bytes, { ...expected, ...change })).toBe(fault);
    });
  }

  const refused: readonly [name: string, fault: ReceiptFault, bytes: Uint8Array][] = [
    ['nothing', 'malformed', new Uint8Array()],
    ['a later version', 'malformed', forgedRaw((map) => map.set(1, 2))],
    ['an unknown key', 'malformed', forgedRaw((map) => map.set(10, 0))],
    ['no time', 'malformed', forgedRaw((map) => map.delete(8))],
    ['a lane nobody knows', 'malformed', forgedRaw((map) => map.set(3, 'x'))],
    ['a payload in another encoding', 'not_canonical', sign1(Uint8Array.of(0x18, 0), hospitalKey, DOMAINS.receipt)],
    ['a signature made for a block', 'bad_signature', sign1(openSign1(bytes).payload, hospitalKey, DOMAINS.block)],
    ['a stranger\'s signature under the hospital\'s name', 'bad_signature', sign1(openSign1(bytes).payload, strangerKey, DOMAINS.receipt)],
  ];
  for (const [name, fault, forged] of refused) {
    it(`is refused with ${name}: ${fault}`, () => {
      expect(faultOf(forged)).toBe(fault);
    });
  }

  it('is refused with any one bit flipped', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Uint8Array.from(bytes);
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => verifyReceipt(forged, expected, verifyWithNodeCrypto)).toThrow(expect.objectContaining({ code: 'VG_RECEIPT_REJECTED' }));
    }
  });

  it('is not signed about something that is no block', () => {
    expect(() => signReceipt({ ...receipt, hash: new Uint8Array(31) }, hospitalKey)).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
  });
});
