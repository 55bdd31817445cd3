/** Finds a modem: on its AT port, or through ModemManager where that has the port. */

import { readlinkSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { messageOf } from '../errors.ts';
import { AtDriver, type AtModemOptions } from './at-driver.ts';
import { managedModems, ManagedDriver, type Mmcli } from './managed-driver.ts';
import type { ModemDriver } from './modem.ts';

export type ModemSettings = AtModemOptions & Readonly<{
  /** Its AT port, for example `/dev/serial/by-id/…` or `/dev/ttyUSB3`. */
  port: string;
}>;

const BAUD_RATE = 115_200;

/** Rejects with the reason when it is not there. `onChange`: it said by itself that something is another. */
export async function openModem(settings: ModemSettings, mmcli: Mmcli, onChange: () => void): Promise<ModemDriver> {
  const device = deviceOf(settings.port);
  const managed = (await managedModems(mmcli)).find(({ ports }) => ports.includes(basename(device)));
  if (managed !== undefined) return new ManagedDriver(mmcli, managed, settings);
  return await openPort(settings, onChange);
}

/** A name below `/dev/serial/by-id` stands for the device it points to. */
function deviceOf(port: string): string {
  try {
    return realpathSync(port);
  } catch (cause) {
    throw new Error(`there is no modem at ${port}: ${describe(port, cause)}`, { cause });
  }
}

function describe(port: string, cause: unknown): string {
  try {
    return `${port} points to ${readlinkSync(port)}, which is gone`;
  } catch {
    return messageOf(cause);
  }
}

async function openPort(settings: ModemSettings, onChange: () => void): Promise<ModemDriver> {
  // The native part is loaded by those who have a modem only: it costs memory.
  const { SerialPort } = await import('serialport');
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  // With its lock, two programs never talk across each other.
  const port = new SerialPort({ path: settings.port, baudRate: BAUD_RATE, lock: true, autoOpen: false });
  port.open((error) => (error === null ? resolve(undefined) : reject(new Error(`the modem's port ${settings.port} cannot be opened: ${error.message}`, { cause: error }))));
  await promise;
  const driver = new AtDriver(
    {
      write: (bytes) => new Promise<void>((done, failed) => {
        port.write(bytes);
        port.drain((error) => (error === null ? done() : failed(error)));
      }),
      close: () => new Promise<void>((done) => (port.isOpen ? port.close(() => done()) : done())),
    },
    settings,
    onChange,
  );
  port.on('data', (bytes: Buffer) => driver.received(bytes));
  port.on('error', (error) => driver.lost(`the line to the modem failed: ${error.message}`));
  port.on('close', () => driver.lost('the modem was unplugged, or has started again'));
  return driver;
}
