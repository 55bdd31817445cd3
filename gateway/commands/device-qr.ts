/** What a device needs to connect, as a QR code holds it; commands/README.md has the schema. */

import type { AddedDevice } from '../administration.ts';
import { UsageError } from '../errors.ts';

export type DeviceDocument = Readonly<{
  v: 1;
  id: string;
  /** The most private address; absent when nothing listens that the device could use. */
  url?: string;
  topic: string;
  password?: string;
  /** Base64 of DER: certificate (RFC 5280), private key (PKCS#8), the authority's certificate. */
  cert?: string;
  key?: string;
  ca?: string;
}>;

export function deviceDocument({ device, topic, urls, password, certificate, ca }: AddedDevice): DeviceDocument {
  const [url] = certificate === undefined ? urls : urls.filter((each) => /^(mqtts|wss):/.test(each));
  return {
    v: 1,
    id: device,
    ...(url === undefined ? {} : { url }),
    topic,
    ...(password === undefined ? {} : { password }),
    ...(certificate === undefined ? {} : { cert: derOf(certificate.certificate) }),
    ...(certificate?.privateKey === undefined ? {} : { key: derOf(certificate.privateKey) }),
    ...(ca === undefined ? {} : { ca: derOf(ca) }),
  };
}

/** RFC 7468: what stands between the lines with dashes. */
const derOf = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');

/** ISO/IEC 18004: a version 40 code of level L holds so many bytes. */
const LARGEST_DOCUMENT = 2953;
/** Up to here a code of level M is still easy to scan. */
const MEDIUM = 600;

/** The document as a QR code, for a terminal or as SVG. Throws {@link UsageError} when it is too large for one. */
export async function qrCodeOf(added: AddedDevice, type: 'terminal' | 'svg'): Promise<string> {
  const text = JSON.stringify(deviceDocument(added));
  const size = Buffer.byteLength(text);
  if (size > LARGEST_DOCUMENT) throw new UsageError(`${added.device} is registered, but what it needs is ${size} bytes, and a QR code holds ${LARGEST_DOCUMENT}`);
  // The more there is, the less of it can be spared for correcting errors: modules must stay large enough for a camera.
  const errorCorrectionLevel = size > MEDIUM ? 'L' : 'M';
  // Loaded when called for: few calls draw anything.
  const { default: qr } = await import('qrcode');
  return type === 'svg' ? await qr.toString(text, { type, errorCorrectionLevel }) : await qr.toString(text, { type, errorCorrectionLevel, small: true });
}
