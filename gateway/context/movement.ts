/** Falls that a device tells, and how long nothing has moved since. The times are choices of this project. */

import { Minutes, type Millis } from '../quantity.ts';

/** Sensors of rooms speak when something happens: a day of silence is one. A step counter speaks all the time it is worn. */
const ROOMS_TELL_FOR = Minutes(24 * 60);
const STEPS_TELL_FOR = Minutes(15);

/** Plain JSON; steady instants. */
export type MovementState = Readonly<{
  /** The last time a device said that somebody fell. */
  fallAt?: Millis;
  /** The last movement; or when listening began. */
  movedAt?: Millis;
  roomsToldAt?: Millis;
  stepsToldAt?: Millis;
}>;

/** `changed`: the same sensor said something else before. */
export type Moved = Readonly<{ at: Millis; measurement: string; value: number; changed: boolean }>;

/** The state with one more value; the state itself when it tells nothing of movement. */
export function followMovement(state: MovementState, { at, measurement, value, changed }: Moved): MovementState {
  if (measurement === 'fall') return value > 0 ? { ...state, fallAt: at } : state;
  const steps = measurement === 'steps';
  if (!steps && measurement !== 'motion' && measurement !== 'door' && measurement !== 'usage') return state;
  // A motion that is told again goes on; all others say something only when they say something else.
  const moved = changed || state.movedAt === undefined || (measurement === 'motion' && value > 0);
  return { ...state, ...(moved ? { movedAt: at } : {}), ...(steps ? { stepsToldAt: at } : { roomsToldAt: at }) };
}

/** Minutes since anything moved; undefined while nothing would tell. */
export function stillMinutes({ movedAt, roomsToldAt, stepsToldAt }: MovementState, now: Millis): number | undefined {
  const told = within(roomsToldAt, now, ROOMS_TELL_FOR) || within(stepsToldAt, now, STEPS_TELL_FOR);
  return told && movedAt !== undefined ? Math.max(0, now - movedAt) / Minutes(1) : undefined;
}

const within = (at: Millis | undefined, now: Millis, limit: Millis): boolean => at !== undefined && now - at <= limit;

/** Whether the sensors of the rooms tell anything these days. */
export const roomsTell = ({ roomsToldAt }: MovementState, now: Millis): boolean => within(roomsToldAt, now, ROOMS_TELL_FOR);

export const minutesSinceFall = ({ fallAt }: MovementState, now: Millis): number | undefined =>
  (fallAt === undefined ? undefined : Math.max(0, now - fallAt) / Minutes(1));
