/** A person and their rooms, moving through time together: what several devices observe at once. */

import type { Episode } from './episodes.ts';
import { VirtualPatient } from './patient.ts';
import type { PatientProfile } from './profile.ts';
import type { Random } from './random.ts';
import { drawRoomProfile, VirtualRoom } from './room.ts';

export class Household {
  readonly patient: VirtualPatient;
  readonly rooms: readonly VirtualRoom[];
  /** Id of the room the person sleeps in. */
  readonly bedroom: string;

  /**
   * @param rooms what the rooms are called, the bedroom first; their ids begin with the person's: `anna-bedroom`.
   * @param start simulated seconds since a local midnight.
   */
  constructor(
    profile: PatientProfile,
    rooms: readonly [string, ...string[]],
    random: Random,
    start: number,
    episodes: readonly Episode[] = [],
  ) {
    const ids = rooms.map((room) => `${profile.id}-${room}`);
    this.bedroom = `${profile.id}-${rooms[0]}`;
    this.patient = new VirtualPatient(profile, ids, random.split('patient'), start, episodes);
    this.rooms = ids.map((id) => {
      const own = random.split(id);
      return new VirtualRoom(drawRoomProfile(id, own.split('profile')), own, start);
    });
  }

  /** Lets whole seconds pass until the next one would lie after `seconds`. Going back is not possible and does nothing. */
  advanceTo(seconds: number): void {
    while (this.patient.now + 1 <= seconds) this.#step();
  }

  #step(): void {
    this.patient.step();
    const { activity, room } = this.patient.whereabouts;
    for (const each of this.rooms) each.step(room === each.profile.id ? activity : undefined);
  }
}
