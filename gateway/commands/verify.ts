import { UnreadableError, UsageError } from '../errors.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { verifyChain, type ChainVerdict } from '../ledger/verify-chain.ts';
import { chainsAt } from './chain-source.ts';
import type { Command, Environment } from './command.ts';

const GOOD = 0;
const BAD = 1;
const UNREADABLE = 2;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Audits a chain: every block from the genesis on, every signature, link, hash and rule.',
  usage: ['verify chain <folder | file | url>'],
  details:
    'A folder is a data folder (also of a gateway or hospital that runs) or holds files ending in .chain; a url is the\n' +
    'address of a gateway or hospital node. Exit code 0: good; 1: bad, with the first broken block and why; 2: cannot be read.',
  options: {},
  run: async ({ positionals: [what, target] }, environment) => {
    if (what !== 'chain' || target === undefined) throw new UsageError('expected: verify chain <folder | file | url>');
    try {
      return await verifyAll(target, environment);
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      environment.err(error.message);
      return UNREADABLE;
    }
  },
};

async function verifyAll(target: string, environment: Environment): Promise<number> {
  let code = GOOD;
  for await (const { name, blocks } of chainsAt(target, environment)) {
    const verdict = await verifyChain(blocks, { check: verifyWithNodeCrypto });
    environment.out(`${name}: ${inWords(verdict)}`);
    if (!verdict.ok) code = BAD;
  }
  return code;
}

function inWords(verdict: ChainVerdict): string {
  if (verdict.ok) {
    const lanes = [...verdict.states].map(([lane, { height }]) => `${lane} to height ${height}`).join(', ');
    return `good, ${verdict.blocks} blocks and ${verdict.entries} entries (${lanes})`;
  }
  const place = verdict.lane === undefined ? `block number ${verdict.position + 1}` : `block ${verdict.height} of lane ${verdict.lane}`;
  return `BAD at ${place}: ${verdict.reason}: ${verdict.message} (${verdict.position} good blocks before it)`;
}
