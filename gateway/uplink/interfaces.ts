/** What the machine says of its network interfaces (Linux): addresses, carrier, bytes. */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** How a link is found: the first is looked up under the name of its interface, the second by its address. */
export type LinkPlace = Readonly<{ interface: string } | { address: string }>;

/** `interface` is absent where an address belongs to none that is listed, as 127.0.0.2 does. */
export type Found = Readonly<{ address: string; interface?: string } | { absent: string }>;

/** Whether it has an interface of its own. */
export const isPlaced = (found: Found): found is Readonly<{ address: string; interface: string }> => 'interface' in found && found.interface !== undefined;

export interface Interfaces {
  find(place: LinkPlace): Found;
  /** Bytes received and sent since the interface came up; undefined where that is not told. */
  bytesOf(name: string): number | undefined;
  /** Another one with every start of the machine, from when bytes are counted. */
  readonly boot: string;
}

export const systemInterfaces = (): Interfaces => ({ find, bytesOf, boot: textOf('/proc/sys/kernel/random/boot_id') ?? '' });

function find(place: LinkPlace): Found {
  const all = networkInterfaces();
  if ('address' in place) return findAddress(place.address, all);
  const { interface: name } = place;
  if (textOf(`/sys/class/net/${name}/operstate`) === undefined && all[name] === undefined) return { absent: `there is no interface ${name}` };
  if (textOf(`/sys/class/net/${name}/carrier`) === '0') return { absent: `${name} has no carrier` };
  const usable = (all[name] ?? []).filter(({ address }) => !isLinkLocal(address));
  const address = (usable.find(({ family }) => family === 'IPv4') ?? usable[0])?.address;
  return address === undefined ? { absent: `${name} has no address` } : { address, interface: name };
}

function findAddress(address: string, all: ReturnType<typeof networkInterfaces>): Found {
  const name = Object.entries(all).find(([, each]) => each?.some((known) => known.address === address))?.[0];
  if (name === undefined) return isLoopback(address) ? { address } : { absent: `no interface has the address ${address}` };
  return textOf(`/sys/class/net/${name}/carrier`) === '0' ? { absent: `${name} has no carrier` } : { address, interface: name };
}

function bytesOf(name: string): number | undefined {
  const [received, sent] = ['rx_bytes', 'tx_bytes'].map((each) => textOf(`/sys/class/net/${name}/statistics/${each}`));
  return received === undefined || sent === undefined ? undefined : Number(received) + Number(sent);
}

/** Undefined when it cannot be read: the carrier of an interface that is not up cannot, either. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

const isLinkLocal = (address: string): boolean => address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
const isLoopback = (address: string): boolean => isIP(address) === 4 && address.startsWith('127.');
