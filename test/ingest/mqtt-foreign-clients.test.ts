import { describe, expect, it } from 'vitest';
import type { IssuedCertificate } from '../../gateway/ingest/device-ca.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { needs } from '../debian-packages.ts';
import { run, type Ended } from '../path/program.ts';
import { PASSWORD } from './broker-fixture.ts';
import { Folder, newCa } from './certificates.ts';
import { SecureBroker } from './secure-broker.ts';

const TOPIC = 'devices/clip/readings';
/** mosquitto_pub and mosquitto_sub end with the return code of CONNACK, or 27 when their time is over. */
const [NOT_AUTHORISED, TIME_IS_OVER] = [5, 27];

type Shown = Readonly<{ username?: string; password?: string; issued?: IssuedCertificate }>;

/** The words that libmosquitto's programs take for TLS. */
function tlsWords(broker: SecureBroker, folder: Folder, { username, password, issued }: Shown): string[] {
  return [
    '-h', 'localhost', '-p', String(broker.under.tlsPort), '--cafile', folder.file('ca.crt', broker.caPem),
    ...(username === undefined ? [] : ['-u', username]),
    ...(password === undefined ? [] : ['-P', password]),
    ...(issued === undefined ? [] : ['--cert', folder.file('device.crt', issued.certificate), '--key', folder.file('device.key', issued.privateKey ?? '')]),
  ];
}

const mosquitto = needs('mosquitto-clients', 'openssl');

describe.skipIf(mosquitto.missing)(`mosquitto_pub and mosquitto_sub over TLS${mosquitto.note}`, () => {
  const publish = (broker: SecureBroker, folder: Folder, shown: Shown, ...more: readonly string[]): Promise<Ended> =>
    run('mosquitto_pub', ...tlsWords(broker, folder, shown), '-t', TOPIC, '-m', 'x', ...more);

  it.each(['tlsv1.2', 'tlsv1.3'])('publish with every quality of service over %s, by password and by certificate', async (version) => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    const issued = await broker.enrol('clip');
    for (const shown of [{ username: 'clip', password: PASSWORD }, { issued }, { issued, username: 'clip' }]) {
      for (const qos of ['0', '1', '2']) expect((await publish(broker, folder, shown, '-q', qos, '--tls-version', version)).code).toBe(0);
    }
    expect([broker.under.frames.length, broker.under.offered.length, broker.under.observed.acceptedCount]).toEqual([6, 3, 6]);
    expect(broker.under.observed.reasons).toEqual([]);
  });

  it('see the acknowledgement that comes when the message is durable, and not before', async () => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    broker.under.holding = true;
    const published = publish(broker, folder, { issued: await broker.enrol('clip') }, '-q', '1', '-d');
    await broker.under.untilHeld(1);
    for (const { resolve } of broker.under.held) resolve();
    const { code, stdout } = await published;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/received PUBACK/)]);
  });

  const REFUSED: readonly (readonly [string, (broker: SecureBroker) => Promise<Shown>, string])[] = [
    ['a wrong password', () => Promise.resolve({ username: 'clip', password: 'guess' }), 'wrong_credentials'],
    ['a certificate of another authority', async () => ({ issued: await newCa().issue('clip' as DeviceId) }), 'wrong_certificate'],
    ['a certificate that was revoked', async (broker) => {
      const issued = await broker.enrol('clip');
      broker.under.certificates.delete('clip');
      return { issued };
    }, 'wrong_certificate'],
    ['the certificate of another device', async (broker) => ({ issued: await broker.enrol('other'), username: 'clip' }), 'wrong_certificate'],
    ['a certificate it made itself', () => {
      using folder = new Folder();
      folder.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'self.key', '-out', 'self.crt', '-subj', '/CN=clip');
      const [certificate, privateKey] = [folder.openssl('x509', '-in', 'self.crt'), folder.openssl('pkey', '-in', 'self.key')];
      return Promise.resolve({ issued: { certificate, privateKey, fingerprint: new Uint8Array(32), ca: '' } });
    }, 'wrong_certificate'],
  ];
  it.each(REFUSED)('are refused with %s', async (_what, shown, reason) => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    expect((await publish(broker, folder, await shown(broker), '-q', '1')).code).toBe(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual([reason]);
    expect(broker.under.frames).toEqual([]);
  });

  it('are refused without a certificate where one is required', async () => {
    using folder = new Folder();
    await using broker = await SecureBroker.start({ requireCertificate: true });
    expect((await publish(broker, folder, { username: 'clip', password: PASSWORD }, '-q', '1')).code).toBe(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual(['missing_certificate']);
  });

  it('do not talk to a gateway of another authority, or of another name', async () => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    const words = ['-p', String(broker.under.tlsPort), '-u', 'clip', '-P', PASSWORD, '-t', TOPIC, '-m', 'x', '-q', '1'];
    const other = folder.file('other.crt', await newCa().certificate());
    expect((await run('mosquitto_pub', '-h', 'localhost', '--cafile', other, ...words)).code).not.toBe(0);
    const ca = folder.file('ca.crt', broker.caPem);
    expect((await run('mosquitto_pub', '-h', '127.0.0.2', '--cafile', ca, ...words)).code).not.toBe(0);
    expect((await run('mosquitto_pub', '-h', '127.0.0.1', '--cafile', ca, ...words)).code).toBe(0);
    expect(broker.under.frames).toHaveLength(1);
  });

  it('subscribe to what is their own', async () => {
    using folder = new Folder();
    await using broker = await SecureBroker.start();
    const words = tlsWords(broker, folder, { issued: await broker.enrol('clip') });
    const own = await run('mosquitto_sub', ...words, '-t', 'devices/clip/#', '-W', '1', '-d');
    expect([own.code, own.stdout]).toEqual([TIME_IS_OVER, expect.stringContaining('Subscribed (mid: 1): 0')]);
    const foreign = await run('mosquitto_sub', ...words, '-t', 'devices/other/#', '-W', '1', '-d');
    expect(foreign.stdout).toContain('Subscribed (mid: 1): 128');
    broker.under.certificates.delete('clip');
    expect((await run('mosquitto_sub', ...words, '-t', 'devices/clip/#', '-W', '1')).code).toBe(NOT_AUTHORISED);
    expect(broker.under.observed.reasons).toEqual(['subscription', 'wrong_certificate']);
  });
});

