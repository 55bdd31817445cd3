/** What a device must be told to find this gateway. */

import { isIPv6 } from 'node:net';
import type { GatewayConfig } from './config/schema.ts';

type Address = Readonly<{ host: string; port: number }>;
type Bound = Readonly<{ port: number }>;
type Interfaces = Readonly<Record<string, readonly Readonly<{ address: string; internal: boolean }>[] | undefined>>;

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** Names by which devices may know a machine that nobody gave names: its host name first, its addresses last. Each once. */
export function machineNames(hostName: string, interfaces: Interfaces): readonly string[] {
  const local = hostName.includes('.') ? [] : [`${hostName}.local`];
  const addresses = Object.values(interfaces).flatMap((each) => each ?? []);
  // A link-local address means something only together with the interface of whoever uses it.
  const reachable = addresses.filter(({ address, internal }) => !internal && !/^fe[89ab]/i.test(address)).map(({ address }) => address);
  return [...new Set([hostName, ...local, 'localhost', ...reachable, '127.0.0.1', '::1'])];
}

/**
 * The addresses under which devices reach the MQTT broker, the most private way first: mqtts, wss, mqtt, ws. `bound` are the
 * ports that were taken where the configuration leaves that open.
 */
export function deviceUrls(
  { listen, tls, webSocket }: GatewayConfig['mqtt'],
  names: readonly string[],
  bound: Readonly<{ tcp?: Bound; tls?: Bound; webSocket?: Bound }>,
): readonly string[] {
  const named = tls?.names?.[0];
  const hostOf = ({ host }: Address, secure: boolean): string => {
    if (secure && named !== undefined) return named;
    if (WILDCARDS.has(host)) return named ?? names[0] ?? 'localhost';
    return secure && isLoopback(host) ? 'localhost' : host;
  };
  const url = (scheme: string, at: Address | 'none' | undefined, taken: Bound | undefined, path = ''): string[] => {
    if (at === undefined || at === 'none') return [];
    const host = hostOf(at, scheme === 'mqtts' || scheme === 'wss');
    const port = taken?.port ?? at.port;
    return port === 0 ? [] : [`${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}${path}`];
  };
  const overWeb = (scheme: 'ws' | 'wss'): string[] => url(scheme, (scheme === 'wss') === webSocket?.tls ? webSocket.listen : undefined, bound.webSocket, '/mqtt');
  return [...url('mqtts', tls?.listen, bound.tls), ...overWeb('wss'), ...url('mqtt', listen, bound.tcp), ...overWeb('ws')];
}
