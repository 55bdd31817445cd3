import { toHex } from '../../gateway/ledger/bytes.ts';
import { GrowingLane } from './chain.ts';

const ENTRIES_PER_BLOCK = 10;

/** A gateway as a hospital sees it: blocks of one lane, the genesis block first. */
export type SimulatedGateway = Readonly<{ chain: string; gateway: Uint8Array; blocks: readonly Uint8Array[] }>;

/** Gateways that have so many blocks each besides their genesis block. Of about 1.2 KB, with a key of their own for each gateway. */
export async function simulateGateways(count: number, blocks: number, progress: (done: number) => void, signal: AbortSignal): Promise<readonly SimulatedGateway[]> {
  const all: SimulatedGateway[] = [];
  while (all.length < count) {
    signal.throwIfAborted();
    const lane = await GrowingLane.begin();
    const sealed = [lane.genesis.bytes];
    while (sealed.length <= blocks) sealed.push((await lane.seal(lane.nextEntries(ENTRIES_PER_BLOCK))).bytes);
    all.push({ chain: toHex(lane.state.chain), gateway: lane.state.authority.gateway, blocks: sealed });
    if (all.length % 100 === 0) {
      progress(all.length);
      await new Promise(setImmediate);
    }
  }
  return all;
}
