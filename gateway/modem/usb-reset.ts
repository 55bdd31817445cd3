/** The last that can be done about a modem that says nothing any more: having Linux take its USB device off the bus and back on. */

import { existsSync, realpathSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { type Millis, Seconds } from '../quantity.ts';

/** Where Linux describes ports; another place in tests. */
const CLASSES = '/sys/class/tty';
/** From a port up: the driver's port, the interface, the device. */
const MOST_LEVELS = 6;
const OFF_FOR = Seconds(2);

/**
 * Takes the USB device behind a serial port off the bus and puts it back (sysfs `authorized`, as Linux's Documentation/usb/authorization). All its
 * ports and interfaces go and come back. Rejects with what keeps it from that: no USB device, or no right to (root, or a udev rule).
 */
export async function resetUsbDeviceOf(port: string, { classes = CLASSES, offFor = OFF_FOR }: Readonly<{ classes?: string; offFor?: Millis }> = {}): Promise<void> {
  const device = usbDeviceOf(join(classes, basename(realpathSync(port))));
  if (device === undefined) throw new Error(`${port} belongs to no USB device`);
  const switchPath = join(device, 'authorized');
  try {
    await writeFile(switchPath, '0');
    await pause(offFor);
    await writeFile(switchPath, '1');
  } catch (cause) {
    throw new Error(`the USB device of ${port} cannot be reset: ${messageOf(cause)}; let the gateway write ${switchPath}`, { cause });
  }
}

/** Interfaces have a switch of their own; only a device says who made it. */
function usbDeviceOf(described: string): string | undefined {
  if (!existsSync(described)) return undefined;
  let folder = realpathSync(described);
  for (let level = 0; level < MOST_LEVELS; level++) {
    folder = dirname(folder);
    if (existsSync(join(folder, 'idVendor')) && existsSync(join(folder, 'authorized'))) return folder;
  }
  return undefined;
}
