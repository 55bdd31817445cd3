/**
 * The parameters a chain is born with. They never change; the chain's name is their hash, so it certifies them. Who may speak for the
 * chain later is its authority (authority.ts), which begins as what stands here.
 */

import { UnixMillis } from '../quantity.ts';
import { equalBytes, sha256, toHex } from './bytes.ts';
import { asArray, asBytes, asText, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { isPublicKey, PUBLIC_KEY_BYTES } from './es256k.ts';
import { MAX_WORK_BITS } from './work.ts';

export const CHAIN_ID_BYTES = 16;
export const GENESIS_NONCE_BYTES = 16;
const GENESIS_VERSION = 1;

/** A node that countersigns. `name` is for people and unique in the chain; `key` is its compressed public key, 33 bytes. */
export type Hospital = Readonly<{ name: string; key: Uint8Array }>;

/**
 * Both lanes carry the same parameters in their block of height 0, encoded as
 *
 *     { 1: 1          version
 *       2: gateway    bstr 33
 *       3: hospitals  array of [ name text, key bstr 33 ], may be empty
 *       4: quorum     uint
 *       5: work       uint
 *       6: created    uint, milliseconds since 1970-01-01T00:00:00Z
 *       7: nonce      bstr 16 }
 */
export type GenesisParameters = Readonly<{
  /** The gateway's compressed public key: the only one whose blocks belong to the chain, until it is changed. */
  gateway: Uint8Array;
  hospitals: readonly Hospital[];
  /** How many hospitals must countersign before a block is receipted: 1 to all of them; 0 when there are none. */
  quorum: number;
  /** Leading zero bits every block hash of the chain must have. 0: no proof of work. */
  work: number;
  created: UnixMillis;
  /** 16 unpredictable bytes, so that two chains made alike have different names. */
  nonce: Uint8Array;
}>;

/** Encodes and thereby checks. Throws {@link CborError} for parameters no chain may have. */
export function encodeParameters(parameters: GenesisParameters): Uint8Array {
  const bytes = encode(new Map<CborKey, CborValue>([
    [1, GENESIS_VERSION],
    [2, parameters.gateway],
    [3, hospitalsValue(parameters.hospitals)],
    [4, parameters.quorum],
    [5, parameters.work],
    [6, parameters.created],
    [7, parameters.nonce],
  ]));
  decodeParameters(bytes);
  return bytes;
}

/** Throws {@link CborError} for bytes that are no parameters, or parameters no chain may have. */
export function decodeParameters(bytes: Uint8Array): GenesisParameters {
  const fields = new CborFields(decode(bytes), 'genesis parameters', [1, 2, 3, 4, 5, 6, 7]);
  fields.version(1, GENESIS_VERSION);
  const parameters = {
    gateway: fields.bytes(2, PUBLIC_KEY_BYTES),
    hospitals: readHospitals(fields.array(3)),
    quorum: fields.count(4),
    work: fields.count(5),
    created: UnixMillis(fields.count(6)),
    nonce: fields.bytes(7, GENESIS_NONCE_BYTES),
  };
  checkParties(parameters, 'genesis parameters');
  if (parameters.work > MAX_WORK_BITS) refuse(`work of ${parameters.work} bits is over the limit of ${MAX_WORK_BITS}`);
  return parameters;
}

/** The chain's name: the first 16 bytes of SHA-256 of the encoded parameters. */
export function chainIdOf(encodedParameters: Uint8Array): Uint8Array {
  return sha256(encodedParameters).slice(0, CHAIN_ID_BYTES);
}

/** Whether two sets of parameters are the same. */
export function sameParameters(a: GenesisParameters, b: GenesisParameters): boolean {
  return equalBytes(encodeParameters(a), encodeParameters(b));
}

function refuse(message: string, what = 'genesis parameters'): never {
  throw new CborError('malformed', `${what}: ${message}`);
}

/** Hospitals as they stand in every format: an array of [ name text, key bstr 33 ]. */
export const hospitalsValue = (hospitals: readonly Hospital[]): CborValue => hospitals.map(({ name, key }) => [name, key]);

export function readHospitals(values: readonly CborValue[]): readonly Hospital[] {
  return values.map((value, index) => {
    const [name, key] = asArray(value, `hospital ${index}`, 2);
    return { name: asText(name, `name of hospital ${index}`), key: asBytes(key, `key of hospital ${index}`, PUBLIC_KEY_BYTES) };
  });
}

/** Whose signatures count in a chain. */
export type Parties = Pick<GenesisParameters, 'gateway' | 'hospitals' | 'quorum'>;

/** Throws {@link CborError} for parties no chain may have; `what` names the format in messages. */
export function checkParties(parties: Parties, what: string): void {
  checkKeys(parties, what);
  checkQuorum(parties, what);
}

/** One key counted twice would be a quorum of fewer; a gateway among its own witnesses would be none. */
function checkKeys({ gateway, hospitals }: Parties, what: string): void {
  const keys = [gateway, ...hospitals.map(({ key }) => key)];
  for (const key of keys) {
    if (!isPublicKey(key)) refuse(`${toHex(key)} is not a compressed point of secp256k1`, what);
  }
  if (new Set(keys.map(toHex)).size < keys.length) refuse('the keys of the gateway and the hospitals are not all different', what);
  if (new Set(hospitals.map(({ name }) => name)).size < hospitals.length) refuse('the names of the hospitals are not all different', what);
  if (hospitals.some(({ name }) => name === '')) refuse('a hospital has no name', what);
}

function checkQuorum({ hospitals, quorum }: Parties, what: string): void {
  const least = Math.min(1, hospitals.length);
  if (quorum < least || quorum > hospitals.length) {
    refuse(`a quorum of ${quorum} among ${hospitals.length} hospitals: expected ${least} to ${hospitals.length}`, what);
  }
}
