import { randomBytes } from 'node:crypto';
import type { UpstreamConfig } from '../config/schema.ts';
import type { StoreError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { generateSecret, signingKeyFrom, type SigningKey } from '../ledger/es256k.ts';
import { openDataFolder, secretIn } from '../operations/data-folder.ts';
import { keyFilesIn } from '../key-files.ts';
import { createLog } from '../operations/log.ts';
import { UpstreamMetrics } from '../operations/metrics.ts';
import { payloadPairIn } from './hospital-keys.ts';
import { areDetailsAsked } from '../upstream/asked-details.ts';
import { promisedFor } from '../upstream/promises.ts';
import { UnixMillis } from '../quantity.ts';
import { nodeCertificateIn, type NodeCertificate } from '../tls/node-certificate.ts';
import { startUpstream } from '../upstream/server.ts';
import { addMetrics } from '../web/server.ts';
import { textIn } from './text-files.ts';
import { START_AGAIN, untilStoppedOrLost, type Command } from './command.ts';
import { CONFIG_OPTIONS, upstreamConfig } from './settings.ts';

export const upstreamCommand: Command = {
  name: 'upstream',
  summary: 'Runs a hospital node: verifies, keeps and countersigns the blocks of gateways.',
  usage: ['upstream [--config FILE] [--data FOLDER] [--gateways KEY,KEY… | --gateways open]', 'upstream --print-key [--data FOLDER]'],
  details: 'The first run makes the hospital\'s key. Gateways name it in their configuration (hospitals: key).',
  options: {
    ...CONFIG_OPTIONS,
    gateways: { type: 'string', value: 'KEYS', help: 'Public keys of the gateways that are taken, or "open" for every new chain (demonstrations only)' },
    'print-key': { type: 'boolean', help: 'Print the public key (made if need be) and end' },
  },
  run: async (args, { openBlocks, out, signal }) => {
    const printOnly = args.values['print-key'] === true;
    const config = upstreamConfig(printOnly ? { ...args, values: { gateways: 'open', ...args.values } } : args);
    openDataFolder(config.data);
    const key = hospitalKeyIn(config.data);
    if (printOnly) {
      out(toHex(key.publicKey));
      return 0;
    }
    const log = createLog(config.log.level, config.name);
    const metrics = new UpstreamMetrics();
    const { blocks, releases, close } = await openBlocks(config.data, { readOnly: false });
    const storeLost = Promise.withResolvers<StoreError>();
    const { tls, ...settings } = config;
    const certificate = await certificateFor(tls, config.data, key);
    const upstream = await startUpstream({
      ...settings,
      ...(certificate && { tls: certificate }),
      key,
      blocks,
      released: { store: releases, payloadKey: payloadPairIn(config.data).publicBytes, detailsAsked: (chain) => areDetailsAsked(config.data, chain, UnixMillis(Date.now())) },
      promised: (chain) => promisedFor(config.data, chain),
      log,
      gateways: config.gateways === 'open' ? 'open' : config.gateways.map((hex) => Buffer.from(hex, 'hex')),
      onJudged: (outcome) => metrics.blocks.inc({ outcome }),
      onStoreFault: (fault) => {
        if (fault.code === 'VG_STORE_CLOSED') storeLost.resolve(fault);
      },
      register: (app) => addMetrics(app, metrics.registry),
    });
    out(`vitalgate upstream ${config.name}: ${upstream.address}, key ${toHex(key.publicKey)}, data ${config.data}`);
    const lost = await untilStoppedOrLost(signal, storeLost.promise, log);
    await upstream.close();
    await close();
    return lost ? START_AGAIN : 0;
  },
};

function hospitalKeyIn(folder: string): SigningKey {
  return signingKeyFrom(secretIn(keyFilesIn(folder), 'hospital.key', () => generateSecret((size) => randomBytes(size))).secret);
}

async function certificateFor(tls: UpstreamConfig['tls'], folder: string, key: SigningKey): Promise<NodeCertificate | undefined> {
  if (tls === 'none') return undefined;
  if (tls === 'own') return await nodeCertificateIn(keyFilesIn(folder), key, (size) => randomBytes(size));
  return { certificate: textIn(tls.certificateFile), key: textIn(tls.keyFile) };
}
