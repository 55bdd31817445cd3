/**
 * What an auditor is told of a proof, a receipt, the evidence of a fork or a whole chain: the command line and the page say the same,
 * because both ask here. Nothing but the bytes and the policy is looked at.
 */

import { BlockRejected } from '../errors.ts';
import { decodeFrame } from '../frame-codec.ts';
import { openBlock } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { CborError } from '../ledger/cbor.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import { originOf } from '../ledger/checkpoint.ts';
import { verifyCoseReceipt } from '../ledger/cose-receipt.ts';
import type { SignatureCheck } from '../ledger/es256k.ts';
import { verifyFork } from '../ledger/fork.ts';
import { isGrowth, verifyGrowth, type GrowthVerdict } from '../ledger/growth-proof.ts';
import { ProofRejected } from '../ledger/merkle-proof.ts';
import type { NoteChecks } from '../ledger/note-keys.ts';
import { differencesFrom, type Policy } from '../ledger/policy.ts';
import { NoteRejected } from '../ledger/signed-note.ts';
import type { ChainState } from '../ledger/state.ts';
import { verifyProof, type ProvenVerdict } from '../ledger/tlog-proof.ts';
import { verifyChain, type ChainVerdict } from '../ledger/verify-chain.ts';

/** `not final`: true, and fewer have countersigned than the policy asks for. The first of `lines` is the verdict in a sentence. */
export type Judgement = Readonly<{ outcome: 'good' | 'bad' | 'not final'; lines: readonly string[] }>;

/** A `.tlog-proof`, or a proof of growth. `expected`: the entry's bytes as somebody else has them. */
export function judgeProof(text: string, policy: Policy, checks: NoteChecks, expected?: Uint8Array): Judgement {
  try {
    if (isGrowth(text)) return growthInWords(verifyGrowth(text, policy, checks));
    return proofInWords(verifyProof(text, policy, checks, expected), policy);
  } catch (error) {
    if (!(error instanceof NoteRejected) && !(error instanceof ProofRejected)) throw error;
    return { outcome: 'bad', lines: [`BAD: ${error.message}`] };
  }
}

function growthInWords({ older, newer }: GrowthVerdict): Judgement {
  const isFinal = older.isFinal && newer.isFinal;
  return {
    outcome: isFinal ? 'good' : 'not final',
    lines: [
      `${isFinal ? 'good' : 'NOT FINAL'}: the ${older.checkpoint.size} leaves of ${older.checkpoint.origin} are the beginning of its ${newer.checkpoint.size}: nothing was changed, taken out or put in`,
      ...(isFinal ? [] : ['the policy asks for more countersignatures than there are']),
    ],
  };
}

function proofInWords({ entry, frame, index, checkpoint, witnesses, isFinal }: ProvenVerdict, policy: Policy): Judgement {
  const what = frame === undefined ? `entry ${entry.sequence} (${entry.kind})` : `raw message ${frame.sequence}`;
  const by = witnesses.length === 0 ? 'nobody' : witnesses.join(', ');
  const finality = policy.quorum === undefined ? 'the policy asks for no countersignature' : `countersigned by ${by}`;
  return {
    outcome: isFinal ? 'good' : 'not final',
    lines: [
      isFinal ? `good: ${what} is in ${checkpoint.origin}, ${finality}` : `NOT FINAL: ${what} is in the tree that ${checkpoint.origin} signed, but the policy asks for more countersignatures than those of ${by}`,
      `leaf ${index} of ${checkpoint.size}, root ${toHex(checkpoint.root.subarray(0, 16))}…; the gateway says it was derived at ${new Date(entry.time).toISOString()}`,
      ...(frame === undefined ? [] : frameInWords(frame.bytes)),
    ],
  };
}

function frameInWords(bytes: Uint8Array): readonly string[] {
  const { source, device, topic, receivedAt, clockTrust, payload } = decodeFrame(Buffer.from(bytes));
  return [`it came by ${source}${device === '' ? '' : ` from ${device}`}${topic === '' ? '' : ` on ${topic}`} at ${new Date(receivedAt).toISOString()} (clock ${clockTrust}):`, Buffer.from(payload).toString('utf8')];
}

