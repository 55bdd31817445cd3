import type { Releases } from '../consent/approvals.ts';
import type { Glass, GlassStatus } from '../consent/break-glass.ts';
import { type Consents, NO_CONSENTS } from '../consent/consents.ts';

/** What patients have permitted, who was asked besides, and who broke the glass. JSON. */
export type ConsentState = Readonly<{
  consents: Consents;
  releases: Releases;
  glass: Glass;
  /** Number of the last episode. */
  episodes: number;
  /** By number of an episode: what people were told last. */
  told: Readonly<Record<string, GlassStatus>>;
}>;

export const NO_CONSENT_STATE: ConsentState = { consents: NO_CONSENTS, releases: [], glass: [], episodes: 0, told: {} };
