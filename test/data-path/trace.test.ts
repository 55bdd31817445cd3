import { describe, expect, it } from 'vitest';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import { Bytes, Millis } from '../../gateway/quantity.ts';
import type { Trace } from '../../gateway/trace.ts';
import { evidenceLeaf, framesOf } from '../../gateway/frame-codec.ts';
import { Sequence, type AcceptedFrame } from '../../gateway/reading.ts';
import { ENGINES } from '../contract/engines.ts';
import { bind, message, pulse, START, tick } from '../derive/story.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { MemoryShelf } from '../vault/known-keys.ts';
import { House } from './house.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Checks both proofs of a trace with nothing but what it says and the frame's bytes. */
async function assertProven(house: House, trace: Trace): Promise<void> {
  const { evidence, inclusion } = trace.sealed as NonNullable<Trace['sealed']>;
  const [accepted] = framesOf(await house.parts.journal.read(Sequence(trace.accepted.sequence), Bytes(1)) as never);
  expect(evidence.frame).toBe(Buffer.from((accepted as AcceptedFrame).bytes).toString('hex'));
  const leaf = sha256(evidenceLeaf(trace.accepted.sequence, hex(evidence.frame)));
  expect(Buffer.from(leaf).toString('hex')).toBe(evidence.leaf);
  expect(evidence.first + evidence.index).toBe(trace.accepted.sequence);
  expect(evidence.size).toBe(evidence.last - evidence.first + 1);
  verifyInclusion(leaf, evidence.index, evidence.size, evidence.proof.map(hex), hex(evidence.root));
  verifyInclusion(hex(inclusion.leaf), inclusion.index, inclusion.size, inclusion.proof.map(hex), hex(inclusion.root));
}

describe.each(ENGINES)('a trace, $name', ({ open }) => {
  it('follows a message from its bytes to its receipts', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    await house.pipeline.decide(bind('w').payload);
    const sequences = await house.seal(
      ...Array.from({ length: 20 }, (_, i) => message(i % 3 === 0 ? 'w' : 'x', pulse(60 + i, { seq: i, time: START })))
    );
    const wanted = sequences[9] as number;
    const sealed = await house.trace('w', wanted);
    expect(sealed).toMatchObject({
      state: 'sealed', receipts: [], quorum: { needed: 2, of: 2 },
      accepted: {
        sequence: wanted, device: 'w', topic: 'devices/w/readings', qos: 1, subject: 'patient/anna', clockTrust: 'synchronised',
        receivedAt: new Date(START).toISOString(),
      },
    });
    expect(sealed.accepted.payload).toContain('"seq":9');
    await assertProven(house, sealed);
    const { height } = sealed.sealed as NonNullable<Trace['sealed']>;
    await house.receipt('north', height);
    expect(await house.trace('w', wanted)).toMatchObject({ state: 'relayed', receipts: [{ hospital: 'north', height }] });
    await house.receipt('south', height);
    const receipted = await house.trace('w', wanted);
    expect(receipted.state).toBe('receipted');
    expect(
      receipted.receipts.map((receipt) => `${receipt.hospital} ${receipt.height}`).toSorted()
    ).toEqual([`north ${height}`, `south ${height}`]);
  });

  it('proves every message of a window', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    const sequences = await house.seal(...Array.from({ length: 13 }, (_, i) => message('w', pulse(60, { seq: i }))));
    for (const sequence of sequences) await assertProven(house, await house.trace('w', sequence));
  });

  it('says "accepted" while no block holds the message', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store, Millis(3_600_000));
    const sequence = await house.pipeline.accept(message('w', pulse(60)));
    expect(await house.trace('w', sequence)).toMatchObject({ state: 'accepted', accepted: { sequence, subject: null }, receipts: [] });
    // Derived, but its block waits for company.
    await house.pipeline.accept(tick());
    await house.until(() => house.checkpoints.length > 0);
    expect((await house.trace('w')).state).toBe('accepted');
  });

  it('counts a receipt for a later block, and none of a stranger', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    const [first] = await house.seal(message('w', pulse(60)));
    await house.seal(message('w', pulse(61)));
    const later = house.sealed.at(-1)?.state.height as number;
    const { height } = (await house.trace('w', first)).sealed as NonNullable<Trace['sealed']>;
    expect(later).toBeGreaterThan(height);
    await house.receipt('north', later, keyOf('a stranger'));
    expect((await house.trace('w', first)).state).toBe('sealed');
    await house.receipt('north', later);
    expect(await house.trace('w', first)).toMatchObject({ state: 'relayed', receipts: [{ hospital: 'north', height: later }] });
  });

  it('finds the last message of a device that spoke just now, long ago, or never', async () => {
    await using engine = await open();
    const shelf = new MemoryShelf();
    {
      await using house = await House.open(engine.store, Millis(200), shelf);
      await house.seal(
        message('idle', pulse(60, { seq: 1 })), message('old', 'garbage'), message('idle', pulse(61, { seq: 2 })),
        message('busy', pulse(62)),
      );
      // More frames than are searched from the end of the journal.
      await house.seal(...Array.from({ length: 9000 }, (_, seq) => message('busy', pulse(60, { seq }))));
      expect((await house.trace('busy')).accepted).toMatchObject(
        { device: 'busy', payload: expect.stringContaining('"seq":8999') as string }
      );
      expect((await house.trace('idle')).accepted).toMatchObject({ sequence: 3 });
    }
    await using house = await House.open(await engine.reopen(), Millis(20), shelf);
    expect((await house.trace('idle')).accepted).toMatchObject({ sequence: 3 });
    const old = await house.trace('old');
    expect(old.accepted).toMatchObject({ sequence: 2, payload: 'garbage' });
    await assertProven(house, old);
    await expect(house.trace('never')).rejects.toMatchObject({ code: 'VG_USAGE' });
  });

  it('refuses a sequence that is no message of that device', async () => {
    await using engine = await open();
    await using house = await House.open(engine.store);
    await house.seal(message('w', pulse(60)));
    for (const sequence of [0, -1, 1.5, Number.NaN, 2 ** 53, house.parts.journal.next, 10_000]) {
      await expect(house.trace('w', sequence)).rejects.toMatchObject({ code: 'VG_USAGE' });
    }
    await expect(house.trace('x', 1)).rejects.toMatchObject({ code: 'VG_USAGE' });
    await expect(house.trace('w', 2)).rejects.toMatchObject({ code: 'VG_USAGE' });
  });
});