const gatewayKeys = ({ logs }: Policy): Policy['logs'] => logs.filter(({ kind }) => kind === 'header');

/** A COSE receipt for an entry. */
export function judgeReceipt(receipt: Uint8Array, entry: Uint8Array, policy: Policy, check: SignatureCheck): Judgement {
  const reasons: string[] = [];
  for (const { name, publicKey } of gatewayKeys(policy)) {
    try {
      const { size, index, root } = verifyCoseReceipt(receipt, entry, publicKey, check);
      return { outcome: 'good', lines: [`good: the entry is leaf ${index} of ${size} in a tree that the gateway of ${name} signed, root ${toHex(root.subarray(0, 16))}…; a COSE receipt has no countersignatures`] };
    } catch (error) {
      if (!(error instanceof CborError) && !(error instanceof ProofRejected)) throw error;
      reasons.push(error.message);
    }
  }
  return { outcome: 'bad', lines: [`BAD: ${reasons[0] ?? 'the policy knows no gateway'}`] };
}

/** The evidence of a fork: two blocks, one after the other, as a hospital node gives them under /v1/forks. */
export async function judgeFork(bytes: Uint8Array, policy: Policy, check: SignatureCheck): Promise<Judgement> {
  const reasons: string[] = [];
  try {
    const blocks = (await Array.fromAsync(readBlocks(bytes))).map((block) => openBlock(block));
    const [one, other] = blocks;
    if (one === undefined || other === undefined || blocks.length > 2) throw new BlockRejected('malformed', `${blocks.length} blocks; evidence of a fork is two`);
    for (const { name, publicKey } of gatewayKeys(policy).filter((each) => each.name === originOf(one.header))) {
      try {
        const { height, hashes } = verifyFork(one, other, publicKey, check);
        return { outcome: 'good', lines: [`PROVEN: the gateway of ${name} signed two histories: ${hashes.map(toHex).join(' and ')} cannot both stand at height ${height}`] };
      } catch (error) {
        if (!(error instanceof BlockRejected)) throw error;
        reasons.push(error.message);
      }
    }
  } catch (error) {
    if (!(error instanceof BlockRejected)) throw error;
    reasons.push(error.message);
  }
  return { outcome: 'bad', lines: [`PROVES NOTHING: ${reasons[0] ?? 'the policy knows no such chain'}`] };
}

/** A whole chain, from its genesis on, or from where it was pruned; with a policy, also whether its keys are those of the policy. */
export async function judgeChain(blocks: Parameters<typeof verifyChain>[0], policy: Policy | undefined, check: SignatureCheck, begun: readonly ChainState[] = []): Promise<Judgement> {
  const verdict = await verifyChain(blocks, { check, begun });
  const differences = policy === undefined || !verdict.ok ? [] : [...new Set([...verdict.states.values()].flatMap((state) => differencesOf(policy, state)))];
  if (differences.length > 0) return { outcome: 'bad', lines: [`BAD: a whole chain, but not one of the policy: ${differences.join('; ')}`] };
  const pruned = begun.map(({ lane, height }) => `; lane ${lane} only from block ${height + 1} on, what was before has to be verified at a hospital`).join('');
  return { outcome: verdict.ok ? 'good' : 'bad', lines: [chainInWords(verdict) + pruned] };
}

/** A policy may believe those the chain began with, whose signatures lead to those in force, or those in force. */
function differencesOf(policy: Policy, state: ChainState): readonly string[] {
  const [begun, inForce] = [state.parameters, state.authority].map((parties) => differencesFrom(policy, originOf(state), parties));
  return inForce?.length === 0 ? [] : (begun ?? []);
}

function chainInWords(verdict: ChainVerdict): string {
  if (verdict.ok) {
    const lanes = [...verdict.states].map(([lane, { height }]) => `${lane} to height ${height}`).join(', ');
    return `good, ${verdict.blocks} blocks and ${verdict.entries} entries (${lanes})`;
  }
  const place = verdict.lane === undefined ? `block number ${verdict.position + 1}` : `block ${verdict.height} of lane ${verdict.lane}`;
  return `BAD at ${place}: ${verdict.reason}: ${verdict.message} (${verdict.position} good blocks before it)`;
}
