import { readFileSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Which serial port is meant. USB numbers are four hexadecimal digits each, as `lsusb` prints them. A path is one that stays
 * the same when devices are plugged in another order (`/dev/serial/by-id/…`, `/dev/ttyAMA0`).
 */
export type PortSelector = Readonly<{ path: string } | { usb: Readonly<{ vendor: string; product: string; serial?: string }> }>;

/** Where Linux describes them; another place in tests. */
const SYSTEM = { classes: '/sys/class/tty', devices: '/dev' } as const;
/** From a port up to its USB device: port, driver's port, interface, device. */
const LEVELS_TO_DEVICE = 4;

export type Located = Readonly<{ path: string } | { missing: string }>;

/** Finds the port, or says in words why there is none to open. */
export function locate(selector: PortSelector, { classes, devices }: Readonly<{ classes: string; devices: string }> = SYSTEM): Located {
  if ('path' in selector) return selector;
  const { vendor, product, serial } = selector.usb;
  const wanted = `USB device ${vendor}:${product}${serial === undefined ? '' : ` with serial number ${serial}`}`;
  const found = portsIn(classes).filter((port) => {
    const usb = usbOf(join(classes, port));
    return usb?.vendor === vendor.toLowerCase() && usb.product === product.toLowerCase() && (serial === undefined || usb.serial === serial);
  });
  const [port] = found;
  if (port === undefined) return { missing: `no ${wanted} is plugged in` };
  // Taking either could give one patient's readings to another.
  if (found.length > 1) return { missing: `${found.length} ports belong to a ${wanted}: give the serial number, or the path below /dev/serial/by-id` };
  return { path: join(devices, port) };
}

function portsIn(classes: string): readonly string[] {
  try {
    return readdirSync(classes).filter((name) => /^tty(USB|ACM)\d+$/.test(name));
  } catch {
    return [];
  }
}

type Usb = Readonly<{ vendor: string; product: string; serial: string | undefined }>;

/** Climbs from a port to the USB device it belongs to. Undefined for others, and for one that was unplugged meanwhile. */
function usbOf(port: string): Usb | undefined {
  try {
    let folder = realpathSync(join(port, 'device'));
    for (let level = 0; level < LEVELS_TO_DEVICE; level++) {
      const vendor = attribute(folder, 'idVendor');
      const product = attribute(folder, 'idProduct');
      if (vendor !== undefined && product !== undefined) return { vendor, product, serial: attribute(folder, 'serial') };
      folder = dirname(folder);
    }
  } catch {
    // Gone between listing and looking.
  }
  return undefined;
}

function attribute(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}
