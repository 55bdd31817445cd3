/** Whose data somebody may see at all: everybody's, or only those of the patients the configuration gives them, with the rooms they live in. */

import type { Identity } from '../people/people.ts';
import type { Subject } from '../reading.ts';
import type { CareDesk } from './care-desk.ts';

/** What is about nobody, the gateway itself, is for everybody. */
export function mayReach(desk: Pick<CareDesk, 'whoLivesIn'>, { patients }: Pick<Identity, 'patients'>, subject: Subject | null): boolean {
  if (patients === undefined || subject === null) return true;
  const whose = subject.kind === 'patient' ? [subject.id] : desk.whoLivesIn(subject.id);
  return whose.some((patient) => patients.includes(patient));
}

/** Those of them that somebody may see. */
export const withinReach = <T extends Readonly<{ subject: Subject | null }>>(desk: Pick<CareDesk, 'whoLivesIn'>, identity: Identity, all: readonly T[]): readonly T[] =>
  identity.patients === undefined ? all : all.filter(({ subject }) => mayReach(desk, identity, subject));
