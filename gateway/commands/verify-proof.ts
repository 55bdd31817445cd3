import { readFileSync } from 'node:fs';
import { BlockRejected, UnreadableError, VitalgateError, messageOf } from '../errors.ts';
import { decodeFrame } from '../frame-codec.ts';
import { verifyEd25519 } from '../ledger/ed25519.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { isGrowth, verifyGrowth, type GrowthVerdict } from '../ledger/growth-proof.ts';
import { ProofRejected } from '../ledger/merkle-proof.ts';
import { openBlock } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { CborError } from '../ledger/cbor.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import { originOf } from '../ledger/checkpoint.ts';
import { verifyCoseReceipt } from '../ledger/cose-receipt.ts';
import { verifyFork } from '../ledger/fork.ts';
import { parsePolicy, PolicyRejected, type Policy } from '../ledger/policy.ts';
import { NoteRejected } from '../ledger/signed-note.ts';
import { verifyProof, type ProvenVerdict } from '../ledger/tlog-proof.ts';
import type { Environment } from './command.ts';

/** Exit codes of a proof that is checked. */
const PROOF_GOOD = 0;
const PROOF_BAD = 1;
const NOT_ENOUGH_COUNTERSIGNATURES = 3;

const CHECKS = { es256k: verifyWithNodeCrypto, ed25519: verifyEd25519 };

/** Checks a proof with two files and nothing else. Throws {@link UnreadableError} for files that cannot be read. */
export function checkProof(path: string, policyPath: string, entryPath: string | undefined, { out }: Environment): number {
  const [text, policy, expected] = [readText(path), readPolicy(policyPath), entryPath === undefined ? undefined : readBytes(entryPath)];
  try {
    if (isGrowth(text)) return growthInWords(verifyGrowth(text, policy, CHECKS), out);
    const verdict = verifyProof(text, policy, CHECKS, expected);
    for (const line of inWords(verdict, policy)) out(line);
    return verdict.isFinal ? PROOF_GOOD : NOT_ENOUGH_COUNTERSIGNATURES;
  } catch (error) {
    if (!(error instanceof NoteRejected) && !(error instanceof ProofRejected)) throw error;
    out(`BAD: ${error.message}`);
    return PROOF_BAD;
  }
}

function growthInWords({ older, newer }: GrowthVerdict, out: Environment['out']): number {
  const isFinal = older.isFinal && newer.isFinal;
  out(`${isFinal ? 'good' : 'NOT FINAL'}: the ${older.checkpoint.size} leaves of ${older.checkpoint.origin} are the beginning of its ${newer.checkpoint.size}: nothing was changed, taken out or put in`);
  if (!isFinal) out('the policy asks for more countersignatures than there are');
  return isFinal ? PROOF_GOOD : NOT_ENOUGH_COUNTERSIGNATURES;
}

/** Checks a COSE receipt for an entry. */
export function checkReceipt(path: string, policyPath: string, entryPath: string, { out }: Environment): number {
  const [receipt, policy, entry] = [readBytes(path), readPolicy(policyPath), readBytes(entryPath)];
  const reasons: string[] = [];
  for (const { name, publicKey } of gatewayKeys(policy)) {
    try {
      const { size, index, root } = verifyCoseReceipt(receipt, entry, publicKey, verifyWithNodeCrypto);
      out(`good: the entry is leaf ${index} of ${size} in a tree that the gateway of ${name} signed, root ${toHex(root.subarray(0, 16))}…; a COSE receipt has no countersignatures`);
      return PROOF_GOOD;
    } catch (error) {
      if (!(error instanceof CborError) && !(error instanceof ProofRejected)) throw error;
      reasons.push(error.message);
    }
  }
  out(`BAD: ${reasons[0] ?? 'the policy knows no gateway'}`);
  return PROOF_BAD;
}

/** Checks the evidence of a fork: two blocks, one after the other, as a hospital node gives them under /v1/forks. */
export async function checkFork(path: string, policyPath: string, { out }: Environment): Promise<number> {
  const [bytes, policy] = [readBytes(path), readPolicy(policyPath)];
  const reasons: string[] = [];
  try {
    const blocks = (await Array.fromAsync(readBlocks(bytes))).map((block) => openBlock(block));
    const [one, other] = blocks;
    if (one === undefined || other === undefined || blocks.length > 2) throw new BlockRejected('malformed', `${blocks.length} blocks; evidence of a fork is two`);
    const keys = gatewayKeys(policy).filter(({ name }) => name === originOf(one.header));
    for (const { name, publicKey } of keys) {
      try {
        const { height, hashes } = verifyFork(one, other, publicKey, verifyWithNodeCrypto);
        out(`PROVEN: the gateway of ${name} signed two histories: ${hashes.map(toHex).join(' and ')} cannot both stand at height ${height}`);
        return PROOF_GOOD;
      } catch (error) {
        if (!(error instanceof BlockRejected)) throw error;
        reasons.push(error.message);
      }
    }
  } catch (error) {
    if (!(error instanceof BlockRejected)) throw error;
    reasons.push(error.message);
  }
  out(`PROVES NOTHING: ${reasons[0] ?? 'the policy knows no such chain'}`);
  return PROOF_BAD;
}

const gatewayKeys = ({ logs }: Policy): Policy['logs'] => logs.filter(({ kind }) => kind === 'header');

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
