/** How far hospitals have what is here: only that may go from the disk, or goes first. All of the record lane. */

import type { GatewayConfig } from './config/schema.ts';
import type { ReleaseRelay } from './uplink/release-relay.ts';
import type { Uplink } from './uplink/uplink.ts';

/**
 * Up to which block hospitals enough have countersigned, and every hospital has the payloads it may have: of those that are given everything,
 * waveforms too. `releases` in the order of `hospitals`. Undefined before the first.
 */
export function deliveredHeight(uplink: Pick<Uplink, 'receiptedHeight'> | undefined, releases: readonly Pick<ReleaseRelay, 'given'>[], hospitals: readonly Pick<GatewayConfig['hospitals'][number], 'payloads'>[]): number | undefined {
  const receipted = uplink?.receiptedHeight('record');
  if (receipted === undefined) return undefined;
  return Math.min(receipted, ...releases.flatMap((relay, index) => [relay.given('record'), ...(hospitals[index]?.payloads === 'full' ? [relay.given('detail')] : [])]));
}

/**
 * Up to which block every hospital has all there is, the last of these kept for its receipts; undefined where there are no hospitals.
 */
export function heightEverywhere(uplink: Pick<Uplink, 'receiptedHeight' | 'heightOf'>, hospitals: readonly Readonly<{ key: Uint8Array }>[], releases: readonly Pick<ReleaseRelay, 'given'>[]): number | undefined {
  if (hospitals.length === 0) return undefined;
  const has = [uplink.receiptedHeight('record') ?? 0, ...hospitals.map(({ key }) => uplink.heightOf('record', key) ?? 0), ...releases.flatMap((relay) => [relay.given('record'), relay.given('detail')])];
  return Math.min(...has) - 1;
}
