/** Which way packets go: an address of ours chooses a link only where the routing of the machine agrees (Linux, iproute2). */

import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The interface that packets from that address to that host leave through; undefined where there is no name, no route, or no "ip" to ask. */
export async function leavesThrough(host: string, from: string): Promise<string | undefined> {
  try {
    const { address } = await lookup(host.replace(/^\[|\]$/g, ''), { family: from.includes(':') ? 6 : 4 });
    const { stdout } = await run('ip', ['-j', 'route', 'get', address, 'from', from]);
    const [route] = JSON.parse(stdout) as { dev?: string }[];
    return route?.dev;
  } catch {
    return undefined;
  }
}

/** Another interface that one of these hosts is reached through; what is this machine is reached every way. Undefined where there is none. */
export async function misled(hosts: readonly string[], place: Readonly<{ address: string; interface: string }>, ask: typeof leavesThrough): Promise<string | undefined> {
  const ways = await Promise.all(hosts.map((host) => ask(host, place.address)));
  return ways.find((way) => way !== undefined && way !== place.interface && way !== 'lo');
}

/** For people: what to do about it. */
export const misledInWords = (link: string, { address, interface: own }: Readonly<{ address: string; interface: string }>, other: string): string =>
  `packets of link ${link} (${address}) leave through ${other}, not ${own}: give it a route of its own, "ip rule add from ${address} table N" and a default route there`;
