import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encode } from '../../gateway/ledger/cbor.ts';
import { DOMAINS, sign1 } from '../../gateway/ledger/cose.ts';
import type { SigningKey } from '../../gateway/ledger/es256k.ts';
import { issueSelfSigned } from '../../gateway/tls/certificate-issue.ts';
import { makeNodeCertificate, nodeCertificateIn, nodeKeyOf, type CertificateFiles } from '../../gateway/tls/node-certificate.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { countingBytes } from '../vault/known-keys.ts';

const random = countingBytes();
const NORTH = keyOf('north');

const keyIn = (pem: string): Uint8Array | undefined => nodeKeyOf(new X509Certificate(pem));
const addressOf = (binding: Uint8Array): string => `vitalgate:node:${Buffer.from(binding).toString('base64url')}`;

/** A certificate that claims, signed by `signer`, to be that of `claimed`. */
async function claiming(signer: SigningKey, claimed: Uint8Array, of: (spki: Uint8Array) => Uint8Array = hash, domain: (typeof DOMAINS)[keyof typeof DOMAINS] = DOMAINS.tls): Promise<string> {
  const { certificate } = await issueSelfSigned('claim', (spki) => addressOf(sign1(encode(new Map<number, number | Uint8Array>([[1, 1], [2, claimed], [3, of(spki)]])), signer, domain)), random);
  return certificate;
}

const hash = (spki: Uint8Array): Uint8Array => createHash('sha256').update(spki).digest();

describe('the certificate of a node', () => {
  it('says whose it is: the key that signed it, whatever its name and dates say', async () => {
    const { certificate } = await makeNodeCertificate(NORTH, random);
    expect(keyIn(certificate)).toEqual(NORTH.publicKey);
    expect(keyIn(await claiming(NORTH, NORTH.publicKey))).toEqual(NORTH.publicKey);
  });

  it('is nobody\'s when another key signed the claim', async () => {
    expect(keyIn(await claiming(keyOf('mallory'), NORTH.publicKey))).toBeUndefined();
  });

  it('is nobody\'s when the claim was taken out of another certificate', async () => {
    const { certificate } = await makeNodeCertificate(NORTH, random);
    const address = /URI:(\S+)/.exec(new X509Certificate(certificate).subjectAltName ?? '')?.[1] ?? '';
    const stolen = await issueSelfSigned('stolen', () => address, random);
    expect(keyIn(stolen.certificate)).toBeUndefined();
  });

  it('is nobody\'s when the signature was made for something else, or is none', async () => {
    expect(keyIn(await claiming(NORTH, NORTH.publicKey, hash, DOMAINS.block))).toBeUndefined();
    for (const binding of [new Uint8Array(), Uint8Array.of(0xff), random(200)]) {
      const { certificate } = await issueSelfSigned('noise', () => addressOf(binding), random);
      expect(keyIn(certificate)).toBeUndefined();
    }
    const { certificate } = await issueSelfSigned('other', () => 'https://hospital.example/', random);
    expect(keyIn(certificate)).toBeUndefined();
  });
});

describe('where a node keeps its certificate', () => {
  it('the one that is there is used again, until the node has another key or one of the files is damaged', async () => {
    const kept = new Map<string, string>();
    const files: CertificateFiles = { read: (name) => kept.get(name), write: (name, text) => void kept.set(name, text) };
    const first = await nodeCertificateIn(files, NORTH, random);
    expect(await nodeCertificateIn(files, NORTH, random)).toEqual(first);

    const next = await nodeCertificateIn(files, keyOf('next'), random);
    expect(keyIn(next.certificate)).toEqual(keyOf('next').publicKey);

    for (const name of kept.keys()) {
      kept.set(name, 'half a fi');
      const mended = await nodeCertificateIn(files, keyOf('next'), random);
      expect(keyIn(mended.certificate)).toEqual(keyOf('next').publicKey);
      expect(mended).toEqual({ certificate: kept.get('node-tls.crt'), key: kept.get('node-tls.key') });
    }
  });
});
