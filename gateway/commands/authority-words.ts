import { toHex } from '../ledger/bytes.ts';
import { fingerprint } from '../ledger/es256k.ts';
import type { AuthorityView } from '../succession-desk.ts';

/** Who speaks for a chain, a line for each. */
export function inWords({ chain, number, gateway, held, hospitals, quorum, lanes, awaitsReplacement }: AuthorityView): readonly string[] {
  return [
    `chain ${chain}, authority ${number}${number === 0 ? ' (as it began)' : ''}`,
    `gateway key ${gateway}${held ? '' : ' (its secret is NOT here: nothing can be sealed)'}`,
    ...hospitals.map(({ name, key }) => `hospital ${name}, key ${key}, fingerprint ${fingerprint(Buffer.from(key, 'hex'))}`),
    hospitals.length === 0 ? 'no hospitals' : `quorum ${quorum} of ${hospitals.length}`,
    ...lanes.map((lane) => `lane ${lane.lane}: authority ${lane.number} since block ${lane.from}, now at block ${lane.height}${lane.number < number ? `; the change to authority ${number} is on its way` : ''}`),
    ...(awaitsReplacement ? ['a replacement of the key is awaited: nothing is sealed until it is applied ("vitalgate authority apply") or withdrawn'] : []),
  ];
}

/** For people to compare over the telephone. */
export const signerInWords = (key: Uint8Array, name: string | undefined): string => `${name ?? 'a key that is none of those in force'} (${toHex(key).slice(0, 16)}…)`;
