import { UnreadableError, UsageError } from '../errors.ts';
import { originOf } from '../ledger/checkpoint.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { differencesFrom, type Policy } from '../ledger/policy.ts';
import type { ChainState } from '../ledger/state.ts';
import { verifyChain, type ChainVerdict } from '../ledger/verify-chain.ts';
import { chainsAt } from './chain-source.ts';
import { textOf, type Arguments, type Command, type Environment } from './command.ts';
import { checkFork, checkProof, checkReceipt, readPolicy } from './verify-proof.ts';

const GOOD = 0;
const BAD = 1;
const UNREADABLE = 2;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Audits a chain, every block from the genesis on, or one proof, offline.',
  usage: [
    'verify chain <folder | file | url> [--policy FILE]', 'verify proof FILE --policy FILE [--entry FILE]', 'verify receipt FILE --entry FILE --policy FILE',
    'verify fork FILE --policy FILE',
  ],
  details:
    'A folder is a data folder (also of a gateway or hospital that runs) or holds files ending in .chain; a url is the\n' +
    'address of a gateway or hospital node. A proof is checked with nothing but the policy, which says whom to believe ("vitalgate prove\n' +
    'policy"). Exit code 0: good; 1: bad, with the first broken block or rule and why; 2: cannot be read; 3: a proof that is true but\n' +
    'that fewer hospitals have countersigned than the policy asks for. A fork that is proven is 0: the evidence is good, the gateway is not.',
  options: {
    policy: { type: 'string', value: 'FILE', help: 'Whom to believe; of a chain: whose keys it has to have' },
    entry: { type: 'string', value: 'FILE', help: 'proof, receipt: the bytes that the proven entry has to have' },
  },
  run: async (args, environment) => {
    const [what, target] = args.positionals;
    if (target === undefined || !isKind(what)) throw new UsageError('expected: verify chain <folder | file | url>, or verify proof, receipt or fork FILE --policy FILE');
    try {
      switch (what) {
        case 'chain': return await verifyAll(target, textOf(args, 'policy'), environment);
        case 'proof': return checkProof(target, policyOf(args), textOf(args, 'entry'), environment);
        case 'receipt': return checkReceipt(target, policyOf(args), entryOf(args), environment);
        case 'fork': return await checkFork(target, policyOf(args), environment);
      }
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      environment.err(error.message);
      return UNREADABLE;
    }
  },
};

const KINDS = ['chain', 'proof', 'receipt', 'fork'] as const;
const isKind = (word: string | undefined): word is (typeof KINDS)[number] => KINDS.some((kind) => kind === word);

function entryOf(args: Arguments): string {
  const entry = textOf(args, 'entry');
  if (entry === undefined) throw new UsageError('a receipt is about an entry: give its bytes with --entry FILE');
  return entry;
}

function policyOf(args: Arguments): string {
  const policy = textOf(args, 'policy');
  if (policy === undefined) throw new UsageError('whom do you believe? Give --policy FILE; "vitalgate prove policy" makes one');
  return policy;
}

async function verifyAll(target: string, policyPath: string | undefined, environment: Environment): Promise<number> {
  const policy = policyPath === undefined ? undefined : readPolicy(policyPath);
  let code = GOOD;
  for await (const { name, blocks } of chainsAt(target, environment)) {
    const verdict = await verifyChain(blocks, { check: verifyWithNodeCrypto });
    const differences = policy === undefined || !verdict.ok ? [] : [...new Set([...verdict.states.values()].flatMap((state) => differencesOf(policy, state)))];
    environment.out(differences.length === 0 ? `${name}: ${inWords(verdict)}` : `${name}: BAD: a whole chain, but not one of the policy: ${differences.join('; ')}`);
    if (!verdict.ok || differences.length > 0) code = BAD;
  }
  return code;
}

/** A policy may believe those the chain began with, whose signatures lead to those in force, or those in force. */
function differencesOf(policy: Policy, state: ChainState): readonly string[] {
  const [begun, inForce] = [state.parameters, state.authority].map((parties) => differencesFrom(policy, originOf(state), parties));
  return inForce?.length === 0 ? [] : (begun ?? []);
}

function inWords(verdict: ChainVerdict): string {
  if (verdict.ok) {
    const lanes = [...verdict.states].map(([lane, { height }]) => `${lane} to height ${height}`).join(', ');
    return `good, ${verdict.blocks} blocks and ${verdict.entries} entries (${lanes})`;
  }
  const place = verdict.lane === undefined ? `block number ${verdict.position + 1}` : `block ${verdict.height} of lane ${verdict.lane}`;
  return `BAD at ${place}: ${verdict.reason}: ${verdict.message} (${verdict.position} good blocks before it)`;
}
