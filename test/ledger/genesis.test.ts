import { describe, expect, it } from 'vitest';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { signingKeyFrom } from '../../gateway/ledger/es256k.ts';
import {
  chainIdOf, decodeParameters, encodeParameters, type GenesisParameters, sameParameters,
} from '../../gateway/ledger/genesis.ts';
import { gatewayKey, hospitalKey, parameters, strangerKey } from './chain-fixture.ts';

const second = { name: 'Charité', key: strangerKey.publicKey };
const third = { name: 'Insel', key: signingKeyFrom(new Uint8Array(32).fill(4)).publicKey };
const [first] = parameters.hospitals as [GenesisParameters['hospitals'][number]];

describe('genesis parameters', () => {
  it('are read back as they were written', () => {
    for (const change of [{}, { hospitals: [], quorum: 0 }, { hospitals: [first, second, third], quorum: 2, work: 12 }]) {
      expect(decodeParameters(encodeParameters({ ...parameters, ...change }))).toEqual({ ...parameters, ...change });
    }
  });

  it('name the chain by the first 16 bytes of their hash', () => {
    const bytes = encodeParameters(parameters);
    expect(chainIdOf(bytes)).toEqual(sha256(bytes).slice(0, 16));
  });

  it('are the same only when every part is', () => {
    expect(sameParameters(parameters, { ...parameters })).toBe(true);
    expect(sameParameters(parameters, { ...parameters, nonce: new Uint8Array(16) })).toBe(false);
  });

  const refused: readonly [name: string, change: Partial<GenesisParameters>][] = [
    ['a quorum of 0 although there is a hospital', { quorum: 0 }],
    ['a quorum of more than all hospitals', { quorum: 2 }],
    ['a quorum without hospitals', { hospitals: [], quorum: 1 }],
    ['one key under two names, which would count twice', { hospitals: [first, { ...second, key: first.key }], quorum: 2 }],
    ['one name for two keys', { hospitals: [first, { ...second, name: first.name }] }],
    ['a hospital without a name', { hospitals: [{ ...first, name: '' }] }],
    ['the gateway as its own witness', { hospitals: [{ name: 'self', key: gatewayKey.publicKey }] }],
    ['a hospital key that is no point', { hospitals: [{ name: 'x', key: Uint8Array.of(2, ...new Uint8Array(31), 5) }] }],
    ['a gateway key that is too short', { gateway: hospitalKey.publicKey.slice(1) }],
    ['more work than a search can do', { work: 33 }],
    ['a fraction of a bit of work', { work: 1.5 }],
    ['a short nonce', { nonce: new Uint8Array(15) }],
  ];
  for (const [name, change] of refused) {
    it(`are refused with ${name}`, () => {
      expect(() => encodeParameters({ ...parameters, ...change })).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
    });
  }
});
