import { existsSync } from 'node:fs';
import { ConfigError, UsageError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { signingKeyFrom } from '../ledger/es256k.ts';
import { keyFilesIn } from '../key-files.ts';
import { secretIn } from '../operations/data-folder.ts';
import { openReleases } from '../released.ts';
import { Minutes, UnixMillis } from '../quantity.ts';
import { askForDetails } from '../upstream/asked-details.ts';
import { textOf, timeOf, type Arguments, type Command } from './command.ts';
import { payloadPairIn } from './hospital-keys.ts';
import { CONFIG_OPTIONS, STORE_OPTIONS, upstreamConfig } from './settings.ts';

const BAD = 1;

export const releasedCommand: Command = {
  name: 'released',
  summary: 'On a hospital\'s machine: opens what gateways have given it beside the blocks.',
  usage: ['released [--chain CHAIN] [--pseudonym HEX] [--config FILE | --data FOLDER]', 'released ask --chain CHAIN [--for DURATION] [--config FILE | --data FOLDER]'],
  details: `Prints one JSON object on a line for each payload: the pseudonym this hospital knows the subject by in that epoch (and in the epoch before),
the entry, and what it says. "whole": true means that it fits the commitment that hospitals have countersigned; an excerpt is vouched for by the
gateway alone. Works beside the running node. Exit code 1: something does not open or does not fit, with a line on standard error for each.
"released ask" has a gateway give waveforms now that it would keep until it has a link that costs nothing, for as long as is said; its budget holds.`,
  options: {
    ...CONFIG_OPTIONS,
    ...STORE_OPTIONS,
    chain: { type: 'string', value: 'CHAIN', help: 'Only of this chain, 32 hexadecimal digits (default: of all)' },
    for: { type: 'string', value: 'DURATION', help: 'ask: for how long (default 30min)' },
    pseudonym: { type: 'string', value: 'HEX', help: 'Only of the subject and epoch with this pseudonym' },
  },
  run: async (args, { openBlocks, out, err }) => {
    const [what, ...more] = args.positionals;
    if (more.length > 0 || (what !== undefined && what !== 'ask')) throw new UsageError(`unexpected: ${args.positionals.join(' ')}`);
    const { data, ...where } = upstreamConfig({ ...args, values: { gateways: 'open', ...args.values } });
    const files = keyFilesIn(data, { sealsPlain: false });
    if (!existsSync(files.pathOf('payload.key'))) throw new ConfigError(`${files.pathOf('payload.key')} is not there: run this on the hospital's machine, with its --config or --data`);
    if (what === 'ask') {
      out(ask(args, data));
      return 0;
    }
    const recipient = signingKeyFrom(secretIn(files, 'hospital.key', () => new Uint8Array()).secret).publicKey;
    const { blocks, releases, close } = await openBlocks(data, { readOnly: true, store: where.store, durability: where.durability });
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

function ask(args: Arguments, data: string): string {
  const chain = textOf(args, 'chain');
  if (chain === undefined || !/^[0-9a-f]{32}$/.test(chain)) throw new UsageError('of which chain? Give --chain CHAIN, 32 hexadecimal digits; "vitalgate released" and /v1/chains say which there are');
  const until = UnixMillis(Date.now() + (timeOf(args, 'for') ?? Minutes(30)));
  askForDetails(data, Buffer.from(chain, 'hex'), until);
  return `asking the gateway of chain ${chain} for waveforms over any link until ${new Date(until).toISOString()}`;
}
