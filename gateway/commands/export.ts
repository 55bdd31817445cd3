import { open, rm, type FileHandle } from 'node:fs/promises';
import { UnreadableError, UsageError, messageOf } from '../errors.ts';
import { chainsAt } from './chain-source.ts';
import { textOf, type Command, type Environment } from './command.ts';

export const exportCommand: Command = {
  name: 'export',
  summary: 'Writes a chain into one file that "vitalgate verify chain" can audit anywhere.',
  usage: ['export <folder | url> --out FILE.chain'],
  details: 'The file is a CBOR sequence (RFC 8742) of the blocks of both lanes. It holds nothing that identifies a person.',
  options: { out: { type: 'string', short: 'o', value: 'FILE', help: 'The file to write; it must not exist' } },
  run: async (args, environment) => {
    const [target] = args.positionals;
    const path = textOf(args, 'out');
    if (target === undefined || path === undefined) throw new UsageError('expected: export <folder | url> --out FILE');
    const file = await create(path);
    let blocks = 0;
    try {
      blocks = await writeChain(file, target, environment);
      await file.sync();
    } catch (error) {
      // Half a chain would look like a gateway that hides something.
      await rm(path);
      throw error;
    } finally {
      await file.close();
    }
    environment.out(`${path}: ${blocks} blocks`);
    return 0;
  },
};

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (cause) {
    throw new UsageError(`cannot create ${path}: ${messageOf(cause)}`, { cause });
  }
}

async function writeChain(file: FileHandle, target: string, environment: Environment): Promise<number> {
  let blocks = 0;
  let chains = 0;
  for await (const chain of chainsAt(target, environment)) {
    chains += 1;
    if (chains > 1) throw new UnreadableError(`${target} holds several chains; one file holds one`);
    const [pruned] = chain.begun ?? [];
    if (pruned !== undefined) throw new UnreadableError(`${target}: blocks of lane ${pruned.lane} up to ${pruned.height} were pruned there; export the chain from a hospital`);
    for await (const block of chain.blocks) {
      await file.write(block);
      blocks += 1;
    }
  }
  return blocks;
}
