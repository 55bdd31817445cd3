import { existsSync } from 'node:fs';
import { ConfigError, UsageError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { signingKeyFrom } from '../ledger/es256k.ts';
import { keyFilesIn } from '../key-files.ts';
import { secretIn } from '../operations/data-folder.ts';
import { openReleases } from '../released.ts';
import { textOf, type Command } from './command.ts';
import { payloadPairIn } from './hospital-keys.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

const BAD = 1;

export const releasedCommand: Command = {
  name: 'released',
  summary: 'On a hospital\'s machine: opens what gateways have given it beside the blocks.',
  usage: ['released [--chain CHAIN] [--pseudonym HEX] [--config FILE | --data FOLDER]'],
  details: `Prints one JSON object on a line for each payload: the pseudonym this hospital knows the subject by in that epoch (and in the epoch before),
the entry, and what it says. "whole": true means that it fits the commitment that hospitals have countersigned; an excerpt is vouched for by the
gateway alone. Works beside the running node. Exit code 1: something does not open or does not fit, with a line on standard error for each.`,
  options: {
    ...CONFIG_OPTIONS,
    chain: { type: 'string', value: 'CHAIN', help: 'Only of this chain, 32 hexadecimal digits (default: of all)' },
    pseudonym: { type: 'string', value: 'HEX', help: 'Only of the subject and epoch with this pseudonym' },
  },
  run: async (args, { openBlocks, out, err }) => {
    if (args.positionals.length > 0) throw new UsageError(`unexpected: ${args.positionals.join(' ')}`);
    const { data } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
    const files = keyFilesIn(data, { sealsPlain: false });
    if (!existsSync(files.pathOf('payload.key'))) throw new ConfigError(`${files.pathOf('payload.key')} is not there: run this on the hospital's machine, with its --config or --data`);
    const recipient = signingKeyFrom(secretIn(files, 'hospital.key', () => new Uint8Array()).secret).publicKey;
    const { blocks, releases, close } = await openBlocks(data, { readOnly: true });
    let code = 0;
    try {
      for (const chain of await blocks.chains()) {
        if ((textOf(args, 'chain') ?? toHex(chain)) !== toHex(chain)) continue;
        const { opened, bad } = await openReleases({ blocks, releases, pair: payloadPairIn(data), recipient, chain }, textOf(args, 'pseudonym'));
        for (const each of opened) out(JSON.stringify({ chain: toHex(chain), ...each }));
        for (const each of bad) err(each);
        if (bad.length > 0) code = BAD;
      }
    } finally {
      await close();
    }
    return code;
  },
};
