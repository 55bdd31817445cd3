import { randomBytes } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { startHospitalNode } from '../hospital.ts';
import { toHex } from '../ledger/bytes.ts';
import { generateSecret, signingKeyFrom, type SigningKey } from '../ledger/es256k.ts';
import { openDataFolder, secretIn } from '../operations/data-folder.ts';
import { keyFilesIn } from '../key-files.ts';
import { createLog } from '../operations/log.ts';
import { UpstreamMetrics } from '../operations/metrics.ts';
import { payloadPairIn } from './hospital-keys.ts';
import { textIn } from './text-files.ts';
import { START_AGAIN, textOf, untilStoppedOrLost, type Arguments, type Command, type Environment } from './command.ts';
import { hospitalTokens } from './hospital-tokens.ts';
import { hospitalStatus, STATUS_OPTIONS } from './hospital-status.ts';
import { CONFIG_OPTIONS, STORE_OPTIONS, upstreamConfig } from './settings.ts';
import { TOKEN_ACTIONS, TOKEN_OPTIONS } from './token-words.ts';
import { copyFromPeers } from './upstream-sync.ts';

export const upstreamCommand: Command = {
  name: 'upstream',
  summary: 'Runs a hospital node: verifies, keeps and countersigns the blocks of gateways.',
  usage: [
    'upstream [--config FILE] [--data FOLDER] [--gateways KEY,KEY… | --gateways open] [--store URL [--durability WORD]]', 'upstream --print-key [--data FOLDER]',
    'upstream token <name> [--expires 90d] [--json]', 'upstream tokens [--json]', 'upstream revoke <name | id>', 'upstream sync [--from PEER]',
    'upstream status [--order lag] [--state silent] [--search TEXT] [--limit N] [--after NEXT] [--json]',
  ],
  details: 'The first run makes the hospital\'s key. Gateways name it in their configuration (hospitals: key).\n' +
    'Several processes with the same key work for one hospital when they share a store on PostgreSQL; each has a data folder of its own, with a copy of\n' +
    'the keys. A password does not belong into --store: others can see it there. PGPASSWORD and ~/.pgpass are read.\n' +
    'A token lets somebody of upstream.people in the configuration ask the node: with "Authorization: Bearer …", or by signing in on its page.\n' +
    'It is shown once; only its hash is kept. Making and revoking works with the running node, or on its data folder while none runs.\n' +
    'A node that runs copies from its peers (peers: in the configuration) by itself. "sync" does that for one that does not run, as fast as it can: all\n' +
    'chains that name its key, verified from the genesis on, with receipts. Stopped or killed at any point, it goes on where it was.',
  options: {
    ...CONFIG_OPTIONS,
    ...TOKEN_OPTIONS,
    ...STORE_OPTIONS,
    ...STATUS_OPTIONS,
    gateways: { type: 'string', value: 'KEYS', help: 'Public keys of the gateways that are taken, or "open" for every new chain (demonstrations only)' },
    from: { type: 'string', value: 'PEER', help: 'sync: copy from this peer alone' },
    'print-key': { type: 'boolean', help: 'Print the public key (made if need be) and end' },
  },
  run: async (args, environment) => {
    const [word] = args.positionals;
    if (word === undefined) return await serve(args, environment);
    if (word === 'sync') return await synchronise(args, environment);
    if (word === 'status') return await hospitalStatus(args, environment);
    const action = TOKEN_ACTIONS.find((each) => each === word);
    if (action === undefined) throw new UsageError(`upstream ${word}: expected nothing, or one of status, sync, ${TOKEN_ACTIONS.join(', ')}`);
    return await hospitalTokens(action, args, environment);
  },
};

async function serve(args: Arguments, { openBlocks, out, signal }: Environment): Promise<number> {
  const printOnly = args.values['print-key'] === true;
  const config = upstreamConfig(printOnly ? { ...args, values: { gateways: 'open', ...args.values } } : args);
  openDataFolder(config.data);
  const key = hospitalKeyIn(config.data);
  if (printOnly) {
    out(toHex(key.publicKey));
    return 0;
  }
  const log = createLog(config.log.level, config.name);
  const stores = await openBlocks(config.data, { readOnly: false, store: config.store, durability: config.durability });
  const lost = Promise.withResolvers<Error>();
  const upstream = await startHospitalNode({
    config, stores, key, log,
    payloadPair: payloadPairIn(config.data),
    certificate: ({ certificateFile, keyFile }) => ({ certificate: textIn(certificateFile), key: textIn(keyFile) }),
    textIn,
    metrics: new UpstreamMetrics(),
    onLost: lost.resolve,
  });
  out(`vitalgate upstream ${config.name}: ${upstream.address}, key ${toHex(key.publicKey)}, data ${config.data}`);
  const isLost = await untilStoppedOrLost(signal, lost.promise, log);
  await upstream.close();
  await stores.close();
  return isLost ? START_AGAIN : 0;
}

async function synchronise(args: Arguments, environment: Environment): Promise<number> {
  const config = upstreamConfig(args);
  openDataFolder(config.data);
  return await copyFromPeers({ config, key: hospitalKeyIn(config.data), from: textOf(args, 'from') }, environment);
}

function hospitalKeyIn(folder: string): SigningKey {
  return signingKeyFrom(secretIn(keyFilesIn(folder), 'hospital.key', () => generateSecret((size) => randomBytes(size))).secret);
}
