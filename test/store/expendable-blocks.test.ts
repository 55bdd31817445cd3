import { describe, expect, it } from 'vitest';
import type { EntryKind } from '../../gateway/ledger/entry.ts';
import { encodeEntry } from '../../gateway/ledger/entry.ts';
import { sealBlock, sealGenesis } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { type Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { ExpendableBlocks } from '../../gateway/store/expendable-blocks.ts';
import { payloadKey } from '../../gateway/store/keys.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { GATEWAY, parametersOf } from '../upstream/gateway-chain.ts';

const START = UnixMillis(1_790_000_000_000);
const BLOCK_EVERY: Millis = Minutes(1);

class Scene {
  readonly store: KeyValueStore = openMemoryStore();
  readonly blocks = new StoredBlocks(this.store, { removePending: false });
  chain: Uint8Array = new Uint8Array();
  through: number | undefined;
  now = START;

  /** One block a minute, with one entry each and a payload beside it. */
  static async of(count: number, kindAt: (height: number) => EntryKind = () => 'summary'): Promise<Scene> {
    const scene = new Scene();
    let { bytes } = await sealGenesis({ lane: 'record', parameters: parametersOf(), time: START, key: GATEWAY });
    let verified = verifyBlock(undefined, bytes);
    await scene.blocks.append({ bytes, verified });
    for (let height = 1; height < count; height++) {
      const time = UnixMillis(START + height * BLOCK_EVERY);
      const entries = [encodeEntry({ kind: kindAt(height), sequence: height, time, fields: new Map() })];
      ({ bytes } = await sealBlock({ state: verified.state, entries, time, key: GATEWAY, contracts: [] }));
      verified = verifyBlock(verified.state, bytes);
      await scene.blocks.append({ bytes, verified });
      await scene.store.write([{ key: payloadKey(height), value: Uint8Array.of(height % 256) }], { sync: false });
    }
    scene.chain = verified.state.chain;
    scene.now = UnixMillis(START + count * BLOCK_EVERY);
    scene.through = count - 2;
    return scene;
  }

  expendable(minutes: number): ExpendableBlocks {
    return new ExpendableBlocks({ blocks: this.blocks, chain: this.chain, through: () => Promise.resolve(this.through), keep: { time: Minutes(minutes), now: () => this.now } });
  }

  async heights(): Promise<number[]> {
    const found: number[] = [];
    for await (const bytes of this.blocks.blocks({ chain: this.chain, lane: 'record' }, 0)) found.push(openBlock(bytes).header.height);
    return found;
  }
}

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

describe('blocks that are older than they are to be kept', () => {
  it('go, with what lies beside them; the first and those within the time stay', async () => {
    const scene = await Scene.of(400);
    const expendable = scene.expendable(150);
    expect(await expendable.aged()).toEqual({ what: 'blocks', first: 1, last: 249, count: 249 });
    await expendable.drop();
    expect(await scene.heights()).toEqual([0, ...range(250, 399)]);
    expect([await scene.store.get(payloadKey(249)), [...(await scene.store.get(payloadKey(250)) ?? [])]]).toEqual([undefined, [250]]);
    expect(await expendable.aged()).toBeUndefined();
  });

  it('stay where not every hospital has them, and while they are few', async () => {
    const scene = await Scene.of(400);
    scene.through = undefined;
    expect(await scene.expendable(60).aged()).toBeUndefined();
    scene.through = 99;
    expect(await scene.expendable(60).aged()).toBeUndefined();
    scene.through = 120;
    expect(await scene.expendable(60).aged()).toMatchObject({ last: 120 });
  });

  it('stay where something happened, somebody decided or somebody looked', async () => {
    const scene = await Scene.of(300, (height) => (height === 50 ? 'disclosure' : height === 60 ? 'consent' : height === 70 ? 'event' : height % 2 === 0 ? 'evidence' : 'summary'));
    const expendable = scene.expendable(60);
    expect(await expendable.aged()).toMatchObject({ first: 1, count: 236 });
    await expendable.drop();
    expect(await scene.heights()).toEqual([0, 50, 60, 70, ...range(240, 299)]);
    expect(await scene.store.get(payloadKey(50))).toBeDefined();
  });

  it('go behind any number of blocks that all have to stay', async () => {
    const scene = await Scene.of(1200, (height) => (height <= 1050 ? 'disclosure' : 'summary'));
    const expendable = scene.expendable(60);
    expect(await expendable.aged()).toMatchObject({ first: 1051 });
    await expendable.drop();
    expect((await scene.heights()).slice(1050, 1052)).toEqual([1050, 1052]);
  });

  it('never go because the disk is full', async () => {
    const scene = await Scene.of(300);
    expect(await scene.expendable(60).next()).toBeUndefined();
  });

  it('are still there when nobody did what was announced', async () => {
    const scene = await Scene.of(300);
    await scene.expendable(60).aged();
    await scene.expendable(60).drop();
    expect(await scene.heights()).toEqual(range(0, 299));
  });
});
