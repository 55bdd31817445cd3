import { describe, expect, it } from 'vitest';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { LANES } from '../../gateway/reading.ts';
import { GATEWAY, keyNamed, membership, parametersWith, Pen, replacement, rotation, signedBy } from '../ledger/succession-fixture.ts';
import { offer } from './hospital.ts';
import { copyAll, type PeerNode, peersOf, startPeerNode } from './peer-node.ts';

const NEXT = keyNamed('the next gateway');
const SIGNERS = [keyNamed('north'), keyNamed('west')];

/** Offers every block of the pen that the node does not have. */
async function give(node: PeerNode, pen: Pen): Promise<void> {
  for (const { lane, height, bytes } of pen.blocks) {
    if (height <= ((await node.blocks.head({ chain: pen.chain, lane }))?.height ?? -1)) continue;
    const { status, text } = await offer(node.address, { chain: pen.chain, lane }, height, bytes);
    if (status !== 201) throw new Error(`${lane} ${height}: ${status} ${text}`);
  }
}

const heightsAt = async ({ blocks }: PeerNode, { chain }: Pen): Promise<number[]> => await Promise.all(LANES.map(async (lane) => (await blocks.head({ chain, lane }))?.height ?? -1));

describe('a copy of a chain that changes hands', () => {
  it('begins when the chain names the hospital, goes through every change, and ends when it names it no more', async () => {
    await using north = await startPeerNode('north');
    await using south = await startPeerNode('south');
    await using peers = peersOf(south, [north], { gatewayBrings: 0 });
    const pen = new Pen(parametersWith(['north', 'west'], 2));
    for (let i = 0; i < 20; i++) pen.fill('record', GATEWAY);
    pen.carry(signedBy(rotation(pen, NEXT), GATEWAY, NEXT), GATEWAY);
    for (let i = 0; i < 20; i++) pen.fill('record', NEXT);
    await give(north, pen);
    expect([await copyAll(peers), await heightsAt(south, pen)]).toEqual([[], [-1, -1]]);

    pen.carry(signedBy(membership(pen, ['north', 'west', 'south'], 2, { number: 2 }), ...SIGNERS), NEXT);
    pen.fill('record', NEXT);
    await give(north, pen);
    expect([await copyAll(peers), await heightsAt(south, pen)]).toEqual([[], LANES.map((lane) => pen.heightOf(lane))]);
    expect(await verifyChain(south.blocks.blocks({ chain: pen.chain, lane: 'record' }, 0))).toMatchObject({ ok: true });

    pen.carry(signedBy(membership(pen, ['north', 'west'], 2, { number: 3 }), ...SIGNERS), NEXT);
    await give(north, pen);
    await copyAll(peers);
    const left = await heightsAt(south, pen);
    pen.fill('record', NEXT);
    await give(north, pen);
    await copyAll(peers);
    expect([await heightsAt(south, pen), peers.status()[0]?.refused]).toEqual([left, 0]);
  });

  it('takes nothing of a key that this hospital has signed the replacement of', async () => {
    await using north = await startPeerNode('north');
    await using south = await startPeerNode('south');
    const pen = new Pen();
    pen.fill('record', GATEWAY);
    const change = replacement(pen, NEXT);
    pen.fill('record', GATEWAY);
    await give(north, pen);
    await using peers = peersOf(south, [north], { promised: () => change });
    expect(await copyAll(peers)).toEqual([expect.stringContaining('1 lanes refused')]);
    expect(await heightsAt(south, pen)).toEqual([0, 1]);
    expect(peers.status()[0]?.lastError).toContain('revoked_key');
  });

  it('is not stopped by what a key signs that was replaced', async () => {
    await using north = await startPeerNode('north');
    await using south = await startPeerNode('south');
    const pen = new Pen();
    pen.fill('record', GATEWAY);
    const stolen = new Pen();
    stolen.fill('record', GATEWAY, 2);
    pen.carry(signedBy(replacement(pen, NEXT), NEXT, ...SIGNERS), NEXT);
    await give(south, pen);
    await give(north, stolen);
    await using peers = peersOf(south, [north]);
    await copyAll(peers);
    expect(peers.status()[0]).toMatchObject({ refused: 1, forks: 0, lastError: expect.stringContaining('revoked_key') as string });
    expect(south.countersigner.isForked({ chain: pen.chain, lane: 'record' })).toBe(false);
  });
});
