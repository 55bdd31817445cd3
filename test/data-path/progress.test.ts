import { describe, expect, it } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import type { LaneId } from '../../gateway/ledger/block-store.ts';
import { encodeEntry, type EntryKind, type FieldValue } from '../../gateway/ledger/entry.ts';
import { sealBlock, sealGenesis, type SealedBlock } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { Progress } from '../../gateway/progress.ts';
import { gatewayKey, NOW, parameters } from '../ledger/chain-fixture.ts';

/** Each item is a block of the record lane: the frames its evidence covers, all of them messages; none for a block without. */
async function recordLane(...covered: readonly (readonly [first: number, last: number] | undefined)[]): Promise<SealedBlock[]> {
  const blocks = [await sealGenesis({ lane: 'record', parameters, time: NOW, key: gatewayKey })];
  for (const [i, range] of covered.entries()) {
    const kind: EntryKind = range === undefined ? 'binding' : 'evidence';
    const fields: [string, FieldValue][] = range === undefined ? [] : [
      ['first', range[0]], ['last', range[1]], ['messages', range[1] - range[0] + 1],
    ];
    const entries = [encodeEntry({ kind, sequence: i + 1, time: NOW, fields: new Map(fields) })];
    blocks.push(await sealBlock({ state: (blocks.at(-1) as SealedBlock).newState, entries, time: NOW, key: gatewayKey, contracts: [] }));
  }
  return blocks;
}

type Reader = { block: (id: LaneId, height: number) => Promise<Uint8Array | undefined>; reads: number; failing: number };

function readerOf(blocks: readonly SealedBlock[]): Reader {
  const reader: Reader = {
    reads: 0,
    failing: 0,
    block: async (_id, height) => {
      reader.reads += 1;
      if (reader.failing-- > 0) throw new StoreError('VG_STORE_READ', 'the disk does not answer');
      return blocks[height]?.bytes;
    },
  };
  return reader;
}

function follow(
  blocks: readonly SealedBlock[], heights: { relayed?: number; receipted?: number } = {},
): { progress: Progress; reader: Reader } {
  const reader = readerOf(blocks);
  const progress = new Progress({
    blocks: reader,
    chain: (blocks[0] as SealedBlock).newState.chain,
    accepted: 7,
    heights: { relayed: heights.relayed, receipted: heights.receipted },
  });
  return { progress, reader };
}

const seal = (progress: Progress, blocks: readonly SealedBlock[], height: number): void =>
  progress.sealed(verifyBlock(blocks[height - 1]?.newState, (blocks[height] as SealedBlock).bytes));

describe('progress', () => {
  it('follows messages through the five states', async () => {
    const blocks = await recordLane([1, 3], undefined, [4, 9]);
    const { progress } = follow(blocks);
    progress.received();
    progress.accepted(3, 3);
    for (const height of [1, 2, 3]) seal(progress, blocks, height);
    await progress.countersigned({ relayed: 3, receipted: 1 });
    expect(progress.states).toEqual({
      received: { messages: 1, through: 0 }, accepted: { messages: 3, through: 3 }, sealed: { messages: 9, through: 9 },
      relayed: { messages: 9, through: 9 }, receipted: { messages: 3, through: 3 },
    });
  });

  it('counts no block twice, whatever is heard how often, and none backwards', async () => {
    const blocks = await recordLane([1, 3], [4, 9]);
    const { progress } = follow(blocks);
    await Promise.all([2, 1, 2, undefined, 0].map((relayed) => progress.countersigned({ relayed, receipted: relayed })));
    expect(progress.states).toMatchObject({ relayed: { messages: 9, through: 9 }, receipted: { messages: 9, through: 9 } });
  });

  it('reads a block of before its start, and no block that it saw being sealed', async () => {
    const blocks = await recordLane([1, 3], [4, 9]);
    const { progress, reader } = follow(blocks, { relayed: 0, receipted: 0 });
    seal(progress, blocks, 2);
    await progress.countersigned({ relayed: 2, receipted: 2 });
    expect(reader.reads).toBe(2);
    expect(progress.states.receipted).toEqual({ messages: 9, through: 9 });
  });

  it('takes up where every state stood, counting nothing again', async () => {
    const blocks = await recordLane([1, 3], [4, 9], [10, 12]);
    const { progress } = follow(blocks, { relayed: 2, receipted: 1 });
    await progress.recover(3);
    expect(progress.states).toEqual({
      received: { messages: 0, through: 0 }, accepted: { messages: 0, through: 7 }, sealed: { messages: 0, through: 12 },
      relayed: { messages: 0, through: 9 }, receipted: { messages: 0, through: 3 },
    });
    await progress.countersigned({ relayed: 2, receipted: 1 });
    expect(progress.states).toMatchObject({ relayed: { messages: 0, through: 9 }, receipted: { messages: 0, through: 3 } });
  });

  it('takes up below blocks that hold no evidence', async () => {
    const blocks = await recordLane([1, 3], undefined, undefined);
    const { progress } = follow(blocks, { relayed: 2, receipted: 0 });
    await progress.recover(3);
    expect(progress.states).toMatchObject({ sealed: { through: 3 }, relayed: { through: 3 }, receipted: { through: 0 } });
  });

  it('ignores the alarm lane: messages are sealed as evidence', async () => {
    const alarm = await sealGenesis({ lane: 'alarm', parameters, time: NOW, key: gatewayKey });
    const { progress } = follow(await recordLane());
    progress.sealed(verifyBlock(undefined, alarm.bytes));
    expect(progress.states.sealed).toEqual({ messages: 0, through: 0 });
  });

  it('counts, once a block can be read again, what it could not read', async () => {
    const blocks = await recordLane([1, 3], [4, 9]);
    const { progress, reader } = follow(blocks);
    reader.failing = 1;
    await expect(progress.countersigned({ relayed: 1, receipted: undefined })).rejects.toMatchObject({ code: 'VG_STORE_READ' });
    await progress.countersigned({ relayed: 2, receipted: 2 });
    expect(progress.states).toMatchObject({ relayed: { messages: 9, through: 9 }, receipted: { messages: 9, through: 9 } });
  });
});
