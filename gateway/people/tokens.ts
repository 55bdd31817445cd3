import { createHash } from 'node:crypto';
import type { UnixMillis } from '../quantity.ts';

/**
 * By what somebody proves who they are: a `token` they were given, or the `session` of a browser that was begun with one.
 *
 *     vgt_ or vgs_, then 43 characters of A-Z a-z 0-9 - _   256 random bits in base64url
 *
 * The beginning lets people and scanners recognise one that was left lying about. What is kept is the SHA-256 of the whole text: of
 * 256 random bits nothing slower is needed (RFC 9106 is for passwords, which people choose).
 */
export const PREFIXES = { token: 'vgt_', session: 'vgs_' } as const;
export type TokenKind = keyof typeof PREFIXES;

const SECRET_BYTES = 32;
const WELL_FORMED = /^vg[ts]_[A-Za-z0-9_-]{43}$/;
/** Hexadecimal digits of the digest: enough to tell tokens apart, and worth nothing. */
const ID_DIGITS = 12;

/** What is kept of a token; never the token. */
export type KeptToken = Readonly<{
  digest: Uint8Array;
  kind: TokenKind;
  /** Name of the person in the configuration. */
  person: string;
  /** Of a session: the id of the token it was begun with. */
  parent?: string;
  made: UnixMillis;
  /** Excluded; null: only when it is revoked. */
  expires: UnixMillis | null;
}>;

/** Where tokens are kept. Throws StoreError. */
export interface TokenStore {
  /** MUST NOT resolve before it is durable. */
  put(token: KeptToken): Promise<void>;
  /** All or none; MUST NOT resolve before it is durable. */
  remove(digests: readonly Uint8Array[]): Promise<void>;
  list(): Promise<readonly KeptToken[]>;
}

export const newSecret = (kind: TokenKind, random: (size: number) => Uint8Array): string => `${PREFIXES[kind]}${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`;

/** SHA-256; undefined for what cannot be one of ours. */
export function digestOf(secret: string): Uint8Array | undefined {
  return WELL_FORMED.test(secret) ? createHash('sha256').update(secret, 'ascii').digest() : undefined;
}

/** By which people name a token: the beginning of its digest. */
export const idOf = ({ digest }: Pick<KeptToken, 'digest'>): string => Buffer.from(digest).toString('hex').slice(0, ID_DIGITS);
