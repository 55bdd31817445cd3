/** Opens what gateways have given this hospital. */

import type { BlockStore } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { decode, type CborValue } from './ledger/cbor.ts';
import { decodeEntry, matchesCommitment, type Entry } from './ledger/entry.ts';
import { type Lane, LANES } from './reading.ts';
import type { HpkePair } from './vault/hpke.ts';
import { openContent, openContentKey, type ContentKey } from './vault/release.ts';
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

/** Everything of a chain, by entry. `pseudonym`: only of that subject and epoch, hexadecimal. */
export async function openReleases(sources: ReleaseSources, pseudonym?: string): Promise<OpenedReleases> {
  const { releases, pair, recipient, chain } = sources;
  const bad: string[] = [];
  const found: Readonly<{ key: ContentKey; entry: number; sealed: Uint8Array }>[] = [];
  for await (const sealedKey of releases.keys(chain)) {
    const key = await openContentKey(pair, sealedKey, { chain, recipient });
    if (key === undefined) bad.push(`content key ${hex(sealedKey.id)} was not sealed for the key of this hospital`);
    else if (pseudonym === undefined || hex(key.pseudonym) === pseudonym) for await (const each of releases.payloads(chain, sealedKey.id)) found.push({ key, ...each });
  }
  const entries = await entriesOf(sources, new Set(found.map(({ entry }) => entry)));
  const opened = found.sort((a, b) => a.entry - b.entry).flatMap(({ key, entry, sealed }): OpenedRelease[] => {
    const placed = entries.get(entry);
    const content = openContent(key.secret, { entry, sealed }, chain);
    const isWhole = content?.salt !== undefined;
    if (placed === undefined || content === undefined || (isWhole && !matchesCommitment(placed.entry, content.salt, content.payload))) {
      bad.push(`the payload of entry ${entry} ${placed === undefined ? 'is of no entry here' : content === undefined ? 'does not open' : 'does not fit the commitment of the entry'}`);
      return [];
    }
    const { kind, time } = placed.entry;
    return [{
      subject: key.kind, pseudonym: hex(key.pseudonym), before: hex(key.before), epoch: key.epoch, lane: placed.lane, entry, kind,
      time: new Date(time).toISOString(), whole: isWhole, payload: plain(decode(content.payload, { floats: true })),
    }];
  });
  return { opened, bad };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function entriesOf({ blocks, chain }: ReleaseSources, wanted: ReadonlySet<number>): Promise<ReadonlyMap<number, Readonly<{ lane: Lane; entry: Entry }>>> {
  const found = new Map<number, Readonly<{ lane: Lane; entry: Entry }>>();
  for (const lane of LANES) {
    for await (const bytes of blocks.blocks({ chain, lane }, 1)) {
      for (const encoded of openBlock(bytes).entries) {
        const entry = decodeEntry(encoded);
        if (wanted.has(entry.sequence)) found.set(entry.sequence, { lane, entry });
      }
    }
  }
  return found;
}

/** CBOR as JSON has it; bytes in hexadecimal. */
function plain(value: CborValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...(value as ReadonlyMap<string, CborValue>)].map(([key, each]) => [key, plain(each)]));
  if (value instanceof Uint8Array) return hex(value);
  return Array.isArray(value) ? (value as readonly CborValue[]).map(plain) : value;
}
