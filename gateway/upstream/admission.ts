/** Which gateways a hospital takes chains of. */

import { ConfigError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { FINGERPRINT_BYTES, fingerprint, isPublicKey, PUBLIC_KEY_BYTES } from '../ledger/es256k.ts';
import { CHAIN_ID_BYTES } from '../ledger/genesis.ts';

export interface Admission {
  /** Whether the gateway with that key may have this chain here. */
  admits(chain: Uint8Array, key: Uint8Array): boolean;
}

export const EVERY_GATEWAY: Admission = { admits: () => true };

/** `gateway`: public key or its fingerprint, hexadecimal. `chain`: the only one it may have, by the id that is the hash of its genesis parameters. */
export type Enrolled = Readonly<{ gateway: string; chain?: string }>;

/** Those that were enrolled; looking one up costs the same however many they are. */
export class EnrolledGateways implements Admission {
  #chains: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(enrolled: readonly Enrolled[]) {
    this.#chains = byFingerprint(enrolled);
  }

  /** From now on these are enrolled. */
  replace(enrolled: readonly Enrolled[]): void {
    this.#chains = byFingerprint(enrolled);
  }

  get count(): number {
    return this.#chains.size;
  }

  admits(chain: Uint8Array, key: Uint8Array): boolean {
    const chains = this.#chains.get(fingerprint(key));
    return chains !== undefined && (chains.has(ANY_CHAIN) || chains.has(toHex(chain)));
  }
}

const ANY_CHAIN = '';

function byFingerprint(enrolled: readonly Enrolled[]): ReadonlyMap<string, ReadonlySet<string>> {
  const chains = new Map<string, Set<string>>();
  for (const { gateway, chain = ANY_CHAIN } of enrolled) {
    const name = gateway.length === FINGERPRINT_BYTES * 2 ? gateway : fingerprint(Buffer.from(gateway, 'hex'));
    chains.set(name, (chains.get(name) ?? new Set()).add(chain));
  }
  return chains;
}

const FINGERPRINT = new RegExp(`^[0-9a-f]{${FINGERPRINT_BYTES * 2}}$`);
const KEY = new RegExp(`^0[23][0-9a-f]{${(PUBLIC_KEY_BYTES - 1) * 2}}$`);
const CHAIN = new RegExp(`^[0-9a-f]{${CHAIN_ID_BYTES * 2}}$`);

/**
 * Reads a list of gateways: on each line a public key or its fingerprint, then, if it may have one chain only, that chain's id; "#" begins a
 * remark. Throws {@link ConfigError} that names every line that is none of this.
 */
export function readEnrolled(text: string, path: string): readonly Enrolled[] {
  const mistakes: string[] = [];
  const enrolled = text.split('\n').flatMap((line, index): readonly Enrolled[] => {
    const words = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/).filter((word) => word !== '');
    const [gateway, chain, ...more] = words;
    if (gateway === undefined) return [];
    const isGateway = FINGERPRINT.test(gateway) || (KEY.test(gateway) && isPublicKey(Buffer.from(gateway, 'hex')));
    if (isGateway && more.length === 0 && (chain === undefined || CHAIN.test(chain))) return [{ gateway, ...(chain !== undefined && { chain }) }];
    mistakes.push(`line ${index + 1}: ${JSON.stringify(line.trim().slice(0, 60))}`);
    return [];
  });
  if (mistakes.length === 0) return enrolled;
  const shown = mistakes.slice(0, 10).join('; ');
  throw new ConfigError(`${path}: expected a gateway's public key (66 hexadecimal digits) or fingerprint (32), and after it at most a chain's id (32); found ${shown}${mistakes.length > 10 ? ` and ${mistakes.length - 10} more` : ''}`);
}
