import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { fleetFor } from '../../firmware-sim/fleet.ts';
import { PeerError, UsageError } from '../errors.ts';
import { controlSocketOf } from '../gateway.ts';
import { isDeviceId } from '../reading.ts';
import { controlClient, type AdministrationApi } from '../web/control.ts';
import { ChildCommand } from './children.ts';
import { numberOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { DemoTable } from './demo-table.ts';
import { DemoTold } from './demo-told.ts';
import { linksInShort } from './links.ts';

const SEED = 'demo';
/** A night in which something happens, so that a newcomer sees an alarm within a minute. */
const NIGHT = ['--time-of-day', '2h', '--episodes', 'anna:desaturation@5s'] as const;
const REFRESH_MS = 1000;

/** Whom flows can have told, one after the other. Their numbers are of those that nobody has (Bundesnetzagentur, for film and television). */
const PEOPLE = [
  { name: 'admin', access: 'administrator' }, { name: 'nina', roles: ['nurse'], email: 'nina@demo.example' }, { name: 'david', access: 'clinician', roles: ['doctor'], email: 'david@demo.example' },
  { name: 'dora', access: 'viewer', roles: ['daughter'], email: 'dora@demo.example', phone: '+491713920011' },
  { name: 'nick', access: 'viewer', roles: ['neighbour'], phone: '+491713920012' },
  { name: 'emma', access: 'viewer', roles: ['emergency-contact'], email: 'emma@demo.example', phone: '+491713920013' },
];
/** Nobody, whose values flows may simulate. */
const TEST_PATIENT = 'test-patient';

/** Handed over between networks now and then, as on a bus. */
const COVERAGE = '3s:5g-sa,40s:lte,50s:5g-nsa,70s:5g-sa,100s:lte,110s:5g-sa';

type Places = Readonly<{ folder: string; config: string; credentials: string; gatewayData: string; hospitalData: string; modem: string; bell: string; lamp: string; token: string }>;
type Ports = Readonly<{ mqtt: number; web: number; hospital: number; mail: number }>;

export const demoCommand: Command = {
  name: 'demo',
  summary: 'Shows the whole path: a gateway, a hospital node, a simulated 5G modem, a mail server and patients in their rooms, all real processes.',
  usage: ['demo [--data FOLDER] [--patients N] [--seconds N]'],
  details: 'Ctrl-C stops everything. The folder stays: "vitalgate trace" and "vitalgate verify" work on it while the demo runs and after.',
  options: {
    data: { type: 'string', short: 'd', value: 'FOLDER', help: 'Where everything is kept (default ./data/demo)' },
    patients: { type: 'string', value: 'N', help: 'How many patients (default 3)' },
    seconds: { type: 'string', value: 'N', help: 'End by itself after this long (default: run until Ctrl-C)' },
  },
  run: async (args, environment) => {
    const patients = numberOf(args, 'patients', 3);
    const seconds = secondsOf(args);
    const places = placesIn(resolve(textOf(args, 'data') ?? join('data', 'demo')));
    const children: ChildCommand[] = [];
    const start = async (...words: string[]): Promise<string> => {
      const { child, firstLine } = await ChildCommand.start(environment, words, join(places.folder, `${words[0]}.log`));
      children.unshift(child);
      return firstLine;
    };
    try {
      const ports = await beginAll(places, start, environment);
      const api = controlClient(controlSocketOf(places.gatewayData));
      await registerFleet(api, places, patients);
      const token = await tokenIn(places, api);
      await start('sim', '--credentials', places.credentials, '--broker', `mqtt://127.0.0.1:${ports.mqtt}`, '--patients', String(patients), '--seed', SEED,
        '--counters', join(places.folder, 'counters.json'), ...NIGHT);
      for (const line of welcome(places, ports, token)) environment.out(line);
      await Promise.race([showProgress(api, environment, new DemoTold(places), seconds), ...children.map((child) => child.watch())]);
    } finally {
      for (const child of children) await child.stop();
    }
    environment.out('stopped: gateway, hospital node and devices');
    return 0;
  },
};

function secondsOf(args: Arguments): number | undefined {
  return args.values['seconds'] === undefined ? undefined : numberOf(args, 'seconds', 0);
}

function placesIn(folder: string): Places {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    folder,
    config: join(folder, 'vitalgate.yaml'),
    credentials: join(folder, 'credentials.json'),
    gatewayData: join(folder, 'gateway'),
    hospitalData: join(folder, 'hospital'),
    modem: join(folder, 'modem'),
    bell: join(folder, 'bell.log'),
    lamp: join(folder, 'lamp.log'),
    token: join(folder, 'admin.token'),
  };
}

/** Starts the hospital first: the gateway's chain names its key from the genesis block on. */
async function beginAll(places: Places, start: (...words: string[]) => Promise<string>, environment: Environment): Promise<Ports> {
  const ports = { mqtt: await freePort(1883), web: await freePort(8080), hospital: await freePort(9090), mail: await freePort(2525) };
  const { child, firstLine: key } = await ChildCommand.start(environment, ['upstream', '--print-key', '--data', places.hospitalData], join(places.folder, 'upstream.log'));
  await child.stop();
  writeFileSync(places.config, configFor(places, ports, key), { mode: 0o600 });
  await start('upstream', '--config', places.config);
  await start('sim', '--modem', 'quectel', '--serial', `pty:${places.modem}`, '--story', COVERAGE, '--seed', SEED);
  await start('sim', '--mail', String(ports.mail));
  await start('gateway', '--config', places.config);
  return ports;
}

