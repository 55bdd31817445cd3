/** Things that go wrong for a while: the reason somebody looks at the readings. */

import { ConfigError } from '../gateway/errors.ts';
import { type Millis, parseDuration } from '../gateway/quantity.ts';

export const EPISODE_KINDS = ['desaturation', 'tachycardia'] as const;
export type EpisodeKind = (typeof EPISODE_KINDS)[number];

export type Episode = Readonly<{
  kind: EpisodeKind;
  /** Simulated seconds since a local midnight. */
  startsAt: number;
  /** Seconds. */
  duration: number;
  /** At its worst: percentage points of saturation lost, or beats per minute gained. */
  magnitude: number;
}>;

/** An episode asked for, in simulated time from the beginning of the run. */
export type EpisodeOrder = Readonly<{ patient: string; kind: EpisodeKind; startsIn: Millis }>;

const PROVOKED: Readonly<Record<EpisodeKind, Pick<Episode, 'duration' | 'magnitude'>>> = {
  // Deep and long enough to pass 88 % for minutes, and a pulse well above 110 while sitting still.
  desaturation: { duration: 240, magnitude: 13 },
  tachycardia: { duration: 900, magnitude: 62 },
};

/** The episode that `order` means in a run that begins at `start` (simulated seconds since a local midnight). */
export function provoke(order: EpisodeOrder, start: number): Episode {
  return { kind: order.kind, startsAt: start + order.startsIn / 1000, ...PROVOKED[order.kind] };
}

/** How strongly an episode acts at `seconds`, 0 to 1: a third to get there, a fifth to recover. */
export function strength(episode: Episode, seconds: number): number {
  const done = (seconds - episode.startsAt) / episode.duration;
  if (done < 0 || done >= 1) return 0;
  return Math.min(1, done / 0.35, (1 - done) / 0.2);
}

const ORDER = /^([a-z0-9][a-z0-9-]*):([a-z]+)@(.+)$/;

/**
 * Parses `anna:desaturation@30s,ben:tachycardia@5min`: patient, kind, simulated time from now.
 * Throws {@link ConfigError} that names the part it could not read.
 */
export function parseEpisodes(text: string): EpisodeOrder[] {
  return text.split(',').map((part) => parseEpisode(part.trim()));
}

function parseEpisode(text: string): EpisodeOrder {
  const [, patient, kind, when] = ORDER.exec(text) ?? [];
  const known = EPISODE_KINDS.find((name) => name === kind);
  if (patient === undefined || when === undefined || known === undefined) {
    throw new ConfigError(
      `episode "${text}": expected <patient>:<${EPISODE_KINDS.join('|')}>@<time from now>, for example anna:desaturation@30s`,
    );
  }
  try {
    return { patient, kind: known, startsIn: parseDuration(when) };
  } catch (cause) {
    throw new ConfigError(`episode "${text}": "${when}" is not a duration such as 30s or 5min`, { cause });
  }
}
