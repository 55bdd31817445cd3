import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { encodeState } from '../../gateway/ledger/state.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { VerifyPool } from '../../gateway/upstream/verify-pool.ts';
import { judgeRun, type OfferedRun } from '../../gateway/upstream/verifier.ts';
import { ChainWriter, keyOf, parametersOf, withBrokenSignature } from './gateway-chain.ts';
import { memoryBlocks, offer, offerAll, startHospital } from './hospital.ts';

const FOLDER = join(import.meta.dirname, '..', 'ledger', 'vectors', 'blocks');
type Vector = Readonly<{ pieces: readonly (readonly [hex: string, times: number])[] }>;
const hostile = readdirSync(FOLDER).toSorted().map((name) => [name.replace('.json', ''), JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Vector] as const);

const pool = new VerifyPool({ key: keyOf('north'), threads: 2 });
afterAll(() => pool.close());

const writer = await ChainWriter.of(8);
const bytesFrom = (from: number, to = 8): Uint8Array[] => writer.blocks.slice(from, to).map(({ bytes }) => bytes);
const headAt = (height: number): Uint8Array => encodeState(writer.at(height).newState);

/** Bytes of any kind compare by what they hold. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_key, each: unknown) => (each instanceof Uint8Array || (each as { type?: string } | null)?.type === 'Buffer' ? Buffer.from(each as Uint8Array).toString('hex') : each)));

const runs: readonly (readonly [string, OfferedRun])[] = [
  ['a genesis block', { ...writer.id, head: undefined, height: 0, blocks: bytesFrom(0, 1) }],
  ['a whole lane, which ends at its genesis block', { ...writer.id, head: undefined, blocks: bytesFrom(0) }],
  ['blocks that follow the head', { ...writer.id, head: headAt(2), blocks: bytesFrom(3) }],
  ['blocks of which some are here already', { ...writer.id, head: headAt(4), blocks: bytesFrom(2) }],
  ['a gap', { ...writer.id, head: headAt(2), blocks: bytesFrom(5) }],
  ['blocks out of order', { ...writer.id, head: headAt(2), blocks: bytesFrom(3).toReversed() }],
  ['a forged one after a good one', { ...writer.id, head: headAt(2), blocks: [...bytesFrom(3, 4), withBrokenSignature(writer.at(4))] }],
  ['another place than was said', { ...writer.id, head: headAt(2), height: 4, blocks: bytesFrom(3) }],
  ['another lane than was said', { chain: writer.id.chain, lane: 'alarm', head: headAt(2), blocks: bytesFrom(3) }],
];

describe('a thread that judges', () => {
  it.each(runs)('says of %s what would be said here', async (_name, run) => {
    expect(plain(await pool.verify(run))).toEqual(plain(judgeRun(run)));
  });

  it.each(hostile)('outlives %s, and says what would be said here', async (_name, { pieces }) => {
    const bytes = Buffer.concat(pieces.map(([hex, times]) => Buffer.from(hex.repeat(times), 'hex')));
    const run: OfferedRun = { ...writer.id, head: headAt(1), height: 2, blocks: [bytes] };
    expect(plain(await pool.verify(run))).toEqual(plain(judgeRun(run)));
  });

  it('signs receipts that are good', async () => {
    const { hash, newState: { tree: { size } } } = writer.at(3);
    const receipt = await pool.countersign({ ...writer.id, height: 3, hash, treeSize: size, treeRoot: new Uint8Array(32), time: UnixMillis(1) });
    expect(verifyReceipt(receipt, { key: keyOf('north').publicKey, ...writer.id, height: 3, hash })).toMatchObject({ treeSize: size });
  });

  it('does the same for a hospital as this thread does', async () => {
    const [here, apart] = [memoryBlocks(), memoryBlocks()];
    await using first = await startHospital('north', { blocks: here });
    await using second = await startHospital('north', { blocks: apart, verifier: pool });
    for (const { address } of [first, second]) await offerAll(address, writer);
    expect(await apart.head(writer.id)).toEqual(await here.head(writer.id));
    for (const height of [0, 3, 7]) expect(await apart.block(writer.id, height)).toEqual(await here.block(writer.id, height));
    const [level0, level2] = [await apart.node(writer.id, 0, 5), await apart.node(writer.id, 2, 1)];
    expect([level0, level2].map((node) => Buffer.from(node))).toEqual([await here.node(writer.id, 0, 5), await here.node(writer.id, 2, 1)].map((node) => Buffer.from(node)));
  });

  it('serves many chains at a time', async () => {
    await using hospital = await startHospital('north', { verifier: pool });
    const writers = await Promise.all(Array.from({ length: 12 }, (_, i) => ChainWriter.of(4, i % 2 === 0 ? 'record' : 'alarm', parametersOf(['north'], keyOf(`gateway ${i}`)), keyOf(`gateway ${i}`))));
    await Promise.all(writers.map((each) => offerAll(hospital.address, each)));
    for (const each of writers) expect((await hospital.blocks.head(each.id))?.height).toBe(3);
  });

  it('rejects what it was asked when it is closed, and whatever it is asked then', async () => {
    const closing = new VerifyPool({ key: keyOf('north'), threads: 1 });
    const asked = Array.from({ length: 5 }, () => closing.verify({ ...writer.id, head: headAt(2), blocks: bytesFrom(3) }));
    const settled = Promise.allSettled(asked);
    await closing.close();
    expect((await settled).some(({ status }) => status === 'rejected')).toBe(true);
    await expect(closing.verify({ ...writer.id, head: headAt(2), blocks: [] })).rejects.toThrow(/closing/);
  });

  it('tells when a thread was lost', async () => {
    const failure = Promise.withResolvers<Error>();
    const broken = new VerifyPool({ key: keyOf('north'), threads: 1, onFailure: failure.resolve });
    // No block can do this: a state that is none.
    await expect(broken.verify({ ...writer.id, head: new Uint8Array(3), blocks: bytesFrom(3) })).rejects.toThrow(/thread failed/);
    expect((await failure.promise).message).toMatch(/thread failed/);
    await broken.close();
  });
});

describe('an offer to a hospital with threads', () => {
  it('is answered as the witness rules say', async () => {
    await using hospital = await startHospital('north', { verifier: pool });
    await offerAll(hospital.address, writer);
    const statuses = [
      await offer(hospital.address, writer.id, 7, writer.at(7).bytes),
      await offer(hospital.address, writer.id, 9, writer.at(7).bytes),
      await offer(hospital.address, writer.id, 8, withBrokenSignature(writer.at(7))),
      await offer(hospital.address, writer.id, 7, withBrokenSignature(writer.at(7))),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 400, 400, 200]);
  });
});
