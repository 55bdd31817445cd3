/** Keys that sign checkpoints, how they are written down, and what a line of theirs has to hold. */

import { openBlockHeader } from './block.ts';
import { equalBytes, toHex } from './bytes.ts';
import { formatCheckpoint, type Checkpoint } from './checkpoint.ts';
import { openSign1, verifySign1, DOMAINS } from './cose.ts';
import { CborError } from './cbor.ts';
import { BlockRejected } from '../errors.ts';
import { PUBLIC_KEY_BYTES, type SignatureCheck } from './es256k.ts';
import { readReceipt, ReceiptRejected } from './receipt.ts';
import { base64In, isKeyName, keyIdOf, NoteRejected } from './signed-note.ts';

/**
 * - `header`: a gateway. The signature is the COSE_Sign1 of a block header whose tree is the checkpoint's.
 * - `receipt`: a hospital. The signature is its receipt for such a block.
 * - `ed25519`, `cosignature`: anybody's (C2SP signed-note, tlog-cosignature v1.0.1).
 */
export type NoteKeyKind = 'header' | 'receipt' | 'ed25519' | 'cosignature';

/** A key under a name. Its id is part of every line it signs. */
export type NoteKey = Readonly<{ kind: NoteKeyKind; name: string; publicKey: Uint8Array; keyId: number }>;

/** Judges an Ed25519 signature (RFC 8032). MUST return false, never throw, for what is none. */
export type Ed25519Check = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;

export type NoteChecks = Readonly<{ es256k: SignatureCheck; ed25519: Ed25519Check }>;

const ED25519_KEY_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
/** The specification's registry gives 0xff to whoever follows it with a longer name of their own. */
const own = (name: string): Uint8Array => Buffer.concat([Buffer.of(0xff), Buffer.from(name, 'utf8')]);
const TYPES: Readonly<Record<NoteKeyKind, Readonly<{ type: Uint8Array; length: number }>>> = {
  header: { type: own('vitalgate-header-v1'), length: PUBLIC_KEY_BYTES },
  receipt: { type: own('vitalgate-receipt-v1'), length: PUBLIC_KEY_BYTES },
  ed25519: { type: Buffer.of(1), length: ED25519_KEY_BYTES },
  cosignature: { type: Buffer.of(4), length: ED25519_KEY_BYTES },
};

export function noteKey(kind: NoteKeyKind, name: string, publicKey: Uint8Array): NoteKey {
  const { type, length } = TYPES[kind];
  if (!isKeyName(name) || publicKey.length !== length) throw new NoteRejected('malformed', `a key of kind ${kind} has a name without spaces and plus signs, and ${length} bytes`);
  return { kind, name, publicKey, keyId: keyIdOf(name, Buffer.concat([type, publicKey])) };
}

/** `<name>+<id, 8 hexadecimal digits>+<base64 of type ‖ key>` (signed-note, "Verifier keys"). */
export function formatNoteKey({ kind, name, publicKey, keyId }: NoteKey): string {
  return `${name}+${keyId.toString(16).padStart(8, '0')}+${Buffer.concat([TYPES[kind].type, publicKey]).toString('base64')}`;
}

/** Throws {@link NoteRejected} for what is no key, or not the one its id says. */
export function parseNoteKey(text: string): NoteKey {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = base64In(encoded);
  const kind = (Object.keys(TYPES) as NoteKeyKind[]).find((each) => bytes !== undefined && isOfType(bytes, TYPES[each]));
  if (bytes === undefined || kind === undefined) throw new NoteRejected('malformed', `"${text.slice(0, 80)}" is no key: expected name+id+base64, of a type this program knows`);
  const key = noteKey(kind, name, bytes.subarray(TYPES[kind].type.length));
  if (key.keyId !== Number.parseInt(id, 16)) throw new NoteRejected('malformed', `the id ${id} is not that of the key ${name}`);
  return key;
}

const isOfType = (bytes: Buffer, { type, length }: (typeof TYPES)[NoteKeyKind]): boolean => bytes.length === type.length + length && equalBytes(bytes.subarray(0, type.length), type);

/** Whether the key signed this checkpoint; never throws. `text`: of the note, as it stands there. */
export function signedBy(key: NoteKey, signature: Uint8Array, text: string, checkpoint: Checkpoint, checks: NoteChecks): boolean {
  switch (key.kind) {
    case 'header': return isHeaderOf(key, signature, checkpoint, checks);
    case 'receipt': return isReceiptOf(key, signature, checkpoint, checks);
    case 'ed25519': return signature.length === ED25519_SIGNATURE_BYTES && checks.ed25519(Buffer.from(text, 'utf8'), signature, key.publicKey);
    case 'cosignature': return isCosignature(key, signature, text, checks);
  }
}

function isHeaderOf({ publicKey }: NoteKey, signature: Uint8Array, checkpoint: Checkpoint, { es256k }: NoteChecks): boolean {
  return judged(() => {
    const envelope = openSign1(signature);
    const { chain, lane, treeSize, treeRoot } = openBlockHeader(envelope.payload);
    return says(checkpoint, { chain, lane, size: treeSize, root: treeRoot }) && verifySign1(envelope, publicKey, DOMAINS.block, es256k);
  });
}

function isReceiptOf({ publicKey }: NoteKey, signature: Uint8Array, checkpoint: Checkpoint, { es256k }: NoteChecks): boolean {
  return judged(() => {
    const { chain, lane, treeSize, treeRoot } = readReceipt(signature);
    return says(checkpoint, { chain, lane, size: treeSize, root: treeRoot }) && verifySign1(openSign1(signature), publicKey, DOMAINS.receipt, es256k);
  });
}

const says = (checkpoint: Checkpoint, { chain, lane, size, root }: Readonly<{ chain: Uint8Array; lane: string; size: number; root: Uint8Array }>): boolean =>
  formatCheckpoint(checkpoint) === formatCheckpoint({ origin: `vitalgate/${toHex(chain)}/${lane}`, size, root });

/** `cosignature/v1`, a line with the time, and the note (tlog-cosignature, "Format"). */
function isCosignature({ publicKey }: NoteKey, signature: Uint8Array, text: string, { ed25519 }: NoteChecks): boolean {
  if (signature.length !== 8 + ED25519_SIGNATURE_BYTES) return false;
  const time = Buffer.from(signature).readBigUInt64BE(0);
  return ed25519(Buffer.from(`cosignature/v1\ntime ${time}\n${text}`, 'utf8'), signature.subarray(8), publicKey);
}

function judged(judge: () => boolean): boolean {
  try {
    return judge();
  } catch (error) {
    if (error instanceof CborError || error instanceof BlockRejected || error instanceof ReceiptRejected) return false;
    throw error;
  }
}
