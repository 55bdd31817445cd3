import type { StoreError } from '../errors.ts';
import type { KnownSubject } from './record.ts';

/** What this hospital itself calls somebody, or a room. */
export type MappedIdentity = Readonly<{
  /** Who gave the identifier, a URI: `urn:oid:1.2.36.146.595.217.0.1`, `https://st-mary.example/mrn`. */
  system: string;
  value: string;
  /** For people. */
  name?: string;
}>;

/**
 * Whom this hospital's own records mean by somebody whom gateways name by a pseudonym. An identity is given to a pseudonym, which may not have been
 * heard yet, and holds for the person behind it. It goes with the person when that is erased. Throws {@link StoreError}.
 */
export interface IdentityMap {
  /** Undefined while nobody has said who it is. */
  identifierOf(subject: KnownSubject): Promise<MappedIdentity | undefined>;
  /** Everybody here who has this identifier: more than one where several gateways know the same person. */
  peopleWith(system: string, value: string): Promise<readonly KnownSubject[]>;
}

/** The side that changes it. A pseudonym is 32 hexadecimal digits. Durable when it resolves. Throws {@link StoreError}. */
export interface IdentityDesk extends IdentityMap {
  map(pseudonym: string, identity: MappedIdentity): Promise<void>;
  /** False where nothing was mapped. */
  unmap(pseudonym: string): Promise<boolean>;
}
