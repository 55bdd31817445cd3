import type { GatewayConfig } from './config/schema.ts';
import { type Allowed, type Asked, fidelityOf, Releases, type ReleasesOptions, shows } from './releases.ts';
import type { Logger } from './operations/log.ts';
import { HospitalClient } from './uplink/hospital-client.ts';
import type { ReleaseCursors } from './uplink/release-cursors.ts';
import { ReleaseRelay } from './uplink/release-relay.ts';
import { RetrySchedule, systemTime } from './uplink/retry.ts';
import type { Uplink } from './uplink/uplink.ts';

export type ReleaseRelaysOptions = Omit<ReleasesOptions, 'hospital' | 'allowed'> & Readonly<{
  config: GatewayConfig;
  releaseCursors: ReleaseCursors;
  uplink: Uplink;
  log: Logger;
}>;

/** One for each hospital: also one that gets no payloads is told what is erased. */
export function openReleaseRelays({ config, releaseCursors: cursors, uplink, log, ...options }: ReleaseRelaysOptions): readonly ReleaseRelay[] {
  return config.hospitals.map(({ name, url, key: hex, payloads }) => {
    const hospital = { name, key: Buffer.from(hex, 'hex') };
    const relay = new ReleaseRelay({
      chain: options.chain,
      hospital,
      client: new HospitalClient({ url, deadline: config.relay.timeout }),
      source: new Releases({ ...options, hospital, allowed: (asked) => allowedByBase(payloads, asked) }),
      cursors,
      heightOf: (lane) => uplink.heightOf(lane, hospital.key),
      retry: new RetrySchedule({ base: config.relay.retryBase, cap: config.relay.retryCap }, Math.random, systemTime.now),
      time: systemTime,
      log,
    });
    relay.start();
    return relay;
  });
}

function allowedByBase(payloads: GatewayConfig['hospitals'][number]['payloads'], { entry }: Asked): Allowed {
  const needed = fidelityOf(entry);
  return needed !== undefined && shows(payloads, needed) ? 'whole' : 'nothing';
}
