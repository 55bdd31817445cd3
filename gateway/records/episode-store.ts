import type { Episode } from '../consent/break-glass.ts';
import type { StoreError } from '../errors.ts';
import type { Note } from './note.ts';

/** Who broke the glass at this hospital: open, over, and judged. Throws {@link StoreError}. */
export interface EpisodeStore {
  /** In the order they were opened, as of a moment. */
  episodes(): Promise<Readonly<{ episodes: readonly Episode[]; moment: number }>>;
  /**
   * Keeps a step of an episode with its note, and those of these numbers no more: all or nothing. MUST be durable when it resolves. False, and nothing is kept, when
   * somebody has written anything down since that moment, in this process or another.
   */
  put(moment: number, episode: Episode, note: Note, gone: readonly number[]): Promise<boolean>;
  /** Forgets those of patients who are erased, by all names they had, and in notes what people wrote about them. */
  forget(patients: readonly string[]): Promise<void>;
}
