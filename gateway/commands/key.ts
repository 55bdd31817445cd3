import { UsageError } from '../errors.ts';
import { administer } from './administer.ts';
import { inWords } from './authority-words.ts';
import type { Command } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const keyCommand: Command = {
  name: 'key',
  summary: 'Shows the key that the gateway signs its blocks with, or lets another follow it.',
  usage: ['key show', 'key rotate'],
  details: `"rotate" makes a key, has the old one sign that it follows, and ends when both lanes of the chain go by it: one block of each lane carries
the change, the old key signs it, and from the next one on only the new key counts. The old secret is destroyed then. Hospitals and auditors
need nothing new: the change is in the chain. Keep a copy of the new key file. When the key is lost or stolen, the hospitals have to name
another: "vitalgate authority propose replacement". Works with the running gateway, or on its data folder while none runs.`,
  options: CONFIG_OPTIONS,
  run: async (args, environment) => {
    const [what, ...more] = args.positionals;
    if ((what !== 'show' && what !== 'rotate') || more.length > 0) throw new UsageError('expected: key show, or key rotate');
    const view = await administer(args, environment, (api) => (what === 'show' ? api.authority() : api.rotateKey()));
    for (const line of inWords(view)) environment.out(line);
    return 0;
  },
};