const paho = needs('python3-paho-mqtt');

/** Publishes ten messages with QoS 1 and prints the return code of CONNACK and how many acknowledgements came. */
const PAHO = `
import sys, paho.mqtt.client as mqtt
host, port, transport, ca, cert, key, user, password = sys.argv[1:9]
acknowledged = []
def connected(client, userdata, flags, code):
    if code != 0:
        print(code, 0)
        return client.disconnect()
    for i in range(10):
        client.publish('devices/clip/readings', str(i), qos=1)
def published(client, userdata, mid):
    acknowledged.append(mid)
    if len(acknowledged) == 10:
        print(0, 10)
        client.disconnect()
# Paho 2 wants to be told how its callbacks are called.
version = [mqtt.CallbackAPIVersion.VERSION1] if hasattr(mqtt, 'CallbackAPIVersion') else []
client = mqtt.Client(*version, client_id='paho', transport=transport)
client.on_connect, client.on_publish = connected, published
client.tls_set(ca_certs=ca, certfile=cert or None, keyfile=key or None)
if user: client.username_pw_set(user, password)
if transport == 'websockets': client.ws_set_options(path='/mqtt')
client.connect(host, int(port))
client.loop_forever(retry_first_connection=False)
`;

describe.skipIf(paho.missing)(`Paho for Python over TLS${paho.note}`, () => {
  async function talk(broker: SecureBroker, { username = '', password = '', issued }: Shown, transport: 'tcp' | 'websockets' = 'tcp'): Promise<string> {
    using folder = new Folder();
    const files = issued === undefined ? ['', ''] : [folder.file('device.crt', issued.certificate), folder.file('device.key', issued.privateKey ?? '')];
    const port = transport === 'tcp' ? broker.under.tlsPort : broker.under.webSocketPort;
    const { stdout, stderr } = await run('/usr/bin/python3', '-W', 'ignore', '-c', PAHO, 'localhost', String(port), transport, folder.file('ca.crt', broker.caPem), ...files, username, password);
    return stderr === '' ? stdout.trim() : stderr;
  }

  it.each(['tcp', 'websockets'] as const)('is let in by password and by certificate over %s, and every message is acknowledged', async (transport) => {
    await using broker = await SecureBroker.start({ wss: true });
    const issued = await broker.enrol('clip');
    expect(await talk(broker, { username: 'clip', password: PASSWORD }, transport)).toBe('0 10');
    expect(await talk(broker, { issued }, transport)).toBe('0 10');
    expect(broker.under.frames).toHaveLength(20);
    broker.under.certificates.delete('clip');
    expect(await talk(broker, { issued }, transport)).toBe('5 0');
    expect(await talk(broker, { username: 'clip', password: 'guess' }, transport)).toBe('5 0');
    expect(broker.under.observed.reasons).toEqual(['wrong_certificate', 'wrong_credentials']);
  });
});
