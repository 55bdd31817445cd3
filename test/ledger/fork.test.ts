import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBlock, type OpenBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { readCoseReceipt, signCoseReceipt, verifyCoseReceipt } from '../../gateway/ledger/cose-receipt.ts';
import { verifyWithNodeCrypto, verifyWithNoble } from '../../gateway/ledger/es256k.ts';
import { verifyFork } from '../../gateway/ledger/fork.ts';
import { append, EMPTY_TREE, leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { inclusionProof } from '../../gateway/ledger/merkle-proof.ts';
import { ChainWriter, GATEWAY, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { entryOf, gatewayKey, strangerKey } from './chain-fixture.ts';

const blockOf = (writer: ChainWriter, height: number): OpenBlock => openBlock(writer.at(height).bytes);
const judge = (one: OpenBlock, other: OpenBlock, key = GATEWAY.publicKey): string => {
  try {
    return `fork at ${verifyFork(one, other, key, verifyWithNodeCrypto).height}`;
  } catch (error) {
    return (error as { reason: string }).reason;
  }
};

describe('evidence of a fork', () => {
  it('is two blocks of one height, or one that does not follow the other, in any order', async () => {
    const writer = await ChainWriter.of(3);
    const twin = writer.copy(1);
    await twin.seal('another story');
    await twin.seal('and on');
    expect(judge(blockOf(writer, 2), blockOf(twin, 2))).toBe('fork at 2');
    expect(judge(blockOf(twin, 2), blockOf(writer, 2))).toBe('fork at 2');
    expect(judge(blockOf(twin, 3), blockOf(writer, 2))).toBe('fork at 3');
  });

  it('is none when both can stand in one chain, are of two chains or lanes, or of another\'s key', async () => {
    const writer = await ChainWriter.of(4);
    const twin = writer.copy(2);
    await twin.seal('another story');
    expect(judge(blockOf(writer, 1), blockOf(writer, 2))).toBe('wrong_height');
    expect(judge(blockOf(writer, 1), blockOf(writer, 3))).toBe('wrong_height');
    expect(judge(blockOf(writer, 3), blockOf(writer, 3))).toBe('wrong_height');
    expect(judge(blockOf(writer, 2), blockOf(twin, 2), keyOf('another').publicKey)).toBe('bad_signature');
    expect(judge(blockOf(writer, 2), blockOf(await ChainWriter.of(3, 'alarm'), 2))).toBe('wrong_lane');
    expect(judge(blockOf(writer, 2), blockOf(await ChainWriter.of(3, 'record', parametersOf(['south'])), 2))).toBe('wrong_chain');
  });
});

describe('a COSE receipt', () => {
  const entries = Array.from({ length: 7 }, (_, i) => entryOf(i + 1));
  const { tree, nodes } = append(EMPTY_TREE, entries.map(leafHash));
  const byPlace = new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash]));
  const receiptOf = async (index: number): Promise<Uint8Array> => {
    const path = await inclusionProof(index, tree.size, (level, place) => byPlace.get(`${level}/${place}`) as Uint8Array);
    return signCoseReceipt({ size: tree.size, index, path, root: rootOf(tree) }, gatewayKey);
  };

  it('shows every entry, and begins as RFC 9942 draws it', async () => {
    for (const [index, entry] of entries.entries()) {
      const receipt = await receiptOf(index);
      expect(toHex(receipt)).toMatch(/^d28448a201382e19018b01a119018ca12081/);
      expect(verifyCoseReceipt(receipt, entry, gatewayKey.publicKey, verifyWithNodeCrypto)).toEqual({ size: 7, index, root: rootOf(tree) });
    }
  });

  it('is refused for another entry or key, and with any bit changed, by both back ends alike', async () => {
    const [receipt, entry] = [await receiptOf(4), entries[4] as Uint8Array];
    const verdict = (bytes: Uint8Array, check = verifyWithNodeCrypto, about = entry, key = gatewayKey.publicKey): string => {
      try {
        return `good ${verifyCoseReceipt(bytes, about, key, check).index}`;
      } catch (error) {
        return (error as Error).constructor.name;
      }
    };
    expect([verdict(receipt), verdict(receipt, verifyWithNodeCrypto, entries[3]), verdict(receipt, verifyWithNodeCrypto, entry, strangerKey.publicKey)]).toEqual(['good 4', 'ProofRejected', 'ProofRejected']);
    for (let bit = 0; bit < receipt.length * 8; bit++) {
      const changed = Uint8Array.from(receipt);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, verdict(changed)]).toEqual([bit, expect.stringMatching(/^(?:CborError|ProofRejected)$/)]);
    }
    fc.assert(fc.property(fc.nat(receipt.length * 8 - 1), (bit) => {
      const changed = Uint8Array.from(receipt);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verdict(changed, verifyWithNoble)).toBe(verdict(changed));
    }), { numRuns: 30 });
    expect(() => readCoseReceipt(receipt.subarray(0, 40))).toThrow(expect.objectContaining({ name: 'CborError' }));
  });
});
