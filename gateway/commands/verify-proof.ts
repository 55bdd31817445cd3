import { readFileSync } from 'node:fs';
import { UnreadableError, VitalgateError, messageOf } from '../errors.ts';
import { decodeFrame } from '../frame-codec.ts';
import { verifyEd25519 } from '../ledger/ed25519.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { ProofRejected } from '../ledger/merkle-proof.ts';
import { toHex } from '../ledger/bytes.ts';
import { parsePolicy, PolicyRejected, type Policy } from '../ledger/policy.ts';
import { NoteRejected } from '../ledger/signed-note.ts';
import { verifyProof, type ProvenVerdict } from '../ledger/tlog-proof.ts';
import type { Environment } from './command.ts';

/** Exit codes of a proof that is checked. */
export const PROOF_GOOD = 0;
export const PROOF_BAD = 1;
export const NOT_ENOUGH_COUNTERSIGNATURES = 3;

/** Checks a proof with two files and nothing else. Throws {@link UnreadableError} for files that cannot be read. */
export function checkProof(path: string, policyPath: string, entryPath: string | undefined, { out }: Environment): number {
  const [text, policy, expected] = [readText(path), readPolicy(policyPath), entryPath === undefined ? undefined : readBytes(entryPath)];
  try {
    const verdict = verifyProof(text, policy, { es256k: verifyWithNodeCrypto, ed25519: verifyEd25519 }, expected);
    for (const line of inWords(verdict, policy)) out(line);
    return verdict.isFinal ? PROOF_GOOD : NOT_ENOUGH_COUNTERSIGNATURES;
  } catch (error) {
    if (!(error instanceof NoteRejected) && !(error instanceof ProofRejected)) throw error;
    out(`BAD: ${error.message}`);
    return PROOF_BAD;
  }
}

function inWords(verdict: ProvenVerdict, policy: Policy): readonly string[] {
  const { entry, frame, index, checkpoint, witnesses, isFinal } = verdict;
  const what = frame === undefined ? `entry ${entry.sequence} (${entry.kind})` : `raw message ${frame.sequence}`;
  const by = witnesses.length === 0 ? 'nobody' : witnesses.join(', ');
  const finality = policy.quorum === undefined ? 'the policy asks for no countersignature' : `countersigned by ${by}`;
  return [
    isFinal ? `good: ${what} is in ${checkpoint.origin}, ${finality}` : `NOT FINAL: ${what} is in the tree that ${checkpoint.origin} signed, but the policy asks for more countersignatures than those of ${by}`,
    `leaf ${index} of ${checkpoint.size}, root ${toHex(checkpoint.root.subarray(0, 16))}…; the gateway says it was derived at ${new Date(entry.time).toISOString()}`,
    ...(frame === undefined ? [] : frameInWords(frame.bytes)),
  ];
}

function frameInWords(bytes: Uint8Array): readonly string[] {
  const { source, device, topic, receivedAt, clockTrust, payload } = decodeFrame(Buffer.from(bytes));
  return [`it came by ${source}${device === '' ? '' : ` from ${device}`}${topic === '' ? '' : ` on ${topic}`} at ${new Date(receivedAt).toISOString()} (clock ${clockTrust}):`, Buffer.from(payload).toString('utf8')];
}

export function readPolicy(path: string): Policy {
  try {
    return parsePolicy(readText(path));
  } catch (cause) {
    if (cause instanceof PolicyRejected) throw new UnreadableError(`the policy ${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

const readText = (path: string): string => Buffer.from(readBytes(path)).toString('utf8');

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof VitalgateError) throw cause;
    throw new UnreadableError(`${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
