import { describe, expect, it } from 'vitest';
import { encodeTold, toldOf, type Told } from '../../gateway/consent/told.ts';
import type { Release } from '../../gateway/ledger/release.ts';
import type { UnixMillis } from '../../gateway/quantity.ts';
import { ToldConsents } from '../../gateway/records/told-consents.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredTold } from '../../gateway/store/told-store.ts';
import { hpkePairFrom } from '../../gateway/vault/hpke.ts';
import { pseudonymOf } from '../../gateway/vault/pseudonym.ts';
import { contentSecret, releaseKeyId, sealConsents, sealContentKey } from '../../gateway/vault/release.ts';
import { denial, fingerprintOf, keyNumber, NOON } from '../consent/statements.ts';
import { countingBytes, memoryKeyring } from '../vault/known-keys.ts';

const NORTH = keyNumber(11);
const PAIR = hpkePairFrom(new Uint8Array(32).fill(1));
const [CHAIN, NEXT_CHAIN, FOREIGN_CHAIN] = [1, 2, 3].map((fill) => new Uint8Array(16).fill(fill)) as [Uint8Array, Uint8Array, Uint8Array];
const random = countingBytes();
const keyring = memoryKeyring();
const anna = keyring.current('patient/anna');
const ANNA = pseudonymOf(keyring, NORTH.publicKey, 1, 'patient/anna').toString('hex');
type Part = Pick<Release, 'chain' | 'number' | 'keys' | 'consents' | 'erased'>;

const saying = (version: number, names = [ANNA], at: UnixMillis = NOON): Told => toldOf({ version: String(version).repeat(64), keys: [], spent: [], grants: [{ grant: denial(), accepted: NOON }] }, [], { hospital: fingerprintOf(NORTH), names, base: [], at });

/** A release with consents, as a gateway seals them. */
async function releaseOf(number: number, told: Told, { chain = CHAIN, pair = PAIR }: Readonly<{ chain?: Uint8Array; pair?: typeof PAIR }> = {}): Promise<Part> {
  const id = releaseKeyId(anna, NORTH.publicKey);
  const key = await sealContentKey(keyring, anna, { key: NORTH.publicKey, hpke: pair.publicBytes }, chain);
  return { chain, number, keys: [key], consents: [{ key: id, sealed: sealConsents(contentSecret(anna, NORTH.publicKey), encodeTold(told), chain, random) }], erased: [] };
}

function opened(): { consents: ToldConsents; again: () => ToldConsents; forgotten: string[]; take: (part: Part) => Promise<void> } {
  const store = new StoredTold(openMemoryStore());
  // The first two chains are of one gateway.
  const gatewayOf = (chain: Uint8Array): Promise<Uint8Array> => Promise.resolve(Uint8Array.of(chain[0] === 3 ? 3 : 1));
  const again = (): ToldConsents => new ToldConsents({ store, pair: PAIR, recipient: NORTH.publicKey, gatewayOf });
  const forgotten: string[] = [];
  const consents = again();
  return { consents, again, forgotten, take: (part) => consents.take(part, (names) => Promise.resolve(void forgotten.push(...names))) };
}

const versionIn = (told: Told | undefined): string | undefined => (told?.kind === 'patient' ? told.version.slice(0, 1) : undefined);

describe('what gateways say that people permit', () => {
  it('is opened for whoever asks, the newest, also by a node that was started again', async () => {
    const { consents, again, take } = opened();
    expect(await consents.of(ANNA)).toBeUndefined();
    await take(await releaseOf(2, saying(2)));
    expect(await consents.of(ANNA)).toEqual({ ...saying(2), chain: '01'.repeat(16) });
    await take(await releaseOf(1, saying(1)));
    expect(versionIn(await consents.of(ANNA))).toBe('2');
    await take(await releaseOf(3, saying(3)));
    expect([versionIn(await consents.of(ANNA)), versionIn(await again().of(ANNA))]).toEqual(['3', '3']);
  });

  it('is refused, and changes nothing, where it was sealed for another key, or is about somebody else than its key is', async () => {
    const { consents, take } = opened();
    await take(await releaseOf(1, saying(1)));
    await expect(take(await releaseOf(2, saying(2), { pair: hpkePairFrom(new Uint8Array(32).fill(2)) }))).rejects.toMatchObject({ code: 'VG_UNREADABLE', message: expect.stringContaining('not sealed for the key of this hospital') as string });
    await expect(take(await releaseOf(2, saying(2, ['ab'.repeat(16)])))).rejects.toThrow('whomever the content key is of');
    const { consents: [one] = [], ...rest } = await releaseOf(2, saying(2));
    await expect(take({ ...rest, consents: [{ key: one?.key ?? new Uint8Array(), sealed: Buffer.from('nothing that opens at all') }] })).rejects.toThrow('not sealed for the key of this hospital');
    expect(versionIn(await consents.of(ANNA))).toBe('1');
  });

  it('is a gateway\'s word about its own people only, in whichever chain of its', async () => {
    const { consents, take } = opened();
    await take(await releaseOf(9, saying(1)));
    await expect(take(await releaseOf(10, saying(2), { chain: FOREIGN_CHAIN }))).rejects.toThrow('somebody of another gateway');
    expect(versionIn(await consents.of(ANNA))).toBe('1');
    await take(await releaseOf(1, saying(3), { chain: NEXT_CHAIN }));
    expect(versionIn(await consents.of(ANNA))).toBe('3');
  });

  it('goes with the content key, and whoever keeps more of them hears of it before', async () => {
    const { consents, again, take, forgotten } = opened();
    await take(await releaseOf(1, saying(1, [ANNA, 'cd'.repeat(16)])));
    await take({ chain: CHAIN, number: 2, keys: [], erased: [releaseKeyId(anna, NORTH.publicKey)] });
    expect([forgotten, await consents.of(ANNA), await again().of('cd'.repeat(16))]).toEqual([[ANNA, 'cd'.repeat(16)], undefined, undefined]);
  });
});
