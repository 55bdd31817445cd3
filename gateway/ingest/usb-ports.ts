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
  const found = usbPorts({ classes, devices }).filter((port) => means(selector, port));
  const [port] = found;
  if (port === undefined) return { missing: `no ${wanted} is plugged in` };
  // Taking either could give one patient's readings to another.
  if (found.length > 1) return { missing: `${found.length} ports belong to a ${wanted}: give the serial number, or the path below /dev/serial/by-id` };
  return { path: port.path };
}

/** A serial port of a USB device, with what the device says of itself. */
export type UsbPort = Usb & Readonly<{ path: string }>;

/** Every one that is plugged in. */
export function usbPorts({ classes, devices }: Readonly<{ classes: string; devices: string }> = SYSTEM): readonly UsbPort[] {
  return portsIn(classes).flatMap((port) => {
    const usb = usbOf(join(classes, port));
    return usb === undefined ? [] : [{ ...usb, path: join(devices, port) }];
  });
}

/** Whether a selector means this port. */
export function means(selector: PortSelector, { path, vendor, product, serial }: UsbPort): boolean {
  if ('path' in selector) return selector.path === path || realPath(selector.path) === path;
  const { usb } = selector;
  return usb.vendor.toLowerCase() === vendor && usb.product.toLowerCase() === product && (usb.serial === undefined || usb.serial === serial);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function portsIn(classes: string): readonly string[] {
  try {
    return readdirSync(classes).filter((name) => /^tty(USB|ACM)\d+$/.test(name));
  } catch {
    return [];
  }
}

/** USB numbers in lower case, as the kernel writes them; `name`: maker and product in the maker's words. */
type Usb = Readonly<{ vendor: string; product: string; serial: string | undefined; name: string | undefined }>;

/** Climbs from a port to the USB device it belongs to. Undefined for others, and for one that was unplugged meanwhile. */
function usbOf(port: string): Usb | undefined {
  try {
    let folder = realpathSync(join(port, 'device'));
    for (let level = 0; level < LEVELS_TO_DEVICE; level++) {
      const vendor = attribute(folder, 'idVendor');
      const product = attribute(folder, 'idProduct');
      if (vendor !== undefined && product !== undefined) return { vendor, product, serial: attribute(folder, 'serial'), name: nameOf(folder) };
      folder = dirname(folder);
    }
  } catch {
    // Gone between listing and looking.
  }
  return undefined;
}

function nameOf(folder: string): string | undefined {
  const words = [attribute(folder, 'manufacturer'), attribute(folder, 'product')].filter((word) => word !== undefined && word !== '');
  return words.length === 0 ? undefined : words.join(' ');
}

function attribute(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8').trim();
  } catch {
    return undefined;
  }
}
