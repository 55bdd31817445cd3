/** Random histories of changes, good and bad, against a twin that knows names and sets and no cryptography. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Authority, firstAuthority } from '../../gateway/ledger/authority.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { collect, decodeSignedChange, encodeSignedChange, type Change, signChange, type SignedChange, unsigned, withSignatures } from '../../gateway/ledger/change.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { type ChainState, decodeState, encodeState } from '../../gateway/ledger/state.ts';
import { ChangeRejected, judgeChange } from '../../gateway/ledger/succession.ts';
import { currentTerm, receiptedHeight, termAt, type Term, termsAfter, termsOf } from '../../gateway/ledger/terms.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { LANES, type Lane } from '../../gateway/reading.ts';
import { hospitalsNamed, keyNamed, parametersWith, Pen, TIME } from './succession-fixture.ts';
import { rememberingCheck } from './chain-fixture.ts';

const HOSPITALS = ['h0', 'h1', 'h2', 'h3', 'h4'];
const GATEWAYS = ['gateway', 'g1', 'g2', 'g3'];

/** A change in names. `skip`: how far beyond the next number; `below`: how far the last heights are beside those of the lanes. */
type Wish = Readonly<{ type: Change['type']; to: string; hospitals: readonly string[]; quorum: number; signers: readonly string[]; skip: number; beside: number; foreign: boolean; filler: number }>;

/** Mostly what might be allowed, so that histories get somewhere. */
const wish: fc.Arbitrary<Wish> = fc.record({
  type: fc.constantFrom('rotation', 'membership', 'replacement'),
  to: fc.constantFrom(...GATEWAYS),
  hospitals: fc.subarray(HOSPITALS),
  quorum: fc.integer({ min: 0, max: 5 }),
  signers: fc.oneof(fc.constant([...HOSPITALS, ...GATEWAYS]), fc.subarray([...HOSPITALS, ...GATEWAYS])),
  skip: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -1, max: 2 }) }),
  beside: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -1, max: 1 }) }),
  foreign: fc.oneof({ weight: 12, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  filler: fc.nat(2),
});

type Named = Readonly<{ number: number; gateway: string; hospitals: readonly string[]; quorum: number }>;

const numberOf = (number: number, { skip }: Wish): number => Math.max(1, number + 1 + skip);

/** There is no height below 0. */
const claimedOf = (height: number, { beside }: Wish): number => Math.max(0, height + beside);

/** The rules once more, in names. `heights`: of the lanes now. */
function twin({ number, gateway, hospitals, quorum }: Named, said: Wish, heights: readonly number[]): Named | undefined {
  const next = { number: numberOf(number, said), gateway: said.type === 'membership' ? gateway : said.to, ...(said.type === 'rotation' ? { hospitals, quorum } : { hospitals: said.hospitals, quorum: said.quorum }) };
  if (said.foreign || next.number <= number || (said.type !== 'replacement' && next.number !== number + 1)) return undefined;
  const n = next.hospitals.length;
  if (next.quorum > n || (n > 0 && next.quorum === 0)) return undefined;
  if (said.type === 'membership' && (n === 0 || 2 * next.quorum <= n)) return undefined;
  if (said.type !== 'membership' && (said.to === gateway || !said.signers.includes(said.to))) return undefined;
  if (said.type === 'rotation') return said.signers.includes(gateway) ? next : undefined;
  if (said.type === 'replacement' && (hospitals.length === 0 || heights.some((height) => claimedOf(height, said) !== height))) return undefined;
  return hospitals.filter((name) => said.signers.includes(name)).length >= quorum ? next : undefined;
}

const inNames = ({ number, gateway, hospitals, quorum }: Authority): Named => ({
  number, gateway: GATEWAYS.find((name) => toHex(keyNamed(name).publicKey) === toHex(gateway)) ?? '?', hospitals: hospitals.map(({ name }) => name), quorum,
});

function statementOf(pen: Pen, { number }: Named, said: Wish): Change {
  const bound = { chain: said.foreign ? new Uint8Array(16) : pen.chain, number: numberOf(number, said) };
  const gateway = keyNamed(said.to).publicKey;
  const members = { hospitals: hospitalsNamed(...said.hospitals), quorum: said.quorum };
  const last = { alarm: claimedOf(pen.heightOf('alarm'), said), record: claimedOf(pen.heightOf('record'), said) };
  switch (said.type) {
    case 'rotation': return { type: said.type, ...bound, gateway };
    case 'membership': return { type: said.type, ...bound, ...members };
    case 'replacement': return { type: said.type, ...bound, gateway, ...members, last };
  }
}

