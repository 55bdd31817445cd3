import { describe, expect, it } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { Channel } from '../../gateway/uplink/channel.ts';
import { HospitalClient } from '../../gateway/uplink/hospital-client.ts';
import { ChainWriter, keyOf } from '../upstream/gateway-chain.ts';
import { memoryBlocks, offerAll, offerFrom, startHospital } from '../upstream/hospital.ts';
import { GatewaySide } from './gateway-side.ts';
import { Wire } from './wire.ts';

const NORTH = keyOf('north').publicKey;
const at = (height: number) => (event: { height: number }) => event.height === height;
const is = (state: string) => (event: { state: string }) => event.state === state;

async function bytesOf(store: BlockStore, writer: ChainWriter): Promise<string[]> {
  const blocks: string[] = [];
  for await (const bytes of store.blocks(writer.id, 0)) blocks.push(toHex(bytes));
  return blocks;
}

describe('a relay', () => {
  it('sends every block in order, several together, then each new one when it is woken, and keeps receipts and cursor', async () => {
    await using hospital = await startHospital();
    const side = await GatewaySide.of(await ChainWriter.of(4));
    await using relay = await side.relay(hospital.address);
    await side.states.until(is('waiting'));
    expect(side.receipts.events.map(({ height }) => height)).toEqual([3]);
    await side.seal();
    relay.wake();
    await side.receipts.until(at(4));
    expect(await bytesOf(hospital.blocks, side.writer)).toEqual(await bytesOf(side.blocks, side.writer));

    const [receipt] = await side.blocks.receipts(side.writer.id, 4);
    verifyReceipt(receipt as Uint8Array, { key: NORTH, ...side.writer.id, height: 4, hash: side.writer.at(4).hash });
    const cursor = await side.cursors.load(fingerprintBytes(NORTH), 'record');
    expect([cursor?.height, toHex(cursor?.hash as Uint8Array)]).toEqual([4, toHex(side.writer.at(4).hash)]);
    expect(await relay.status()).toMatchObject({ hospital: 'north', lane: 'record', height: 4, lag: 0, lastError: undefined });
  });

  it('waits with growing pauses for a hospital that is down at the start, and says so in its status', async () => {
    await using wire = await Wire.laid();
    const side = await GatewaySide.of(await ChainWriter.of(2));
    await using relay = await side.relay(wire.url);
    await side.states.until(is('retrying'));
    const status = { state: 'retrying', height: undefined, lag: 2, nextTryIn: 500, lastError: expect.any(String) as string };
    expect(await relay.status()).toMatchObject(status);
    expect([await side.time.pass(), await side.time.pass()]).toEqual([500, 1000]);

    await side.time.asleep();
    await using hospital = await startHospital();
    wire.plug(hospital.address);
    expect(await side.time.pass()).toBe(2000);
    await side.receipts.until(at(1));
    await side.states.until(is('waiting'));
    expect(await relay.status()).toMatchObject({ state: 'waiting', height: 1, lag: 0, nextTryIn: undefined });
  });

  it('asks for the head when an answer was lost, and adopts the block the hospital had taken', async () => {
    await using wire = await Wire.laid();
    await using hospital = await startHospital();
    wire.plug(hospital.address);
    const side = await GatewaySide.of(await ChainWriter.of(1));
    await using relay = await side.relay(wire.url);
    await side.states.until(is('waiting'));
    wire.loseNextReply();
    await side.seal();
    relay.wake();
    await side.states.until(is('retrying'));
    expect([wire.cuts, (await hospital.blocks.head(side.writer.id))?.height, relay.height]).toEqual([1, 1, 0]);
    await side.time.pass();
    await side.receipts.until(at(1));
    expect(relay.height).toBe(1);
  });

  it('loses no block when every single answer is lost on the way', async () => {
    await using wire = await Wire.laid();
    await using hospital = await startHospital();
    wire.plug(hospital.address);
    const side = await GatewaySide.of(await ChainWriter.of(1));
    wire.loseNextReply();
    await using relay = await side.relay(wire.url);
    for (let height = 0; height < 6; height++) {
      if (height > 0) {
        wire.loseNextReply();
        await side.seal();
        relay.wake();
      }
      await side.time.asleep();
      await side.time.pass();
      await side.receipts.until(at(height));
    }
    expect([wire.cuts, side.receipts.events.length]).toEqual([6, 6]);
    expect(await bytesOf(hospital.blocks, side.writer)).toEqual(await bytesOf(side.blocks, side.writer));
  });

  it('adopts a whole batch whose answer was lost', async () => {
    await using wire = await Wire.laid();
    await using hospital = await startHospital();
    wire.plug(hospital.address);
    const side = await GatewaySide.of(await ChainWriter.of(6));
    wire.loseNextReply();
    await using relay = await side.relay(wire.url);
    await side.time.asleep();
    await side.time.pass();
    await side.receipts.until(at(5));
    expect([wire.cuts, side.receipts.events.length, relay.height]).toEqual([1, 1, 5]);
    expect(await bytesOf(hospital.blocks, side.writer)).toEqual(await bytesOf(side.blocks, side.writer));
  });

  it('goes on by itself when the hospital comes back with its store', async () => {
    await using wire = await Wire.laid();
    const blocks = memoryBlocks();
    const first = await startHospital('north', { blocks });
    wire.plug(first.address);
    const side = await GatewaySide.of(await ChainWriter.of(2));
    await using relay = await side.relay(wire.url);
    await side.receipts.until(at(1));
    wire.unplug();
    await first.close();
    await side.seal();
    relay.wake();
    await side.states.until(is('retrying'));
    await using second = await startHospital('north', { blocks });
    wire.plug(second.address);
    await side.time.pass();
    await side.receipts.until(at(2));
    expect(side.log.messages('warn')).toHaveLength(1);
  });

  it('goes on from its cursor after a restart of the gateway, sending nothing twice', async () => {
    const judged: string[] = [];
    await using hospital = await startHospital('north', { onJudged: (outcome) => judged.push(outcome) });
    const side = await GatewaySide.of(await ChainWriter.of(3));
    const before = await side.relay(hospital.address);
    await side.receipts.until(at(2));
    await before.stop();
    await side.seal();
    await using after = await side.relay(hospital.address);
    expect(after.height).toBe(2);
    await side.receipts.until(at(3));
    expect(judged).toEqual(['committed', 'committed', 'committed', 'committed']);
  });

  it('adopts what the hospital has when its own cursor was lost', async () => {
    const judged: string[] = [];
    await using hospital = await startHospital('north', { onJudged: (outcome) => judged.push(outcome) });
    const writer = await ChainWriter.of(5);
    await offerAll(hospital.address, writer);
    judged.length = 0;
    const side = await GatewaySide.of(writer);
    await using relay = await side.relay(hospital.address);
    await side.states.until(is('waiting'));
    expect([relay.height, judged.length]).toEqual([4, 0]);
  });

  it('sends everything again, with a warning, to a hospital that comes back empty; its receipts stay counted', async () => {
    await using wire = await Wire.laid();
    const first = await startHospital();
    wire.plug(first.address);
    const side = await GatewaySide.of(await ChainWriter.of(4));
    await using relay = await side.relay(wire.url);
    await side.receipts.until(at(3));
    wire.unplug();
    await first.close();
    await using emptied = await startHospital();
    wire.plug(emptied.address);
    await side.seal();
    relay.wake();
    await side.time.pass();
    expect(relay.height).toBe(3);
    await side.receipts.until(at(4));
    expect(await bytesOf(emptied.blocks, side.writer)).toEqual(await bytesOf(side.blocks, side.writer));
    expect(side.log.messages('warn')).toContainEqual(expect.stringContaining('lost blocks'));
    expect(side.receipts.events.map(({ height }) => height)).toEqual([3, 4]);
  });

  it('resumes behind a hospital that was put back to an older copy', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(4);
    await offerAll(hospital.address, writer.copy(2));
    const side = await GatewaySide.of(writer);
    await using relay = await side.relay(hospital.address);
    await side.receipts.until(at(3));
    expect(side.receipts.events.map(({ height }) => height)).toEqual([1, 3]);
    expect(relay.height).toBe(3);
  });
});

