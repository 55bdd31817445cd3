import { createHash, type X509Certificate } from 'node:crypto';
import { isDeviceId, type DeviceId } from '../reading.ts';

/** RFC 5280 §4.2.1.12: id-kp-clientAuth. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** A device that shows a certificate of ours; `fingerprint` is the SHA-256 of its DER bytes, by which it is registered. */
export type DeviceCertificate = Readonly<{ device: DeviceId; fingerprint: Uint8Array }>;

export const fingerprintOf = (certificate: X509Certificate): Uint8Array => createHash('sha256').update(certificate.raw).digest();

/**
 * Which device a certificate is for: one that `authority` signed for a client, and whose subject is nothing but a common name
 * that is a device id. Undefined for every other certificate. Dates are not judged, because the clocks of gateways and
 * devices may be wrong by decades; a certificate is ended by its fingerprint being registered no more. Whether the peer has
 * the private key is what TLS has shown (RFC 8446 §4.4.3).
 */
export function readDeviceCertificate(certificate: X509Certificate, authority: X509Certificate): DeviceCertificate | undefined {
  const issued = !certificate.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  // Extended key usage, in spite of its name in node:crypto.
  if (!issued || !(certificate.keyUsage as readonly string[] | undefined)?.includes(CLIENT_AUTH)) return undefined;
  const device = /^CN=(.*)$/.exec(certificate.subject)?.[1] ?? '';
  return isDeviceId(device) ? { device, fingerprint: fingerprintOf(certificate) } : undefined;
}
