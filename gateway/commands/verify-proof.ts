import { readFileSync } from 'node:fs';
import { UnreadableError, VitalgateError, messageOf } from '../errors.ts';
import { verifyEd25519 } from '../ledger/ed25519.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { parsePolicy, PolicyRejected, type Policy } from '../ledger/policy.ts';
import { judgeFork, judgeProof, judgeReceipt, type Judgement } from '../verifier/judgement.ts';
import type { Environment } from './command.ts';

/** Exit codes of what is checked. */
const CODES: Readonly<Record<Judgement['outcome'], number>> = { good: 0, bad: 1, 'not final': 3 };

const CHECKS = { es256k: verifyWithNodeCrypto, ed25519: verifyEd25519 };

/** Checks a proof with two files and nothing else. Throws {@link UnreadableError} for files that cannot be read. */
export function checkProof(path: string, policyPath: string, entryPath: string | undefined, environment: Environment): number {
  return told(judgeProof(readText(path), readPolicy(policyPath), CHECKS, entryPath === undefined ? undefined : readBytes(entryPath)), environment);
}

/** Checks a COSE receipt for an entry. */
export function checkReceipt(path: string, policyPath: string, entryPath: string, environment: Environment): number {
  return told(judgeReceipt(readBytes(path), readBytes(entryPath), readPolicy(policyPath), verifyWithNodeCrypto), environment);
}

/** Checks the evidence of a fork: two blocks, one after the other, as a hospital node gives them under /v1/forks. */
export async function checkFork(path: string, policyPath: string, environment: Environment): Promise<number> {
  return told(await judgeFork(readBytes(path), readPolicy(policyPath), verifyWithNodeCrypto), environment);
}

function told({ outcome, lines }: Judgement, { out }: Environment): number {
  for (const line of lines) out(line);
  return CODES[outcome];
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
