import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError, messageOf } from './errors.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { Clock } from './ingest/clock.ts';
import { keyFilesIn } from './key-files.ts';
import { toHex } from './ledger/bytes.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { Logger } from './operations/log.ts';
import { Seconds, type UnixMillis } from './quantity.ts';
import { nodeCertificateIn, type NodeCertificate } from './tls/node-certificate.ts';
import { systemInterfaces } from './uplink/interfaces.ts';
import { rememberingLookup, type AddressMemory } from './uplink/known-addresses.ts';
import type { LinkOptions, UsageMemory } from './uplink/link.ts';
import { openLinks, type Links, type LinksOptions } from './uplink/links.ts';
import { systemTime } from './uplink/retry.ts';
import { leavesThrough } from './uplink/routes.ts';
import { wallClockAt } from './wall-clock.ts';

/** Where nothing is said of links: whatever the machine does, asked now and then whether it leads anywhere. */
const ANY_LINK: LinkOptions = { name: 'default', carries: 'detail', budget: { reserved: 0 }, probe: Seconds(30) };

export type GatewayLinksOptions = Readonly<{
  config: GatewayConfig;
  stores: Readonly<{ links: Readonly<{ usage: UsageMemory; addresses: AddressMemory }> }>;
  /** In force now: hospitals know us by it. */
  signingKey: () => SigningKey;
  clock: Clock;
  onSwitch: NonNullable<LinksOptions['onSwitch']>;
  log: Logger;
}>;

/** The links of the configuration, and this gateway as it shows itself to hospitals over them. Throws {@link ConfigError}, {@link StoreError}. */
export async function openGatewayLinks({ config, stores, signingKey, clock, onSwitch, log }: GatewayLinksOptions): Promise<Links> {
  return await openLinks({
    links: config.links.length === 0 ? [ANY_LINK] : config.links.map(linkOf),
    hospitals: config.hospitals.map(({ name, url, key, caFile }) => ({ name, url, key: Buffer.from(key, 'hex'), ...(caFile !== undefined && { ca: authorityIn(caFile) }) })),
    interfaces: systemInterfaces(),
    leavesThrough,
    usage: stores.links.usage,
    today: () => (clock.trust() === 'implausible' ? undefined : dayAt(clock.now(), config.timeZone)),
    wall: clock.now,
    onSwitch,
    certificate: certificateOf(config.data, signingKey),
    lookup: rememberingLookup(stores.links.addresses, (error) => log.warn({ error }, 'keeping the addresses of hospitals')),
    deadline: config.relay.timeout,
    time: systemTime,
    log,
  });
}

function linkOf({ name, interface: device, address, carries, budget, probe }: GatewayConfig['links'][number]): LinkOptions {
  // The configuration has exactly one of the two.
  const place = device === undefined ? { address: address ?? '' } : { interface: device };
  const { day, month, reserved } = budget;
  return { name, place, carries, probe, budget: { reserved, ...(day !== undefined && { day }), ...(month !== undefined && { month }) } };
}

/** YYYY-MM-DD on the clocks there. */
function dayAt(at: UnixMillis, timeZone: string): string | undefined {
  const shown = wallClockAt(at, timeZone);
  return shown && [shown.year, shown.month, shown.day].map((each) => String(each).padStart(2, '0')).join('-');
}

/** Made once for each key. */
function certificateOf(data: string, signingKey: () => SigningKey): () => Promise<NodeCertificate> {
  let made: Readonly<{ of: string; certificate: Promise<NodeCertificate> }> | undefined;
  return async () => {
    const key = signingKey();
    const of = toHex(key.publicKey);
    if (made?.of !== of) made = { of, certificate: nodeCertificateIn(keyFilesIn(data), key, (size) => randomBytes(size)) };
    try {
      return await made.certificate;
    } catch (error) {
      made = undefined;
      throw error;
    }
  };
}

function authorityIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`the certificate authority ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
