import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openBlock } from '../../gateway/ledger/block.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { Turns } from '../../gateway/turns.ts';
import { ChainWriter, keyOf } from './gateway-chain.ts';
import { ask, lanePath, memoryBlocks, offerAll, offerFrom, startHospital } from './hospital.ts';

const NORTH = keyOf('north').publicKey;

describe('three writers at once', () => {
  it('with the same chain: each block is new exactly once, and every answer is a receipt for it', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(12);
    const statuses = await Promise.all([1, 2, 3].map(async () => {
      const seen: number[] = [];
      for (const { height, hash } of writer.blocks) {
        const answer = await offerFrom(hospital.address, writer, height);
        verifyReceipt(answer.bytes, { key: NORTH, ...writer.id, height, hash });
        seen.push(answer.status);
      }
      return seen;
    }));
    for (const { height } of writer.blocks) {
      expect(statuses.map((seen) => String(seen[height])).sort()).toEqual(['200', '200', '201']);
    }
  });

  it('with three stories for one height: exactly one wins, the others are evidence', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(3);
    await offerAll(hospital.address, writer);
    const writers = await Promise.all(['one', 'two', 'three'].map(async (word) => {
      const copy = writer.copy();
      await copy.seal(word);
      return copy;
    }));
    const answers = await Promise.all(writers.map((copy) => offerFrom(hospital.address, copy, 3)));
    expect(answers.map(({ status }) => String(status)).sort()).toEqual(['201', '422', '422']);
    const winner = writers[answers.findIndex(({ status }) => status === 201)] as ChainWriter;
    expect((await hospital.blocks.head(writer.id))?.hash).toEqual(winner.at(3).hash);
    expect(await hospital.blocks.forks()).toHaveLength(1);
    expect((await verifyChain(hospital.blocks.blocks(writer.id, 0))).ok).toBe(true);
  });

  it('the block that was held between check and commit loses against the one that overtook it, without a rollback', async () => {
    const blocks = memoryBlocks();
    const writer = await ChainWriter.of(2);
    const slow = writer.copy();
    await writer.seal();
    await slow.seal('another story');
    const checked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    // Two processes over one store, so that no queue in memory can decide the race.
    await using fast = await startHospital('north', { blocks });
    await offerFrom(fast.address, writer, 0);
    await offerFrom(fast.address, writer, 1);
    await using stalled = await startHospital('north', {
      blocks,
      testingOnlyStall: async (point) => {
        if (point !== 'checked') return;
        checked.resolve();
        await released.promise;
      },
    });
    const loser = offerFrom(stalled.address, slow, 2);
    await checked.promise;
    expect((await offerFrom(fast.address, writer, 2)).status).toBe(201);
    released.resolve();
    expect((await loser).json['error']).toBe('fork');
    expect((await loser).text).not.toContain('receipt');
    expect((await blocks.head(writer.id))?.hash).toEqual(writer.at(2).hash);
    expect(await blocks.receipts(writer.id, 2)).toHaveLength(1);
  });

  it('the same block held between check and commit is answered as a repetition', async () => {
    const blocks = memoryBlocks();
    const writer = await ChainWriter.of(1);
    const checked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await using fast = await startHospital('north', { blocks });
    await using stalled = await startHospital('north', { blocks, testingOnlyStall: () => (checked.resolve(), released.promise) });
    const second = offerFrom(stalled.address, writer, 0);
    await checked.promise;
    const first = await offerFrom(fast.address, writer, 0);
    released.resolve();
    expect([first.status, (await second).status]).toEqual([201, 200]);
    expect((await second).bytes).toEqual(first.bytes);
  });
});

