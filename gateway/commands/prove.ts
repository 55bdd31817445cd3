import { writeFileSync } from 'node:fs';
import { UsageError, messageOf } from '../errors.ts';
import { LANES } from '../reading.ts';
import { administer } from './administer.ts';
import { textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const proveCommand: Command = {
  name: 'prove',
  summary: 'Writes a proof that an entry, or a raw message, is in the chain, for "vitalgate verify proof" anywhere.',
  usage: ['prove entry <number> [--out FILE]', 'prove frame <sequence> [--out FILE]', 'prove receipt <entry> --out FILE.receipt', 'prove growth <leaves> [--lane alarm] [--out FILE]', 'prove policy [--out FILE]'],
  details: `The file (.tlog-proof, C2SP tlog-proof@v1) holds the entry, its way to the root of the lane's tree, and a checkpoint with the
signatures of the gateway and of the hospitals that countersigned it; of a raw message also its bytes, so give it to nobody who may not
read them. "receipt" writes the same of an entry as a COSE receipt (RFC 9942), and the entry's bytes beside it into FILE.entry. "growth" shows that the
tree of so many leaves, as an older checkpoint has them in its second line, is the beginning of the newest. "policy" writes whom to believe: the keys the chain began with. Give it to the auditor once, by a way you trust.
Works with the running gateway, or on its data folder while none runs.`,
  options: { ...CONFIG_OPTIONS, out: { type: 'string', short: 'o', value: 'FILE', help: 'The file to write (default: standard output); it must not exist' }, lane: { type: 'string', value: 'LANE', help: 'growth: alarm or record (default)' } },
  run: async (args, environment) => {
    const [what, number] = args.positionals;
    switch (what) {
      case 'entry': case 'frame': return await proveOne(what, number, args, environment);
      case 'receipt': return await proveInCose(number, args, environment);
      case 'growth': return await proveGrowth(number, args, environment);
      case 'policy': return deliver(await administer(args, environment, (api) => api.policy()), args, environment);
      case undefined:
      default: throw new UsageError(`prove ${what ?? ''}: expected entry, frame, receipt, growth or policy`);
    }
  },
};

async function proveOne(what: 'entry' | 'frame', text: string | undefined, args: Arguments, environment: Environment): Promise<number> {
  const number = numberIn(text, what);
  const made = await administer(args, environment, (api) => api.prove({ what, number }));
  deliver(made.text, args, environment);
  const { entry, lane, height, countersigned, needed } = made;
  const by = countersigned.length === 0 ? 'nobody yet' : countersigned.join(', ');
  environment.err(`${what} ${number}${what === 'frame' ? ` in entry ${entry}` : ''}, lane ${lane}, checkpoint of block ${height}, countersigned by ${by}`);
  if (countersigned.length < needed) environment.err(`NOT FINAL: ${needed} hospitals must countersign. Make the proof again when they have`);
  return 0;
}

function numberIn(text: string | undefined, what: string): number {
  const number = Number(text ?? '');
  if (!Number.isSafeInteger(number) || number < 1) throw new UsageError(`which ${what}? Give its number, from 1`);
  return number;
}

async function proveGrowth(text: string | undefined, args: Arguments, environment: Environment): Promise<number> {
  const [from, lane] = [numberIn(text, 'number of leaves'), LANES.find((each) => each === (textOf(args, 'lane') ?? 'record'))];
  if (lane === undefined) throw new UsageError(`--lane takes ${LANES.join(' or ')}`);
  const made = await administer(args, environment, (api) => api.proveGrowth({ lane, from }));
  deliver(made.text, args, environment);
  environment.err(`lane ${lane}, from ${from} leaves to ${made.to}`);
  return 0;
}

async function proveInCose(text: string | undefined, args: Arguments, environment: Environment): Promise<number> {
  const [number, path] = [numberIn(text, 'entry'), textOf(args, 'out')];
  if (path === undefined) throw new UsageError('a COSE receipt is binary: give --out FILE.receipt');
  const { entry, receipt } = await administer(args, environment, (api) => api.receipt(number));
  write(path, Buffer.from(receipt, 'base64'));
  write(`${path}.entry`, Buffer.from(entry, 'base64'));
  environment.err(`${path} for the entry in ${path}.entry`);
  return 0;
}

function write(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new UsageError(`cannot create ${path}: ${messageOf(cause)}`, { cause });
  }
}

function deliver(text: string, args: Arguments, { out }: Environment): number {
  const path = textOf(args, 'out');
  if (path === undefined) {
    out(text.replace(/\n$/, ''));
    return 0;
  }
  write(path, text);
  return 0;
}
