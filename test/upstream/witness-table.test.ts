import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { encodeBlock, encodeHeader, openBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { DOMAINS, sign1Value } from '../../gateway/ledger/cose.ts';
import { StoreError } from '../../gateway/errors.ts';
import { Bytes, UnixMillis } from '../../gateway/quantity.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { type Judgement, Witness } from '../../gateway/upstream/witness.ts';
import { ChainWriter, GATEWAY, keyOf, parametersOf, withBrokenSignature } from './gateway-chain.ts';
import { ask, lanePath, LogBook, memoryBlocks, offer, offerAll, offerFrom, startHospital } from './hospital.ts';

const NORTH = keyOf('north').publicKey;

/** The entries of `from` under the signed header of `block`. */
function withEntriesOf(block: Uint8Array, from: Uint8Array): Uint8Array {
  const header = openBlock(block).envelope.payload;
  return encodeBlock(sign1Value(header, GATEWAY, DOMAINS.block), openBlock(from).entries);
}

describe('a hospital that holds nothing', () => {
  it('takes a genesis block with 201 and the same once more with 200 and the same receipt', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(1);
    const first = await offerFrom(hospital.address, writer, 0);
    const again = await offerFrom(hospital.address, writer, 0);
    expect([first.status, first.type, again.status]).toEqual([201, 'application/cbor', 200]);
    expect(again.bytes).toEqual(first.bytes);
    const { header, hash } = openBlock(writer.at(0).bytes);
    const { treeSize, treeRoot } = header;
    expect(verifyReceipt(first.bytes, { key: NORTH, ...writer.id, height: 0, hash, treeSize, treeRoot }).treeSize).toBe(0);
  });

  it('takes the two lanes of a chain each for itself', async () => {
    await using hospital = await startHospital();
    await offerAll(hospital.address, await ChainWriter.of(3, 'record'));
    await offerAll(hospital.address, await ChainWriter.of(2, 'alarm'));
    expect((await hospital.blocks.head((await ChainWriter.of(1, 'record')).id))?.height).toBe(2);
  });

  it('answers 404 to a block that is no genesis block', async () => {
    await using hospital = await startHospital();
    const answer = await offerFrom(hospital.address, await ChainWriter.of(2), 1);
    expect([answer.status, answer.json['error']]).toEqual([404, 'unknown_chain']);
  });

  it('answers 422 to a genesis block whose parameters are those of another chain', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(1);
    const foreign = new Uint8Array(16).fill(7);
    const { header } = openBlock(writer.at(0).bytes);
    const bytes = encodeBlock(sign1Value(encodeHeader({ ...header, chain: foreign }), GATEWAY, DOMAINS.block), []);
    const answer = await offer(hospital.address, { chain: foreign, lane: 'record' }, 0, bytes);
    expect([answer.status, answer.json['reason']]).toEqual([422, 'wrong_genesis']);
  });
});

describe('a hospital that holds blocks 0 to 2', () => {
  const holding = async (): Promise<{ hospital: Awaited<ReturnType<typeof startHospital>>; writer: ChainWriter }> => {
    const hospital = await startHospital();
    const writer = await ChainWriter.of(3);
    await offerAll(hospital.address, writer);
    return { hospital, writer };
  };

  it('answers 409 with its recorded head to a block further on', async () => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    await writer.seal();
    await writer.seal();
    const answer = await offerFrom(hospital.address, writer, 4);
    expect([answer.status, answer.json['error']]).toEqual([409, 'gap']);
    expect(answer.json['head']).toEqual({ height: 2, hash: toHex(writer.at(2).hash) });
  });

  it('answers an old block again with the receipt of that block, not of the head', async () => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    const answer = await offerFrom(hospital.address, writer, 1);
    expect(answer.status).toBe(200);
    expect(verifyReceipt(answer.bytes, { key: NORTH, ...writer.id }).height).toBe(1);
  });

  it.each([
    ['a signature that does not fit', (w: ChainWriter) => withBrokenSignature(w.at(3)), 'bad_signature'],
    ['entries that are not those of its tree', (w: ChainWriter) => withEntriesOf(w.at(3).bytes, w.at(2).bytes), 'wrong_entry_order'],
    ['no entries where its header names some', (w: ChainWriter) => withEntriesOf(w.at(3).bytes, w.at(0).bytes), 'wrong_entry_range'],
  ])('answers 422 to a next block with %s, keeps its head, and takes the good one afterwards', async (_case, tamper, reason) => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    await writer.seal();
    const answer = await offer(hospital.address, writer.id, 3, tamper(writer));
    expect([answer.status, answer.json['error'], answer.json['reason']]).toEqual([422, 'rejected', reason]);
    expect((await hospital.blocks.head(writer.id))?.height).toBe(2);
    expect(await hospital.blocks.forks()).toEqual([]);
    expect((await offerFrom(hospital.address, writer, 3)).status).toBe(201);
  });

  it('answers 422 without evidence to another block of a taken height whose signature is not the gateway\'s', async () => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    const other = writer.copy(1);
    const answer = await offer(hospital.address, writer.id, 2, withBrokenSignature(await other.seal('another story')));
    expect([answer.status, answer.json['reason']]).toEqual([422, 'bad_signature']);
    expect(await hospital.blocks.forks()).toEqual([]);
    await writer.seal();
    expect((await offerFrom(hospital.address, writer, 3)).status).toBe(201);
  });

  it.each([
    ['height', { height: 1 }],
    ['lane', { lane: 'alarm' as const }],
    ['chain', { chain: new Uint8Array(16) }],
  ])('answers 400 when path and header name another %s', async (_what, other) => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    const place = { ...writer.id, height: 2, ...other };
    const answer = await offer(hospital.address, place, place.height, writer.at(2).bytes);
    expect([answer.status, answer.json['error']]).toEqual([400, 'misplaced']);
  });

  it.each([
    ['no bytes', new Uint8Array(), 'malformed'],
    ['bytes that are no block', Buffer.from('this is no block'), 'malformed'],
    ['a longer form of an array head', Uint8Array.of(0x98, 0x02, 0x40, 0x80), 'not_canonical'],
    ['an array nested too deep', new Uint8Array(100).fill(0x81), 'malformed'],
  ])('answers 400 to %s', async (_case, bytes, error) => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    const answer = await offer(hospital.address, writer.id, 3, bytes);
    expect([answer.status, answer.json['error']]).toEqual([400, error]);
  });

  it('answers 400 to a good block with a byte behind it', async () => {
    const { hospital, writer } = await holding();
    await using _ = hospital;
    await writer.seal();
    const answer = await offer(hospital.address, writer.id, 3, Buffer.concat([writer.at(3).bytes, Buffer.of(0)]));
    expect([answer.status, answer.json['error']]).toEqual([400, 'malformed']);
  });
});

