/** Reading a decoded map field by field, so that each format states its keys, types and lengths once, in order. */

import { CborError, type CborKey, type CborMap, type CborValue, Tagged } from './cbor.ts';

/** What a value is, for a message. */
export function describeValue(value: CborValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Map) return 'a map';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return value instanceof Tagged ? `tag ${value.tag}` : JSON.stringify(value);
}

/** `what` names the value in messages ("header key 5"). Throws a `malformed` {@link CborError} for anything but bytes of that length. */
export function asBytes(value: CborValue | undefined, what: string, length?: number): Uint8Array {
  if (value instanceof Uint8Array && (length === undefined || value.length === length)) return value;
  const wanted = length === undefined ? 'bytes' : `${length} bytes`;
  throw new CborError('malformed', `${what}: expected ${wanted}, found ${describeValue(value)}`);
}

export function asText(value: CborValue | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw new CborError('malformed', `${what}: expected text, found ${describeValue(value)}`);
}

/** A whole number from `least` (default 0) to 2^53 − 1. */
export function asCount(value: CborValue | undefined, what: string, least = 0): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw new CborError('malformed', `${what}: expected a whole number of at least ${least}, found ${describeValue(value)}`);
}

export function asArray(value: CborValue | undefined, what: string, length?: number): readonly CborValue[] {
  if (Array.isArray(value) && (length === undefined || value.length === length)) return value as readonly CborValue[];
  const wanted = length === undefined ? 'an array' : `an array of ${length}`;
  throw new CborError('malformed', `${what}: expected ${wanted}, found ${describeValue(value)}`);
}

export function asMap(value: CborValue | undefined, what: string): CborMap {
  if (value instanceof Map) return value as CborMap;
  throw new CborError('malformed', `${what}: expected a map, found ${describeValue(value)}`);
}

/** The fields of one map of a named format. */
export class CborFields {
  readonly #map: CborMap;
  readonly #format: string;

  /** `format` is the word for messages, `known` every key the format has; any other key is refused. */
  constructor(value: CborValue | undefined, format: string, known: readonly CborKey[]) {
    this.#map = asMap(value, format);
    this.#format = format;
    for (const key of this.#map.keys()) {
      if (!known.includes(key)) throw new CborError('malformed', `${format}: unknown key ${JSON.stringify(key)}`);
    }
  }

  has(key: CborKey): boolean {
    return this.#map.has(key);
  }

  bytes(key: CborKey, length?: number): Uint8Array {
    return asBytes(this.#map.get(key), this.#name(key), length);
  }

  text(key: CborKey): string {
    return asText(this.#map.get(key), this.#name(key));
  }

  count(key: CborKey, least = 0): number {
    return asCount(this.#map.get(key), this.#name(key), least);
  }

  /** Throws unless the format's version stands under `key`. */
  version(key: CborKey, known: number): void {
    const found = this.count(key);
    if (found !== known) throw new CborError('malformed', `${this.#format} version ${found} is unknown, expected ${known}`);
  }

  array(key: CborKey, length?: number): readonly CborValue[] {
    return asArray(this.#map.get(key), this.#name(key), length);
  }

  map(key: CborKey): CborMap {
    return asMap(this.#map.get(key), this.#name(key));
  }

  #name(key: CborKey): string {
    return `${this.#format} key ${JSON.stringify(key)}`;
  }
}
