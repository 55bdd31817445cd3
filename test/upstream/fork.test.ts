import { describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { equalBytes, toHex } from '../../gateway/ledger/bytes.ts';
import { DOMAINS, verifySign1 } from '../../gateway/ledger/cose.ts';
import { ChainWriter, GATEWAY, parametersOf } from './gateway-chain.ts';
import { ask, type Hospital, lanePath, offer, offerAll, offerFrom, startHospital } from './hospital.ts';

/** A hospital that holds blocks 0 to 2 of `writer`, and the gateway's copy from before block 2. */
async function story(): Promise<{ hospital: Hospital; writer: ChainWriter; twin: ChainWriter }> {
  const hospital = await startHospital();
  const writer = await ChainWriter.of(3);
  await offerAll(hospital.address, writer);
  return { hospital, writer, twin: writer.copy(1) };
}

describe('two histories under one key', () => {
  it('are refused with 422 fork, and both blocks are kept as evidence that anybody can check', async () => {
    const { hospital, writer, twin } = await story();
    await using _ = hospital;
    await twin.seal('another story');
    const answer = await offerFrom(hospital.address, twin, 2);
    expect([answer.status, answer.json['error'], answer.json['reason']]).toEqual([422, 'fork', 'fork']);

    const [fork] = await hospital.blocks.forks();
    expect(fork).toMatchObject({ lane: 'record', height: 2 });
    expect(toHex(fork?.recorded as Uint8Array)).toBe(toHex(writer.at(2).bytes));
    expect(toHex(fork?.offered as Uint8Array)).toBe(toHex(twin.at(2).bytes));
    expect(hospital.log.messages('error')).toEqual([expect.stringContaining('FORK')]);
  });

  it('can be taken away from the node as two blocks, each with a good signature, for one height', async () => {
    const { hospital, twin } = await story();
    await using _ = hospital;
    await twin.seal('another story');
    await offerFrom(hospital.address, twin, 2);
    const list = await ask(hospital.address, '/v1/forks');
    expect(list.json['forks']).toMatchObject([{ lane: 'record', height: 2, offered: { hash: toHex(twin.at(2).hash) } }]);

    const evidence = await ask(hospital.address, `/v1/forks/${toHex(twin.id.chain)}/record`);
    const blocks = [];
    for await (const bytes of readBlocks(evidence.bytes)) blocks.push(openBlock(bytes));
    expect(blocks.map(({ header }) => header.height)).toEqual([2, 2]);
    expect(blocks.every(({ envelope }) => verifySign1(envelope, GATEWAY.publicKey, DOMAINS.block))).toBe(true);
    expect(equalBytes(blocks[0]?.hash as Uint8Array, blocks[1]?.hash as Uint8Array)).toBe(false);
  });

  it('are noticed when the next block follows another head', async () => {
    const { hospital, twin } = await story();
    await using _ = hospital;
    await twin.seal('another story');
    await twin.seal('another story');
    expect((await offerFrom(hospital.address, twin, 3)).json['error']).toBe('fork');
    const [fork] = await hospital.blocks.forks();
    expect([openBlock(fork?.recorded as Uint8Array).header.height, openBlock(fork?.offered as Uint8Array).header.height]).toEqual([2, 3]);
  });

  it('are noticed in the genesis block', async () => {
    await using hospital = await startHospital();
    const writer = await ChainWriter.of(1);
    await offerAll(hospital.address, writer);
    const twin = writer.copy(1);
    await twin.seal('another story');
    expect((await offerFrom(hospital.address, twin, 0)).json['error']).toBe('fork');
  });
});

describe('a forked lane', () => {
  it('is not countersigned any more, on either side of the fork, while reading goes on', async () => {
    const { hospital, writer, twin } = await story();
    await using _ = hospital;
    await twin.seal('another story');
    await offerFrom(hospital.address, twin, 2);
    await writer.seal();
    await twin.seal('another story');
    expect((await offerFrom(hospital.address, writer, 3)).json['error']).toBe('fork');
    expect((await offerFrom(hospital.address, twin, 3)).json['error']).toBe('fork');
    expect(await hospital.blocks.forks()).toHaveLength(1);

    const head = await ask(hospital.address, `${lanePath(writer.id)}/head`);
    expect(head.json).toMatchObject({ height: 2, hash: toHex(writer.at(2).hash), forked: true });
    expect((await offerFrom(hospital.address, writer, 2)).status).toBe(200);
  });

  it('leaves the other lane of the chain, and other chains, alone', async () => {
    const { hospital, twin } = await story();
    await using _ = hospital;
    await twin.seal('another story');
    await offerFrom(hospital.address, twin, 2);
    const alarm = await ChainWriter.of(2, 'alarm');
    const other = await ChainWriter.of(2, 'record', parametersOf(['elsewhere']));
    await offerAll(hospital.address, alarm);
    await offerAll(hospital.address, other);
    expect([(await hospital.blocks.head(alarm.id))?.height, (await hospital.blocks.head(other.id))?.height]).toEqual([1, 1]);
  });

  it('stays forked after a restart', async () => {
    const { hospital, writer, twin } = await story();
    await twin.seal('another story');
    await offerFrom(hospital.address, twin, 2);
    await hospital.close();
    await using restarted = await startHospital('north', { blocks: hospital.blocks });
    await writer.seal();
    expect((await offerFrom(restarted.address, writer, 3)).json['error']).toBe('fork');
  });
});

it('tells no signature in any error', async () => {
  const { hospital, writer, twin } = await story();
  await using _ = hospital;
  await twin.seal('another story');
  await writer.seal();
  await writer.seal();
  const answers = [
    await offerFrom(hospital.address, writer, 4),
    await offer(hospital.address, writer.id, 3, twin.at(2).bytes),
    await offer(hospital.address, writer.id, 3, twin.at(2).bytes.subarray(0, 300)),
    await offerFrom(hospital.address, twin, 2),
    await offerFrom(hospital.address, writer, 3),
  ];
  expect(answers.map(({ status }) => status)).toEqual([409, 400, 400, 422, 422]);
  const signatures = [...writer.blocks, ...twin.blocks].map(({ bytes }) => Buffer.from(openBlock(bytes).envelope.signature));
  for (const { text, type } of answers) {
    expect(type).toMatch(/^application\/json/);
    for (const signature of signatures) {
      for (const encoding of ['latin1', 'hex', 'base64'] as const) expect(text).not.toContain(signature.subarray(0, 24).toString(encoding));
    }
  }
});
