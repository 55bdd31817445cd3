import type { Provenance, Resource } from '@medplum/fhirtypes';
import type { IdentityMap } from '../records/identity.ts';
import type { HospitalRecord } from '../records/record.ts';
import type { RecordResources } from './bundle.ts';
import { type BlockProofs, provenanceOf } from './provenance.ts';
import { type Clinical, resourcesOf } from './resources.ts';
import { gatewayOf, subjectResource } from './subjects.ts';

export type Sources = Readonly<{ identities: IdentityMap; proofs: BlockProofs }>;

/** A record with all that it refers to and where it comes from; undefined for a payload of no known form. `made`: what to say of it. Default: everything. */
export async function compose(record: HospitalRecord, { identities, proofs }: Sources, wanted: (made: Clinical) => boolean = () => true): Promise<(RecordResources & Readonly<{ made: readonly Clinical[]; provenance: Provenance }>) | undefined> {
  const beside = resourcesOf(record);
  if (beside === undefined) return undefined;
  const made = beside.filter(wanted);
  const [identity, proof] = await Promise.all([identities.identifierOf(record.subject), proofs.of(record)]);
  const about: readonly Resource[] = [subjectResource(record.subject, identity), gatewayOf(record.chain, proof?.key)];
  return { record, about, made, beside, provenance: provenanceOf(record, made, proof) };
}