describe('a hospital that lies or refuses', () => {
  it('does not move the cursor with receipts signed by another key', async () => {
    await using impostor = await startHospital('north', { key: keyOf('impostor') });
    const side = await GatewaySide.of(await ChainWriter.of(2));
    await using relay = await side.relay(impostor.address);
    const { detail } = await side.states.until(is('refused'));
    expect(detail).toContain('wrong_key');
    expect([relay.height, side.receipts.events, await side.blocks.receipts(side.writer.id, 0)]).toEqual([undefined, [], []]);
    expect(await side.cursors.load(fingerprintBytes(NORTH), 'record')).toBeUndefined();
    // Neither does it when the lie comes with the head.
    expect(await side.time.pass()).toBe(45_000);
    expect(await side.time.pass()).toBe(45_000);
    expect(relay.height).toBeUndefined();
    expect(await relay.status()).toMatchObject({ state: 'refused', lag: 2 });
  });

  it('does not move the cursor with its own receipt for another block', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(2);
    await offerAll(hospital.address, writer.copy(1));
    const old = (await offerFrom(hospital.address, writer, 0)).bytes;
    const side = await GatewaySide.of(writer);
    const channel = new Channel({ url: hospital.address });
    const client = new HospitalClient({
      reach: (attempt, signal) => attempt(async (asked) => {
        if (asked.method === 'GET') return await channel.request(asked, signal);
        // Alone, or the last of both.
        if (asked.method === 'PUT') return { status: 201, type: 'application/cbor', body: old, retryAfter: undefined };
        const body = JSON.stringify({ taken: 1, receipt: Buffer.from(old).toString('base64'), stopped: null });
        return { status: 200, type: 'application/json', body: Buffer.from(body), retryAfter: undefined };
      }),
    });
    await using relay = await side.relay(hospital.address, 'north', { client });
    const { detail } = await side.states.until(is('refused'));
    expect(detail).toContain('wrong_height');
    expect(relay.height).toBe(0);
  });

  it('is tried again slowly while it refuses the gateway, and taken up when somebody mends it', async () => {
    await using wire = await Wire.laid();
    const blocks = memoryBlocks();
    const closed = await startHospital('north', { blocks, gateways: [] });
    wire.plug(closed.address);
    const side = await GatewaySide.of(await ChainWriter.of(1));
    await using relay = await side.relay(wire.url);
    expect((await side.states.until(is('refused'))).detail).toContain('not_admitted');
    expect(await side.time.pass()).toBe(45_000);
    wire.unplug();
    await closed.close();
    await using open = await startHospital('north', { blocks });
    wire.plug(open.address);
    await side.time.pass();
    await side.receipts.until(at(0));
    expect([relay.height, side.log.messages('error').length]).toEqual([0, 1]);
  });

  it.each([
    ['of the same height', 0],
    ['of a lower height', 1],
  ])('is left for good when it holds another block %s, and nothing is overwritten', async (_case, more) => {
    const judged: string[] = [];
    await using hospital = await startHospital('north', { onJudged: (outcome) => judged.push(outcome) });
    const writer = await ChainWriter.of(3);
    const twin = writer.copy(1);
    await twin.seal('another story');
    await offerAll(hospital.address, twin);
    judged.length = 0;
    for (let n = 0; n < more; n++) await writer.seal();
    const side = await GatewaySide.of(writer);
    await using relay = await side.relay(hospital.address);
    expect((await side.states.until(is('forked'))).detail).toContain(toHex(twin.at(2).hash));
    relay.wake();
    await relay.stop();
    expect([judged, relay.height]).toEqual([[], undefined]);
    expect(side.log.messages('error')).toEqual([expect.stringContaining('FORK')]);
  });

  it('is left for good when it has blocks the gateway has not, for the gateway may be an old copy of itself', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(3);
    await offerAll(hospital.address, writer);
    const side = await GatewaySide.of(writer.copy(1));
    await using relay = await side.relay(hospital.address);
    expect((await side.states.until(is('forked'))).detail).toContain('does not have');
    expect(await relay.status()).toMatchObject({ state: 'forked', height: undefined });
  });

  it('is left for good when it answers fork', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(2);
    await offerAll(hospital.address, writer);
    const twin = writer.copy(1);
    await twin.seal('another story');
    await offerFrom(hospital.address, twin, 1);
    const side = await GatewaySide.of(writer);
    await using relay = await side.relay(hospital.address);
    await side.states.until(is('waiting'));
    await side.seal();
    relay.wake();
    await side.states.until(is('forked'));
    expect(relay.height).toBe(1);
  });
});

