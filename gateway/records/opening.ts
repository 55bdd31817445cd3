/** The one way in which a hospital opens what gateways have given it. */

import { toHex } from '../ledger/bytes.ts';
import { CborError, decode, type CborValue } from '../ledger/cbor.ts';
import { commitment, type Entry } from '../ledger/entry.ts';
import type { ReleasedKey } from '../ledger/release.ts';
import type { HpkePair } from '../vault/hpke.ts';
import { openContent, openContentKey, type ContentKey, type ReleasedContent } from '../vault/release.ts';
import { LeastRecent } from './least-recent.ts';
import type { Plain } from './record.ts';

/** The hospital: the pair that content keys are sealed for, and the key it is known by. */
export type Opener = Readonly<{ pair: HpkePair; recipient: Uint8Array }>;

/** Why something does not open, for people. */
export type Fault = Readonly<{ fault: string }>;

export const isFault = (opened: object): opened is Fault => 'fault' in opened;

/** What a payload says. `isWhole`: it fits the commitment of its entry; otherwise it is an excerpt. */
export type OpenedPayload = Readonly<{ isWhole: boolean; payload: { readonly [name: string]: Plain } }>;

export async function openKey({ pair, recipient }: Opener, chain: Uint8Array, sealed: ReleasedKey): Promise<ContentKey | Fault> {
  try {
    const key = await openContentKey(pair, sealed, { chain, recipient });
    if (key === undefined) return { fault: 'was not sealed for the key of this hospital' };
    return isKind(key.kind) ? key : { fault: `is for ${JSON.stringify(key.kind)}, which is neither a patient nor a room` };
  } catch (error) {
    return { fault: `cannot be read: ${faultIn(error)}` };
  }
}

const isKind = (kind: string): boolean => kind === 'patient' || kind === 'room';

/** `sealed`: a payload under this key, for the entry `of` this number. `commit`: of that entry; absent: it has none. */
export function openPayload(secret: Uint8Array, sealed: Uint8Array, of: Readonly<{ chain: Uint8Array; entry: number; commit: Uint8Array | undefined }>): OpenedPayload | Fault {
  try {
    const content = openContent(secret, { entry: of.entry, sealed }, of.chain);
    if (content === undefined) return { fault: 'does not open' };
    if (content.salt !== undefined && !fits(content, content.salt, of.commit)) return { fault: 'does not fit the commitment of the entry' };
    const payload = plain(decode(content.payload, { floats: true }));
    return isRecord(payload) ? { isWhole: content.salt !== undefined, payload } : { fault: 'is no map of names' };
  } catch (error) {
    return { fault: `cannot be read: ${faultIn(error)}` };
  }
}

const fits = ({ payload }: ReleasedContent, salt: Uint8Array, commit: Entry['commit']): boolean => commit !== undefined && Buffer.compare(commitment(salt, payload), commit) === 0;

const isRecord = (value: Plain): value is { readonly [name: string]: Plain } => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of bytes that somebody sent. Anything else is a fault of our own. */
function faultIn(error: unknown): string {
  if (error instanceof CborError) return error.message;
  throw error;
}

/** CBOR as JSON has it; bytes in hexadecimal. */
function plain(value: CborValue): Plain {
  if (value instanceof Map) return Object.fromEntries([...(value as ReadonlyMap<string, CborValue>)].map(([key, each]) => [key, plain(each)]));
  if (value instanceof Uint8Array) return toHex(value);
  return Array.isArray(value) ? (value as readonly CborValue[]).map(plain) : (value as Plain);
}

/** Most content keys that are remembered opened: opening one costs a scalar multiplication. */
const MOST_KEYS = 4096;

/** Content keys, opened when they are needed. They lie on the disk sealed, and in memory as far as there is room. */
export class ContentKeys {
  readonly #opener: Opener;
  readonly #sealed: (chain: Uint8Array, key: Uint8Array) => Promise<ReleasedKey | undefined>;
  readonly #opened = new LeastRecent<string, ContentKey>(MOST_KEYS);

  constructor(opener: Opener, sealed: (chain: Uint8Array, key: Uint8Array) => Promise<ReleasedKey | undefined>) {
    this.#opener = opener;
    this.#sealed = sealed;
  }

  /** Undefined for one that is erased or does not open. */
  async get(chain: Uint8Array, key: Uint8Array): Promise<ContentKey | undefined> {
    const known = this.#opened.get(nameOf(chain, key));
    if (known !== undefined) return known;
    const opened = await this.open(chain, key);
    return opened === undefined || isFault(opened) ? undefined : opened;
  }

  /** As it lies there now, whatever is remembered; undefined for one that is erased. */
  async open(chain: Uint8Array, key: Uint8Array): Promise<ContentKey | Fault | undefined> {
    const sealed = await this.#sealed(chain, key);
    const opened = sealed === undefined ? undefined : await openKey(this.#opener, chain, sealed);
    if (opened === undefined || isFault(opened)) this.forget(chain, key);
    else this.#opened.set(nameOf(chain, key), opened);
    return opened;
  }

  forget(chain: Uint8Array, key: Uint8Array): void {
    const name = nameOf(chain, key);
    this.#opened.get(name)?.secret.fill(0);
    this.#opened.delete(name);
  }
}

export const nameOf = (chain: Uint8Array, key: Uint8Array): string => `${toHex(chain)}${toHex(key)}`;
