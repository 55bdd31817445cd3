/** Lanes that a process appends to (keep-appending.ts), and what has to be there of them after it was killed, or its store was. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { inclusionProof, verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import { leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';

export const LANES_APPENDED = 12;
const BEFORE_THE_END = 200;
const KEEP_APPENDING = fileURLToPath(new URL('keep-appending.ts', import.meta.url));

/** A gateway that is the same in every process. */
export function writerOf(n: number): ChainWriter {
  const key = keyOf(`gateway ${n}`);
  return new ChainWriter('record', parametersOf(['north'], key), key);
}

/** For each lane the height that was safe when it was over. */
export type Safe = readonly number[];

/** Runs keep-appending.ts until some blocks are safe, and then `end`, which has it ended or ends what it writes to; then kills it. */
export async function appendingUntil(words: readonly string[], end: () => Promise<void> = () => Promise.resolve()): Promise<Safe> {
  const child = spawn(process.execPath, [KEEP_APPENDING, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout });
  const safe = Array.from({ length: LANES_APPENDED }, () => -1);
  let count = 0;
  lines.on('line', (line) => {
    const [n = 0, height = 0] = line.split(' ').map(Number);
    safe[n] = height;
    count += 1;
  });
  const over = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  try {
    while (count < BEFORE_THE_END) await Promise.race([once(lines, 'line'), over.then(() => Promise.reject(new Error('it ended by itself')))]);
    await end();
  } finally {
    child.kill('SIGKILL');
    await over;
  }
  return safe;
}

/** Everything that was safe is there, whole lanes without a hole, with the nodes of their trees; of what was not, whole blocks or nothing. */
export async function expectNothingLost(blocks: BlockStore, safe: Safe): Promise<void> {
  for (const [n, height] of safe.entries()) {
    const { id } = writerOf(n);
    const head = await blocks.head(id);
    expect(head?.height ?? -1).toBeGreaterThanOrEqual(height);
    if (head === undefined) continue;
    let prev: Uint8Array | undefined;
    let next = 0;
    for await (const bytes of blocks.blocks(id, 0)) {
      const { header, hash } = openBlock(bytes);
      expect(header.height).toBe(next++);
      if (prev !== undefined) expect(Buffer.from(header.prev)).toEqual(Buffer.from(prev));
      prev = hash;
    }
    expect([next, Buffer.from(prev ?? [])]).toEqual([head.height + 1, Buffer.from(head.hash)]);
    if (head.height === 0) continue;
    const last = openBlock((await blocks.block(id, head.height)) ?? new Uint8Array()).entries.at(-1) ?? new Uint8Array();
    const index = head.tree.size - 1;
    const proof = await inclusionProof(index, head.tree.size, (level, at) => blocks.node(id, level, at));
    verifyInclusion(leafHash(last), index, head.tree.size, proof, rootOf(head.tree));
  }
}