describe('limits and admission', () => {
  it('answers 413 to a body over the limit and takes one that fits', async () => {
    const writer = await ChainWriter.of(2);
    await using hospital = await startHospital('north', { maxBlock: Bytes(writer.at(0).bytes.length) });
    expect((await offerFrom(hospital.address, writer, 0)).status).toBe(201);
    const answer = await offer(hospital.address, writer.id, 1, new Uint8Array(writer.at(0).bytes.length + 1));
    expect([answer.status, answer.json['error']]).toEqual([413, 'too_large']);
  });

  it('answers 403 to a gateway that is not on the list, before it looks at the signature', async () => {
    await using hospital = await startHospital('north', { gateways: [GATEWAY.publicKey] });
    const stranger = keyOf('stranger');
    const writer = await ChainWriter.of(1, 'record', parametersOf(['north'], stranger), stranger);
    const answer = await offer(hospital.address, writer.id, 0, withBrokenSignature(writer.at(0)));
    expect([answer.status, answer.json['error']]).toEqual([403, 'not_admitted']);
    expect(await hospital.blocks.chains()).toEqual([]);
    await offerAll(hospital.address, await ChainWriter.of(3));
  });

  it('answers 403 to further blocks of a gateway that was taken off the list', async () => {
    const writer = await ChainWriter.of(1);
    const blocks = memoryBlocks();
    await using before = await startHospital('north', { blocks });
    await offerAll(before.address, writer);
    await using after = await startHospital('north', { blocks, gateways: [] });
    await writer.seal();
    expect((await offerFrom(after.address, writer, 1)).status).toBe(403);
  });

  it('answers 415 to a body of another type and 503 while the store fails, and then goes on', async () => {
    const inner = memoryBlocks();
    let failing = true;
    const blocks = new Proxy<BlockStore>(inner, {
      get(target, name: keyof BlockStore) {
        if (name === 'append' && failing) return () => Promise.reject(new StoreError('VG_STORE_WRITE', 'no space left'));
        return target[name].bind(target);
      },
    });
    await using hospital = await startHospital('north', { blocks });
    const writer = await ChainWriter.of(1);
    const refused = await offerFrom(hospital.address, writer, 0);
    expect([refused.status, refused.json['error']]).toEqual([503, 'store_fault']);
    expect(hospital.log.messages('error')).toHaveLength(1);
    expect(await inner.receipts(writer.id, 0)).toEqual([]);
    failing = false;
    expect((await offerFrom(hospital.address, writer, 0)).status).toBe(201);
    const typed = await ask(hospital.address, `${lanePath(writer.id)}/blocks/0`, {
      method: 'PUT', body: 'text', headers: { 'content-type': 'text/plain' },
    });
    expect([typed.status, typed.json['error']]).toEqual([415, 'unsupported_media_type']);
  });
});

/** What a witness must answer when nobody lies about history: a number, and nothing else to remember. */
function expectedOutcome(head: number, height: number, broken: boolean): Judgement['outcome'] {
  if (head < 0 && height > 0) return 'unknown_chain';
  if (height > head + 1) return 'gap';
  if (height <= head) return 'repeated';
  return broken ? 'rejected' : 'committed';
}

it('answers any order of good, broken, early and repeated blocks like a counter would', async () => {
  const writer = await ChainWriter.of(5);
  const offers = fc.array(fc.record({ height: fc.nat(4), broken: fc.boolean() }), { maxLength: 25 });
  await fc.assert(fc.asyncProperty(offers, async (list) => {
    const witness = await Witness.open({
      blocks: memoryBlocks(), key: keyOf('north'), gateways: 'open', now: () => UnixMillis(0), log: new LogBook(),
    });
    let head = -1;
    for (const { height, broken } of list) {
      const bytes = broken ? withBrokenSignature(writer.at(height)) : writer.at(height).bytes;
      const { outcome } = await witness.judge({ ...writer.id, height }, bytes);
      expect(outcome).toBe(expectedOutcome(head, height, broken));
      if (outcome === 'committed') head += 1;
    }
  }), { numRuns: 40 });
});
