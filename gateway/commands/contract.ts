import { loadPack } from '../config/pack.ts';
import { READY_PACKS, pathOfPack } from '../config/ready-packs.ts';
import { differencesOf } from '../context/contract-diff.ts';
import { mistakesIn, type Contract } from '../context/contract.ts';
import { UsageError } from '../errors.ts';
import { counted, type Arguments, type Command, type Environment } from './command.ts';
import { ACTIVATE_OPTIONS, activate, listContracts } from './contract-activate.ts';
import { REPLAY_OPTIONS, replay } from './contract-replay.ts';
import { SIGN_OPTIONS, sign } from './contract-sign.ts';
import { testPack } from './contract-test.ts';
import { CONFIG_OPTIONS } from './settings.ts';

type Out = Environment['out'];

type Action = (args: Arguments, files: readonly string[], environment: Environment) => number | Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = {
  check: (_args, files, { out }) => check(files, out),
  test: (_args, files, { out }) => test(files, out),
  diff: (_args, files, { out }) => diff(files, out),
  sign,
  activate,
  list: (args, _files, environment) => listContracts(args, environment),
  replay: (args, _files, environment) => replay(args, environment),
};

export const contractCommand: Command = {
  name: 'contract',
  summary: 'Checks, tests, compares, signs, activates and replays rule packs: conditions over what is known of a person or a room, with the source of every number.',
  usage: [
    'contract check PACK…',
    'contract test PACK…',
    'contract diff PACK PACK',
    'contract sign PACK --key FILE',
    'contract activate PACK… [--by NAME] [--config FILE]',
    'contract list [--config FILE]',
    'contract replay [--from TIME] [--to TIME] [--with PACK,PACK…] [--config FILE]',
  ],
  details: `check tells every problem with its line: names nobody measures, units and limits no sensor can report, what CEL cannot read.
test plays the scenes beside a pack (NAME.test.yaml beside NAME.yaml) and says what was found instead of what was expected.
diff says what is different in the second pack, rule by rule; exit code 1 when anything is.
sign writes your signature beside the pack (PACK.sig); whoever activates the pack has the chain name your key.
activate puts packs in force, and no others, at once: an entry of the chain with the hash of each, who decided it and who signed it.
A gateway whose configuration names packs takes them from there only. list shows what is in force.
replay derives the journal again, from its first frame on, and compares what comes with the chain; exit code 1 when anything
differs. With other packs it tells what they would have raised on the same days instead. The gateway may run meanwhile.
A pack is a file, or the name of one that comes with Vitalgate: ${READY_PACKS.join(', ')}.`,
  options: { ...CONFIG_OPTIONS, ...SIGN_OPTIONS, ...ACTIVATE_OPTIONS, ...REPLAY_OPTIONS },
  run: async (args, environment) => {
    const [action = '', ...files] = args.positionals;
    const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (act === undefined) throw new UsageError(`contract ${action}: expected one of ${Object.keys(ACTIONS).join(', ')}`);
    if (files.length === 0 && action !== 'replay' && action !== 'list') throw new UsageError('which pack? Give one file or several');
    return await act(args, files, environment);
  },
};

const read = (file: string): Contract => loadPack(pathOfPack(file), { mistakesIn });

function check(files: readonly string[], out: Out): number {
  for (const file of files) {
    const { pack, version, rules } = read(file);
    out(`${file}: good, ${pack} version ${version}, ${counted(rules.length, 'rule')}`);
  }
  return 0;
}

function test(files: readonly string[], out: Out): number {
  const good = files.map((file) => testPack(pathOfPack(file), out));
  return good.every(Boolean) ? 0 : 1;
}

function diff(files: readonly string[], out: Out): number {
  const [before, after, ...more] = files;
  if (before === undefined || after === undefined || more.length > 0) throw new UsageError('contract diff takes two packs');
  const differences = differencesOf(read(before), read(after));
  for (const each of differences) out(each);
  if (differences.length === 0) out('no difference');
  return differences.length === 0 ? 0 : 1;
}
