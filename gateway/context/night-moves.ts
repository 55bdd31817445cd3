/**
 * How often somebody changes rooms at night (local 23:00 to 06:00), beside their own nights. There is no published limit for
 * wandering; these numbers are choices of this project.
 */

import type { LocalHour } from './local-hour.ts';
import { median, medianDistance } from './robust.ts';
import { isNight } from './stays.ts';

const NIGHTS_KEPT = 14;
const WARM_UP_NIGHTS = 7;
const OLDEST_NIGHT = 28;
const MAD_TO_SIGMA = 1.4826;
/** Fewer moves more or less are no difference. */
const LEAST_SIGMA = 2;
const TOLD_UNTIL = 12;

/** `day`: the local day a night ends on. */
type Night = Readonly<{ day: number; moves: number }>;

/** Plain JSON: at most 14 nights, oldest first. */
export type NightMovesState = Readonly<{ open?: Night; nights: readonly Night[] }>;

export const NO_NIGHTS: NightMovesState = { nights: [] };

const dayOf = ({ day, hour }: LocalHour): number => (hour >= 23 ? day + 1 : day);

/**
 * The state as time goes on, and with one more change of room when `moved`. `told`: whether sensors tell where somebody is at
 * all; a night in which none did is no quiet one.
 */
export function followMoves(state: NightMovesState, local: LocalHour, moved: boolean, told: boolean): NightMovesState {
  const { open } = state;
  if (!isNight(local)) return open === undefined ? state : closed(state);
  if (open?.day === dayOf(local)) return moved ? { ...state, open: { ...open, moves: open.moves + 1 } } : state;
  const before = open === undefined ? state : closed(state);
  return told ? { ...before, open: { day: dayOf(local), moves: moved ? 1 : 0 } } : before;
}

function closed({ open, nights }: NightMovesState): NightMovesState {
  return { nights: open === undefined ? nights : [...nights.filter(({ day }) => day !== open.day), open].slice(-NIGHTS_KEPT) };
}

/** The night that is going on, or the one that ended this morning. */
export function nightMoves({ open, nights }: NightMovesState, local: LocalHour): number | undefined {
  if (isNight(local)) return open?.day === dayOf(local) ? open.moves : undefined;
  const last = open ?? nights.at(-1);
  return last?.day === local.day && local.hour < TOLD_UNTIL ? last.moves : undefined;
}

/** How far that is above usual nights. Undefined before there were seven others in the last 28 days. */
export function nightMovesDeviation(state: NightMovesState, local: LocalHour): number | undefined {
  const moves = nightMoves(state, local);
  const usual = usualMoves(state, local);
  if (moves === undefined || usual === undefined) return undefined;
  return (moves - usual.median) / Math.max(usual.mad * MAD_TO_SIGMA, LEAST_SIGMA);
}

/** Of whole nights before this one: median, median absolute deviation, how many. Undefined before there were seven in the last 28 days. */
export function usualMoves({ nights }: NightMovesState, local: LocalHour): Readonly<{ median: number; mad: number; nights: number }> | undefined {
  const today = dayOf(local);
  const others = nights.filter(({ day }) => day < today && day >= today - OLDEST_NIGHT).map(({ moves }) => moves);
  const centre = median(others);
  return others.length < WARM_UP_NIGHTS || centre === undefined ? undefined : { median: centre, mad: medianDistance(others, centre) ?? 0, nights: others.length };
}
