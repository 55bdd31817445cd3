import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { verifyWithNoble, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { CHANGE_VECTORS, type ChangeVector } from './change-attacks.ts';

const FOLDER = new URL('vectors/changes/', import.meta.url);
const fileOf = (name: string): string => new URL(`${name}.json`, FOLDER).pathname;

describe('changes of who may speak for a chain', () => {
  it('have one vector for each attack, and no other', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...CHANGE_VECTORS.keys()].map((name) => `${name}.json`).sort());
  });

  for (const [name, made] of CHANGE_VECTORS) {
    it(`${name}: ${made.desc}: ${made.wantErr === false ? 'good' : made.wantErr}`, async () => {
      await expect(`${JSON.stringify(made, null, 2)}\n`).toMatchFileSnapshot(fileOf(name));
      const { chain, wantErr } = JSON.parse(readFileSync(fileOf(name), 'utf8')) as ChangeVector;
      for (const check of [verifyWithNodeCrypto, verifyWithNoble]) {
        const verdict = await verifyChain(readBlocks(Buffer.from(chain, 'base64')), { check });
        expect(verdict).toMatchObject(wantErr === false ? { ok: true } : { ok: false, reason: wantErr });
      }
    });
  }
});
