import { X509Certificate, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readDeviceCertificate } from '../../gateway/ingest/device-certificate.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { needs } from '../debian-packages.ts';
import { FilesInMemory, Folder, newCa } from './certificates.ts';

const needed = needs('openssl');
const CLIP = 'clip' as DeviceId;
const NAMES = ['gateway.local', 'localhost', '192.0.2.7', 'fd00::7'];
const NOW = UnixMillis(Date.UTC(2026, 0, 1));
const DAY = 24 * 3600 * 1000;

/** The text openssl prints about a certificate. */
function textOf(pem: string): string {
  using folder = new Folder();
  return folder.openssl('x509', '-in', folder.file('a.crt', pem), '-noout', '-text');
}

describe.skipIf(needed.missing)(`the device authority${needed.note}`, () => {
  it('is made once, with a key for its owner, and read again', async () => {
    const files = new FilesInMemory();
    const ca = await newCa(files).certificate();
    expect(files.writes).toEqual(['ca.key', 'ca.crt']);
    expect(createPrivateKey(files.texts.get('ca.key') ?? '').asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(await newCa(files).certificate()).toBe(ca);
    expect(files.writes).toHaveLength(2);
  });

  it('is made once also when several ask at a time', async () => {
    const files = new FilesInMemory();
    const ca = newCa(files);
    const certificates = await Promise.all([ca.certificate(), ca.certificate(), ca.issue(CLIP).then((issued) => issued.ca)]);
    expect(new Set(certificates).size).toBe(1);
    expect(files.writes).toEqual(['ca.key', 'ca.crt']);
  });

  it('signs certificates and CRLs, not other authorities, from 1970 to 2049', async () => {
    const pem = await newCa().certificate();
    const certificate = new X509Certificate(pem);
    expect([certificate.ca, certificate.verify(certificate.publicKey), certificate.validFrom, certificate.validTo]).toEqual([
      true, true, 'Jan  1 00:00:00 1970 GMT', 'Dec 31 23:59:59 2049 GMT',
    ]);
    const text = textOf(pem);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(text).toContain('X509v3 Subject Key Identifier');
  });

  it('makes its certificate again from its key, and what it signed stays good', async () => {
    const files = new FilesInMemory();
    const { certificate } = await newCa(files).issue(CLIP);
    files.texts.delete('ca.crt');
    const again = new X509Certificate(await newCa(files).certificate());
    expect(new X509Certificate(certificate).verify(again.publicKey)).toBe(true);
  });

  it.each<[string, (files: FilesInMemory, other: FilesInMemory) => void, RegExp]>([
    ['a certificate without its key', (files) => files.texts.delete('ca.key'), /ca\.crt is there and its key ca\.key is not/],
    ['the key of another', (files, other) => files.texts.set('ca.key', other.texts.get('ca.key') ?? ''), /ca\.key is not the key of ca\.crt/],
    ['a key that is none', (files) => files.texts.set('ca.key', 'no key'), /cannot be read/],
    ['a key that is none and no certificate', (files) => (files.texts.delete('ca.crt'), files.texts.set('ca.key', 'no key')), /must be a P-256 key/],
  ])('refuses %s, and replaces nothing', async (_what, damage, message) => {
    const [files, other] = [new FilesInMemory(), new FilesInMemory()];
    await Promise.all([newCa(files).certificate(), newCa(other).certificate()]);
    damage(files, other);
    const before = new Map(files.texts);
    await expect(newCa(files).certificate()).rejects.toMatchObject({ code: 'VG_CONFIG', message: expect.stringMatching(message) as string });
    expect(files.texts).toEqual(before);
  });
});

describe.skipIf(needed.missing)(`a device certificate${needed.note}`, () => {
  it('names the device, is for a client, and is signed by the authority', async () => {
    const issued = await newCa().issue(CLIP);
    const [certificate, ca] = [new X509Certificate(issued.certificate), new X509Certificate(issued.ca)];
    expect([certificate.subject, certificate.issuer, certificate.ca]).toEqual(['CN=clip', ca.subject, false]);
    expect([certificate.verify(ca.publicKey), certificate.checkIssued(ca), certificate.keyUsage]).toEqual([true, true, ['1.3.6.1.5.5.7.3.2']]);
    expect([certificate.validFrom, certificate.validTo]).toEqual(['Jan  1 00:00:00 1970 GMT', 'Dec 31 23:59:59 2049 GMT']);
    expect(certificate.checkPrivateKey(createPrivateKey(issued.privateKey ?? ''))).toBe(true);
    expect(Buffer.from(issued.fingerprint).toString('hex')).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(textOf(issued.certificate)).toMatch(/Key Usage: critical\s+Digital Signature\n/);
  });

  it('is what openssl verifies, for a client and for nothing else', async () => {
    using folder = new Folder();
    const issued = await newCa().issue(CLIP);
    const [ca, certificate] = [folder.file('ca.crt', issued.ca), folder.file('clip.crt', issued.certificate)];
    expect(folder.openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ca, certificate)).toContain('OK');
    expect(() => folder.openssl('verify', '-purpose', 'sslserver', '-CAfile', ca, certificate)).toThrow('unsuitable certificate purpose');
    const other = folder.file('other.crt', await newCa().certificate());
    expect(() => folder.openssl('verify', '-CAfile', other, certificate)).toThrow('unable to get local issuer certificate');
  });

  it('has a random serial number of 16 bytes, positive and never the same', async () => {
    const ca = newCa();
    const serials = await Promise.all(Array.from({ length: 20 }, async () => new X509Certificate((await ca.issue(CLIP)).certificate).serialNumber));
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(new Set(serials).size).toBe(20);
  });

  it.each(['A-z_0.9', '-minus', '_under', 'x'.repeat(64)])('carries any device id, such as %s', async (id) => {
    const issued = await newCa().issue(id as DeviceId);
    expect(readDeviceCertificate(new X509Certificate(issued.certificate), new X509Certificate(issued.ca))?.device).toBe(id);
  });
});

