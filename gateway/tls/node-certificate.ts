/**
 * TLS certificates of gateways and hospital nodes. They know each other by signing keys (secp256k1) already, which TLS cannot use; so
 * the key of the certificate (P-256) is signed with that one, and the signature stands in the certificate as an address (URI):
 *
 *     vitalgate:node:<base64url of a COSE_Sign1 in a domain of its own over { 1: 1, 2: signing key bstr 33, 3: SHA-256 of the
 *                     SubjectPublicKeyInfo bstr 32 }>
 *
 * No authority, no name and no date is needed, and none is heeded: clocks at the edge begin in 1970.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { HASH_BYTES, equalBytes, sha256 } from '../ledger/bytes.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { type CborKey, type CborValue, decode, encode } from '../ledger/cbor.ts';
import { DOMAINS, openSign1, sign1, verifySign1 } from '../ledger/cose.ts';
import { fingerprint, PUBLIC_KEY_BYTES, type SigningKey, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import type * as issuing from './certificate-issue.ts';

/** A certificate and its private key, both PEM. */
export type NodeCertificate = Readonly<{ certificate: string; key: string }>;

/** Where a node keeps them, for the owner's eyes only. `write` MUST be durable when it returns. */
export type CertificateFiles = Readonly<{ read: (name: string) => string | undefined; write: (name: string, text: string) => void }>;

const SCHEME = 'vitalgate:node:';
const VERSION = 1;
const CERTIFICATE_FILE = 'node-tls.crt';
const KEY_FILE = 'node-tls.key';

/** A new one for the node with this signing key. */
export async function makeNodeCertificate(key: SigningKey, random: (size: number) => Uint8Array): Promise<NodeCertificate> {
  const { issueSelfSigned } = await library();
  return await issueSelfSigned(`vitalgate ${fingerprint(key.publicKey)}`, (spki) => SCHEME + Buffer.from(bind(spki, key)).toString('base64url'), random);
}

/** The one that lies in `files`, when it is still of this signing key; else a new one, which is kept there. */
export async function nodeCertificateIn(files: CertificateFiles, key: SigningKey, random: (size: number) => Uint8Array): Promise<NodeCertificate> {
  const kept = { certificate: files.read(CERTIFICATE_FILE), key: files.read(KEY_FILE) };
  if (isOf(kept, key)) return kept;
  const made = await makeNodeCertificate(key, random);
  files.write(KEY_FILE, made.key);
  files.write(CERTIFICATE_FILE, made.certificate);
  return made;
}

/**
 * The signing key (33 bytes) that says of a certificate's key that it is its own; undefined for every other certificate. That the peer has
 * the certificate's private key is what TLS has shown (RFC 8446 §4.4.3).
 */
export function nodeKeyOf(certificate: X509Certificate): Uint8Array | undefined {
  const address = certificate.subjectAltName?.split(', ').find((name) => name.startsWith(`URI:${SCHEME}`));
  if (address === undefined) return undefined;
  try {
    const envelope = openSign1(Buffer.from(address.slice(`URI:${SCHEME}`.length), 'base64url'));
    const fields = new CborFields(decode(envelope.payload), 'binding', [1, 2, 3]);
    fields.version(1, VERSION);
    const key = fields.bytes(2, PUBLIC_KEY_BYTES);
    const isBound = equalBytes(fields.bytes(3, HASH_BYTES), sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })));
    return isBound && verifySign1(envelope, key, DOMAINS.tls, verifyWithNodeCrypto) ? key : undefined;
  } catch {
    // Neither need it be CBOR, nor its key be of a kind that node:crypto knows: a stranger made it.
    return undefined;
  }
}

function bind(spki: Uint8Array, key: SigningKey): Uint8Array {
  return sign1(encode(new Map<CborKey, CborValue>([[1, VERSION], [2, key.publicKey], [3, sha256(spki)]])), key, DOMAINS.tls);
}

/** Whatever else lies there can be made again. */
function isOf(kept: Readonly<{ [K in keyof NodeCertificate]: string | undefined }>, { publicKey }: SigningKey): kept is NodeCertificate {
  const { certificate, key } = kept;
  if (certificate === undefined || key === undefined) return false;
  try {
    const parsed = new X509Certificate(certificate);
    return parsed.checkPrivateKey(createPrivateKey(key)) && equalBytes(nodeKeyOf(parsed) ?? new Uint8Array(), publicKey);
  } catch {
    return false;
  }
}

/** It takes some 20 MB: loaded when a certificate is to be made. */
const library = (): Promise<typeof issuing> => import('./certificate-issue.ts');
