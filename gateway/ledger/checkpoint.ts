/**
 * Tree heads of a lane as notes (C2SP tlog-checkpoint v1.0.0): origin, size, root, a line each. No signature is made for them: a
 * line carries the very block header, or the very receipt, that says the same.
 */

import { toHex } from './bytes.ts';
import type { LaneId } from './block-store.ts';
import { base64In, NoteRejected } from './signed-note.ts';
import { HASH_BYTES } from './bytes.ts';

/** `origin`: `vitalgate/<chain, hexadecimal>/<lane>` for lanes of ours. */
export type Checkpoint = Readonly<{ origin: string; size: number; root: Uint8Array }>;

export const originOf = ({ chain, lane }: LaneId): string => `vitalgate/${toHex(chain)}/${lane}`;

export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;

/** Reads the text of a note. Extension lines are allowed and mean nothing. Throws {@link NoteRejected}. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = ''] = text.split('\n');
  const [leaves, hash] = [/^(?:0|[1-9]\d{0,15})$/.test(size) ? Number(size) : NaN, base64In(root)];
  if (origin === '' || !Number.isSafeInteger(leaves) || hash?.length !== HASH_BYTES) {
    throw new NoteRejected('malformed', 'a checkpoint is an origin, a size in decimal and a root of 32 bytes in base64, a line each');
  }
  return { origin, size: leaves, root: hash };
}
