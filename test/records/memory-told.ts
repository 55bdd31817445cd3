import type { Told } from '../../gateway/consent/told.ts';
import { encodeTold, readTold } from '../../gateway/consent/told.ts';
import type { Episode } from '../../gateway/consent/break-glass.ts';
import type { UnixMillis } from '../../gateway/quantity.ts';
import { ConsentGate } from '../../gateway/records/consent-gate.ts';
import type { Shown } from '../../gateway/records/note.ts';
import type { ToldOfSomebody } from '../../gateway/records/told-consents.ts';
import { HOSPITAL } from '../consent/situations.ts';

export const CHAIN = 'c1'.repeat(16);

/** A gate over what was told, read as it arrives; what it writes down is kept in `noted`. */
export class Gate extends ConsentGate {
  readonly noted: (readonly Shown[])[];

  constructor(told: readonly Told[], { now, episodes = [], fails = false }: Readonly<{ now: UnixMillis; episodes?: readonly Episode[]; fails?: boolean }>) {
    const noted: (readonly Shown[])[] = [];
    const known: readonly ToldOfSomebody[] = told.map((each) => ({ ...readTold(encodeTold(each)), chain: CHAIN }));
    super({
      hospital: HOSPITAL,
      told: { of: (name) => Promise.resolve(known.find(({ names }) => names.includes(name))) },
      episodes: { episodes: () => Promise.resolve({ episodes, moment: 0 }) },
      disclosures: {
        note: (all) => {
          noted.push(all);
          return fails ? Promise.reject(new Error('the disk says no')) : Promise.resolve();
        },
      },
      now: () => now,
    });
    this.noted = noted;
  }
}
