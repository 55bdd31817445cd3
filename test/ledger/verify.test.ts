import { describe, expect, it } from 'vitest';
import type { RejectReason } from '../../gateway/errors.ts';
import {
  encodeBlock, encodeHeader, type Header, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES, openBlock,
} from '../../gateway/ledger/block.ts';
import { type CborKey, type CborValue, decode, encode } from '../../gateway/ledger/cbor.ts';
import { DOMAINS, SIGN1_TAG, sign1Value } from '../../gateway/ledger/cose.ts';
import { type SigningKey, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { chainIdOf, encodeParameters } from '../../gateway/ledger/genesis.ts';
import { append, leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { type ChainState, decodeState, encodeState } from '../../gateway/ledger/state.ts';
import { verifyBlock, type VerifyOptions } from '../../gateway/ledger/verify.ts';
import { blockAfter, entryOf, gatewayKey, genesisOf, parameters, strangerKey } from './chain-fixture.ts';

const genesis = await genesisOf('record');
const first = await blockAfter(genesis, [1, 2, 5]);
const second = await blockAfter(first, [6, 9]);
const otherLane = await genesisOf('alarm');
const otherChain = await genesisOf('record', { nonce: new Uint8Array(16) });

/** Signs a block anew after a change: what a careless or lying gateway with the right key could send. */
function forged(original: Uint8Array, change: Partial<Header>, entries?: readonly Uint8Array[], key: SigningKey = gatewayKey): Uint8Array {
  const block = openBlock(original);
  const header = encodeHeader({ ...block.header, ...change });
  return encodeBlock(sign1Value(header, key, DOMAINS.block), entries ?? block.entries);
}

/** The same with a change that the type of a header does not allow. */
function forgedRaw(original: Uint8Array, change: (map: Map<CborKey, CborValue>) => void): Uint8Array {
  const block = openBlock(original);
  const map = new Map(decode(block.envelope.payload) as ReadonlyMap<CborKey, CborValue>);
  change(map);
  return encodeBlock(sign1Value(encode(map), gatewayKey, DOMAINS.block), block.entries);
}

/** Entries that replace those of `first`, with a header that fits them. */
function withEntries(entries: readonly Uint8Array[], entryRange: readonly [number, number]): Uint8Array {
  const { tree } = append(genesis.newState.tree, entries.map(leafHash));
  return forged(first.bytes, { treeSize: tree.size, treeRoot: rootOf(tree), entryRange }, entries);
}

function reasonOf(state: ChainState | undefined, bytes: Uint8Array, options?: VerifyOptions): RejectReason | undefined {
  try {
    verifyBlock(state, bytes, options);
    return undefined;
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'VG_BLOCK_REJECTED' });
    return (thrown as { reason: RejectReason }).reason;
  }
}

describe('a good chain', () => {
  it('is verified block by block, with the state the sealer has', () => {
    const states = [verifyBlock(undefined, genesis.bytes).state];
    for (const sealed of [first, second]) {
      const verified = verifyBlock(states.at(-1), sealed.bytes);
      expect(verified.state).toEqual(sealed.newState);
      expect(verified.newNodes).toEqual(sealed.newNodes);
      expect(verified.hash).toEqual(sealed.hash);
      states.push(verified.state);
    }
    expect(states.at(-1)).toMatchObject({ height: 2, lastEntrySequence: 9, tree: { size: 5 } });
  });

  it('gives the entries back as they were sealed', () => {
    expect(verifyBlock(genesis.newState, first.bytes).entries).toEqual([1, 2, 5].map((sequence) => entryOf(sequence)));
  });

  it('is verified the same by the other back end', () => {
    expect(verifyBlock(genesis.newState, first.bytes, { check: verifyWithNodeCrypto })).toEqual(verifyBlock(genesis.newState, first.bytes));
  });

  it('has states that are read back as they were written', () => {
    for (const sealed of [genesis, first, second]) expect(decodeState(encodeState(sealed.newState))).toEqual(sealed.newState);
  });

  it('has no state whose tree or parameters do not fit', () => {
    const shorter = { ...second.newState, tree: { size: 5, frontier: second.newState.tree.frontier.slice(1) } };
    const foreign = { ...second.newState, parameters: { ...parameters, quorum: 1, nonce: new Uint8Array(16) } };
    for (const state of [shorter, foreign]) {
      expect(() => decodeState(encodeState(state))).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
    }
  });
});

