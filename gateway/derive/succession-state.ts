import { type Authority, decodeAuthority } from '../ledger/authority.ts';

/** The chain that entries are for, and who spoke for it when it began. */
export type BegunChain = Readonly<{ chain: Uint8Array; authority: Authority }>;

/** What derivation remembers of changes. JSON. */
export type SuccessionState = Readonly<{
  /** In force after the last change, ledger/authority.ts, hexadecimal; absent while it is the one the chain began with. */
  authority?: string;
  /** The number of the first entry of a replacement that is awaited (`reserve`). */
  reserved?: number;
}>;

/** Who speaks for the chain as far as derivation has come. */
export const authorityIn = ({ authority }: SuccessionState, begun: BegunChain): Authority => (authority === undefined ? begun.authority : decodeAuthority(Buffer.from(authority, 'hex')));
