import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlockRejected } from '../../gateway/errors.ts';
import { verifyWithNodeCrypto, verifyWithNoble } from '../../gateway/ledger/es256k.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { ChainWriter } from '../upstream/gateway-chain.ts';

/** A block after the second of a lane whose keys are the same in every run. `pieces`: hexadecimal, and how often it comes. */
type Vector = Readonly<{ pieces: readonly (readonly [hex: string, times: number])[]; /** Empty: good. */ reason: string; message: string }>;

const FOLDER = join(import.meta.dirname, 'vectors', 'blocks');
const vectors = readdirSync(FOLDER).toSorted().map((name) => [name.replace('.json', ''), JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Vector] as const);
const state = (await ChainWriter.of(2)).state;

describe('a block that somebody made to do harm', () => {
  it.each(vectors)('%s', (_name, { pieces, reason, message }) => {
    const bytes = Buffer.concat(pieces.map(([hex, times]) => Buffer.from(hex.repeat(times), 'hex')));
    for (const check of [verifyWithNodeCrypto, verifyWithNoble]) {
      try {
        verifyBlock(state, bytes, { check });
        expect(reason).toBe('');
      } catch (error) {
        if (!(error instanceof BlockRejected)) throw error;
        expect([error.reason, error.message]).toEqual([reason, expect.stringContaining(message)]);
      }
    }
  });

  it('has a good one beside it, so that the others are refused for what they are', () => {
    expect(vectors.filter(([, { reason }]) => reason === '').map(([name]) => name)).toEqual(['valid']);
  });
});
