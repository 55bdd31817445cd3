/** The other end of load.ts: holds the devices and sends. */

import type { LoadMessage, LoadOptions, LoadResult } from './load.ts';
import { RawDevice } from './raw-device.ts';
import { percentile } from './figures.ts';

const PACE_MS = 5;
const DRAIN_WITHIN_MS = 30_000;

const tell = (message: LoadMessage): void => void process.send?.(message);

class Load {
  readonly #options: LoadOptions;
  readonly #devices: readonly RawDevice[];
  readonly #latencies: number[] = [];
  #sendsUntil = Infinity;
  #acksInTime = 0;
  #onDrained: () => void = () => undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#devices = options.devices.map(
      (login) =>
        new RawDevice({
          ...options,
          login,
          onAcknowledged: (device, latencies) => this.#acknowledged(device, latencies),
          onFault: (fault) => fail(fault.message),
        }),
    );
  }

  async connected(): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.connected));
  }

  async run(): Promise<LoadResult> {
    const { seconds, rate, window } = this.#options;
    const cpu = process.cpuUsage();
    this.#sendsUntil = performance.now() + seconds * 1000;
    if (rate === undefined) for (const device of this.#devices) device.publish(window);
    else await this.#pace(rate);
    await this.#drained();
    for (const device of this.#devices) device.close();
    const { user, system } = process.cpuUsage(cpu);
    return { ...this.#figures(), load_cpu_s: (user + system) / 1e6 };
  }

  /** Sends what is due every few milliseconds, device after device. A full window holds the reading back: its wait is then the device's. */
  async #pace(rate: number): Promise<void> {
    const start = performance.now();
    let sent = 0;
    for (let now = start; now < this.#sendsUntil; now = performance.now()) {
      for (const due = Math.floor(((now - start) * rate) / 1000); sent < due; sent++) {
        const device = this.#devices[sent % this.#devices.length] as RawDevice;
        if (device.inFlight < this.#options.window) device.publish(1);
      }
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  #acknowledged(device: RawDevice, latencies: readonly number[]): void {
    for (const latency of latencies) this.#latencies.push(latency);
    if (performance.now() < this.#sendsUntil) {
      this.#acksInTime += latencies.length;
      if (this.#options.rate === undefined) device.publish(latencies.length);
    } else if (this.#isIdle) this.#onDrained();
  }

  get #isIdle(): boolean {
    return this.#devices.every((device) => device.inFlight === 0);
  }

  async #drained(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, this.#sendsUntil - performance.now())));
    if (this.#isIdle) return;
    const late = setTimeout(() => fail('readings stayed unacknowledged'), DRAIN_WITHIN_MS);
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    clearTimeout(late);
  }

  #figures(): Omit<LoadResult, 'load_cpu_s'> {
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      acks: sorted.length,
      acks_per_s: this.#acksInTime / this.#options.seconds,
      ack_p50_ms: percentile(sorted, 0.5),
      ack_p99_ms: percentile(sorted, 0.99),
      ack_max_ms: percentile(sorted, 1),
    };
  }
}

function fail(fault: string): void {
  tell({ fault });
  process.exitCode = 1;
  process.disconnect();
}

process.once('disconnect', () => process.exit());
process.once('message', (options: LoadOptions) => {
  const load = new Load(options);
  process.once('message', () => void load.run().then((result) => tell({ result })));
  void load.connected().then(() => tell({ ready: true }));
});
