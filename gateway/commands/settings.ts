import { existsSync } from 'node:fs';
import { defaultGatewayConfig, loadConfig, parseConfig } from '../config/load.ts';
import type { Config, GatewayConfig, UpstreamConfig } from '../config/schema.ts';
import { FAMILY_NAMES } from '../decode/family-names.ts';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { conversion } from '../decode/units.ts';
import { ConfigError } from '../errors.ts';
import { textOf, type Arguments } from './command.ts';

/** Read when no --config is given and it is there. */
const DEFAULT_FILE = 'vitalgate.yaml';

export const CONFIG_OPTIONS = {
  config: { type: 'string', short: 'c', value: 'FILE', help: `Configuration file (default: ${DEFAULT_FILE} if there is one)` },
  data: { type: 'string', short: 'd', value: 'FOLDER', help: 'Data folder, instead of the configured one' },
} as const;

/** Of commands that open the store of a hospital. */
export const STORE_OPTIONS = {
  store: { type: 'string', value: 'URL', help: 'Where the hospital keeps what it is given, instead of what is configured: rocksdb, postgres://user@host,host/database, or nats://host,host,host?monitor=PORT' },
  durability: { type: 'string', value: 'WORD', help: 'replicated (blocks are on the disk of another server too, default) or local' },
} as const;

const KNOWN = {
  measurements: MEASUREMENTS,
  families: FAMILY_NAMES,
  convertible: (from: string, to: string): boolean => conversion(from, to) !== undefined,
};

export const readConfig = (path: string): Config => loadConfig(path, { known: KNOWN });

/** What the file configures; nothing when there is none. */
export function sectionsOf(args: Arguments): Config {
  const path = configPath(args);
  return path === undefined ? {} : readConfig(path);
}

/** The file that was named, or the one that is there; undefined when none is read. */
export const configPath = (args: Arguments): string | undefined => textOf(args, 'config') ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);

/** The gateway section, or all defaults when there is no configuration file. */
export function gatewayConfig(args: Arguments): GatewayConfig {
  const config = sectionsOf(args).gateway ?? defaultGatewayConfig;
  const data = textOf(args, 'data');
  return data === undefined ? config : { ...config, data };
}

/** The upstream section; --gateways stands in for a file. */
export function upstreamConfig(args: Arguments): UpstreamConfig {
  const gateways = textOf(args, 'gateways');
  const section = { ...(sectionsOf(args).upstream ?? fromGateways(gateways)), ...storeOf(args) };
  const data = textOf(args, 'data');
  return data === undefined ? section : { ...section, data };
}

function storeOf(args: Arguments): Partial<Pick<UpstreamConfig, 'store' | 'durability'>> {
  const given = (['store', 'durability'] as const).flatMap((name) => {
    const text = textOf(args, name);
    if (text === undefined) return [];
    const { upstream } = parseConfig(`upstream: { gateways: open, ${name}: ${JSON.stringify(text)} }`, `--${name}`);
    return upstream === undefined ? [] : [[name, upstream[name]]];
  });
  return Object.fromEntries(given) as Partial<Pick<UpstreamConfig, 'store' | 'durability'>>;
}

function fromGateways(gateways: string | undefined): UpstreamConfig {
  if (gateways === undefined) {
    throw new ConfigError('which gateways may send blocks? Give a file with an upstream section (--config), or --gateways KEY,KEY… or --gateways open');
  }
  const list = gateways === 'open' ? 'open' : `[${gateways.split(',').map((key) => `"${key.trim()}"`).join(', ')}]`;
  const { upstream } = parseConfig(`upstream: { gateways: ${list} }`, '--gateways');
  if (upstream === undefined) throw new ConfigError('--gateways gives no upstream section');
  return upstream;
}
