import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import type { Replacement } from '../../gateway/ledger/change.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { promise, promisedFor, takeBack } from '../../gateway/upstream/promises.ts';
import { Witness } from '../../gateway/upstream/witness.ts';
import { GATEWAY, keyNamed, Pen, replacement, signedBy } from '../ledger/succession-fixture.ts';
import { LogBook, memoryBlocks } from './hospital.ts';

const NEW = keyNamed('the next gateway');
const NOW = UnixMillis(1_800_000_000_000);

const witnessWith = (promised: Replacement | undefined): Promise<Witness> =>
  Witness.open({ blocks: memoryBlocks(), key: keyNamed('north'), gateways: 'open', now: () => NOW, log: new LogBook(), promised: () => promised });

/** A chain at block 1 of lane record, what its gateway promised to end there, and both ways on. */
function story(): Readonly<{ pen: Pen; change: Replacement; onward: Uint8Array; replaced: Uint8Array }> {
  const pen = new Pen();
  pen.fill('record', GATEWAY);
  const change = replacement(pen, NEW);
  const signed = signedBy(change, NEW, keyNamed('north'), keyNamed('south'));
  const [onward] = pen.aside(() => pen.fill('record', GATEWAY));
  const [replaced] = pen.aside(() => pen.seal('record', [pen.entry(signed)], NEW));
  return { pen, change, onward: onward as Uint8Array, replaced: replaced as Uint8Array };
}

async function judged(witness: Witness, pen: Pen, height: number, bytes: Uint8Array): Promise<unknown> {
  return await witness.judge({ chain: pen.chain, lane: 'record', height }, bytes);
}

const recordBlocks = ({ blocks }: Pen): readonly Uint8Array[] => blocks.filter(({ lane }) => lane === 'record').map(({ bytes }) => bytes);

describe('a hospital that has signed the replacement of a gateway key', () => {
  it('takes what the old key signed up to there, nothing of it after, and the block of the new key', async () => {
    const { pen, change, onward, replaced } = story();
    const witness = await witnessWith(change);
    for (const [height, bytes] of recordBlocks(pen).entries()) expect(await judged(witness, pen, height, bytes)).toMatchObject({ outcome: 'committed' });
    expect(await judged(witness, pen, 2, onward)).toMatchObject({ outcome: 'rejected', reason: 'revoked_key' });
    expect(await judged(witness, pen, 2, replaced)).toMatchObject({ outcome: 'committed' });
  });

  it('takes blocks of the old key again when the replacement has expired', async () => {
    const { pen, change, onward } = story();
    const witness = await witnessWith({ ...change, expires: UnixMillis(NOW - 1) });
    for (const [height, bytes] of recordBlocks(pen).entries()) await judged(witness, pen, height, bytes);
    expect(await judged(witness, pen, 2, onward)).toMatchObject({ outcome: 'committed' });
  });
});

describe('a promise', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-promise-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is kept for its chain until it is taken back, and a damaged file is refused', () => {
    const { pen, change } = story();
    expect(promisedFor(folder, pen.chain)).toBeUndefined();
    promise(folder, signedBy(change, NEW));
    expect(promisedFor(folder, pen.chain)).toEqual(change);
    expect(promisedFor(folder, new Uint8Array(16))).toBeUndefined();
    writeFileSync(join(folder, 'promises', `${toHex(pen.chain)}.change`), 'damaged');
    expect(() => promisedFor(folder, pen.chain)).toThrow('vitalgate change 1');
    takeBack(folder, pen.chain);
    expect(promisedFor(folder, pen.chain)).toBeUndefined();
  });
});
