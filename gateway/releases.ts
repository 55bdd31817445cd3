/** What hospitals may have of the payloads beside the blocks, and telling them what was erased. */

import type { Disclosures } from './disclosures.ts';
import type { BlockStore, PendingEntries } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { decode, type CborMap } from './ledger/cbor.ts';
import { decodeEntry, type Entry } from './ledger/entry.ts';
import { fingerprintBytes, type SigningKey } from './ledger/es256k.ts';
import { MOST_RELEASED, type Release, type ReleasedKey, type ReleasedPayload, signRelease } from './ledger/release.ts';
import type { Bytes } from './quantity.ts';
import { subjectNamed, type Subject } from './reading.ts';
import type { ReleaseCursors, ReleasePart } from './uplink/release-cursors.ts';
import type { BlockRange, ReleasedBlocks, ReleaseParts, ReleaseSource } from './uplink/release-relay.ts';
import type { Keyring, VaultKey } from './vault/keyring.ts';
import { openPayload } from './vault/payload.ts';
import { contentSecret, releaseKeyId, sealContent, sealContentKey } from './vault/release.ts';

/** What one hospital may have of one payload: all of it, this excerpt, or nothing. */
export type Allowed = 'whole' | Readonly<{ excerpt: Uint8Array }> | 'nothing';

/** What was decided, what for (ActReason code), and for which versions of whose consents. */
export type Ruling = Readonly<{ allowed: Allowed; purpose: string; consents: readonly string[] }>;

/** A payload, as somebody decides on it. */
export type Asked = Readonly<{ subject: Subject; entry: Entry; payload: CborMap }>;

export type ReleasesOptions = Readonly<{
  hospital: Readonly<{ name: string; key: Uint8Array }>;
  chain: Uint8Array;
  blocks: BlockStore;
  pending: PendingEntries;
  keyring: Keyring;
  /** In force now. */
  signingKey: () => SigningKey;
  rule: (asked: Asked) => Ruling;
  /** What the hospital is told of consents. */
  news: Pick<ReleaseSource, 'hasConsentNews' | 'consentNews' | 'tellAllAgain'>;
  disclosures: Disclosures;
  /** Whether this one is being erased: they are given to nobody any more, for noting that would bring them back. */
  isErasing: (subject: Subject) => boolean;
  random: (size: number) => Uint8Array;
}>;

type Found = Readonly<{ key: VaultKey; ruling: Ruling; payload: ReleasedPayload }>;

/** Most blocks looked through before the count of them is kept: where a hospital may have little, many hold nothing for it. */
const MOST_BLOCKS = 1000;

/** Seals for one hospital what it may have. Content keys go along with the first payload under them since the start. */
export class Releases implements ReleaseSource {
  readonly #options: ReleasesOptions;
  readonly #given = new Set<string>();

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  async ofBlocks(part: ReleasePart, { first, last }: BlockRange, size: Bytes, hpke: Uint8Array): Promise<ReleasedBlocks> {
    const all: Found[] = [];
    let height = first;
    for (let bytes = 0; ; height++) {
      const more = await this.#ofBlock(part, height);
      all.push(...more);
      bytes += more.reduce((sum, { payload: { sealed } }) => sum + sealed.length, 0);
      if (height >= last || bytes >= size || all.length >= MOST_RELEASED || height - first + 1 >= MOST_BLOCKS) break;
    }
    const { disclosures, hospital, isErasing } = this.#options;
    const found = all.filter(({ key }) => !isErasing(subjectNamed(key.owner)));
    if (found.length === 0) return { last: height, pieces: [] };
    // Written down before it leaves.
    await disclosures.note({ id: hospital.name, role: 'hospital' }, found.map(({ key, ruling: { purpose, consents } }) => ({ subject: subjectNamed(key.owner), purpose, consents })), 'payloads');
    const keys = await this.#newKeys(found.map(({ key }) => key), hpke);
    return { last: height, pieces: inPieces(keys, found.map(({ payload }) => payload), size) };
  }

  async #ofBlock(part: ReleasePart, height: number): Promise<readonly Found[]> {
    const { blocks, chain } = this.#options;
    const bytes = await blocks.block({ chain, lane: part === 'alarm' ? 'alarm' : 'record' }, height);
    const found: Found[] = [];
    for (const entry of bytes === undefined ? [] : openBlock(bytes).entries) found.push(...await this.#ofEntry(entry, part));
    return found;
  }