function configFor({ gatewayData, hospitalData, modem, bell, lamp }: Places, ports: Ports, key: string): string {
  return stringify({
    gateway: {
      data: gatewayData,
      mqtt: { listen: `127.0.0.1:${ports.mqtt}` },
      web: { listen: `127.0.0.1:${ports.web}` },
      alarms: { people: PEOPLE },
      patients: [{ id: TEST_PATIENT }],
      // Here it may cost what it costs: whoever looks at the demo wants to see flows.
      flows: { enabled: true, testPatients: [TEST_PATIENT] },
      notices: {
        email: { host: '127.0.0.1', port: ports.mail, security: 'none', from: 'vitalgate@demo.example' },
        // A bell and a lamp that everybody has: what they are told stands in a file.
        commands: [{ name: 'bell', kind: 'buzzer', run: ['tee', '-a', bell] }, { name: 'lamp', run: ['tee', '-a', lamp] }],
      },
      hospitals: [{ name: 'demo-hospital', url: `https://127.0.0.1:${ports.hospital}`, key, payloads: 'summary' }],
      // Two addresses of this machine stand for two ways out of a house.
      links: [{ name: 'ethernet', address: '127.0.0.1' }, { name: '5g', address: '127.0.0.2', metered: true, budget: { day: '100MB' }, modem: { port: modem, apn: 'demo.iot' } }],
    },
    upstream: {
      name: 'demo-hospital', data: hospitalData, listen: `127.0.0.1:${ports.hospital}`, gateways: 'open',
      people: [{ name: 'otto', role: 'administrator' }, { name: 'nora', role: 'clinician' }],
    },
  });
}

/** The usual port, or a free one when it is taken. */
async function freePort(usual: number): Promise<number> {
  const port = await tryPort(usual) ?? await tryPort(0);
  if (port === undefined) throw new UsageError('no port of this machine is free');
  return port;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolvePort) => {
    const server = createServer();
    server.once('error', () => resolvePort(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolvePort(found));
    });
  });
}

/** Registers the simulated devices that are not registered yet; their passwords are kept in the demo's folder. */
async function registerFleet(api: AdministrationApi, places: Places, patients: number): Promise<void> {
  const known = existsSync(places.credentials) ? (JSON.parse(readFileSync(places.credentials, 'utf8')) as Record<string, string>) : {};
  for (const { id, subject } of fleetFor({ patients, seed: SEED })) {
    if (known[id] !== undefined || !isDeviceId(id)) continue;
    const { password } = await api.addDevice({ device: id, subject, credential: { kind: 'password' } });
    known[id] = password ?? '';
  }
  writeFileSync(places.credentials, JSON.stringify(known, null, 2), { mode: 0o600 });
}

/** Of the demo's administrator, kept in its folder. */
async function tokenIn({ token }: Places, api: AdministrationApi): Promise<string> {
  if (existsSync(token)) return readFileSync(token, 'utf8').trim();
  const { secret } = await api.makeToken('admin');
  writeFileSync(token, `${secret}\n`, { mode: 0o600 });
  return secret;
}

function welcome({ folder, config }: Places, ports: Ports, token: string): string[] {
  return [
    '',
    `Vitalgate demo in ${folder}. Not a certified medical device.`,
    `  MQTT      mqtt://127.0.0.1:${ports.mqtt}     metrics  http://127.0.0.1:${ports.web}/metrics`,
    `  hospital  https://127.0.0.1:${ports.hospital}/v1/chains`,
    `  flows     http://127.0.0.1:${ports.web}/flows/     token    ${token}`,
    'In another terminal:',
    `  npx vitalgate trace anna-oximeter --config ${config}`,
    `  npx vitalgate links --config ${config}`,
    `  npx vitalgate verify chain https://127.0.0.1:${ports.hospital}`,
    `  npx vitalgate upstream status --config ${config}`,
    `  npx vitalgate upstream token otto --config ${config}      # signs in at https://127.0.0.1:${ports.hospital}/`,
    `  npx vitalgate upstream token nora --config ${config}      # reads https://127.0.0.1:${ports.hospital}/fhir/Observation?_count=5 with "Authorization: Bearer …"`,
    '',
  ];
}

async function showProgress(api: AdministrationApi, { out, signal }: Environment, told: DemoTold, seconds: number | undefined): Promise<void> {
  const table = new DemoTable({ out, live: process.stdout.isTTY, ...(process.stdout.isTTY && { width: process.stdout.columns }) });
  const end = seconds === undefined ? Infinity : performance.now() + seconds * 1000;
  while (!signal.aborted && performance.now() < end) {
    try {
      table.show(await api.status(), [...linksInShort(await api.links()), ...told.lines()], performance.now());
    } catch (error) {
      if (!(error instanceof PeerError) || !signal.aborted) throw error;
    }
    await pause(signal);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolvePause) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolvePause();
    };
    const timer = setTimeout(done, REFRESH_MS);
    signal.addEventListener('abort', done, { once: true });
  });
}
