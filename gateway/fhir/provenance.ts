import type { Provenance, Resource, Signature } from '@medplum/fhirtypes';
import type { UnixMillis } from '../quantity.ts';
import type { HospitalRecord } from '../records/record.ts';
import { idOf, identifierOf } from './identifiers.ts';
import { deviceReference } from './subjects.ts';
import { BLOCK, ENTRY, SIGNATURE_TYPE } from './systems.ts';

/** What shows that a record is what the gateway sealed. */
export type BlockProof = Readonly<{
  /** COSE_Sign1 over the block's header (ledger/cose.ts). */
  signed: Uint8Array;
  /** The gateway's clock. */
  sealed: UnixMillis;
  /** Fingerprint of the key that speaks for the chain now; an older block may be signed with the one before. */
  key: string;
  /** Countersignature of this hospital over the same block, COSE_Sign1 (ledger/receipt.ts), and the fingerprint of its key. */
  receipt?: Readonly<{ signed: Uint8Array; key: string }>;
}>;

/** The blocks behind records. Throws {@link StoreError}. */
export interface BlockProofs {
  /** Undefined where the block is not here. */
  of(record: Pick<HospitalRecord, 'chain' | 'lane' | 'height'>): Promise<BlockProof | undefined>;
}

/** ASTM E1762-95 (2013): author's signature; verification signature. */
const AUTHOR = '1.2.840.10065.1.12.1.1';
const VERIFICATION = '1.2.840.10065.1.12.1.5';

/** What a record's Provenance is of an entry, as {@link idOf} names parts. */
export const PROVENANCE_PART = 'provenance';

/**
 * Where resources come from: the gateway, the block by its hash, and the place of the entry. The block's signature is there for a whole record
 * alone: an excerpt is not what was signed.
 */
export function provenanceOf(record: HospitalRecord, made: readonly Resource[], proof: BlockProof | undefined): Provenance {
  const { chain, lane, height, entry, blockHash, whole, time } = record;
  const signature = proof === undefined || !whole ? [] : signaturesOf(proof, chain);
  return {
    resourceType: 'Provenance', id: idOf(record, PROVENANCE_PART),
    target: made.map(({ resourceType, id = '' }) => ({ reference: `${resourceType}/${id}` })),
    recorded: new Date(proof?.sealed ?? time).toISOString(),
    agent: [{ type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: 'author' }] }, who: deviceReference(chain) }],
    entity: [
      { role: 'source', what: { identifier: identifierOf(record, PROVENANCE_PART), display: whole ? 'payload that fits the commitment of the entry' : 'excerpt, for which the gateway alone vouches' } },
      { role: 'source', what: { identifier: { system: BLOCK, value: blockHash } } },
      { role: 'source', what: { identifier: { system: ENTRY, value: `${chain}.${lane}.${height}.${entry}` } } },
    ],
    ...(signature.length > 0 && { signature }),
  };
}

function signaturesOf({ signed, sealed, receipt }: BlockProof, chain: string): Signature[] {
  const common = { when: new Date(sealed).toISOString(), targetFormat: 'application/cbor', sigFormat: 'application/cose' };
  return [
    { ...common, type: [{ system: SIGNATURE_TYPE, code: AUTHOR }], who: deviceReference(chain), data: Buffer.from(signed).toString('base64') },
    ...(receipt === undefined ? [] : [{ ...common, type: [{ system: SIGNATURE_TYPE, code: VERIFICATION }], who: { display: `hospital, key ${receipt.key}` }, data: Buffer.from(receipt.signed).toString('base64') }]),
  ];
}
