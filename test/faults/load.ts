/** A site under a load that never gives up, and its end. */

import { until } from '../path/program.ts';
import type { Site } from '../path/site.ts';
import { auditOf } from './audit.ts';
import { LoadDevice, type LoadDeviceOptions } from './load-device.ts';
import { expectNothingLost, figuresOf } from './nothing-lost.ts';

const DEVICES = 5;

export class Load implements Disposable {
  readonly #site: Site;
  readonly #devices: readonly LoadDevice[];

  /** Registers devices at the gateway that runs and lets them publish. */
  static async start(site: Site, options: Partial<LoadDeviceOptions> = {}): Promise<Load> {
    const added = await Promise.all(Array.from({ length: DEVICES }, (_, i) => site.addDevice(`load-${i}`)));
    return new Load(site, added.map((device) => new LoadDevice({ port: site.ports.mqtt, device, ...options })));
  }

  private constructor(site: Site, devices: readonly LoadDevice[]) {
    this.#site = site;
    this.#devices = devices;
  }

  /** Messages a PUBACK was seen for. */
  get acknowledged(): number {
    return this.#devices.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  }

  /** Resolves when so many more messages were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged + count;
    await until(`${count} more messages are acknowledged`, () => this.acknowledged >= goal);
  }

  /** Lets the devices finish, the gateway seal and the hospital countersign everything, ends both nodes, and audits them. */
  async finish(what: string): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.finish()));
    await this.#site.settled();
    await this.#site.stopAll();
    const acknowledged = new Map(this.#devices.map((device) => [device.id, device.acknowledged]));
    const audit = await auditOf(this.#site);
    expectNothingLost(audit, acknowledged);
    process.stdout.write(`${what}: ${figuresOf(audit, acknowledged)}\n`);
  }

  [Symbol.dispose](): void {
    for (const device of this.#devices) device.end();
  }
}