  async #ofEntry(encoded: Uint8Array, part: ReleasePart): Promise<readonly Found[]> {
    const { pending, keyring, rule, chain, hospital, random } = this.#options;
    const entry = decodeEntry(encoded);
    if (entry.commit === undefined || entry.subject === undefined) return [];
    // Waveforms are most of the bytes, and wait for a link that is cheap.
    if (part !== 'alarm' && (fidelityOf(entry) === 'full') !== (part === 'detail')) return [];
    const sealed = await pending.sealedPayload(entry.sequence);
    const open = sealed === undefined ? undefined : openPayload(keyring, encoded, sealed);
    if (open?.subject === undefined) return [];
    const ruling = rule({ subject: subjectNamed(open.subject), entry, payload: decode(open.payload, { floats: true }) as CborMap });
    const { allowed } = ruling;
    if (allowed === 'nothing') return [];
    const content = allowed === 'whole' ? { salt: open.salt, payload: open.payload } : { payload: allowed.excerpt };
    const { key } = open;
    const place = { chain, entry: entry.sequence };
    return [{ key, ruling, payload: { key: releaseKeyId(key, hospital.key), entry: entry.sequence, sealed: sealContent(contentSecret(key, hospital.key), content, place, random) } }];
  }

  async #newKeys(keys: readonly VaultKey[], hpke: Uint8Array): Promise<readonly ReleasedKey[]> {
    const { keyring, hospital, chain } = this.#options;
    const fresh = [...new Map(keys.map((key) => [key.id, key])).values()].filter(({ id }) => !this.#given.has(id));
    const sealed = await Promise.all(fresh.map((key) => sealContentKey(keyring, key, { key: hospital.key, hpke }, chain)));
    for (const { id } of fresh) this.#given.add(id);
    return sealed;
  }

  hasConsentNews(): Promise<boolean> {
    return this.#options.news.hasConsentNews();
  }

  consentNews(...asked: Parameters<ReleaseSource['consentNews']>): ReturnType<ReleaseSource['consentNews']> {
    return this.#options.news.consentNews(...asked);
  }

  tellAllAgain(): Promise<void> {
    return this.#options.news.tellAllAgain();
  }

  sign(release: Omit<Release, 'chain' | 'recipient'>): Uint8Array {
    const { chain, hospital, signingKey } = this.#options;
    return signRelease({ chain, recipient: hospital.key, ...release }, signingKey());
  }
}

/** Keys go first, so that what they open is never there without them. */
function inPieces(keys: readonly ReleasedKey[], payloads: readonly ReleasedPayload[], size: Bytes): readonly ReleaseParts[] {
  const pieces: { keys: ReleasedKey[]; payloads: ReleasedPayload[]; bytes: number }[] = [];
  for (let at = 0; at < keys.length; at += MOST_RELEASED) pieces.push({ keys: keys.slice(at, at + MOST_RELEASED), payloads: [], bytes: 0 });
  for (const payload of payloads) {
    const last = pieces.at(-1);
    const fits = last !== undefined && last.payloads.length < MOST_RELEASED && last.bytes + payload.sealed.length <= size;
    const piece = fits ? last : { keys: [], payloads: [], bytes: 0 };
    if (!fits) pieces.push(piece);
    piece.payloads.push(payload);
    piece.bytes += payload.sealed.length;
  }
  return pieces;
}

/** Writes down, durably, which content keys hospitals are to be told are erased: those for keys that are destroyed here next. */
export async function rememberErased(cursors: ReleaseCursors, hospitals: readonly Uint8Array[], keys: readonly Pick<VaultKey, 'secret'>[]): Promise<() => Promise<void>> {
  const told = hospitals.map((hospital) => ({ hospital: fingerprintBytes(hospital), ids: keys.map((key) => releaseKeyId(key, hospital)) }));
  const remember = async (): Promise<void> => {
    for (const { hospital, ids } of told) await cursors.addErased(hospital, ids);
  };
  await remember();
  // A payload may have left between the two, while the key was still there.
  return remember;
}

/** What a hospital may have of everybody unless somebody has said otherwise (gateway.hospitals.payloads). */
export type BaseFidelity = 'none' | 'events' | 'summary' | 'full';

const RANK: readonly BaseFidelity[] = ['none', 'events', 'summary', 'full'];

/** The least fidelity that shows a payload; undefined for one that no hospital ever gets. */
export function fidelityOf({ kind, fields }: Pick<Entry, 'kind' | 'fields'>): Exclude<BaseFidelity, 'none'> | undefined {
  if (kind === 'event' || kind === 'acknowledgement') return 'events';
  if (kind === 'summary') return fields.has('samples') ? 'full' : 'summary';
  return undefined;
}

/** Whether a fidelity shows what needs another. */
export const shows = (granted: BaseFidelity, needed: Exclude<BaseFidelity, 'none'>): boolean => RANK.indexOf(granted) >= RANK.indexOf(needed);
