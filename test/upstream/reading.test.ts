import { describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { fingerprint } from '../../gateway/ledger/es256k.ts';
import { rootOf } from '../../gateway/ledger/merkle.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { ChainWriter, keyOf } from './gateway-chain.ts';
import { ask, lanePath, offerAll, startHospital } from './hospital.ts';

const NORTH = keyOf('north').publicKey;

async function holding(count: number): Promise<{ hospital: Awaited<ReturnType<typeof startHospital>>; writer: ChainWriter; path: string }> {
  const hospital = await startHospital();
  const writer = await ChainWriter.of(count);
  await offerAll(hospital.address, writer);
  return { hospital, writer, path: lanePath(writer.id) };
}

describe('reading from a hospital', () => {
  it('shows the head with its tree and a receipt that verifies', async () => {
    const { hospital, writer, path } = await holding(4);
    await using _ = hospital;
    const { status, json } = await ask(hospital.address, `${path}/head`);
    const { hash, newState } = writer.at(3);
    expect(status).toBe(200);
    expect(json).toMatchObject({ height: 3, hash: toHex(hash), treeSize: 6, treeRoot: toHex(rootOf(newState.tree)) });
    verifyReceipt(Buffer.from(json['receipt'] as string, 'base64'), { key: NORTH, ...writer.id, height: 3, hash, treeSize: 6 });
  });

  it('gives one block, one receipt, and all blocks from a height on as a chain file', async () => {
    const { hospital, writer, path } = await holding(4);
    await using _ = hospital;
    const block = await ask(hospital.address, `${path}/blocks/2`);
    expect([block.type, toHex(block.bytes)]).toEqual(['application/cbor', toHex(writer.at(2).bytes)]);
    const receipt = await ask(hospital.address, `${path}/receipts/2`);
    expect(verifyReceipt(receipt.bytes, { key: NORTH, ...writer.id }).height).toBe(2);
    const all = await ask(hospital.address, `${path}/blocks`);
    expect(all.type).toBe('application/cbor-seq');
    expect(await verifyChain(readBlocks(all.bytes))).toMatchObject({ ok: true, blocks: 4 });
    const rest = await ask(hospital.address, `${path}/blocks?from=3`);
    expect(toHex(rest.bytes)).toBe(toHex(writer.at(3).bytes));
    expect((await ask(hospital.address, `${path}/blocks?from=4`)).bytes).toHaveLength(0);
  });

  it('lists chains with their lanes', async () => {
    const { hospital, writer } = await holding(2);
    await using _ = hospital;
    await offerAll(hospital.address, await ChainWriter.of(1, 'alarm'));
    const { json } = await ask(hospital.address, '/v1/chains');
    expect(json['chains']).toMatchObject([
      { chain: toHex(writer.id.chain), lanes: [{ lane: 'alarm', height: 0 }, { lane: 'record', height: 1, forked: false }] },
    ]);
  });

  it('says who it is and that it is well', async () => {
    await using hospital = await startHospital('north', { register: (app) => void app.get('/metrics', () => 'vitalgate_up 1\n') });
    expect((await ask(hospital.address, '/v1/key')).json).toEqual({ name: 'north', key: toHex(NORTH), fingerprint: fingerprint(NORTH) });
    expect((await ask(hospital.address, '/healthz')).json).toEqual({ status: 'ok' });
    expect((await ask(hospital.address, '/readyz')).json).toEqual({ status: 'ready' });
    expect((await ask(hospital.address, '/metrics')).text).toContain('vitalgate_up 1');
    expect((await ask(hospital.address, '/v1/forks')).json).toEqual({ forks: [] });
  });

  it.each([
    ['GET', '/v1/chains/ABC/record/head', 400, 'bad_path'],
    ['GET', `/v1/chains/${'AB'.repeat(16)}/record/head`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/bulk/head`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks/01`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks/9007199254740992`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks?from=-1`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks?from=1&from=2`, 400, 'bad_path'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/head`, 404, 'unknown_chain'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks`, 404, 'unknown_chain'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/blocks/0`, 404, 'unknown_block'],
    ['GET', `/v1/chains/${'ab'.repeat(16)}/record/receipts/0`, 404, 'unknown_receipt'],
    ['GET', `/v1/forks/${'ab'.repeat(16)}/record`, 404, 'unknown_fork'],
    ['GET', '/v1/nothing', 404, 'not_found'],
    ['DELETE', '/v1/chains', 404, 'not_found'],
    ['GET', '/v1/%zz', 400, 'bad_request'],
  ])('answers %s %s with %i %s and words', async (method, path, status, error) => {
    await using hospital = await startHospital();
    const answer = await ask(hospital.address, path, { method });
    expect([answer.status, answer.json['error']]).toEqual([status, error]);
    expect(answer.json['message']).toEqual(expect.stringMatching(/.{10,}/));
  });
});
