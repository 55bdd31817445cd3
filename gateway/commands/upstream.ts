import { randomBytes } from 'node:crypto';
import { startHospitalNode } from '../hospital.ts';
import { toHex } from '../ledger/bytes.ts';
import { generateSecret, signingKeyFrom, type SigningKey } from '../ledger/es256k.ts';
import { openDataFolder, secretIn } from '../operations/data-folder.ts';
import { keyFilesIn } from '../key-files.ts';
import { createLog } from '../operations/log.ts';
import { UpstreamMetrics } from '../operations/metrics.ts';
import { payloadPairIn } from './hospital-keys.ts';
import { textIn } from './text-files.ts';
import { UsageError, type StoreError } from '../errors.ts';
import { START_AGAIN, textOf, untilStoppedOrLost, type Command } from './command.ts';
import { copyFromPeers } from './upstream-sync.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

export const upstreamCommand: Command = {
  name: 'upstream',
  summary: 'Runs a hospital node: verifies, keeps and countersigns the blocks of gateways.',
  usage: ['upstream [--config FILE] [--data FOLDER] [--gateways KEY,KEY… | --gateways open]', 'upstream --print-key [--data FOLDER]', 'upstream sync [--from PEER] [--config FILE]'],
  details: `The first run makes the hospital's key. Gateways name it in their configuration (hospitals: key).
A node that runs copies from its peers (peers: in the configuration) by itself. "sync" does that for one that does not run, as fast as it can: all chains
that name its key, verified from the genesis on, with receipts. Stopped or killed at any point, it goes on where it was. Exit code 0: all that the
peers have is here.`,
  options: {
    ...CONFIG_OPTIONS,
    gateways: { type: 'string', value: 'KEYS', help: 'Public keys of the gateways that are taken, or "open" for every new chain (demonstrations only)' },
    from: { type: 'string', value: 'PEER', help: 'sync: copy from this peer alone' },
    'print-key': { type: 'boolean', help: 'Print the public key (made if need be) and end' },
  },
  run: async (args, environment) => {
    const { openBlocks, out, signal } = environment;
    const printOnly = args.values['print-key'] === true;
    const config = upstreamConfig(printOnly ? { ...args, values: { gateways: 'open', ...args.values } } : args);
    openDataFolder(config.data);
    const key = hospitalKeyIn(config.data);
    if (printOnly) {
      out(toHex(key.publicKey));
      return 0;
    }
    const [word, ...more] = args.positionals;
    if (word === 'sync' && more.length === 0) return await copyFromPeers({ config, key, from: textOf(args, 'from') }, environment);
    if (word !== undefined) throw new UsageError(`there is no "upstream ${args.positionals.join(' ')}"`);
    const log = createLog(config.log.level, config.name);
    const stores = await openBlocks(config.data, { readOnly: false });
    const storeLost = Promise.withResolvers<StoreError>();
    const upstream = await startHospitalNode({
      config, stores, key, log,
      payloadPair: payloadPairIn(config.data),
      certificate: ({ certificateFile, keyFile }) => ({ certificate: textIn(certificateFile), key: textIn(keyFile) }),
      textIn,
      metrics: new UpstreamMetrics(),
      onStoreLost: storeLost.resolve,
    });
    out(`vitalgate upstream ${config.name}: ${upstream.address}, key ${toHex(key.publicKey)}, data ${config.data}`);
    const lost = await untilStoppedOrLost(signal, storeLost.promise, log);
    await upstream.close();
    await stores.close();
    return lost ? START_AGAIN : 0;
  },
};

function hospitalKeyIn(folder: string): SigningKey {
  return signingKeyFrom(secretIn(keyFilesIn(folder), 'hospital.key', () => generateSecret((size) => randomBytes(size))).secret);
}