const otherHash = new Uint8Array(32).fill(1);
const otherParameters = encodeParameters({ ...parameters, nonce: new Uint8Array(16) });
const envelope = sign1Value(openBlock(first.bytes).envelope.payload, gatewayKey, DOMAINS.block);
const endlessEntries = Array.from({ length: MAX_BLOCK_ENTRIES + 1 }, () => new Uint8Array());
/** { 1: "event", 2: 1 in two bytes, 3: 0, 5: {} } */
const longForm = Uint8Array.from(Buffer.from('a40165' + '6576656e74' + '021801' + '0300' + '05a0', 'hex'));
const refusedAfterGenesis: readonly [name: string, reason: RejectReason, bytes: Uint8Array][] = [
  ['nothing', 'malformed', new Uint8Array()],
  ['other CBOR', 'malformed', encode(new Map([[1, 2]]))],
  ['text among the entries', 'malformed', encode([envelope, ['x']], { tags: [SIGN1_TAG] })],
  ['a header that is no CBOR', 'malformed', encodeBlock(sign1Value(Uint8Array.of(0x1c), gatewayKey, DOMAINS.block), [])],
  ['more bytes than allowed', 'malformed', new Uint8Array(MAX_BLOCK_BYTES + 1)],
  ['more entries than allowed', 'malformed', forged(first.bytes, {}, endlessEntries)],
  ['a later version', 'wrong_version', forgedRaw(first.bytes, (map) => map.set(1, 2))],
  ['a key nobody knows', 'malformed', forgedRaw(first.bytes, (map) => map.set(13, 0))],
  ['no contract set', 'malformed', forgedRaw(first.bytes, (map) => map.delete(10))],
  ['a lane nobody knows', 'malformed', forgedRaw(first.bytes, (map) => map.set(3, 'gossip'))],
  ['an entry range of three', 'malformed', forgedRaw(first.bytes, (map) => map.set(9, [1, 2, 5]))],
  ['the genesis of another chain', 'wrong_chain', otherChain.bytes],
  ['the genesis of the other lane', 'wrong_lane', otherLane.bytes],
  ['the genesis again', 'wrong_height', genesis.bytes],
  ['the block after the next', 'wrong_height', second.bytes],
  ['a foreign predecessor', 'wrong_prev', forged(first.bytes, { prev: otherHash })],
  ['parameters in a later block', 'wrong_genesis', forged(first.bytes, { parameters: encodeParameters(parameters) })],
  ['a tree size too small', 'wrong_tree_size', forged(first.bytes, { treeSize: 2 })],
  ['another tree root', 'wrong_tree_root', forged(first.bytes, { treeRoot: otherHash })],
  ['one entry changed', 'wrong_tree_root', forged(first.bytes, {}, [entryOf(1), entryOf(2, { kind: 'gap' }), entryOf(5)])],
  ['entries changed places', 'wrong_entry_order', forged(first.bytes, {}, [entryOf(2), entryOf(1), entryOf(5)])],
  ['an entry twice', 'wrong_entry_order', withEntries([entryOf(1), entryOf(1)], [1, 1])],
  ['no entries', 'wrong_entry_range', withEntries([], [1, 1])],
  ['no entry range', 'wrong_entry_range', forgedRaw(first.bytes, (map) => map.delete(9))],
  ['another first entry in the header', 'wrong_entry_range', forged(first.bytes, { entryRange: [2, 5] })],
  ['another last entry in the header', 'wrong_entry_range', forged(first.bytes, { entryRange: [1, 6] })],
  ['an entry that is no entry', 'malformed', withEntries([Uint8Array.of(0)], [1, 1])],
  ['an entry with a number in longer form', 'not_canonical', withEntries([longForm], [1, 1])],
  ['a contract twice', 'not_canonical', forged(first.bytes, { contracts: [otherHash, otherHash] })],
  ['a nonce without need', 'not_canonical', forged(first.bytes, { nonce: new Uint8Array(8) })],
  ['the signature of a stranger', 'bad_signature', forged(first.bytes, {}, undefined, strangerKey)],
];

