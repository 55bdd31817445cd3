import { describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { verifyWithNoble } from '../../gateway/ledger/es256k.ts';
import { type AuditOptions, type ChainVerdict, type KnownBlock, verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { blockAfter, fileOf, genesisOf, rememberingCheck, type SampleBlock, sampleChain } from './chain-fixture.ts';

const chain = await sampleChain();
const file = fileOf(chain);
const check = rememberingCheck();
/** The newest block of each lane, as a receipt would name it. */
const known: KnownBlock[] = chain.slice(-2).map(({ lane, sealed }) => ({ lane, height: sealed.height, hash: sealed.hash }));

async function audit(bytes: Uint8Array, options: AuditOptions = {}): Promise<ChainVerdict> {
  return verifyChain(readBlocks(bytes), { check, ...options });
}

const places = chain.map((_, index) => index);
const pairs = places.flatMap((a) => places.slice(a + 1).map((b) => [a, b] as const));
const nameOf = (place: number): string => `${chain[place]?.lane} ${chain[place]?.sealed.height}`;

describe('the audit of a good chain', () => {
  it('says how far both lanes go', async () => {
    const verdict = await audit(file, { known, check: verifyWithNoble });
    expect(verdict).toMatchObject({ ok: true, blocks: 6, entries: 6 });
    if (!verdict.ok) return;
    expect(verdict.states.get('alarm')).toEqual(chain[5]?.sealed.newState);
    expect(verdict.states.get('record')).toEqual(chain[4]?.sealed.newState);
  });

  it('is good for a chain with proof of work as well', async () => {
    expect(await audit(fileOf(await sampleChain({ work: 8 })))).toMatchObject({ ok: true, blocks: 6 });
  });
});

describe('tampering with a chain file is detected', () => {
  it('when any one bit of it is flipped', async () => {
    const missed: number[] = [];
    for (let bit = 0; bit < file.length * 8; bit++) {
      const forged = Uint8Array.from(file);
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      if ((await audit(forged)).ok) missed.push(bit);
    }
    expect(missed).toEqual([]);
  }, 60_000);

  it('when it is cut anywhere inside a block, even where the newest blocks are not known', async () => {
    const ends = new Set(places.map((place) => fileOf(chain.slice(0, place + 1)).length));
    for (let length = 0; length < file.length; length++) {
      const verdict = await audit(file.subarray(0, length));
      expect(verdict.ok).toBe(ends.has(length));
    }
  });

  it('when it is cut between blocks and the newest blocks are known', async () => {
    for (const place of places) {
      expect(await audit(fileOf(chain.slice(0, place)), { known })).toMatchObject({ ok: false, reason: 'ends_early' });
    }
  });

  for (const place of places) {
    it(`when block ${nameOf(place)} is removed`, async () => {
      const verdict = await audit(fileOf(chain.toSpliced(place, 1)), { known });
      const isLast = place >= 4;
      expect(verdict).toMatchObject(isLast
        ? { ok: false, reason: 'ends_early', lane: chain[place]?.lane, height: 2 }
        : { ok: false, reason: 'wrong_height', lane: chain[place]?.lane, height: (chain[place]?.sealed.height ?? 0) + 1 });
    });

    it(`when block ${nameOf(place)} is repeated, at once or at the end`, async () => {
      const again = chain[place] as SampleBlock;
      const atOnce = fileOf(chain.toSpliced(place, 0, again));
      expect(await audit(atOnce)).toMatchObject({ ok: false, position: place + 1, reason: 'wrong_height' });
      expect(await audit(fileOf([...chain, again]))).toMatchObject({ ok: false, position: 6, reason: 'wrong_height' });
    });
  }

  for (const [a, b] of pairs) {
    const swapped = chain.with(a, chain[b] as SampleBlock).with(b, chain[a] as SampleBlock);
    const lanesKeepOrder = ['alarm', 'record'].every((name) => {
      const heights = swapped.filter(({ lane }) => lane === name).map(({ sealed }) => sealed.height);
      return heights.every((height, index) => height === index);
    });
    if (lanesKeepOrder) {
      it(`or is none: swapping ${nameOf(a)} and ${nameOf(b)} moves no block within its lane and changes no verdict`, async () => {
        expect(await audit(fileOf(swapped), { known })).toEqual(await audit(file, { known }));
      });
    } else {
      it(`when blocks ${nameOf(a)} and ${nameOf(b)} are swapped`, async () => {
        expect(await audit(fileOf(swapped))).toMatchObject({ ok: false, reason: 'wrong_height' });
      });
    }
  }

  it('when a block is replaced by another good one of the same gateway', async () => {
    const [, record0, record1] = chain as [SampleBlock, SampleBlock, SampleBlock];
    const other: SampleBlock = { lane: 'record', sealed: await blockAfter(record0.sealed, [1, 3]) };
    expect(other.sealed.height).toBe(record1.sealed.height);
    const verdict = await audit(fileOf(chain.with(2, other)));
    expect(verdict).toMatchObject({ ok: false, position: 4, reason: 'wrong_prev', lane: 'record', height: 2 });
  });

  it('when the newest block is replaced and the real one is known', async () => {
    const other: SampleBlock = { lane: 'alarm', sealed: await blockAfter((chain[3] as SampleBlock).sealed, [7]) };
    const verdict = await audit(fileOf(chain.with(5, other)), { known });
    expect(verdict).toMatchObject({ ok: false, reason: 'other_history', lane: 'alarm', height: 2 });
  });

  it('when a lane of another chain is mixed in, or another chain was expected', async () => {
    const foreign: SampleBlock = { lane: 'record', sealed: await genesisOf('record', { nonce: new Uint8Array(16) }) };
    expect(await audit(fileOf([chain[0] as SampleBlock, foreign]))).toMatchObject({ ok: false, position: 1, reason: 'wrong_chain' });
    expect(await audit(file, { chain: new Uint8Array(16) })).toMatchObject({ ok: false, position: 0, reason: 'wrong_chain' });
  });

  it('when a file is empty or holds something else', async () => {
    expect(await audit(new Uint8Array())).toMatchObject({ ok: false, position: 0, reason: 'malformed' });
    expect(await audit(new TextEncoder().encode('%PDF-1.7 not a chain'))).toMatchObject({ ok: false, position: 0 });
  });

  it('and blocks after the broken one are not judged', async () => {
    const blocks = (function* () {
      yield (chain[0] as SampleBlock).sealed.bytes;
      yield Uint8Array.of(0);
      throw new Error('nobody may ask for a third block');
    })();
    expect(await verifyChain(blocks, { check })).toMatchObject({ ok: false, position: 1, reason: 'malformed' });
  });

  it('but a source that cannot be read is no verdict', async () => {
    const broken = (function* (): Generator<Uint8Array> { throw new Error('disk on fire'); })();
    await expect(verifyChain(broken)).rejects.toThrow('disk on fire');
  });
});
