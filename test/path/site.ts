/** One gateway and one hospital node on free ports over a folder of their own, as their users set them up. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { AddedDevice, Status } from '../../gateway/administration.ts';
import type { Totals } from '../../gateway/derive/derive-store.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { controlClient, type AdministrationApi } from '../../gateway/web/control.ts';
import { freePorts, Program, until, vitalgate } from './program.ts';

export type SiteOptions = Readonly<{
  /** Where the gateway keeps its data. Default: in the site's folder. */
  gatewayData?: string;
  /** Port the gateway finds its hospital at. Default: the hospital's own. */
  hospitalBehind?: number;
  /** Settings of its mqtt section, beside where TCP listens. */
  mqtt?: Readonly<Record<string, unknown>>;
  /** Settings of the gateway section that replace those of the site. */
  gateway?: Readonly<Record<string, unknown>>;
}>;

type Ports = Readonly<{ mqtt: number; web: number; hospital: number }>;
export type DeviceWithPassword = AddedDevice & Readonly<{ password: string }>;

export function withPassword(added: AddedDevice): DeviceWithPassword {
  if (added.password === undefined) throw new Error(`${added.device} has no password`);
  return { ...added, password: added.password };
}

export class Site implements AsyncDisposable {
  readonly folder: string;
  readonly config: string;
  readonly gatewayData: string;
  readonly hospitalData: string;
  readonly ports: Ports;
  readonly #programs: Program[] = [];
  #gateway: Program | undefined;
  #hospital: Program | undefined;

  /** Makes folder and hospital key and writes the configuration; nothing runs yet. */
  static async prepare(options: SiteOptions = {}): Promise<Site> {
    const [mqtt = 0, web = 0, hospital = 0] = await freePorts(3);
    const site = new Site({ mqtt, web, hospital }, options.gatewayData);
    const { stdout: key } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    site.writeConfig(site.sections(key.trim(), options));
    return site;
  }

  /** A site whose gateway and hospital run. */
  static async running(options: SiteOptions = {}): Promise<Site> {
    const site = await Site.prepare(options);
    await Promise.all([site.startHospital(), site.startGateway()]);
    return site;
  }

  private constructor(ports: Ports, gatewayData: string | undefined) {
    this.folder = mkdtempSync(join(tmpdir(), 'vitalgate-site-'));
    this.config = join(this.folder, 'vitalgate.yaml');
    this.gatewayData = gatewayData ?? join(this.folder, 'gateway');
    this.hospitalData = join(this.folder, 'hospital');
    this.ports = ports;
  }

  sections(hospitalKey: string, { hospitalBehind, mqtt = {}, gateway = {} }: SiteOptions = {}): Record<'gateway' | 'upstream', Record<string, unknown>> {
    const { ports, gatewayData, hospitalData } = this;
    return {
      gateway: {
        data: gatewayData,
        mqtt: { listen: `127.0.0.1:${ports.mqtt}`, ...mqtt },
        web: { listen: `127.0.0.1:${ports.web}` },
        seal: { age: '200ms' },
        relay: { retryBase: '20ms', retryCap: '200ms', timeout: '5s' },
        hospitals: [{ name: 'north', url: `https://127.0.0.1:${hospitalBehind ?? ports.hospital}`, key: hospitalKey }],
        ...gateway,
      },
      upstream: { name: 'north', data: hospitalData, listen: `127.0.0.1:${ports.hospital}`, gateways: 'open' },
    };
  }

  writeConfig(sections: object): void {
    writeFileSync(this.config, stringify(sections), { mode: 0o600 });
  }

  /** Starts the gateway; resolves when devices may publish. */
  async startGateway(): Promise<Program> {
    return await this.#started(this.launchGateway());
  }

  async startHospital(): Promise<Program> {
    return await this.#started(this.launchHospital());
  }

  /** Starts the gateway and does not wait for it. */
  launchGateway(): Program {
    this.#gateway = this.launch('gateway', '--config', this.config);
    return this.#gateway;
  }

  launchHospital(): Program {
    this.#hospital = this.launch('upstream', '--config', this.config);
    return this.#hospital;
  }

  /** The gateway that was started last. */
  get gateway(): Program {
    if (this.#gateway === undefined) throw new Error('no gateway was started');
    return this.#gateway;
  }

  /** The hospital node that was started last. */
  get hospital(): Program {
    if (this.#hospital === undefined) throw new Error('no hospital node was started');
    return this.#hospital;
  }

  /** Starts `vitalgate <words>`, to be ended with the site. */
  launch(...words: readonly string[]): Program {
    const program = new Program(words);
    this.#programs.push(program);
    return program;
  }

  async #started(program: Program): Promise<Program> {
    await program.ready();
    return program;
  }

  get webUrl(): string {
    return `http://127.0.0.1:${this.ports.web}`;
  }

  get hospitalUrl(): string {
    return `https://127.0.0.1:${this.ports.hospital}`;
  }

  /** The gateway that runs. */
  get api(): AdministrationApi {
    return controlClient(join(this.gatewayData, 'control.sock'));
  }

  /** A device with a password, bound to a patient. */
  async addDevice(device: string, patient = `patient-of-${device}`): Promise<DeviceWithPassword> {
    return withPassword(await this.api.addDevice({ device: device as DeviceId, subject: { kind: 'patient', id: patient }, credential: { kind: 'password' } }));
  }

  /** The value of a metric of the gateway, labels and all as it is written; undefined when it is not there. */
  async metric(nameAndLabels: string): Promise<number | undefined> {
    const line = (await this.metrics()).split('\n').find((each) => each.startsWith(`${nameAndLabels} `));
    return line === undefined ? undefined : Number(line.slice(nameAndLabels.length + 1));
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.webUrl}/metrics`)).text();
  }

  /** What derivation counted, once nothing is under way. */
  async totals(): Promise<Totals> {
    return (await this.settled()).totals;
  }

  /** The same, once there are at least so many readings. */
  async untilReadings(count: number): Promise<Totals> {
    return await until(`${count} readings are derived`, async () => {
      const totals = await this.totals();
      return totals.readings >= count && totals;
    });
  }

  /** Waits until every frame of the journal is sealed and every block countersigned. */
  async settled(): Promise<Status> {
    return await until('everything is sealed and countersigned', async () => {
      const status = await this.api.status();
      const { accepted, sealed, receipted } = status.states;
      const all = sealed.through === accepted.through && receipted.through === accepted.through;
      return all && status.queues.accept === 0 && status.relays.every(({ lag, state }) => lag === 0 && state === 'waiting') && status;
    });
  }

  /** Asks every program that still runs to end, and waits. The folders stay until the site is disposed of. */
  async stopAll(): Promise<void> {
    await Promise.all(this.#programs.filter((program) => !program.isOver).map((program) => program.stop()));
  }

  read(...path: readonly string[]): string {
    return readFileSync(`${this.folder}/${path.join('/')}`, 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