describe('a block after the genesis is refused', () => {
  for (const [name, reason, bytes] of refusedAfterGenesis) {
    it(`with ${name}: ${reason}`, () => {
      expect(reasonOf(genesis.newState, bytes)).toBe(reason);
    });
  }

  it('when it repeats entries of the block before: wrong_entry_order', () => {
    const entries = [entryOf(5), entryOf(6)];
    const { tree } = append(first.newState.tree, entries.map(leafHash));
    const bytes = forged(second.bytes, { treeSize: tree.size, treeRoot: rootOf(tree), entryRange: [5, 6] }, entries);
    expect(reasonOf(first.newState, bytes)).toBe('wrong_entry_order');
  });

  it('when it is signed as a receipt: bad_signature', () => {
    const { envelope: good, entries } = openBlock(first.bytes);
    const bytes = encodeBlock(sign1Value(good.payload, gatewayKey, DOMAINS.receipt), entries);
    expect(reasonOf(genesis.newState, bytes)).toBe('bad_signature');
  });
});

describe('a genesis block is refused', () => {
  const refused: readonly [name: string, reason: RejectReason, bytes: Uint8Array, options?: VerifyOptions][] = [
    ['when it is a later block', 'wrong_height', first.bytes],
    ['when it follows another', 'wrong_prev', forged(genesis.bytes, { prev: otherHash })],
    ['without parameters', 'wrong_genesis', forgedRaw(genesis.bytes, (map) => map.delete(12))],
    ['with an entry range', 'wrong_genesis', forged(genesis.bytes, { entryRange: [1, 1] })],
    ['with entries', 'wrong_genesis', forged(genesis.bytes, {}, [entryOf(1)])],
    ['with the parameters of another chain', 'wrong_genesis', forged(genesis.bytes, { parameters: otherParameters })],
    ['with a tree that is not empty', 'wrong_tree_size', forged(genesis.bytes, { treeSize: 1 })],
    ['with the root of another tree', 'wrong_tree_root', forged(genesis.bytes, { treeRoot: otherHash })],
    ['when another key signed than it names', 'bad_signature', forged(genesis.bytes, {}, undefined, strangerKey)],
    ['when another chain is expected', 'wrong_chain', genesis.bytes, { chain: new Uint8Array(16) }],
    ['when another lane is expected', 'wrong_lane', genesis.bytes, { lane: 'alarm' }],
  ];
  for (const [name, reason, bytes, options] of refused) {
    it(`${name}: ${reason}`, () => {
      expect(reasonOf(undefined, bytes, options)).toBe(reason);
    });
  }

  it('when its parameters are none a chain may have, although their hash is right: wrong_genesis', () => {
    const map = new Map(decode(encodeParameters(parameters)) as ReadonlyMap<CborKey, CborValue>).set(4, 5);
    const impossible = encode(map);
    expect(reasonOf(undefined, forged(genesis.bytes, { parameters: impossible, chain: chainIdOf(impossible) }))).toBe('wrong_genesis');
  });
});

describe('a chain that demands work', () => {
  it('refuses a block without a nonce or with one that is not good enough', async () => {
    const worked = await genesisOf('record', { work: 8 });
    const block = await blockAfter(worked, [1]);
    expect(reasonOf(worked.newState, forgedRaw(block.bytes, (map) => map.delete(11)))).toBe('insufficient_work');
    const lazy = Array.from({ length: 64 }, (_, nonce) => forged(block.bytes, { nonce: new Uint8Array(8).fill(nonce + 100) }));
    const reasons = lazy.map((bytes) => reasonOf(worked.newState, bytes));
    expect(reasons).toContain('insufficient_work');
    expect(reasons.every((reason) => reason === 'insufficient_work' || reason === undefined)).toBe(true);
    expect(reasonOf(worked.newState, block.bytes)).toBeUndefined();
  });
});
