/**
 * Payloads for a recipient. Every recipient has a content key of its own for each key of a subject here, and gets it sealed for its own
 * HPKE key (RFC 9180), together with what it may call the subject:
 *
 *     { 1: 1, 2: secret bstr 32, 3: pseudonym bstr 16, 4: "patient" or "room", 5: epoch uint, 6: pseudonym before bstr 16 }
 *
 * The pseudonym before is that of the last epoch in which there was a key of the subject, or else of the epoch before.
 *
 * A payload lies under it as nonce (12) ‖ AES-256-GCM ‖ tag (16), bound to chain and entry, of
 *
 *     { 1: salt bstr 32, 2: payload bstr }      whole: it fits the commitment in the entry
 *     { 2: payload bstr }                       an excerpt: the gateway alone vouches for it
 *
 * What somebody permits (consent/told.ts) lies under it in the same way, bound to the chain and to what it is.
 */

import { CborFields } from '../ledger/cbor-fields.ts';
import { type CborKey, type CborValue, decode, encode } from '../ledger/cbor.ts';
import { SALT_BYTES } from '../ledger/entry.ts';
import { RELEASE_KEY_BYTES, type ReleasedKey, type ReleasedPayload } from '../ledger/release.ts';
import type { Subject } from '../reading.ts';
import { NONCE_BYTES, openBytes, sealBytes } from './aead.ts';
import { hpkeOpen, type HpkePair, hpkeSeal } from './hpke.ts';
import { deriveSecret, SECRET_BYTES } from './kdf.ts';
import type { Keyring, VaultKey } from './keyring.ts';
import { PSEUDONYM_BYTES, pseudonymsUnder } from './pseudonym.ts';

const INFO = Buffer.from('vitalgate/release-key/1', 'utf8');

/** `key`: the public key that it is known by; `hpke`: the one that content keys are sealed for. */
export type Recipient = Readonly<{ key: Uint8Array; hpke: Uint8Array }>;

/** What a recipient's content key opens, and how it may call the subject. */
export type ContentKey = Readonly<{ secret: Uint8Array; pseudonym: Uint8Array; before: Uint8Array; kind: Subject['kind']; epoch: number }>;

/** Names the content key that a recipient has for a key of a subject here. It tells nothing of either. */
export const releaseKeyId = (key: Pick<VaultKey, 'secret'>, recipient: Uint8Array): Buffer => deriveSecret(key.secret, `release/id/${hex(recipient)}`).subarray(0, RELEASE_KEY_BYTES);

export const contentSecret = (key: Pick<VaultKey, 'secret'>, recipient: Uint8Array): Buffer => deriveSecret(key.secret, `release/content/${hex(recipient)}`);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The content key for a subject's key, sealed for its recipient. */
export async function sealContentKey(keyring: Keyring, key: VaultKey, recipient: Recipient, chain: Uint8Array): Promise<ReleasedKey> {
  const id = releaseKeyId(key, recipient.key);
  const [kind] = key.owner.split('/');
  const { pseudonym, before } = pseudonymsUnder(keyring, key, recipient.key);
  const plain = encode(new Map<CborKey, CborValue>([
    [1, 1], [2, contentSecret(key, recipient.key)], [3, pseudonym], [4, kind ?? ''], [5, key.epoch], [6, before],
  ]));
  return { id, ...(await hpkeSeal(recipient.hpke, plain, { info: INFO, bound: keyPlace(chain, recipient.key, id) })) };
}

/** Undefined for a key that was not sealed for this pair. Throws CborError for one that says something else. */
export async function openContentKey(pair: HpkePair, key: ReleasedKey, { chain, recipient }: Readonly<{ chain: Uint8Array; recipient: Uint8Array }>): Promise<ContentKey | undefined> {
  const plain = await hpkeOpen(pair, key, { info: INFO, bound: keyPlace(chain, recipient, key.id) });
  if (plain === undefined) return undefined;
  const fields = new CborFields(decode(plain), 'content key', [1, 2, 3, 4, 5, 6]);
  fields.version(1, 1);
  const pseudonym = { pseudonym: fields.bytes(3, PSEUDONYM_BYTES), before: fields.bytes(6, PSEUDONYM_BYTES) };
  return { secret: fields.bytes(2, SECRET_BYTES), ...pseudonym, kind: fields.text(4) as Subject['kind'], epoch: fields.count(5) };
}

const keyPlace = (chain: Uint8Array, recipient: Uint8Array, id: Uint8Array): Buffer => Buffer.concat([chain, recipient, id]);

/** `salt`: absent in an excerpt. */
export type ReleasedContent = Readonly<{ salt?: Uint8Array; payload: Uint8Array }>;

export function sealContent(secret: Uint8Array, { salt, payload }: ReleasedContent, place: Readonly<{ chain: Uint8Array; entry: number }>, random: (size: number) => Uint8Array): Buffer {
  const plain = encode(new Map<CborKey, CborValue>([...(salt === undefined ? [] : [[1, salt] as const]), [2, payload]]));
  const nonce = random(NONCE_BYTES);
  return Buffer.concat([nonce, sealBytes(secret, nonce, plain, contentPlace(place))]);
}

/** Undefined for bytes that do not lie under this secret for this entry. Throws CborError for content that is none. */
export function openContent(secret: Uint8Array, { entry, sealed }: Pick<ReleasedPayload, 'entry' | 'sealed'>, chain: Uint8Array): ReleasedContent | undefined {
  const plain = openBytes(secret, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), contentPlace({ chain, entry }));
  if (plain === undefined) return undefined;
  const fields = new CborFields(decode(plain), 'released content', [1, 2]);
  return { ...(fields.has(1) && { salt: fields.bytes(1, SALT_BYTES) }), payload: fields.bytes(2) };
}

export function sealConsents(secret: Uint8Array, told: Uint8Array, chain: Uint8Array, random: (size: number) => Uint8Array): Buffer {
  const nonce = random(NONCE_BYTES);
  return Buffer.concat([nonce, sealBytes(secret, nonce, told, consentsPlace(chain))]);
}

/** Undefined for bytes that do not lie under this secret. */
export const openConsents = (secret: Uint8Array, sealed: Uint8Array, chain: Uint8Array): Uint8Array | undefined => openBytes(secret, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), consentsPlace(chain));

const consentsPlace = (chain: Uint8Array): Buffer => Buffer.concat([chain, Buffer.from('told consents', 'utf8')]);

function contentPlace({ chain, entry }: Readonly<{ chain: Uint8Array; entry: number }>): Buffer {
  const place = Buffer.alloc(chain.length + 8);
  place.set(chain);
  place.writeBigUInt64BE(BigInt(entry), chain.length);
  return place;
}
