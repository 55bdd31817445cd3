/**
 * Makes X.509 certificates (RFC 5280). This file alone knows the library for that, and device-ca.ts loads it when there is a
 * certificate to be made: it takes some 20 MB.
 */

// oxlint-disable-next-line import/no-unassigned-import -- what it changes is asked for by a library of @peculiar/x509, before that one
import 'reflect-metadata';
import { KeyObject, createPublicKey, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type PublicKey,
} from '@peculiar/x509';
import { UsageError, messageOf } from '../errors.ts';
import { KiB } from '../quantity.ts';
import type { DeviceId } from '../reading.ts';

/** A certificate and its private key (PKCS#8, RFC 5958), both PEM. */
export type KeyedCertificate = Readonly<{ certificate: string; key: string }>;
type CryptoKey = webcrypto.CryptoKey;
type CryptoKeyPair = webcrypto.CryptoKeyPair;
type Random = (size: number) => Uint8Array;

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
/**
 * From the first moment to the last that a UTCTime can say (RFC 5280 §4.1.2.5.1). A Raspberry Pi without a battery clock, and
 * many a microcontroller, begins in 1970; certificates are ended by revocation, not by date.
 */
const VALIDITY = { notBefore: new Date('1970-01-01T00:00:00Z'), notAfter: new Date('2049-12-31T23:59:59Z') } as const;
const LONGEST_COMMON_NAME = 64;
const LONGEST_REQUEST = KiB(16);
const LEAST_RSA_BITS = 2048;

/** A new authority: it signs certificates of devices and servers, not of other authorities. */
export async function makeAuthority(random: Random): Promise<KeyedCertificate> {
  const keys = await newKeys();
  return { certificate: await selfSigned(keys, random), key: pemOf(keys.privateKey) };
}

/** Its certificate once more, where only the key is left: nothing it signed becomes invalid. */
export async function certificateForAuthority(key: string, random: Random): Promise<string> {
  const privateKey = await importKey(key);
  const publicKey = await crypto.subtle.importKey('spki', createPublicKey(key).export({ type: 'spki', format: 'der' }), P256, true, ['verify']);
  return await selfSigned({ privateKey, publicKey }, random);
}

async function selfSigned(keys: CryptoKeyPair, random: Random): Promise<string> {
  const serialNumber = serial(random);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber,
    // Two authorities of one name would be taken for one another by devices that know both.
    name: commonName(`Vitalgate device authority ${serialNumber.slice(0, 8)}`),
    ...VALIDITY,
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return certificate.toString('pem');
}

/** A certificate for a server that is reached by these DNS names and IP addresses, with a new key. */
export async function issueServerCertificate(authority: KeyedCertificate, names: readonly string[], random: Random): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const [first = ''] = names;
  const certificate = await issue(authority, random, {
    name: first.length <= LONGEST_COMMON_NAME ? first : 'vitalgate',
    publicKey: keys.publicKey,
    usage: ExtendedKeyUsage.serverAuth,
    more: [new SubjectAlternativeNameExtension(names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })))],
  });
  return { certificate, key: pemOf(keys.privateKey) };
}

/**
 * A certificate that signs itself, for a server and a client alike, with a new key: what makes it anybody's is the address (URI) that
 * `addressFor` gives for its public key (SubjectPublicKeyInfo, DER).
 */
export async function issueSelfSigned(name: string, addressFor: (publicKey: Uint8Array) => string, random: Random): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(random),
    name: commonName(name),
    ...VALIDITY,
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: addressFor(spki) }]),
    ],
  });
  return { certificate: certificate.toString('pem'), key: pemOf(keys.privateKey) };
}

/** A certificate for a device, with a new key. */
export async function issueDeviceCertificate(authority: KeyedCertificate, device: DeviceId, random: Random): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const certificate = await issue(authority, random, { name: device, publicKey: keys.publicKey, usage: ExtendedKeyUsage.clientAuth });
  return { certificate, key: pemOf(keys.privateKey) };
}

/**
 * A certificate for the key of a request (PKCS#10, RFC 2986, PEM), which MUST be signed with that key. Whatever else the
 * request asks for, its subject too, is not heeded. Throws {@link UsageError}.
 */
export async function certifyRequest(authority: KeyedCertificate, device: DeviceId, request: string, random: Random): Promise<string> {
  const { publicKey } = await readRequest(request);
  return await issue(authority, random, { name: device, publicKey, usage: ExtendedKeyUsage.clientAuth });
}

async function readRequest(text: string): Promise<Pkcs10CertificateRequest> {
  if (text.length > LONGEST_REQUEST || !text.includes('-----BEGIN')) throw new UsageError('the certificate request must be PKCS#10 as PEM, at most 16 KiB');
  let request: Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new Pkcs10CertificateRequest(text);
    refuseWeakKey(request.publicKey);
    isSigned = await request.verify();
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`the certificate request cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (!isSigned) throw new UsageError('the certificate request is not signed with the key it is for');
  return request;
}

function refuseWeakKey(publicKey: PublicKey): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = createPublicKey({ key: Buffer.from(publicKey.rawData), format: 'der', type: 'spki' });
  if (type === 'ec' && (details.namedCurve === 'prime256v1' || details.namedCurve === 'secp384r1')) return;
  if (type === 'rsa' && (details.modulusLength ?? 0) >= LEAST_RSA_BITS) return;
  const found = `${type} ${details.namedCurve ?? details.modulusLength ?? ''}`.trim();
  throw new UsageError(`the certificate request has a key of kind ${found}; expected P-256, P-384, or RSA of at least ${LEAST_RSA_BITS} bits`);
}

type Leaf = Readonly<{ name: string; publicKey: CryptoKey | PublicKey; usage: string; more?: readonly Extension[] }>;

async function issue(authority: KeyedCertificate, random: Random, { name, publicKey, usage, more = [] }: Leaf): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(random),
    subject: commonName(name),
    issuer: issuer.subjectName,
    ...VALIDITY,
    publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...more,
    ],
  });
  return certificate.toString('pem');
}

const commonName = (text: string): Name => new Name([{ CN: [{ utf8String: text }] }]);

/** 16 bytes, positive and in their shortest form (RFC 5280 §4.1.2.2: at most 20 octets), hexadecimal. */
function serial(random: Random): string {
  const bytes = Buffer.from(random(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(P256, true, ['sign', 'verify']);

const pemOf = (key: CryptoKey): string => KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();

async function importKey(pem: string): Promise<CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return await crypto.subtle.importKey('pkcs8', der, P256, false, ['sign']);
}