describe('a hospital that dies between persisting and answering', () => {
  it('countersigns the very block it recorded when it is offered again, though another was offered in between', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vitalgate-upstream-'));
    const writer = await ChainWriter.of(3);
    try {
      const before = await openRocksStore(folder);
      const dying = await startHospital('north', {
        blocks: new StoredBlocks(before, { removePending: false }),
        testingOnlyStall: (point, { height }) =>
          point === 'persisted' && height === 2 ? Promise.reject(new Error('killed')) : Promise.resolve(),
      });
      expect((await offerFrom(dying.address, writer, 0)).status).toBe(201);
      expect((await offerFrom(dying.address, writer, 1)).status).toBe(201);
      expect((await offerFrom(dying.address, writer, 2)).status).toBe(500);
      expect(await dying.blocks.receipts(writer.id, 2)).toEqual([]);
      await dying.close();
      await before.close();

      const after = await openRocksStore(folder);
      const hospital = await startHospital('north', { blocks: new StoredBlocks(after, { removePending: false }) });
      const again = await offerFrom(hospital.address, writer, 2);
      expect(again.status).toBe(200);
      verifyReceipt(again.bytes, { key: NORTH, ...writer.id, height: 2, hash: writer.at(2).hash });
      const { json } = await ask(hospital.address, `${lanePath(writer.id)}/head`);
      expect(json['height']).toBe(2);
      expect(json['receipt']).toBe(Buffer.from(again.bytes).toString('base64'));
      const twin = writer.copy(1);
      await twin.seal('another story');
      expect((await offerFrom(hospital.address, twin, 2)).json['error']).toBe('fork');
      await hospital.close();
      await after.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('shows a receipt for its head to who only asks', async () => {
    const blocks = memoryBlocks();
    const writer = await ChainWriter.of(1);
    await using dying = await startHospital('north', {
      blocks, testingOnlyStall: (point) => (point === 'persisted' ? Promise.reject(new Error('killed')) : Promise.resolve()),
    });
    expect((await offerFrom(dying.address, writer, 0)).status).toBe(500);
    await using hospital = await startHospital('north', { blocks });
    const { json } = await ask(hospital.address, `${lanePath(writer.id)}/head`);
    verifyReceipt(Buffer.from(json['receipt'] as string, 'base64'), { key: NORTH, ...writer.id, height: 0, hash: writer.at(0).hash });
  });

  it('lets a judgement under way end before close resolves, though the gateway has hung up', async () => {
    const blocks = memoryBlocks();
    const stopped = Promise.withResolvers<void>();
    const writer = await ChainWriter.of(1);
    const checked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const hospital = await startHospital('north', {
      blocks,
      testingOnlyStall: (point) => (point === 'checked' ? (checked.resolve(), released.promise) : Promise.resolve()),
      register: (app) => void app.addHook('onClose', () => stopped.resolve()),
    });
    const gateway = new AbortController();
    const init = { method: 'PUT', headers: { 'content-type': 'application/cbor' }, signal: gateway.signal };
    const body = writer.at(0).bytes as Uint8Array<ArrayBuffer>;
    const cut = fetch(`${hospital.address}${lanePath(writer.id)}/blocks/0`, { ...init, body }).catch(() => 'cut');
    await checked.promise;
    gateway.abort();
    expect(await cut).toBe('cut');
    const order: string[] = [];
    const closed = hospital.close().then(() => order.push('closed'));
    await stopped.promise;
    // The server has stopped; give close() every chance to resolve too early.
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    order.push('released');
    released.resolve();
    await closed;
    expect(order).toEqual(['released', 'closed']);
    expect(toHex(openBlock(await blocks.block(writer.id, 0) as Uint8Array).hash)).toBe(toHex(writer.at(0).hash));
    expect(await blocks.receipts(writer.id, 0)).toHaveLength(1);
  });
});

describe('turns', () => {
  it('keep the order within one name, let names run beside each other, and go on after a failure', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = turns.take('a', async () => {
      await gate.promise;
      log.push('a1');
      throw new Error('first fails');
    });
    const second = turns.take('a', () => Promise.resolve(log.push('a2')));
    await turns.take('b', () => Promise.resolve(log.push('b')));
    expect(log).toEqual(['b']);
    gate.resolve();
    await expect(first).rejects.toThrow('first fails');
    await second;
    await turns.settled();
    expect(log).toEqual(['b', 'a1', 'a2']);
  });
});
