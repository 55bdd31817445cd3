import { X509Certificate, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AddedDevice } from '../../gateway/administration.ts';
import { deviceDocument, qrCodeOf } from '../../gateway/commands/device-qr.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { newCa } from '../ingest/certificates.ts';
import { readSvg, readTerminal } from './qr-reader.ts';

const URLS = ['mqtts://gateway.local:8883', 'wss://gateway.local:8884/mqtt', 'mqtt://gateway.local:1883'];
const BASE = { device: 'clip' as DeviceId, subject: null, topic: 'devices/clip/readings', urls: URLS };

async function withCertificate(): Promise<AddedDevice> {
  const { certificate, privateKey = '', ca } = await newCa().issue(BASE.device);
  return { ...BASE, certificate: { certificate, privateKey, ca }, ca };
}

describe('what a QR code tells a device', () => {
  it('is its id, where to go, its topic and its password', () => {
    expect(deviceDocument({ ...BASE, password: 'a password of mine' })).toEqual({
      v: 1, id: 'clip', url: 'mqtts://gateway.local:8883', topic: 'devices/clip/readings', password: 'a password of mine',
    });
  });

  it('is its certificate, its key and the authority, as another program reads them', async () => {
    const document = deviceDocument(await withCertificate());
    const [certificate, ca] = [document.cert, document.ca].map((text = '') => new X509Certificate(Buffer.from(text, 'base64')));
    expect(certificate?.subject).toBe('CN=clip');
    expect(certificate?.verify((ca as X509Certificate).publicKey)).toBe(true);
    expect(certificate?.checkPrivateKey(createPrivateKey({ key: Buffer.from(document.key ?? '', 'base64'), format: 'der', type: 'pkcs8' }))).toBe(true);
    expect(document.password).toBeUndefined();
  });

  it('is no address without TLS for a device with a certificate', async () => {
    const added = await withCertificate();
    expect(deviceDocument({ ...added, urls: URLS.slice(1) }).url).toBe('wss://gateway.local:8884/mqtt');
    expect('url' in deviceDocument({ ...added, urls: URLS.slice(2) })).toBe(false);
  });
});

describe('the QR code', () => {
  it.each<[string, () => Promise<AddedDevice>]>([
    ['a password', () => Promise.resolve({ ...BASE, password: 'pässwörd of mine' })],
    ['a certificate and its key', withCertificate],
  ])('with %s is read by another implementation, as SVG and from a terminal', async (_what, add) => {
    const added = await add();
    expect(JSON.parse(readSvg(await qrCodeOf(added, 'svg')))).toEqual(deviceDocument(added));
    expect(JSON.parse(readTerminal(await qrCodeOf(added, 'terminal')))).toEqual(deviceDocument(added));
  });

  it('is not drawn when there is too much for it', async () => {
    await expect(qrCodeOf({ ...BASE, password: 'x'.repeat(3000) }, 'svg')).rejects.toMatchObject({ code: 'VG_USAGE', message: expect.stringContaining('2953') as string });
  });
});
