/** Real NATS servers with JetStream on free ports: one, or a cluster of three, over a folder of their own. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts, until } from './path/program.ts';
import { unpackedFile } from './unpacked-packages.ts';

const RECENT = resolve(import.meta.dirname, '..', unpackedFile('trixie', 'usr/sbin/nats-server'));
/** That of Debian 12: 2.9. */
const OLD = '/usr/sbin/nats-server';

/** Whether the machine's own is too old: that of Debian 13 is not. */
export const isOldServer = (): boolean => /v2\.9\./.test(spawnSync(OLD, ['--version'], { encoding: 'utf8' }).stdout ?? '');

export type NatsOptions = Readonly<{
  servers?: 1 | 3;
  /** Of JetStream. Default always. */
  syncInterval?: string;
  maxPayload?: string;
  /** Debian 12's server, which is too old. Default false. */
  old?: boolean;
}>;

class NatsServer {
  readonly port: number;
  readonly monitor: number;
  readonly #program: string;
  readonly #config: string;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor({ port, monitor, program, config }: Readonly<{ port: number; monitor: number; program: string; config: string }>) {
    this.port = port;
    this.monitor = monitor;
    this.#program = program;
    this.#config = config;
  }

  start(): void {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', this.#program, '-c', this.#config], { stdio: 'ignore' });
    this.#process = child;
    this.#ended = new Promise((done, reject) => {
      child.once('error', reject);
      child.once('close', () => done());
    });
  }

  /** Whether its streams can be written to. */
  async isReady(): Promise<boolean> {
    return (await fetch(`http://127.0.0.1:${this.monitor}/healthz`)).ok;
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
  }
}

export class NatsServers implements AsyncDisposable {
  readonly servers: readonly NatsServer[];
  readonly #folder: string;

  constructor(folder: string, servers: readonly NatsServer[]) {
    this.#folder = folder;
    this.servers = servers;
  }

  /** As `--store` takes it. */
  get url(): string {
    const list = (of: (server: NatsServer) => string | number): string => this.servers.map(of).join(',');
    return `nats://${list(({ port }) => `127.0.0.1:${port}`)}?replicas=${this.servers.length}&monitor=${list(({ monitor }) => monitor)}`;
  }

  async ready(): Promise<void> {
    await until('the servers are ready', async () => (await Promise.all(this.servers.map((server) => server.isReady()))).every(Boolean));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function startNats({ servers: count = 1, syncInterval = 'always', maxPayload = '8MB', old = false }: NatsOptions = {}): Promise<NatsServers> {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-nats-'));
  const ports = await freePorts(3 * count);
  const routes = ports.slice(0, count).map((port) => `nats://127.0.0.1:${port}`);
  const servers = routes.map((_, n) => {
    const [port = 0, monitor = 0] = [ports[count + n], ports[2 * count + n]];
    const config = join(folder, `${n}.conf`);
    mkdirSync(join(folder, `data${n}`));
    writeFileSync(config, [
      `server_name: n${n}`, `listen: "127.0.0.1:${port}"`, `http: "127.0.0.1:${monitor}"`, `max_payload: ${maxPayload}`,
      `jetstream { store_dir: "${join(folder, `data${n}`)}"${old ? '' : `, sync_interval: ${syncInterval}`} }`,
      ...(count === 1 ? [] : [`cluster { name: test, listen: "127.0.0.1:${ports[n]}", routes: [${routes.map((route) => `"${route}"`).join(', ')}] }`]),
    ].join('\n'));
    return new NatsServer({ port, monitor, program: old ? OLD : RECENT, config });
  });
  for (const server of servers) server.start();
  const started = new NatsServers(folder, servers);
  await started.ready();
  return started;
}
