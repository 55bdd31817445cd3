import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayConfig } from '../config/schema.ts';
import { StoreError, reasonOf } from '../errors.ts';
import { controlSocketOf } from '../gateway.ts';
import { nodeFetch } from '../tls/node-fetch.ts';
import { isPlaced, systemInterfaces } from '../uplink/interfaces.ts';
import { leavesThrough, misled, misledInWords } from '../uplink/routes.ts';
import { controlAnswers } from '../web/control.ts';
import { STORE_FOLDER } from './chain-source.ts';
import { checkHospitalNode } from './check-hospital.ts';
import { checkPort, clockFinding, diskFinding, finding, keyFindings, type Finding, type Verdict } from './check-machine.ts';
import type { Command, Environment } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig, sectionsOf, upstreamConfig } from './settings.ts';

type Check = (config: GatewayConfig, environment: Environment) => Promise<readonly Finding[]>;

const HOSPITAL_TIMEOUT_MS = 5000;

export const checkCommand: Command = {
  name: 'check',
  summary: 'Checks whether a gateway, or a hospital node, can run here: clock, disk, keys, store, ports, links, hospitals, certificate.',
  usage: ['check [--config FILE] [--data FOLDER]'],
  details: 'Says what is wrong and what to do. Exit code 1 when a check failed; warnings do not count.\n' +
    'What is checked is what the file configures: "gateway", "upstream", or both; --data is for the gateway then.',
  options: CONFIG_OPTIONS,
  run: async (args, environment) => {
    const { gateway, upstream } = sectionsOf(args);
    // Without a file it is a gateway with all its defaults.
    const isGateway = gateway !== undefined || upstream === undefined;
    const verdicts: Verdict[] = [];
    const tell = async (findings: AsyncIterable<Finding>): Promise<void> => {
      for await (const { verdict, what, detail } of findings) {
        environment.out(`${verdict.padEnd(8)} ${what.padEnd(10)} ${detail}`);
        verdicts.push(verdict);
      }
    };
    if (isGateway) await tell(checkGateway(gatewayConfig(args), environment));
    if (isGateway && upstream !== undefined) environment.out('\nthe hospital node of the same file:');
    if (upstream !== undefined) await tell(checkHospitalNode(isGateway ? upstream : upstreamConfig(args), environment));
    return verdicts.includes('FAILED') ? 1 : 0;
  },
};

async function* checkGateway(config: GatewayConfig, environment: Environment): AsyncIterable<Finding> {
  yield clockFinding();
  yield diskFinding(config.data);
  yield* keyFindings(config.data);
  for (const check of [checkStore, checkPorts, checkLinks, checkHospitals]) yield* await check(config, environment);
}


const checkStore: Check = async ({ data }, { openBlocks, countJournal }) => {
  if (!existsSync(join(data, STORE_FOLDER))) return [finding('ok', 'store', 'empty')];
  try {
    const { blocks, close } = await openBlocks(data, { readOnly: true });
    try {
      const chains = await blocks.chains();
      const frames = await countJournal(data);
      const names = chains.map((chain) => Buffer.from(chain).toString('hex')).join(', ') || 'not begun';
      return [finding('ok', 'store', `readable, chain ${names}, ${frames.toLocaleString('en')} frames in the journal`)];
    } finally {
      await close();
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [finding('FAILED', 'store', error.message)];
  }
};

const checkPorts: Check = async (config) => {
  if (await controlAnswers(controlSocketOf(config.data))) return [finding('ok', 'ports', 'a gateway runs on this data folder')];
  const { listen, tls, webSocket } = config.mqtt;
  const places = [['MQTT', listen], ['MQTT over TLS', tls?.listen ?? 'none'], ['MQTT over WebSocket', webSocket?.listen ?? 'none'], ['web', config.web.listen]] as const;
  return await Promise.all(places.flatMap(([name, address]) => (address === 'none' ? [] : [checkPort(name, address)])));
};

const checkLinks: Check = async ({ links, hospitals }) => {
  const interfaces = systemInterfaces();
  return await Promise.all(links.map(async ({ name, interface: device, address }) => {
    const found = interfaces.find(device === undefined ? { address: address ?? '' } : { interface: device });
    if ('absent' in found) return finding('warning', 'links', `${name}: ${found.absent}`);
    const other = isPlaced(found) ? await misled(hospitals.map(({ url }) => new URL(url).hostname), found, leavesThrough) : undefined;
    if (other !== undefined && isPlaced(found)) return finding('FAILED', 'links', misledInWords(name, found, other));
    return finding('ok', 'links', `${name}: ${[found.interface, found.address].filter(Boolean).join(' ')}`);
  }));
};

const checkHospitals: Check = async ({ hospitals }) => {
  if (hospitals.length === 0) return [finding('warning', 'hospitals', 'none are configured: blocks are kept and never receipted')];
  return await Promise.all(hospitals.map(checkHospital));
};

async function checkHospital({ name, url, key }: GatewayConfig['hospitals'][number]): Promise<Finding> {
  try {
    const response = await nodeFetch(new URL('/v1/key', url), { signal: AbortSignal.timeout(HOSPITAL_TIMEOUT_MS) });
    const answer = (await response.json()) as { key?: string };
    if (answer.key === key) return finding('ok', 'hospitals', `${name} answers at ${url} with the configured key`);
    return finding('FAILED', 'hospitals', `${name} answers at ${url} with key ${answer.key ?? 'none'}, configured is ${key}`);
  } catch (error) {
    return finding('FAILED', 'hospitals', `${name} does not answer at ${url}: ${reasonOf(error)}`);
  }
}
