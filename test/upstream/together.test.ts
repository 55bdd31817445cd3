import { zstdCompressSync, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { KiB } from '../../gateway/quantity.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { ChainWriter, keyOf, withBrokenSignature } from './gateway-chain.ts';
import { ask, type HttpAnswer, lanePath, offerFrom, startHospital } from './hospital.ts';

const CHECKED = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

async function offerTogether(address: string, writer: ChainWriter, body: Uint8Array, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  return await ask(address, `${lanePath(writer.id)}/blocks`, { method: 'POST', headers: { 'content-type': 'application/cbor-seq', ...headers }, body: body as Uint8Array<ArrayBuffer> });
}

const bytesOf = (writer: ChainWriter, from = 0, to = writer.blocks.length): Uint8Array => Buffer.concat(writer.blocks.slice(from, to).map(({ bytes }) => bytes));
const ZSTD = { 'content-encoding': 'zstd' };

async function headOf(address: string, writer: ChainWriter): Promise<unknown> {
  return (await ask(address, `${lanePath(writer.id)}/head`)).json['height'];
}

describe('blocks that are offered together', () => {
  it('are taken in order, compressed or not, with one receipt for the last', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(9);
    const first = await offerTogether(hospital.address, writer, zstdCompressSync(bytesOf(writer, 0, 5), CHECKED), ZSTD);
    expect([first.status, first.json]).toMatchObject([200, { taken: 5, stopped: null }]);
    verifyReceipt(Buffer.from(first.json['receipt'] as string, 'base64'), { key: keyOf('north').publicKey, ...writer.id, height: 4, hash: writer.at(4).hash });
    const rest = await offerTogether(hospital.address, writer, bytesOf(writer, 5));
    expect(rest.json).toMatchObject({ taken: 4, stopped: null });
    expect(await headOf(hospital.address, writer)).toBe(8);
  });

  it('are taken again with what is new, when some are already there', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(4);
    await offerTogether(hospital.address, writer, bytesOf(writer, 0, 3));
    expect((await offerTogether(hospital.address, writer, bytesOf(writer))).json).toMatchObject({ taken: 4, stopped: null });
    expect((await offerTogether(hospital.address, writer, bytesOf(writer))).json).toMatchObject({ taken: 4, stopped: null });
  });

  it('are taken up to the first that is wrong, and what is wrong with it stands beside the receipt', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(5);
    const answer = await offerTogether(hospital.address, writer, Buffer.concat([bytesOf(writer, 0, 3), withBrokenSignature(writer.at(3)), bytesOf(writer, 4)]));
    expect([answer.status, answer.json]).toMatchObject([200, { taken: 3, stopped: { error: 'rejected', reason: 'bad_signature' } }]);
    verifyReceipt(Buffer.from(answer.json['receipt'] as string, 'base64'), { key: keyOf('north').publicKey, ...writer.id, height: 2, hash: writer.at(2).hash });
    expect(await headOf(hospital.address, writer)).toBe(2);
  });

  it('are answered as a single one is when the first is not taken', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(5);
    await offerFrom(hospital.address, writer, 0);
    const gap = await offerTogether(hospital.address, writer, bytesOf(writer, 3));
    expect([gap.status, gap.json]).toMatchObject([409, { error: 'gap', head: { height: 0 } }]);

    const other = writer.copy(4);
    await other.seal('another story');
    await offerTogether(hospital.address, writer, bytesOf(writer, 1));
    const fork = await offerTogether(hospital.address, writer, bytesOf(other, 1));
    expect([fork.status, fork.json]).toMatchObject([422, { reason: 'fork' }]);
  });

  it('of another chain than the address says are not taken', async () => {
    await using hospital = await startHospital();
    const [writer, stranger] = [await ChainWriter.of(2), await ChainWriter.of(2, 'alarm')];
    const answer = await offerTogether(hospital.address, writer, bytesOf(stranger));
    expect([answer.status, answer.json['error']]).toEqual([400, 'misplaced']);
  });
});

describe('a body that is not what it says', () => {
  const refused = async (body: Uint8Array, headers?: Record<string, string>, options?: Parameters<typeof startHospital>[1]): Promise<readonly [number, unknown]> => {
    await using hospital = await startHospital('north', options);
    const writer = new ChainWriter();
    const { status, json } = await offerTogether(hospital.address, writer, body, headers);
    expect(json['message']).toEqual(expect.any(String));
    expect((await ask(hospital.address, `${lanePath(writer.id)}/head`)).status).toBe(404);
    return [status, json['error']];
  };

  it('is refused when it would become larger than the limit: a bomb is not unpacked', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), CHECKED);
    expect(bomb.length).toBeLessThan(10_000);
    expect(await refused(bomb, ZSTD)).toEqual([413, 'too_large']);
    expect(await refused(zstdCompressSync(Buffer.alloc(KiB(9)), CHECKED), ZSTD, { maxBlock: KiB(8) })).toEqual([413, 'too_large']);
  });

  it('is refused when a bit was flipped on the way, or the end is missing', async () => {
    const writer = await ChainWriter.of(3);
    const body = zstdCompressSync(bytesOf(writer), CHECKED);
    for (const at of [4, Math.floor(body.length / 2), body.length - 1]) {
      const flipped = Uint8Array.from(body);
      flipped[at] = (flipped[at] as number) ^ 1;
      expect((await refused(flipped, ZSTD))[0], `byte ${at}`).toBe(400);
    }
    expect(await refused(body.subarray(0, body.length - 6), ZSTD)).toEqual([400, 'malformed']);
  });

  it('is refused when it is not CBOR, is empty, or is packed in another way', async () => {
    expect(await refused(Buffer.from('hello'))).toEqual([400, 'malformed']);
    expect(await refused(new Uint8Array())).toEqual([400, 'malformed']);
    expect(await refused(Buffer.from('hello'), ZSTD)).toEqual([400, 'malformed']);
    expect(await refused(Buffer.from('hello'), { 'content-encoding': 'gzip' })).toEqual([415, 'unsupported_encoding']);
  });

  it('is refused with more than a hundred blocks', async () => {
    const writer = await ChainWriter.of(101);
    expect(await refused(bytesOf(writer))).toEqual([413, 'too_large']);
  });
});
