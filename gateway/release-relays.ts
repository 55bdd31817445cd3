import type { GatewayConfig } from './config/schema.ts';
import { ConsentTelling, type ConsentTellingOptions } from './consent-telling.ts';
import { HospitalNotes, type HospitalNotesOptions } from './hospital-notes.ts';
import { rulingFor, type HospitalFilterOptions } from './consent-filter.ts';
import { Releases, type ReleasesOptions } from './releases.ts';
import type { Logger } from './operations/log.ts';
import { HospitalClient } from './uplink/hospital-client.ts';
import { TRAFFIC } from './uplink/link.ts';
import type { Links } from './uplink/links.ts';
import type { ReleaseCursors } from './uplink/release-cursors.ts';
import { ReleaseRelay } from './uplink/release-relay.ts';
import { RetrySchedule, systemTime } from './uplink/retry.ts';
import type { Uplink } from './uplink/uplink.ts';

export type ReleaseRelaysOptions = Omit<ReleasesOptions, 'hospital' | 'rule' | 'news' | 'isErasing'> & Pick<HospitalFilterOptions, 'desk' | 'livingIn'> & Pick<ConsentTellingOptions, 'state' | 'homes' | 'base' | 'now' | 'isErasing'> & Pick<HospitalNotesOptions, 'pipeline'> & Readonly<{
  config: GatewayConfig;
  releaseCursors: ReleaseCursors;
  uplink: Uplink;
  links: Pick<Links, 'bestWay'>;
  log: Logger;
}>;

/** One for each hospital, in the order of the configuration: also one that gets no payloads is told what is erased. */
export function openReleaseRelays({ config, releaseCursors: cursors, uplink, links, log, desk, livingIn, state, homes, base: rules, now, pipeline, isErasing, ...options }: ReleaseRelaysOptions): readonly ReleaseRelay[] {
  return config.hospitals.map(({ name, key: hex, payloads: base, purpose }) => {
    const hospital = { name, key: Buffer.from(hex, 'hex') };
    const ways = new Map(TRAFFIC.map((traffic) => [traffic, links.bestWay(name, () => traffic)]));
    const clients = new Map([...ways].map(([traffic, way]) => [traffic, new HospitalClient(way)]));
    const news = new ConsentTelling({ ...options, hospital, cursors, isErasing, state, homes, base: rules, now });
    const relay = new ReleaseRelay({
      chain: options.chain,
      hospital,
      client: (traffic) => clients.get(traffic) as HospitalClient,
      carries: (traffic) => ways.get(traffic)?.carries(traffic) ?? false,
      notes: new HospitalNotes({ ...options, hospital, pipeline, isErasing }),
      source: new Releases({ ...options, hospital, news, isErasing, rule: (asked) => rulingFor({ hospital, purpose, base, desk, livingIn }, asked) }),
      cursors,
      heightOf: (lane) => uplink.heightOf(lane, hospital.key),
      turn: () => uplink.alarmsSettled(hospital.key),
      retry: new RetrySchedule({ base: config.relay.retryBase, cap: config.relay.retryCap }, Math.random, systemTime.now),
      time: systemTime,
      log,
    });
    relay.start();
    return relay;
  });
}
