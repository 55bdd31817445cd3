import { UsageError } from '../errors.ts';
import { controlSocketOf } from '../gateway.ts';
import { controlAnswers, controlClient } from '../web/control.ts';
import type { Command } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';

export const reloadCommand: Command = {
  name: 'reload',
  summary: 'Makes the running gateway read its configuration file again: packs, patients, alarms and profiles, without a restart.',
  usage: ['reload [--config FILE] [--data FOLDER]'],
  details: 'A file with a mistake changes nothing. Both are frames of the journal from then on, and entries of the chain.',
  options: CONFIG_OPTIONS,
  run: async (args, { out }) => {
    // Read here too, so that mistakes are told with their lines to whoever made them.
    const socket = controlSocketOf(gatewayConfig(args).data);
    if (!(await controlAnswers(socket))) throw new UsageError('no gateway runs on this data folder; it reads the file when it starts');
    const { activated, needRestart } = await controlClient(socket).reload();
    out(activated.length === 0 ? 'packs, patients, alarms and profiles are as before' : `in force now: ${activated.join(' and ')}`);
    if (needRestart.length > 0) out(`changed too, but only a restart takes them over: ${needRestart.join(', ')}`);
    return 0;
  },
};
