import type { ErasureOrder } from '../erasure.ts';
import { UsageError } from '../errors.ts';
import { filesNaming } from '../nodered/flow-files.ts';
import { nodeRedFolderIn } from '../nodered/node-red.ts';
import { nameOf } from '../reading.ts';
import { administer } from './administer.ts';
import { counted, numberOf, textOf, type Arguments, type Command } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';
import { SUBJECT_OPTIONS, subjectIn } from './subject-option.ts';

export const eraseCommand: Command = {
  name: 'erase',
  summary: 'Forgets a patient or a room for good: destroys the keys under which what was said of them lies.',
  usage: ['erase (--patient ID | --room ID) --yes [--through EPOCH]'],
  details: `Raw messages of the devices that measured them, payloads and everything that is remembered become unreadable, here and in every
backup of this data folder that is made without their keys; nothing can bring them back. The chain keeps every block and verifies as
before; an entry in it names the keys that were destroyed, and nobody. Behind a connection that several people share, the raw messages
of the others go, too; what was derived from them stays. With --through only what was said in the epochs of keys up to that one goes,
and the person stays known. Take the patient out of the configuration as well: what it names is told again at the next start.
What flows of Node-RED were given they keep, or sent on, as they were drawn: files of theirs in which the ID is found are listed.
Works with the running gateway, or on its data folder while none runs.`,
  options: {
    ...CONFIG_OPTIONS,
    ...SUBJECT_OPTIONS,
    through: { type: 'string', value: 'EPOCH', help: 'Only what was said in the epochs up to this one' },
    yes: { type: 'boolean', help: 'That this cannot be undone is understood' },
  },
  run: async (args, environment) => {
    const order = orderOf(args);
    if (args.values['yes'] !== true) throw new UsageError(`nothing brings back what is erased of ${nameOf(order.subject)}; say --yes when that is meant`);
    const { keys, frames } = await administer(args, environment, (api) => api.erase(order));
    environment.out(`${nameOf(order.subject)}: erased; ${counted(keys, 'key')} destroyed, ${counted(frames, 'raw message')} taken out of the journal`);
    const { data } = gatewayConfig(args);
    const kept = filesNaming(nodeRedFolderIn(data), order.subject.id);
    if (kept.length > 0) environment.err(`${order.subject.id} is still named in what flows keep, which is their own; look whether it is about this ${order.subject.kind}, and take it out:\n${kept.map((path) => `  ${path}`).join('\n')}`);
    return 0;
  },
};

function orderOf(args: Arguments): Omit<ErasureOrder, 'by'> {
  return { subject: subjectIn(args), ...(textOf(args, 'through') === undefined ? {} : { through: numberOf(args, 'through', 1) }) };
}
