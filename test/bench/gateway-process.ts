import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Status } from '../../gateway/administration.ts';
import { controlSocketOf } from '../../gateway/gateway.ts';
import { isDeviceId, type DeviceId } from '../../gateway/reading.ts';
import { controlClient } from '../../gateway/web/control.ts';
import { deviceIds, type Broker } from './broker.ts';
import { accepts, Child, freePort } from './child.ts';
import type { Login } from './raw-device.ts';

const LAUNCHER = resolve(import.meta.dirname, '../../gateway/vitalgate');

/** What is measured is how fast the gateway is, not how fast a device may be. */
const UNLIMITED = { maxRate: 1_000_000, maxRateBytes: '1GiB' };

type Ports = Readonly<{ mqtt: number; web: number }>;

/** A data folder with a configuration: gateways are started on it, one after the other. */
export class GatewayFolder {
  readonly data: string;
  readonly #config: string;
  readonly #log: string;
  readonly #ports: Ports;

  private constructor(folder: string, ports: Ports) {
    this.data = join(folder, 'data');
    this.#config = join(folder, 'vitalgate.yaml');
    this.#log = join(folder, 'gateway.log');
    this.#ports = ports;
  }

  /** `settings`: of the gateway section, besides where it listens. */
  static async create(folder: string, settings: Readonly<Record<string, unknown>> = {}): Promise<GatewayFolder> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const ports = { mqtt: await freePort(), web: await freePort() };
    const created = new GatewayFolder(folder, ports);
    const gateway = { data: created.data, mqtt: { listen: `127.0.0.1:${ports.mqtt}`, ...UNLIMITED }, web: { listen: `127.0.0.1:${ports.web}` }, ...settings };
    writeFileSync(created.#config, stringify({ gateway }));
    return created;
  }

  /** Starts `vitalgate gateway` as a user would, and resolves when devices may publish. */
  async start(signal: AbortSignal): Promise<GatewayProcess> {
    const child = new Child('vitalgate gateway', LAUNCHER, ['gateway', '--config', this.#config], this.#log);
    try {
      await child.until('MQTT port', () => accepts(this.#ports.mqtt), signal);
      await child.until('/readyz', () => isReady(this.#ports.web), signal);
    } catch (error) {
      await child.stop();
      throw error;
    }
    return new GatewayProcess(child, this.#ports, this.data);
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
  } catch {
    return false;
  }
}

/** The real gateway in a process of its own: everything runs, accept, derive and seal. */
export class GatewayProcess implements Broker {
  readonly name = 'gateway';
  readonly sync = 'fsync before every acknowledgement (group commit)';
  readonly pid: number;
  readonly port: number;
  readonly web: number;
  /** From the start of the process until it was ready, in milliseconds. */
  readonly readyAfter: number;
  readonly #child: Child;
  readonly #data: string;
  #devices: readonly Login[] = [];

  constructor(child: Child, ports: Ports, data: string) {
    this.readyAfter = performance.now() - child.startedAt;
    this.#child = child;
    this.#data = data;
    this.pid = child.pid;
    this.port = ports.mqtt;
    this.web = ports.web;
  }

  get devices(): readonly Login[] {
    return this.#devices;
  }

  /** Registers devices and binds each to a patient of its own. */
  async register(count: number): Promise<readonly Login[]> {
    const api = controlClient(controlSocketOf(this.#data));
    const added: Login[] = [];
    for (const id of deviceIds(count).filter(isDeviceId)) {
      const { password = '' } = await api.addDevice({ device: id, subject: { kind: 'patient', id }, credential: { kind: 'password' } });
      added.push({ id, password });
    }
    this.#devices = added;
    return added;
  }

  /** Makes devices that were registered with an earlier process known to this one's user. */
  using(devices: readonly Login[]): this {
    this.#devices = devices;
    return this;
  }

  /** Binds a device without a password to the patient of its name. */
  async bind(device: DeviceId): Promise<void> {
    await controlClient(controlSocketOf(this.#data)).bindDevice(device, { kind: 'patient', id: device });
  }

  async status(): Promise<Status> {
    return await controlClient(controlSocketOf(this.#data)).status();
  }

  /** A metric, added up over its labels; 0 when it is not there. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.web}/metrics`)).text();
    const samples = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async kill(): Promise<void> {
    await this.#child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }
}