describe('a hospital that needs what was pruned here', () => {
  it('is told so for as long as it does, and taken up when it has that from elsewhere', async () => {
    await using hospital = await startHospital();
    const side = await GatewaySide.of(await ChainWriter.of(30));
    await side.blocks.prune(side.writer.id, { through: 20, going: Array.from({ length: 20 }, (_, n) => n + 1) });
    await using relay = await side.relay(hospital.address);
    expect((await side.states.until(is('refused'))).detail).toBe('it needs block 0, and blocks up to 20 were pruned here (storage.keep.blocks): it has to have them from another hospital');
    await offerAll(hospital.address, side.writer.copy(9));
    await side.time.pass();
    await side.receipts.until(at(29));
    expect(relay.height).toBe(29);
  });

  it('is not believed to have forked because it lost blocks that are not here, either', async () => {
    await using hospital = await startHospital();
    const side = await GatewaySide.of(await ChainWriter.of(30));
    await side.blocks.prune(side.writer.id, { through: 20, going: Array.from({ length: 20 }, (_, n) => n + 1) });
    await offerAll(hospital.address, side.writer.copy(15));
    await using relay = await side.relay(hospital.address);
    expect((await side.states.until(is('refused'))).detail).toContain('it needs block 15,');
    expect(await relay.status()).toMatchObject({ state: 'refused', height: undefined });
  });
});

