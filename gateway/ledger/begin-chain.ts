import { StoreError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import { LANES } from '../reading.ts';
import type { BlockStore } from './block-store.ts';
import { verifyWithNodeCrypto, type SigningKey } from './es256k.ts';
import { chainIdOf, encodeParameters, type GenesisParameters } from './genesis.ts';
import { sealGenesis } from './sealer.ts';
import { verifyBlock } from './verify.ts';

/**
 * Makes sure both lanes of the gateway's chain have their genesis block, and returns the chain's id and parameters. A
 * chain that was begun keeps its parameters; `propose` is asked only when there is none.
 */
export async function beginChain(
  options: Readonly<{ blocks: BlockStore; key: SigningKey; now: () => UnixMillis; propose: () => GenesisParameters }>,
): Promise<Readonly<{ chain: Uint8Array; parameters: GenesisParameters; begun: boolean }>> {
  const { blocks, key, now } = options;
  const [known] = await blocks.chains();
  const parameters = known === undefined ? options.propose() : await parametersOf(blocks, known);
  const chain = chainIdOf(encodeParameters(parameters));
  for (const lane of LANES) {
    if ((await blocks.head({ chain, lane })) !== undefined) continue;
    const { bytes } = await sealGenesis({ lane, parameters, time: now(), key });
    await blocks.append({ bytes, verified: verifyBlock(undefined, bytes, { check: verifyWithNodeCrypto, chain, lane }) });
  }
  return { chain, parameters, begun: known === undefined };
}

/** A crash may have come between the two genesis blocks: then one lane has none. */
async function parametersOf(blocks: BlockStore, chain: Uint8Array): Promise<GenesisParameters> {
  for (const lane of LANES) {
    const state = await blocks.head({ chain, lane });
    if (state !== undefined) return state.parameters;
  }
  throw new StoreError('VG_STORE_CORRUPT', 'a chain is listed, but neither of its lanes has a head');
}
