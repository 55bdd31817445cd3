import { existsSync, readFileSync, readdirSync, statSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import type { GatewayConfig } from '../config/schema.ts';
import { StoreError, reasonOf } from '../errors.ts';
import { systemClock } from '../ingest/clock.ts';
import { Bytes, MiB, formatBytes } from '../quantity.ts';
import { controlSocketOf } from '../gateway.ts';
import { isSealed } from '../vault/sealed-files.ts';
import { controlAnswers } from '../web/control.ts';
import { STORE_FOLDER } from './chain-source.ts';
import type { Command, Environment } from './command.ts';
import { CONFIG_OPTIONS, gatewayConfig } from './settings.ts';
import { nodeFetch } from '../tls/node-fetch.ts';
import { isPlaced, systemInterfaces } from '../uplink/interfaces.ts';
import { leavesThrough, misled, misledInWords } from '../uplink/routes.ts';

type Verdict = 'ok' | 'warning' | 'FAILED';
type Finding = Readonly<{ verdict: Verdict; what: string; detail: string }>;
type Check = (config: GatewayConfig, environment: Environment) => Promise<readonly Finding[]>;

const LEAST_FREE = MiB(256);
const HOSPITAL_TIMEOUT_MS = 5000;

const finding = (verdict: Verdict, what: string, detail: string): Finding => ({ verdict, what, detail });

export const checkCommand: Command = {
  name: 'check',
  summary: 'Checks whether a gateway can run here: clock, disk, keys, store, ports, links, hospitals.',
  usage: ['check [--config FILE] [--data FOLDER]'],
  details: 'Says what is wrong and what to do. Exit code 1 when a check failed; warnings do not count.',
  options: CONFIG_OPTIONS,
  run: async (args, environment) => {
    const config = gatewayConfig(args);
    const findings: Finding[] = [];
    for (const check of [checkClock, checkDisk, checkKeys, checkStore, checkPorts, checkLinks, checkHospitals]) {
      for (const found of await check(config, environment)) {
        environment.out(`${found.verdict.padEnd(8)} ${found.what.padEnd(10)} ${found.detail}`);
        findings.push(found);
      }
    }
    return findings.some(({ verdict }) => verdict === 'FAILED') ? 1 : 0;
  },
};

const checkClock: Check = () => {
  const clock = systemClock();
  const now = new Date(clock.now()).toISOString();
  switch (clock.trust()) {
    case 'synchronised':
      return Promise.resolve([finding('ok', 'clock', `${now}, synchronised`)]);
    case 'unverified':
      return Promise.resolve([finding('warning', 'clock', `${now}, but no time service has confirmed it; start systemd-timesyncd`)]);
    case 'implausible':
      return Promise.resolve([finding('FAILED', 'clock', `${now} is before this program was written; set the clock`)]);
  }
};

const checkDisk: Check = ({ data }) => {
  let folder = resolve(data);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = Bytes(bavail * bsize);
  const verdict = free < LEAST_FREE ? 'FAILED' : 'ok';
  return Promise.resolve([finding(verdict, 'disk', `${formatBytes(free)} free at ${folder}; at least ${formatBytes(LEAST_FREE)} are needed`)]);
};

const checkKeys: Check = ({ data }) => {
  if (!existsSync(data)) return Promise.resolve([finding('ok', 'keys', `${data} does not exist yet; the first run makes folder and keys`)]);
  const mode = (path: string): number => statSync(path).mode & 0o777;
  const files = readdirSync(data).filter((name) => name.endsWith('.key')).map((name) => join(data, name));
  return Promise.resolve([
    mode(data) === 0o700 ? finding('ok', 'keys', `${data} has mode 700`) : finding('FAILED', 'keys', `${data} can be read by others; run: chmod 700 ${data}`),
    ...sealingOf(files.filter((file) => (mode(file) & 0o077) === 0)),
    ...files.filter((file) => (mode(file) & 0o077) !== 0).map((file) => finding('FAILED', 'keys', `${file} can be read by others; run: chmod 600 ${file}`)),
  ]);
};

function sealingOf(files: readonly string[]): readonly Finding[] {
  const plain = files.filter((file) => !isSealed(readFileSync(file, 'utf8')));
  if (files.length === 0) return [];
  if (plain.length === 0) return [finding('ok', 'keys', `${files.length} key files are sealed under a passphrase`)];
  return [finding('warning', 'keys', `${plain.map((file) => basename(file)).join(', ')} in clear: whoever takes the disk has everything; the README says how to seal them`)];
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

function checkPort(name: string, { host, port }: Readonly<{ host: string; port: number }>): Promise<Finding> {
  return new Promise((resolveFinding) => {
    const server = createServer();
    server.once('error', (error) => resolveFinding(finding('FAILED', 'ports', `${name} cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host, () => server.close(() => resolveFinding(finding('ok', 'ports', `${name} can listen on ${host}:${port}`))));
  });
}

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
