import { UsageError } from './errors.ts';
import type { KnownSubject } from './records/record.ts';
import type { RecordStores } from './hospital-records.ts';
import { assertIdentity, assertPseudonym, type ListedPerson, type OpeningStatus, type PatientApi } from './web/control-patients.ts';

/** Up to how many arrivals are counted. */
const MOST_BEHIND = 10_000;

/** Whom a hospital knows, and what it calls them itself, out of its stores. Nothing of what was measured is opened. `opening`: of whoever opens what was given. */
export function patientApiOf({ records, identities }: Pick<RecordStores, 'records' | 'identities'>, opening: () => Promise<OpeningStatus>): PatientApi {
  return {
    opening,
    people: async () => {
      const listed: ListedPerson[] = [];
      for await (const { person, kind, into, also } of records.people()) {
        const last = into === undefined ? await lastOf(records, [person, ...also]) : null;
        if (last !== null) listed.push({ person, kind, identity: (await identities.identifierOf({ kind, person } satisfies KnownSubject)) ?? null, last });
      }
      return listed.sort((a, b) => (b.last ?? 0) - (a.last ?? 0));
    },
    mapPerson: async (pseudonym, identity) => {
      assertPseudonym(pseudonym);
      assertIdentity(identity);
      await identities.map(pseudonym, identity);
    },
    unmapPerson: async (pseudonym) => {
      assertPseudonym(pseudonym);
      if (!(await identities.unmap(pseudonym))) throw new UsageError(`nobody is mapped to an identifier by the pseudonym ${pseudonym}`);
    },
  };
}

/** While nobody opens anything. */
export async function openingAtRest({ records }: Pick<RecordStores, 'records'>): Promise<OpeningStatus> {
  const { opened, bad } = await records.state();
  return { opened, waiting: 0, bad, behind: await records.countArrivals(MOST_BEHIND) };
}

/** Null where nothing is of them any more. */
async function lastOf(records: RecordStores['records'], people: readonly string[]): Promise<number | null> {
  let last: number | null = null;
  for (const person of people) {
    for await (const { time } of records.rowsOf(person, { newestFirst: true })) {
      last = Math.max(last ?? time, time);
      break;
    }
  }
  return last;
}
