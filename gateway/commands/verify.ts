import { UnreadableError, UsageError } from '../errors.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { judgeChain } from '../verifier/judgement.ts';
import { pageText } from '../verifier/page.ts';
import { chainsAt } from './chain-source.ts';
import { textOf, type Arguments, type Command, type Environment } from './command.ts';
import { deliver } from './text-files.ts';
import { checkFork, checkProof, checkReceipt, readPolicy } from './verify-proof.ts';

const GOOD = 0;
const BAD = 1;
const UNREADABLE = 2;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Audits a chain, every block from the genesis on, or one proof, offline.',
  usage: [
    'verify chain <folder | file | url> [--policy FILE]', 'verify proof FILE --policy FILE [--entry FILE]', 'verify receipt FILE --entry FILE --policy FILE',
    'verify fork FILE --policy FILE', 'verify page --out FILE.html',
  ],
  details:
    'A folder is a data folder (also of a gateway or hospital that runs) or holds files ending in .chain; a url is the\n' +
    'address of a gateway or hospital node. A proof is checked with nothing but the policy, which says whom to believe ("vitalgate prove\n' +
    'policy"). Exit code 0: good; 1: bad, with the first broken block or rule and why; 2: cannot be read; 3: a proof that is true but\n' +
    'that fewer hospitals have countersigned than the policy asks for. A fork that is proven is 0: the evidence is good, the gateway is not.\n' +
    '"verify page" writes one HTML file that does the same in a browser, from the same modules, without a server or a network.',
  options: {
    policy: { type: 'string', value: 'FILE', help: 'Whom to believe; of a chain: whose keys it has to have' },
    entry: { type: 'string', value: 'FILE', help: 'proof, receipt: the bytes that the proven entry has to have' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'page: the file to write (default: standard output)' },
  },
  run: async (args, environment) => {
    const [what, target] = args.positionals;
    if (what === 'page' && target === undefined) {
      deliver(await pageText(), textOf(args, 'out'), environment);
      return GOOD;
    }
    if (target === undefined || !isKind(what)) throw new UsageError('expected: verify chain <folder | file | url>, verify proof, receipt or fork FILE --policy FILE, or verify page --out FILE');
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
  for await (const { name, blocks, begun } of chainsAt(target, environment)) {
    const { outcome, lines: [sentence = ''] } = await judgeChain(blocks, policy, verifyWithNodeCrypto, begun);
    environment.out(`${name}: ${sentence}`);
    if (outcome !== 'good') code = BAD;
  }
  return code;
}
