// oxlint-disable-next-line import/no-unassigned-import -- what it changes is asked for by a library of @peculiar/x509, before that one
import 'reflect-metadata';
import { KeyObject } from 'node:crypto';
import { BasicConstraintsExtension, Name, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import type { KeyedCertificate } from '../../gateway/tls/certificate-issue.ts';

/** From one authority, for 127.0.0.1, valid between two dates. */
export async function datedCertificate(notBefore: string, notAfter: string): Promise<KeyedCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: new Name([{ CN: ['127.0.0.1'] }]),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new BasicConstraintsExtension(true, 0, true), new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  return { certificate: certificate.toString('pem'), key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString() };
}
