import { Pool } from 'undici';
import type { SimulatedGateway } from './simulated-gateways.ts';

export type OfferLoad = Readonly<{
  /** Of the processes of one hospital; gateways are spread over them. */
  urls: readonly string[];
  gateways: readonly SimulatedGateway[];
  /** Blocks of each gateway, from the first on and up to the end. */
  from: number;
  to: number;
  /** Blocks of one request. */
  together: number;
  connections: number;
  signal: AbortSignal;
  /** Called with how many blocks have a receipt. */
  progress?: (receipted: number) => void;
  /** Called with every receipt, and the height that it is for. */
  onReceipt?: (gateway: SimulatedGateway, height: number, receipt: Uint8Array) => void;
}>;

export type Offered = Readonly<{ blocks: number; seconds: number; latencies: readonly number[]; /** Requests that were told to come again, or got no answer, and were repeated. */ repeated: number }>;

/** Nobody waits longer for a node that comes back. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 100;

/** Offers every block, each gateway in its order with one request at a time, and counts a block when a receipt for it is there. */
export async function offerAll({ urls, gateways, from, to, together, connections, signal, progress, onReceipt }: OfferLoad): Promise<Offered> {
  const pools = urls.map((url) => new Pool(url, { connections: Math.ceil(connections / urls.length), pipelining: 1 }));
  const due = gateways.map((gateway, index) => ({ gateway, pool: index % pools.length, next: from }));
  const latencies: number[] = [];
  let [blocks, repeated] = [0, 0];
  const began = performance.now();

  const serve = async (): Promise<void> => {
    for (let turn = due.shift(); turn !== undefined; turn = due.shift()) {
      const some = turn.gateway.blocks.slice(turn.next, Math.min(to, turn.next + together));
      const asked = performance.now();
      for (;;) {
        signal.throwIfAborted();
        const taken = await offer(pools[turn.pool] as Pool, turn.gateway.chain, turn.next, some);
        if (taken !== undefined) {
          latencies.push(performance.now() - asked);
          blocks += taken.count;
          turn.next += taken.count;
          onReceipt?.(turn.gateway, turn.next - 1, taken.receipt);
          break;
        }
        repeated += 1;
        turn.pool = (turn.pool + 1) % pools.length;
        if (performance.now() - asked > PATIENCE_MS) throw new Error(`no receipt for block ${turn.next} of chain ${turn.gateway.chain}`);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      if (latencies.length % 500 === 0) progress?.(blocks);
      if (turn.next < to) due.push(turn);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(connections, gateways.length) }, serve));
    return { blocks, seconds: (performance.now() - began) / 1000, latencies, repeated };
  } finally {
    await Promise.all(pools.map((pool) => pool.destroy()));
  }
}

/** How many were taken, and the receipt for the last; undefined when it has to be tried again. Throws for any other answer. */
async function offer(pool: Pool, chain: string, height: number, blocks: readonly Uint8Array[]): Promise<Readonly<{ count: number; receipt: Uint8Array }> | undefined> {
  const isOne = blocks.length === 1;
  const path = `/v1/chains/${chain}/record/blocks${isOne ? `/${height}` : ''}`;
  let status: number;
  let body: Buffer;
  try {
    const answer = await pool.request({ method: isOne ? 'PUT' : 'POST', path, headers: { 'content-type': isOne ? 'application/cbor' : 'application/cbor-seq' }, body: isOne ? blocks[0] as Uint8Array : Buffer.concat(blocks) });
    status = answer.statusCode;
    body = Buffer.from(await answer.body.arrayBuffer());
  } catch {
    // A process that was killed, as some benches do.
    return undefined;
  }
  if (status === 201 || status === 200) {
    if (isOne) return { count: 1, receipt: body };
    const { taken, receipt } = JSON.parse(body.toString()) as Readonly<{ taken: number; receipt: string }>;
    return { count: taken, receipt: Buffer.from(receipt, 'base64') };
  }
  if (status === 503 || status === 429) return undefined;
  throw new Error(`status ${status} for block ${height} of chain ${chain}: ${body.toString('latin1').slice(0, 200)}`);
}
