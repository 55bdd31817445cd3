/** A serial cable whose ends are pseudo-terminals: real bytes, a real tty driver, and it can be pulled out. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { until } from './program.ts';

export class SerialCable implements AsyncDisposable {
  /** The end the gateway opens. */
  readonly path: string;
  /** The end a device opens. */
  readonly deviceEnd: string;
  readonly #hears: (chunk: Buffer) => void;
  #socat: ChildProcess | undefined;
  #device: SerialPort | undefined;
  #heard = Buffer.alloc(0);

  /** `hears`: called with every piece of what the gateway sends. */
  constructor(folder: string, name: string, hears: (chunk: Buffer) => void = () => undefined) {
    this.#hears = hears;
    this.path = join(folder, `${name}-gateway`);
    this.deviceEnd = join(folder, `${name}-device`);
  }

  /** Everything the gateway sent since the cable was plugged in. */
  get heard(): Buffer {
    return this.#heard;
  }

  /** Lays the cable; its device end is left to a device of another process. */
  async lay(): Promise<void> {
    const socat = spawn('socat', [`pty,raw,echo=0,link=${this.path}`, `pty,raw,echo=0,link=${this.deviceEnd}`], { stdio: 'ignore' });
    this.#socat = socat;
    await until('both ends of the cable are there', () => Promise.resolve(existsSync(this.path) && existsSync(this.deviceEnd)));
  }

  /** Lays the cable and opens its device end. */
  async plugIn(): Promise<void> {
    await this.lay();
    this.#heard = Buffer.alloc(0);
    const device = new SerialPort({ path: this.deviceEnd, baudRate: 115_200, autoOpen: false });
    await new Promise<void>((resolve, reject) => device.open((error) => (error === null ? resolve() : reject(error))));
    device.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk]);
      this.#hears(chunk);
    });
    // The other end may go first.
    device.on('error', () => undefined);
    this.#device = device;
  }

  /** Sends bytes as the device does; resolves when they are in the cable. */
  async send(...bytes: readonly Uint8Array[]): Promise<void> {
    const device = this.#device ?? expectPluggedIn();
    await new Promise<void>((resolve, reject) => {
      device.write(Buffer.concat(bytes));
      device.drain((error) => (error === null ? resolve() : reject(error)));
    });
  }

  async pullOut(): Promise<void> {
    const [device, socat] = [this.#device, this.#socat];
    if (device?.isOpen === true) await new Promise<void>((resolve) => device.close(() => resolve()));
    if (socat !== undefined && socat.exitCode === null && socat.signalCode === null) {
      const gone = new Promise((resolve) => socat.once('exit', resolve));
      socat.kill('SIGTERM');
      await gone;
    }
    [this.#device, this.#socat] = [undefined, undefined];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pullOut();
  }
}

function expectPluggedIn(): never {
  throw new Error('the cable is not plugged in');
}