describe.skipIf(needed.missing)(`a certificate request${needed.note}`, () => {
  const request = (folder: Folder, ...algorithm: readonly string[]): string =>
    folder.openssl('req', '-new', '-newkey', ...algorithm, '-nodes', '-keyout', 'device.key', '-subj', '/O=Somebody/CN=other', '-addext', 'basicConstraints=critical,CA:TRUE');

  it.each([
    ['P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['RSA', ['rsa:2048']],
  ])('with a %s key of the device is certified; nothing else it says counts', async (_what, algorithm) => {
    using folder = new Folder();
    const csr = request(folder, ...algorithm);
    const issued = await newCa().issue(CLIP, csr);
    expect(issued.privateKey).toBeUndefined();
    const certificate = new X509Certificate(issued.certificate);
    expect([certificate.subject, certificate.ca, certificate.keyUsage]).toEqual(['CN=clip', false, ['1.3.6.1.5.5.7.3.2']]);
    expect(folder.openssl('x509', '-in', folder.file('clip.crt', issued.certificate), '-noout', '-pubkey')).toBe(folder.openssl('pkey', '-in', 'device.key', '-pubout'));
    expect(folder.openssl('verify', '-purpose', 'sslclient', '-CAfile', folder.file('ca.crt', issued.ca), 'clip.crt')).toContain('OK');
  });

  it.each([
    ['a weak RSA key', ['rsa:1024'], /kind rsa 1024/],
    ['a curve few devices know', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp521r1'], /kind ec secp521r1/],
    ['a key that only signs in another way', ['ed25519'], /kind ed25519/],
  ])('with %s is refused', async (_what, algorithm, message) => {
    using folder = new Folder();
    const csr = request(folder, ...algorithm);
    await expect(newCa().issue(CLIP, csr)).rejects.toMatchObject({ code: 'VG_USAGE', message: expect.stringMatching(message) as string });
  });

  it('that its key did not sign is refused', async () => {
    using folder = new Folder();
    const csr = request(folder, 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
    const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const name = der.indexOf('Somebody');
    der.write('Anybody!', name);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(newCa().issue(CLIP, forged)).rejects.toMatchObject({ code: 'VG_USAGE', message: expect.stringContaining('not signed with the key') as string });
  });

  it.each(['', 'a password', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n', 'x'.repeat(100_000)])('that is none is refused', async (csr) => {
    await expect(newCa().issue(CLIP, csr)).rejects.toMatchObject({ code: 'VG_USAGE' });
  });
});

describe.skipIf(needed.missing)(`the server certificate${needed.note}`, () => {
  it('is for the names and addresses of this gateway, as a server', async () => {
    using folder = new Folder();
    const { certificate, ca, key } = await newCa().serverCertificate(NAMES, NOW);
    const parsed = new X509Certificate(certificate);
    expect(parsed.subjectAltName).toBe('DNS:gateway.local, DNS:localhost, IP Address:192.0.2.7, IP Address:FD00:0:0:0:0:0:0:7');
    expect([parsed.keyUsage, parsed.checkPrivateKey(createPrivateKey(key))]).toEqual([['1.3.6.1.5.5.7.3.1'], true]);
    const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', folder.file('ca.crt', ca), '-verify_hostname', 'gateway.local'];
    expect(folder.openssl(...verify, folder.file('server.crt', certificate))).toContain('OK');
  });

  it('is kept while it is good, whether the clock can be believed or not', async () => {
    const files = new FilesInMemory();
    const { certificate } = await newCa(files).serverCertificate(NAMES, NOW);
    for (const now of [NOW, undefined, UnixMillis(0), UnixMillis(Date.UTC(2049, 11, 31) - 31 * DAY)]) {
      expect((await newCa(files).serverCertificate(NAMES.toReversed(), now)).certificate).toBe(certificate);
    }
  });

  it.each<[string, readonly string[], UnixMillis, (files: FilesInMemory) => unknown]>([
    ['there are fewer names', NAMES.slice(1), NOW, () => undefined],
    ['there are more names', [...NAMES, 'more.local'], NOW, () => undefined],
    ['an address changed', [...NAMES.slice(0, 3), 'fd00::8'], NOW, () => undefined],
    ['it ends soon', NAMES, UnixMillis(Date.UTC(2049, 11, 31) - 29 * DAY), () => undefined],
    ['its key is lost', NAMES, NOW, (files) => files.texts.delete('server.key')],
    ['it is damaged', NAMES, NOW, (files) => files.texts.set('server.crt', 'no certificate')],
    ['there is another authority', NAMES, NOW, (files) => (files.texts.delete('ca.key'), files.texts.delete('ca.crt'))],
  ])('is made again when %s', async (_what, names, now, change) => {
    const files = new FilesInMemory();
    const before = await newCa(files).serverCertificate(NAMES, NOW);
    change(files);
    const after = await newCa(files).serverCertificate(names, now);
    expect(after.certificate).not.toBe(before.certificate);
    expect(new X509Certificate(after.certificate).verify(new X509Certificate(after.ca).publicKey)).toBe(true);
    expect((await newCa(files).serverCertificate(names, NOW)).certificate).toBe(after.certificate);
  });
});

describe.skipIf(needed.missing)(`who a certificate is for${needed.note}`, () => {
  it('is told by certificates of the authority for clients, and by no others', async () => {
    using folder = new Folder();
    const ca = newCa();
    const [own, foreign] = [await ca.issue(CLIP), await newCa().issue(CLIP)];
    const authority = new X509Certificate(own.ca);
    const read = (pem: string): unknown => readDeviceCertificate(new X509Certificate(pem), authority);
    expect(read(own.certificate)).toEqual({ device: 'clip', fingerprint: own.fingerprint });
    folder.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'self.key', '-out', 'self.crt', '-subj', '/CN=clip', '-addext', 'extendedKeyUsage=clientAuth');
    const selfMade = folder.openssl('x509', '-in', 'self.crt');
    const server = (await ca.serverCertificate(['clip'], NOW)).certificate;
    for (const pem of [foreign.certificate, foreign.ca, own.ca, server, selfMade]) expect(read(pem)).toBeUndefined();
  });
});
