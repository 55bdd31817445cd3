/** The lane's name inside signed bytes. */

import { LANES, type Lane } from '../reading.ts';
import { CborError } from './cbor.ts';

/** Throws a `malformed` {@link CborError} for a word that is no lane. */
export function readLane(text: string): Lane {
  const lane = LANES.find((known) => known === text);
  if (lane === undefined) throw new CborError('malformed', `"${text}" is not a lane, expected ${LANES.join(' or ')}`);
  return lane;
}