const signatures = new Map<string, SignedChange>();
/** Signing takes a millisecond, and the same things are signed again and again. */
function signed(change: Change, names: readonly string[]): SignedChange {
  const blank = unsigned(change);
  const name = `${toHex(blank.statement)} ${names.join()}`;
  const known = signatures.get(name) ?? withSignatures(blank, names.map((each) => signChange(blank, keyNamed(each))));
  signatures.set(name, known);
  return known;
}

/** Before there is any block but the first, one below the lane is the lane. */
const REPLACED_AT_ONCE: Wish = { type: 'replacement', to: 'g1', hospitals: ['h0'], quorum: 1, signers: [...HOSPITALS, ...GATEWAYS], skip: 0, beside: -1, foreign: false, filler: 0 };

const check = rememberingCheck();

describe('any history of changes', () => {
  it('leads to the authority that the statements say, at every height, and passes over those that break a rule', async () => {
    let [accepted, refused] = [0, 0];
    await fc.assert(fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 8 }), async (history) => {
      const pen = new Pen(parametersWith(['h0', 'h1', 'h2'], 2));
      let now: Named = { number: 0, gateway: 'gateway', hospitals: ['h0', 'h1', 'h2'], quorum: 2 };
      const byHeight: Record<Lane, Named[]> = { alarm: [now], record: [now] };
      const states = new Map<Lane, ChainState>();
      const store = new StoredBlocks(openMemoryStore(), { removePending: false });
      let followed: Record<Lane, readonly Term[]> = { alarm: [], record: [] };
      const take = async (): Promise<void> => {
        for (const { lane, bytes } of pen.blocks.splice(0)) {
          const verified = verifyBlock(states.get(lane), bytes, { check });
          states.set(lane, decodeState(encodeState(verified.state)));
          followed = { ...followed, [lane]: termsAfter(followed[lane], verified) };
          await store.append({ bytes, verified });
        }
      };
      await take();
      for (const said of history) {
        for (let at = 0; at < said.filler; at++) {
          for (const lane of LANES) {
            pen.fill(lane, keyNamed(now.gateway));
            byHeight[lane].push(now);
          }
        }
        await take();
        const after = twin(now, said, LANES.map((lane) => pen.heightOf(lane)));
        const change = signed(statementOf(pen, now, said), said.signers);
        const carry = (): void => pen.carry(change, keyNamed(said.type === 'replacement' ? said.to : now.gateway));
        if (after === undefined) {
          for (const [at, bytes] of pen.aside(carry).entries()) {
            const judge = (): unknown => verifyBlock(states.get(LANES[at] as Lane), bytes, { check });
            expect(judge).toThrow(expect.objectContaining({ code: 'VG_BLOCK_REJECTED', reason: expect.stringMatching(/^change_/) as string }));
          }
          refused += 1;
          continue;
        }
        carry();
        await take();
        accepted += 1;
        for (const lane of LANES) byHeight[lane].push(said.type === 'replacement' ? after : now);
        now = after;
      }
      for (const lane of LANES) {
        const terms = await termsOf(store, { chain: pen.chain, lane });
        expect(terms).toEqual(followed[lane]);
        expect(inNames(currentTerm(terms).authority)).toEqual(now);
        expect(inNames(states.get(lane)?.authority as Authority)).toEqual(now);
        expect(byHeight[lane].map((_, height) => inNames(termAt(terms, height).authority))).toEqual(byHeight[lane]);
      }
    }), { numRuns: 120, examples: [[[REPLACED_AT_ONCE]]] });
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  it('is written in a state that old chains do not notice', () => {
    const pen = new Pen();
    const state = verifyBlock(undefined, pen.blocks[0]?.bytes as Uint8Array).state;
    expect(encodeState(state)[2]).toBe(1);
    expect(decodeState(encodeState(state)).authority).toEqual(firstAuthority(pen.parameters));
    expect(openBlock(pen.blocks[0]?.bytes as Uint8Array).header.parameters).toBeDefined();
  });
});

