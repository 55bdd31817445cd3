import type { Releases } from '../consent/approvals.ts';
import type { Episode, Glass, GlassStatus } from '../consent/break-glass.ts';
import { type Consents, NO_CONSENTS } from '../consent/consents.ts';

/** What patients have permitted, who was asked besides, and who broke the glass. JSON. */
export type ConsentState = Readonly<{
  consents: Consents;
  releases: Releases;
  glass: Glass;
  /** Number of the last episode. */
  episodes: number;
  /** Who broke the glass at hospitals, as those say: with their numbers. Default none. */
  elsewhere?: readonly EpisodeElsewhere[];
  /** By fingerprint of a hospital: the number of its last note. Default none. */
  heard?: Readonly<Record<string, number>>;
  /** By {@link nameOfEpisode}: what people were told last. */
  told: Readonly<Record<string, GlassStatus>>;
}>;

/** Whoever did it stands there as `hospital/person`. `key`: fingerprint of the hospital's key. */
export type EpisodeElsewhere = Episode & Readonly<{ hospital: string; key: string }>;

/** Episodes here by their number, those elsewhere with the hospital before it. */
export const nameOfEpisode = (episode: Episode | EpisodeElsewhere): string => ('hospital' in episode ? `${episode.hospital}/${episode.number}` : String(episode.number));

export const NO_CONSENT_STATE: ConsentState = { consents: NO_CONSENTS, releases: [], glass: [], episodes: 0, told: {} };
