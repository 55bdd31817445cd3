/**
 * Proof that one checkpoint of a lane is the beginning of a later one: nothing between was changed, taken out or put in (RFC 9162
 * §2.1.4). A format of this project, in lines as a .tlog-proof has them:
 *
 *     vitalgate/growth-proof@v1
 *     older <base64 of a checkpoint, a signed note>
 *     newer <base64 of another>
 *     <base64 of a hash>…
 */

import { HASH_BYTES } from './bytes.ts';
import { ProofRejected, verifyConsistency } from './merkle-proof.ts';
import type { NoteChecks } from './note-keys.ts';
import { judgeCheckpoint, type JudgedCheckpoint, type Policy } from './policy.ts';
import { base64In, NoteRejected } from './signed-note.ts';

const FIRST_LINE = 'vitalgate/growth-proof@v1';
const MOST_HASHES = 64;
const LONGEST = 4 * 1024 * 1024;

export type GrowthProof = Readonly<{ older: string; newer: string; path: readonly Uint8Array[] }>;

export function formatGrowth({ older, newer, path }: GrowthProof): string {
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes as string).toString('base64');
  return [FIRST_LINE, `older ${base64(older)}`, `newer ${base64(newer)}`, ...path.map((hash) => base64(hash)), ''].join('\n');
}

export const isGrowth = (text: string): boolean => text.startsWith(`${FIRST_LINE}\n`);

/** Throws {@link NoteRejected} `malformed` for what is no such file. */
export function parseGrowth(text: string): GrowthProof {
  const [first, older = '', newer = '', ...rest] = text.length > LONGEST ? [] : text.split('\n');
  const hashes = rest.slice(0, -1);
  if (first !== FIRST_LINE || rest.at(-1) !== '' || hashes.length > MOST_HASHES) throw new NoteRejected('malformed', `a proof of growth begins with the line ${FIRST_LINE} and has two checkpoints and ${MOST_HASHES} hashes at most`);
  const path = hashes.map((line, i) => {
    const hash = base64In(line);
    if (hash?.length !== HASH_BYTES) throw new NoteRejected('malformed', `hash ${i + 1} is not base64 of ${HASH_BYTES} bytes`);
    return hash;
  });
  return { older: noteIn(older, 'older'), newer: noteIn(newer, 'newer'), path };
}

function noteIn(line: string, which: string): string {
  const note = line.startsWith(`${which} `) ? base64In(line.slice(which.length + 1)) : undefined;
  if (note === undefined) throw new NoteRejected('malformed', `expected the line "${which} <base64>"`);
  return note.toString('utf8');
}

export type GrowthVerdict = Readonly<{ older: JudgedCheckpoint; newer: JudgedCheckpoint }>;

/** Throws {@link NoteRejected} or {@link ProofRejected}; a checkpoint that is not final lacks countersignatures. */
export function verifyGrowth(text: string, policy: Policy, checks: NoteChecks): GrowthVerdict {
  const { older: before, newer: after, path } = parseGrowth(text);
  const [older, newer] = [judgeCheckpoint(before, policy, checks), judgeCheckpoint(after, policy, checks)];
  if (older.checkpoint.origin !== newer.checkpoint.origin) throw new ProofRejected('wrong_position', `the checkpoints are of ${older.checkpoint.origin} and ${newer.checkpoint.origin}`);
  verifyConsistency(older.checkpoint, newer.checkpoint, path);
  return { older, newer };
}