describe('signatures under a change', () => {
  const pen = new Pen(parametersWith(HOSPITALS, 3));
  const change: Change = { type: 'membership', chain: pen.chain, number: 1, hospitals: hospitalsNamed('h0', 'h1'), quorum: 2 };
  const place = { chain: pen.chain, authority: firstAuthority(pen.parameters), time: TIME };
  const actors = [...HOSPITALS, 'stranger', 'gateway'];

  it('count the same whoever collects them, in whatever order and however often', () => {
    fc.assert(fc.property(fc.array(fc.array(fc.constantFrom(...actors), { maxLength: 5 }), { minLength: 1, maxLength: 4 }), fc.array(fc.constantFrom(...actors), { maxLength: 3 }), (files, spoilt) => {
      const [first, ...others] = files.map((names) => signed(change, [...new Set(names)]));
      const bad = { ...signed(change, [...new Set(spoilt)]) };
      const broken = { ...bad, signatures: bad.signatures.map(({ key }) => ({ key, signature: new Uint8Array(64).fill(1) })) };
      const collected = decodeSignedChange(encodeSignedChange(collect(first as SignedChange, [broken, ...others], check)));
      const reversed = collect(others.at(-1) ?? (first as SignedChange), [...others, broken, first as SignedChange].reverse(), check);
      expect(reversed.signatures.filter(({ signature }) => signature[0] !== 1 || signature[1] !== 1)).toEqual(collected.signatures.filter(({ signature }) => signature[0] !== 1 || signature[1] !== 1));
      const enough = HOSPITALS.filter((name) => files.flat().includes(name)).length >= 3;
      const judge = (): Authority => judgeChange(place, collected, check);
      if (enough) expect(judge().hospitals).toHaveLength(2);
      else expect(judge).toThrow(ChangeRejected);
    }));
  });

  it('are not collected under different statements', () => {
    const other = signed({ ...change, quorum: 1 }, ['h0']);
    expect(() => collect(signed(change, ['h1']), [other], verifyWithNodeCrypto)).toThrow('different statements');
  });
});

describe('the receipted height', () => {
  const authority = (number: number, hospitals: readonly string[], quorum: number): Authority => ({ number, gateway: keyNamed('gateway').publicKey, hospitals: hospitalsNamed(...hospitals), quorum });
  const term = fc.record({ length: fc.integer({ min: 1, max: 5 }), hospitals: fc.subarray(HOSPITALS, { minLength: 1 }), k: fc.nat() });

  it('is the newest block that its own authority has countersigned, tried out height by height', () => {
    fc.assert(fc.property(fc.array(term, { minLength: 1, maxLength: 4 }), fc.array(fc.option(fc.nat(20)), { minLength: 5, maxLength: 5 }), (lengths, reached) => {
      let from = 0;
      const terms: Term[] = lengths.map(({ length, hospitals, k }, number) => {
        const made = { from, authority: authority(number, hospitals, 1 + (k % hospitals.length)) };
        from += length;
        return made;
      });
      const heightOf = (key: Uint8Array): number | undefined => reached[HOSPITALS.findIndex((name) => toHex(keyNamed(name).publicKey) === toHex(key))] ?? undefined;
      const isFinal = (height: number): boolean => {
        const { authority: { hospitals, quorum } } = termAt(terms, height);
        return hospitals.filter(({ key }) => (heightOf(key) ?? -1) >= height).length >= quorum;
      };
      const newest = Array.from({ length: 30 }, (_, height) => height).findLast(isFinal);
      expect(receiptedHeight(terms, heightOf)).toBe(newest);
    }));
  });

  it('does not wait for a hospital that left, and does not count one that was not there yet', () => {
    const terms = [{ from: 0, authority: authority(0, ['h0', 'h1'], 2) }, { from: 10, authority: authority(1, ['h0', 'h2'], 2) }];
    const at = (heights: Readonly<Record<string, number>>): number | undefined => receiptedHeight(terms, (key) => heights[HOSPITALS.find((name) => toHex(keyNamed(name).publicKey) === toHex(key)) ?? '']);
    expect(at({ h0: 9, h1: 7, h2: 9 })).toBe(7);
    expect(at({ h0: 12, h1: 7, h2: 11 })).toBe(11);
    expect(at({ h0: 12, h1: 12, h2: 3 })).toBe(9);
  });
});
