import { jsonSchema } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { textOf, type Command } from './command.ts';
import { readConfig } from './settings.ts';

export const configCommand: Command = {
  name: 'config',
  summary: 'Checks a configuration file, or prints its JSON Schema for an editor.',
  usage: ['config --check FILE', 'config --schema'],
  options: {
    check: { type: 'string', value: 'FILE', help: 'Say every problem of the file with its line; exit code 2 when there is one' },
    schema: { type: 'boolean', help: 'Print the JSON Schema (draft 2020-12)' },
  },
  run: (args, { out }) => {
    const file = textOf(args, 'check');
    if (args.values['schema'] === true) out(JSON.stringify(jsonSchema(), null, 2));
    else if (file !== undefined) {
      readConfig(file);
      out(`${file}: good`);
    } else throw new UsageError('give --check FILE or --schema');
    return Promise.resolve(0);
  },
};
