import { X509Certificate, createPrivateKey } from 'node:crypto';
import { isIP } from 'node:net';
import { ConfigError, messageOf } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { DeviceId } from '../reading.ts';
import type * as issuing from '../tls/certificate-issue.ts';
import { fingerprintOf } from './device-certificate.ts';
import type { ServerCertificate } from './mqtt-layer.ts';

/** Where the authority keeps its files, for the owner's eyes only. */
export interface PrivateFiles {
  /** The text of a file, or undefined when there is none. Throws ConfigError when others could read it. */
  read(name: string): string | undefined;
  /** Writes or replaces. MUST NOT return before it is durable; a crash leaves the old file or the new one. */
  write(name: string, text: string): void;
  /** Where that is, for people. */
  pathOf(name: string): string;
}

/** What a device is given once; PEM. The private key is there when it was made here, and kept nowhere. */
export type IssuedCertificate = Readonly<{ certificate: string; privateKey?: string; fingerprint: Uint8Array; ca: string }>;

const CA_KEY = 'ca.key';
const CA_CERTIFICATE = 'ca.crt';
const SERVER_KEY = 'server.key';
const SERVER_CERTIFICATE = 'server.crt';
const RENEWED_BEFORE_END_MS = 30 * 24 * 3600 * 1000;

/**
 * The gateway's own certificate authority, for its devices and for itself. Its key is made when it is first needed, never
 * replaced, and leaves the data folder in nobody's hands: who has it can be any device that is registered by a certificate it
 * makes. Methods throw {@link ConfigError} for files that are not what they were.
 */
export class DeviceCa {
  readonly #files: PrivateFiles;
  readonly #random: (size: number) => Uint8Array;
  #opening: Promise<issuing.KeyedCertificate> | undefined;

  constructor(files: PrivateFiles, random: (size: number) => Uint8Array) {
    this.#files = files;
    this.#random = random;
  }

  /** The authority's certificate (PEM), by which devices recognise this gateway. */
  async certificate(): Promise<string> {
    return (await this.#open()).certificate;
  }

  /**
   * The certificate for this gateway under `names` (DNS names and IP addresses): the one that is there, or a new one when it is
   * for other names, or is near its end at `now`; undefined is a clock that cannot be believed.
   */
  async serverCertificate(names: readonly string[], now: UnixMillis | undefined): Promise<ServerCertificate> {
    const authority = await this.#open();
    const ca = authority.certificate;
    const [certificate, key] = [this.#files.read(SERVER_CERTIFICATE), this.#files.read(SERVER_KEY)];
    if (certificate !== undefined && key !== undefined && isStillGood({ certificate, key, ca }, names, now)) return { certificate, key, ca };
    const made = await (await library()).issueServerCertificate(authority, names, this.#random);
    this.#files.write(SERVER_KEY, made.key);
    this.#files.write(SERVER_CERTIFICATE, made.certificate);
    return { ...made, ca };
  }

  /** A certificate for a device: for the key of a certificate request (PKCS#10, PEM), or with a new key. Throws UsageError for a bad request. */
  async issue(device: DeviceId, request?: string): Promise<IssuedCertificate> {
    const authority = await this.#open();
    const { certifyRequest, issueDeviceCertificate } = await library();
    const { certificate, key } =
      request === undefined
        ? await issueDeviceCertificate(authority, device, this.#random)
        : { certificate: await certifyRequest(authority, device, request, this.#random), key: undefined };
    const fingerprint = fingerprintOf(new X509Certificate(certificate));
    return { certificate, ...(key === undefined ? {} : { privateKey: key }), fingerprint, ca: authority.certificate };
  }

  #open(): Promise<issuing.KeyedCertificate> {
    this.#opening ??= this.#openOrMake().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #openOrMake(): Promise<issuing.KeyedCertificate> {
    const [key, certificate] = [this.#files.read(CA_KEY), this.#files.read(CA_CERTIFICATE)];
    if (key === undefined && certificate !== undefined) {
      throw new ConfigError(`${this.#files.pathOf(CA_CERTIFICATE)} is there and its key ${CA_KEY} is not: restore it, or remove both and give every device a new certificate`);
    }
    if (key !== undefined && certificate !== undefined) return this.#checked({ key, certificate });
    const made = await this.#make(key);
    // In this order, so that a crash leaves no certificate without its key.
    if (key === undefined) this.#files.write(CA_KEY, made.key);
    this.#files.write(CA_CERTIFICATE, made.certificate);
    return made;
  }

  async #make(key: string | undefined): Promise<issuing.KeyedCertificate> {
    const { makeAuthority, certificateForAuthority } = await library();
    if (key === undefined) return await makeAuthority(this.#random);
    try {
      return { key, certificate: await certificateForAuthority(key, this.#random) };
    } catch (cause) {
      throw new ConfigError(`${this.#files.pathOf(CA_KEY)} must be a P-256 key, PKCS#8 as PEM: ${messageOf(cause)}`, { cause });
    }
  }

  #checked(authority: issuing.KeyedCertificate): issuing.KeyedCertificate {
    let belong = false;
    try {
      belong = new X509Certificate(authority.certificate).checkPrivateKey(createPrivateKey(authority.key));
    } catch (cause) {
      throw new ConfigError(`${this.#files.pathOf(CA_CERTIFICATE)} and ${CA_KEY} cannot be read: ${messageOf(cause)}`, { cause });
    }
    if (!belong) throw new ConfigError(`${this.#files.pathOf(CA_KEY)} is not the key of ${CA_CERTIFICATE}: restore both from one copy`);
    return authority;
  }
}

/** Loaded when a certificate is to be made. */
const library = (): Promise<typeof issuing> => import('../tls/certificate-issue.ts');

function isStillGood({ certificate, key, ca }: ServerCertificate, names: readonly string[], now: UnixMillis | undefined): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    const isOurs = parsed.checkPrivateKey(createPrivateKey(key)) && parsed.verify(new X509Certificate(ca).publicKey);
    return isOurs && isFor(parsed, names) && (now === undefined || parsed.validToDate.getTime() - now > RENEWED_BEFORE_END_MS);
  } catch {
    // Whatever stands there, it can be made again.
    return false;
  }
}

/** For these names and no others. */
function isFor(certificate: X509Certificate, names: readonly string[]): boolean {
  const count = certificate.subjectAltName?.split(', ').length ?? 0;
  return count === names.length && names.every((name) => (isIP(name) === 0 ? certificate.checkHost(name, { subject: 'never' }) : certificate.checkIP(name)) !== undefined);
}