describe('on the side of the gateway', () => {
  it('a saved cursor that is not about a block of this chain counts for nothing', async () => {
    await using hospital = await startHospital();
    const side = await GatewaySide.of(await ChainWriter.of(2));
    const writer = await ChainWriter.of(2);
    await offerAll(hospital.address, writer);
    const receipt = (await offerFrom(hospital.address, writer, 0)).bytes;
    await side.cursors.save(fingerprintBytes(NORTH), 'record', { height: 1, hash: writer.at(1).hash, receipt });
    await using wire = await Wire.laid();
    await using relay = await side.relay(wire.url);
    expect(relay.height).toBeUndefined();
    expect(side.log.messages('warn')[0]).toContain('cursor');
  });

  it('a failing store is reported, and relaying goes on when it works again', async () => {
    await using hospital = await startHospital();
    const side = await GatewaySide.of(await ChainWriter.of(1));
    let failing = true;
    const cursors = {
      load: (...args: Parameters<typeof side.cursors.load>) => side.cursors.load(...args),
      save: (...args: Parameters<typeof side.cursors.save>) =>
        failing ? Promise.reject(new StoreError('VG_STORE_WRITE', 'no space left')) : side.cursors.save(...args),
    };
    await using relay = await side.relay(hospital.address, 'north', { cursors });
    expect((await side.states.until(is('retrying'))).detail).toBe('no space left');
    expect([relay.height, side.receipts.events]).toEqual([undefined, []]);
    failing = false;
    await side.time.pass();
    await side.receipts.until(at(0));
  });

  it('stop ends a request under way, a pause, and waiting', async () => {
    const asked = Promise.withResolvers<void>();
    await using stuck = await startHospital('north', {
      register: (app) => void app.addHook('onRequest', () => {
        asked.resolve();
        return new Promise(() => undefined);
      }),
    });
    const side = await GatewaySide.of(await ChainWriter.of(1));
    const asking = await side.relay(stuck.address);
    await asked.promise;
    await asking.stop();

    await using wire = await Wire.laid();
    const pausing = await side.relay(wire.url);
    await side.states.until(is('retrying'));
    await pausing.stop();

    await using hospital = await startHospital();
    const waiting = await side.relay(hospital.address);
    await side.states.until(is('waiting'));
    await waiting.stop();
    await waiting.stop();
    expect(side.states.events.map(({ state }) => state)).toEqual(['retrying', 'waiting']);
  });
});
