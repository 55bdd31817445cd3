import type { Episode } from '../consent/break-glass.ts';
import type { StoreError } from '../errors.ts';
import type { Note } from './note.ts';

/** Who broke the glass at this hospital: open, over, and judged. Throws {@link StoreError}. */
export interface EpisodeStore {
  /** In the order they were opened. */
  episodes(): Promise<readonly Episode[]>;
  /** Keeps a step of an episode with its note, both or none. MUST be durable when it resolves. */
  put(episode: Episode, note: Note): Promise<void>;
  /** Forgets those of patients who are erased, as {@link Episode.patient} names them. */
  forget(patients: readonly string[]): Promise<void>;
}
