/** A gateway's pen for chains that change hands, honest or not: it seals whatever it is told to, under whatever key. For tests only. */

import { type Authority, firstAuthority } from '../../gateway/ledger/authority.ts';
import { encodeBlock, encodeHeader, blockHash, type Header, NO_PREV } from '../../gateway/ledger/block.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { type Change, type Membership, type Replacement, type Rotation, type SignedChange, signChange, unsigned, withSignatures } from '../../gateway/ledger/change.ts';
import { DOMAINS, sign1Value } from '../../gateway/ledger/cose.ts';
import { encodeEntry, type Entry } from '../../gateway/ledger/entry.ts';
import { signingKeyFrom, type SigningKey } from '../../gateway/ledger/es256k.ts';
import { chainIdOf, encodeParameters, type GenesisParameters, type Hospital } from '../../gateway/ledger/genesis.ts';
import { append, EMPTY_ROOT, EMPTY_TREE, leafHash, rootOf, type Tree } from '../../gateway/ledger/merkle.ts';
import { changeFields, kindOfChange } from '../../gateway/ledger/succession.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { LANES, type Lane } from '../../gateway/reading.ts';

const kept = new Map<string, SigningKey>();

/** A key that is the same in every run. */
export function keyNamed(name: string): SigningKey {
  const key = kept.get(name) ?? signingKeyFrom(sha256(Buffer.from(name)));
  kept.set(name, key);
  return key;
}

export const hospitalsNamed = (...names: readonly string[]): readonly Hospital[] => names.map((name) => ({ name, key: keyNamed(name).publicKey }));

export const TIME = UnixMillis(1_790_000_000_000);
export const GATEWAY = keyNamed('gateway');

export const parametersWith = (hospitals: readonly string[], quorum: number): GenesisParameters => ({
  gateway: GATEWAY.publicKey, hospitals: hospitalsNamed(...hospitals), quorum, work: 0, created: TIME, nonce: new Uint8Array(16),
});

type PenState = Readonly<{ height: number; hash: Uint8Array; tree: Tree }>;

export class Pen {
  readonly parameters: GenesisParameters;
  readonly chain: Uint8Array;
  readonly blocks: Readonly<{ lane: Lane; height: number; bytes: Uint8Array }>[] = [];
  #lanes = new Map<Lane, PenState>();
  sequence = 0;

  constructor(parameters = parametersWith(['north', 'south', 'west'], 2)) {
    this.parameters = parameters;
    this.chain = chainIdOf(encodeParameters(parameters));
    for (const lane of LANES) this.#sign(lane, { prev: NO_PREV, height: 0, treeSize: 0, treeRoot: EMPTY_ROOT, parameters: encodeParameters(parameters) }, [], EMPTY_TREE, GATEWAY);
  }

  get authority(): Authority {
    return firstAuthority(this.parameters);
  }

  heightOf(lane: Lane): number {
    return this.#lanes.get(lane)?.height ?? -1;
  }

  /** An entry that says nothing but its number. */
  filler(): Uint8Array {
    this.sequence += 1;
    return encodeEntry({ kind: 'event', sequence: this.sequence, time: TIME, fields: new Map([['n', this.sequence]]) });
  }

  /** The entry of a change; `as` overrides any part of it. */
  entry(signed: Pick<SignedChange, 'statement' | 'signatures' | 'change'>, as: Partial<Entry> = {}): Uint8Array {
    this.sequence += 1;
    return encodeEntry({ kind: kindOfChange(signed.change), sequence: this.sequence, time: TIME, fields: new Map(Object.entries(changeFields(signed))), ...as });
  }

  /** Seals the entries as they are. */
  seal(lane: Lane, entries: readonly Uint8Array[], key: SigningKey): void {
    const { height, hash, tree: before } = this.#lanes.get(lane) as PenState;
    const { tree } = append(before, entries.map(leafHash));
    const sequences = [this.sequence - entries.length + 1, this.sequence] as const;
    this.#sign(lane, { prev: hash, height: height + 1, treeSize: tree.size, treeRoot: rootOf(tree), entryRange: sequences }, entries, tree, key);
  }

  fill(lane: Lane, key: SigningKey, count = 1): void {
    this.seal(lane, Array.from({ length: count }, () => this.filler()), key);
  }

  /** The change in both lanes, as derivation does it: neighbours, alarm first. */
  carry(signed: SignedChange, key: SigningKey): void {
    for (const lane of LANES) this.seal(lane, [this.entry(signed)], key);
  }

  /** Blocks that are written and then forgotten again. */
  aside(write: () => void): readonly Uint8Array[] {
    const [lanes, count, sequence] = [new Map(this.#lanes), this.blocks.length, this.sequence];
    write();
    [this.#lanes, this.sequence] = [lanes, sequence];
    return this.blocks.splice(count).map(({ bytes }) => bytes);
  }

  #sign(lane: Lane, part: Omit<Header, 'chain' | 'lane' | 'time' | 'contracts'>, entries: readonly Uint8Array[], tree: Tree, key: SigningKey): void {
    const payload = encodeHeader({ chain: this.chain, lane, time: TIME, contracts: [], ...part });
    this.blocks.push({ lane, height: part.height, bytes: encodeBlock(sign1Value(payload, key, DOMAINS.block), entries) });
    this.#lanes.set(lane, { height: part.height, hash: blockHash(payload), tree });
  }
}

export const signedBy = (change: Change, ...keys: readonly SigningKey[]): SignedChange => {
  const blank = unsigned(change);
  return withSignatures(blank, keys.map((key) => signChange(blank, key)));
};

export const rotation = (pen: Pick<Pen, 'chain'>, to: SigningKey, more: Partial<Rotation> = {}): Rotation => ({ type: 'rotation', chain: pen.chain, number: 1, gateway: to.publicKey, ...more });

export const membership = (pen: Pick<Pen, 'chain'>, hospitals: readonly string[], quorum: number, more: Partial<Membership> = {}): Membership =>
  ({ type: 'membership', chain: pen.chain, number: 1, hospitals: hospitalsNamed(...hospitals), quorum, ...more });

/** The hospitals stay; both lanes end where they are, alarm first. */
export const replacement = (pen: Pen, to: SigningKey, more: Partial<Replacement> = {}): Replacement => ({
  type: 'replacement', chain: pen.chain, number: 1, gateway: to.publicKey, hospitals: pen.authority.hospitals, quorum: pen.authority.quorum,
  last: { alarm: pen.heightOf('alarm'), record: pen.heightOf('record') }, ...more,
});
