import { UsageError } from '../errors.ts';
import { administer } from './administer.ts';
import type { Command } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';
import { doTokenAction, TOKEN_ACTIONS, TOKEN_OPTIONS } from './token-words.ts';

export const personCommand: Command = {
  name: 'person',
  summary: 'Gives people access to alarms and to what is known of patients, lists it and takes it away.',
  usage: ['person token <name> [--expires 90d] [--json]', 'person tokens [--json]', 'person revoke <name | id>'],
  details: 'A person is somebody in alarms.people of the configuration; "access" there says what they may do. The token is for the HTTP API\n' +
    '(Authorization: Bearer …) and for logging in on a page. It is shown once; only its hash is kept. Give every program its own.\n' +
    'Works with the running gateway, or on its data folder while none runs. Revoking ends it, and what was begun with it, at once.\n' +
    'The staff of a hospital node have theirs from "vitalgate upstream token".',
  options: { ...CONFIG_OPTIONS, ...TOKEN_OPTIONS },
  run: async (args, environment) => {
    const [word, who] = args.positionals;
    const action = TOKEN_ACTIONS.find((each) => each === word);
    if (action === undefined) throw new UsageError(`person ${word ?? ''}: expected token, tokens or revoke`);
    return await doTokenAction(action, who, args, environment, (work) => administer(args, environment, work), { section: 'alarms.people', command: 'vitalgate person' });
  },
};
