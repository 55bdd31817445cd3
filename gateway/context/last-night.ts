/**
 * The oxygen of the last night that is over (night-oxygen.ts). A night lies between local 21:00 and noon. Asleep is who is in
 * bed as far as a bed sensor tells; where none has for a day, everybody who does not walk between 21:00 and 09:00. It is over
 * when somebody has been up for half an hour after 05:00, and at noon in any case. These times are choices of this project.
 */

import { Minutes, type Millis } from '../quantity.ts';
import type { LocalHour } from './local-hour.ts';
import { EMPTY_NIGHT, followOxygen, summariseNight, type NightOxygen } from './night-oxygen.ts';

const BEGINS = 21;
const LATEST_END = 12;
const SLEEP_ENDS = 9;
const UP_FROM = 5;
const UP_FOR = Minutes(30);

/** `day`: the local day a night ends on. */
type Open = Readonly<{ day: number; oxygen: NightOxygen; upSince?: Millis }>;

export type LastNight = Readonly<{
  day: number;
  /** Percent of the sleep; desaturations per hour. Absent without enough valid recording. */
  t90?: number;
  odi3?: number;
  odi4?: number;
}>;

/** Plain JSON, at most about 1 kB. */
export type LastNightState = Readonly<{ open?: Open; last?: LastNight }>;

export const NO_NIGHT: LastNightState = {};

const nightOf = ({ day, hour }: LocalHour): number | undefined => (hour >= BEGINS ? day + 1 : hour < LATEST_END ? day : undefined);

/** Whether somebody sleeps, by the clock alone. */
export const asleepByClock = ({ hour }: LocalHour): boolean => hour >= BEGINS || hour < SLEEP_ENDS;

/** A value of a pulse oximeter; doubtful ones are to come too, they count as time in which nobody knows. */
export type Saturation = Readonly<{ at: Millis; value: number; doubtful: boolean; asleep: boolean }>;

/** The state with one more value. */
export function followLastNight(before: LastNightState, sample: Saturation, local: LocalHour): LastNightState {
  const state = endNight(before, sample.at, local, sample.asleep);
  const day = nightOf(local);
  // Who goes back to bed after getting up has had their night.
  if (day === undefined || state.last?.day === day) return state;
  const open = state.open ?? { day, oxygen: EMPTY_NIGHT };
  return { ...state, open: { ...open, oxygen: followOxygen(open.oxygen, sample) } };
}

/** The state as time goes on: a night that is over is summed up. */
export function endNight(state: LastNightState, at: Millis, local: LocalHour, asleep: boolean): LastNightState {
  const { open } = state;
  if (open === undefined) return state;
  if (nightOf(local) !== open.day) return summed(open);
  if (asleep || local.hour < UP_FROM || local.hour >= LATEST_END) return open.upSince === undefined ? state : { ...state, open: { day: open.day, oxygen: open.oxygen } };
  if (open.upSince === undefined) return { ...state, open: { ...open, upSince: at } };
  return at - open.upSince >= UP_FOR ? summed(open) : state;
}

function summed({ day, oxygen }: Open): LastNightState {
  const { enough, t90, odi3, odi4 } = summariseNight(oxygen);
  if (!enough) return { last: { day } };
  return { last: { day, ...(t90 === undefined ? {} : { t90: 100 * t90 }), ...(odi3 === undefined ? {} : { odi3 }), ...(odi4 === undefined ? {} : { odi4 }) } };
}

/** The night that ended on this local day. */
export const lastNight = ({ last }: LastNightState, local: LocalHour): LastNight | undefined => (last?.day === local.day ? last : undefined);
