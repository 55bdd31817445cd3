/** Real programs in the laboratory: a gateway and its devices in the house, a hospital node in its own namespace. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { stringify } from 'yaml';
import type { LinksReport } from '../../gateway/administration.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { controlClient, type AdministrationApi } from '../../gateway/web/control.ts';
import { Program, until, vitalgate } from '../path/program.ts';
import { withPassword, type DeviceWithPassword } from '../path/site.ts';
import type { Done, Order } from './device.ts';
import type { Fed, FeedOrder } from './feeder.ts';
import { HOSPITAL_ADDRESS, HOSPITAL_NAME, type LabLink, type Laboratory } from './laboratory.ts';

const DEVICE = resolve(import.meta.dirname, 'device.ts');
const FEEDER = resolve(import.meta.dirname, 'feeder.ts');
const MQTT_PORT = 1883;
const WEB_PORT = 8480;
const HOSPITAL_PORT = 9090;

export class House implements AsyncDisposable {
  readonly lab: Laboratory;
  readonly #folder: string;
  readonly #config: string;
  #gateway: Program | undefined;
  #hospital: Program | undefined;
  #devices: ChildProcess | undefined;
  #answers: Interface | undefined;
  readonly #feeders = new Set<ChildProcess>();
  #number = 0;

  /** `gateway`, `hospital`: settings of these that replace those of the house. */
  static async in(lab: Laboratory, gateway: object = {}, hospital: object = {}): Promise<House> {
    const house = new House(lab);
    const hospitalData = join(house.#folder, 'hospital');
    const { stdout: key } = await vitalgate('upstream', '--print-key', '--data', hospitalData);
    writeFileSync(house.#config, stringify({
      gateway: {
        data: house.data,
        mqtt: { listen: `127.0.0.1:${MQTT_PORT}` },
        web: { listen: `127.0.0.1:${WEB_PORT}` },
        hospitals: [{ name: 'north', url: `https://${HOSPITAL_NAME}:${HOSPITAL_PORT}`, key: key.trim(), ...hospital }],
        links: [{ name: 'ethernet', interface: 'eth0' }, { name: 'cellular', interface: 'wwan0', metered: true, probe: '30s' }],
        ...gateway,
      },
      upstream: { name: 'north', data: hospitalData, listen: `${HOSPITAL_ADDRESS}:${HOSPITAL_PORT}`, gateways: 'open' },
    }), { mode: 0o600 });
    return house;
  }

  private constructor(lab: Laboratory) {
    this.lab = lab;
    this.#folder = lab.folder;
    this.#config = join(lab.folder, 'vitalgate.yaml');
  }

  get data(): string {
    return join(this.#folder, 'gateway');
  }

  get api(): AdministrationApi {
    return controlClient(join(this.data, 'control.sock'));
  }

  /** What the gateway that was started last has written to its log. */
  get log(): string {
    return this.#gateway?.stderr ?? '';
  }

  get config(): string {
    return this.#config;
  }

  async startHospital(): Promise<void> {
    this.#hospital = new Program(['upstream', '--config', this.#config], { under: this.lab.inHospital });
    await this.#hospital.ready();
  }

  /** `env`: variables of its environment, beside ours. */
  async startGateway(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#gateway = new Program(['gateway', '--config', this.#config], { under: this.lab.inHouse, env });
    await this.#gateway.ready();
  }

  async stopGateway(): Promise<void> {
    await this.#gateway?.stop();
  }

  async links(): Promise<LinksReport> {
    return await this.api.links();
  }

  async stateOf(link: LabLink): Promise<string | undefined> {
    return (await this.links()).paths.find((path) => path.link === link)?.state;
  }

  async untilUp(...links: readonly LabLink[]): Promise<void> {
    try {
      await until(`${links.join(' and ')} are up`, async () => (await Promise.all(links.map((link) => this.stateOf(link)))).every((state) => state === 'up'));
    } catch (cause) {
      throw new Error(`not all of them are up: ${JSON.stringify((await this.links()).paths)}`, { cause });
    }
  }

  /** Up to which block of the alarm lane the hospital has countersigned. */
  async alarmsAt(): Promise<number> {
    return (await this.links()).relays.find(({ lane }) => lane === 'alarm')?.height ?? -1;
  }

  /** A new patient with an oximeter. */
  async newPatient(): Promise<DeviceWithPassword> {
    this.#number += 1;
    return withPassword(await this.api.addDevice({ device: `oximeter-${this.#number}` as DeviceId, subject: { kind: 'patient', id: `patient ${this.#number}` }, credential: { kind: 'password' } }));
  }

  /** Publishes as that device, from within the house. */
  async publish({ device, password, topic }: DeviceWithPassword, payloads: readonly string[], alarm?: Order['alarm']): Promise<Done> {
    if (this.#devices === undefined) {
      const [command, ...rest] = [...this.lab.inHouse, process.execPath, DEVICE];
      this.#devices = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
      this.#answers = createInterface(this.#devices.stdout as NodeJS.ReadableStream);
    }
    const answer = once(this.#answers as Interface, 'line');
    this.#devices.stdin?.write(`${JSON.stringify({ port: MQTT_PORT, username: device, password, topic, payloads, ...(alarm && { alarm }) } satisfies Order)}\n`);
    const [line] = (await answer) as [string];
    return JSON.parse(line) as Done;
  }

  /** Publishes readings of these devices, evenly and all at once, until the order is carried out. */
  async feed(devices: readonly DeviceWithPassword[], order: Omit<FeedOrder, 'port' | 'devices'>, progress: (fed: number) => void): Promise<Fed> {
    const [command, ...rest] = [...this.lab.inHouse, process.execPath, FEEDER];
    const feeder = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#feeders.add(feeder);
    feeder.stdin.end(JSON.stringify({ ...order, port: MQTT_PORT, devices: devices.map(({ device, password, topic }) => ({ device, password, topic })) } satisfies FeedOrder));
    let last: Fed | undefined;
    for await (const line of createInterface(feeder.stdout)) {
      last = JSON.parse(line) as Fed;
      progress(last.readings);
    }
    this.#feeders.delete(feeder);
    if (last?.isDone !== true) throw new Error('the devices ended before they had sent everything');
    return last;
  }

  /** Lets somebody's oxygen fall, and waits until a hospital has countersigned that: milliseconds from the device's message to the receipt. */
  async alarm(patient: DeviceWithPassword): Promise<number> {
    const { chain, lanes } = await this.api.status();
    const alarm = { lane: `http://127.0.0.1:${WEB_PORT}/v1/chains/${chain}/alarm`, after: lanes.find(({ lane }) => lane === 'alarm')?.height ?? -1 };
    const payloads = [97, 70].map((value, seq) => JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value, unit: '%' }));
    const { sent, taken, height = 0 } = await this.publish(patient, payloads, alarm);
    if (!taken) throw new Error('the gateway did not take the reading');
    while ((await this.alarmsAt()) < height) {
      if (Date.now() - sent > 60_000) throw new Error(`no receipt after a minute: ${JSON.stringify((await this.links()).relays)}`);
    }
    return Date.now() - sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#answers?.close();
    for (const each of [this.#devices, ...this.#feeders]) each?.kill('SIGKILL');
    await this.#gateway?.kill();
    await this.#hospital?.kill();
  }
}
