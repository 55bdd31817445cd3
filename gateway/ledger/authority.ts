/** Who may speak for a chain: it begins as what the genesis parameters say, and only a change (change.ts) in the chain moves it on. */

import { CborFields } from './cbor-fields.ts';
import { type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { PUBLIC_KEY_BYTES } from './es256k.ts';
import { checkParties, type GenesisParameters, hospitalsValue, type Parties, readHospitals } from './genesis.ts';

/**
 * The gateway's key, whose blocks belong to the chain, and the hospitals whose receipts count, with their quorum. `number` is 0 for
 * the genesis and greater with every change. Encoded as
 *
 *     { 1: number uint, 2: gateway bstr 33, 3: hospitals array of [ name text, key bstr 33 ], 4: quorum uint }
 */
export type Authority = Parties & Readonly<{ number: number }>;

/** The authority a chain begins with. */
export const firstAuthority = ({ gateway, hospitals, quorum }: GenesisParameters): Authority => ({ number: 0, gateway, hospitals, quorum });

export function encodeAuthority({ number, gateway, hospitals, quorum }: Authority): Uint8Array {
  return encode(new Map<CborKey, CborValue>([[1, number], [2, gateway], [3, hospitalsValue(hospitals)], [4, quorum]]));
}

/** Throws {@link CborError} for bytes that are no authority, or one no chain may have. */
export function decodeAuthority(bytes: Uint8Array): Authority {
  const fields = new CborFields(decode(bytes), 'authority', [1, 2, 3, 4]);
  const authority = { number: fields.count(1), gateway: fields.bytes(2, PUBLIC_KEY_BYTES), hospitals: readHospitals(fields.array(3)), quorum: fields.count(4) };
  checkParties(authority, 'authority');
  return authority;
}
