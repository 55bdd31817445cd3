import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { openBlock } from '../../gateway/ledger/block.ts';
import { DOMAINS, signedBytes } from '../../gateway/ledger/cose.ts';
import type { SignatureWork, SignedMessage } from './signature-worker.ts';

/**
 * Signatures of blocks that all cores together verify in a second, by the back end of a hospital and nothing else: no hospital can be quicker.
 * `signEvery`: with a receipt signed for so many of them, as has to be done too. Default: none is.
 */
export async function signaturesPerSecond(blocks: readonly Readonly<{ bytes: Uint8Array; gateway: Uint8Array }>[], seconds: number, signEvery?: number): Promise<number> {
  const signed = blocks.map(({ bytes, gateway }): SignedMessage => {
    const { envelope } = openBlock(bytes);
    return { message: new Uint8Array(signedBytes(envelope.payload, DOMAINS.block)), signature: new Uint8Array(envelope.signature), key: new Uint8Array(gateway) };
  });
  const workerData: SignatureWork = { signed, seconds, ...(signEvery !== undefined && { signEvery }) };
  const rates = await Promise.all(Array.from({ length: availableParallelism() }, () => new Promise<number>((resolve, reject) => {
    const worker = new Worker(new URL('./signature-worker.ts', import.meta.url), { workerData });
    worker.once('message', resolve).once('error', reject);
  })));
  return rates.reduce((sum, rate) => sum + rate, 0);
}
