/** Opens what gateways have given this hospital. */

import type { BlockStore } from './ledger/block-store.ts';
import { toHex } from './ledger/bytes.ts';
import type { Lane } from './reading.ts';
import { BlockFinder } from './records/block-finder.ts';
import { isFault, openKey, openPayload } from './records/opening.ts';
import type { HpkePair } from './vault/hpke.ts';
import type { ContentKey } from './vault/release.ts';
import type { ReleaseStore } from './upstream/release-store.ts';

/**
 * A payload that was opened. `patient` is the pseudonym of its epoch, `before` that of the epoch before, hexadecimal. `whole`: it fits
 * the commitment that the hospitals have countersigned; otherwise it is an excerpt, for which the gateway alone vouches.
 */
export type OpenedRelease = Readonly<{
  subject: 'patient' | 'room';
  pseudonym: string;
  before: string;
  epoch: number;
  lane: Lane;
  entry: number;
  kind: string;
  time: string;
  whole: boolean;
  payload: unknown;
}>;

export type OpenedReleases = Readonly<{ opened: readonly OpenedRelease[]; /** Entries whose payload does not open or does not fit, and why. */ bad: readonly string[] }>;

export type ReleaseSources = Readonly<{ blocks: BlockStore; releases: ReleaseStore; pair: HpkePair; recipient: Uint8Array; chain: Uint8Array }>;

type FoundPayload = Readonly<{ key: ContentKey; entry: number; sealed: Uint8Array }>;

/** Everything of a chain, by entry. `pseudonym`: only of that subject and epoch, hexadecimal. */
export async function openReleases(sources: ReleaseSources, pseudonym?: string): Promise<OpenedReleases> {
  const { releases, chain, blocks } = sources;
  const bad: string[] = [];
  const found: FoundPayload[] = [];
  for await (const sealedKey of releases.keys(chain)) {
    const key = await openKey(sources, chain, sealedKey);
    if (isFault(key)) bad.push(`content key ${toHex(sealedKey.id)} ${key.fault}`);
    else if (pseudonym === undefined || toHex(key.pseudonym) === pseudonym) for await (const each of releases.payloads(chain, sealedKey.id)) found.push({ key, ...each });
  }
  const opened: OpenedRelease[] = [];
  const finder = new BlockFinder(blocks);
  for (const payload of found.sort((a, b) => a.entry - b.entry)) {
    const release = await openRelease(payload, chain, finder);
    if (typeof release === 'string') bad.push(release);
    else opened.push(release);
  }
  return { opened, bad };
}

/** Or why it does not open. */
async function openRelease({ key, entry, sealed }: FoundPayload, chain: Uint8Array, finder: BlockFinder): Promise<OpenedRelease | string> {
  const placed = await finder.find(chain, entry);
  if (typeof placed === 'string') return `the payload of entry ${entry} is of no entry here`;
  const opened = openPayload(key.secret, sealed, { chain, entry, commit: placed.entry.commit });
  if (isFault(opened)) return `the payload of entry ${entry} ${opened.fault}`;
  const { kind, time } = placed.entry;
  return {
    subject: key.kind, pseudonym: toHex(key.pseudonym), before: toHex(key.before), epoch: key.epoch, lane: placed.lane, entry, kind,
    time: new Date(time).toISOString(), whole: opened.isWhole, payload: opened.payload,
  };
}
