import { loadPack } from '../config/pack.ts';
import { pathOfPack } from '../config/ready-packs.ts';
import { mistakesIn } from '../context/contract.ts';
import { UsageError } from '../errors.ts';
import { counted, type Command } from './command.ts';

export const contractCommand: Command = {
  name: 'contract',
  summary: 'Checks rule packs: conditions over what is known of a person or a room, with the source of every number.',
  usage: ['contract check FILE…'],
  details: 'Every problem is told with its line: names nobody measures, units and limits no sensor can report, what CEL cannot read.',
  options: {},
  run: (args, { out }) => {
    const [action, ...files] = args.positionals;
    if (action !== 'check') throw new UsageError(`contract ${action ?? ''}: expected check`);
    if (files.length === 0) throw new UsageError('which pack? Give one file or several');
    for (const file of files) {
      const { pack, version, rules } = loadPack(pathOfPack(file), { mistakesIn });
      out(`${file}: good, ${pack} version ${version}, ${counted(rules.length, 'rule')}`);
    }
    return Promise.resolve(0);
  },
};
