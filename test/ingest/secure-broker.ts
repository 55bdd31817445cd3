/** A broker with every kind of listener, its certificate authority, and clients for it. */

import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { DeviceCa, IssuedCertificate } from '../../gateway/ingest/device-ca.ts';
import type { MqttBrokerOptions } from '../../gateway/ingest/mqtt-broker.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { BrokerUnderTest, PASSWORD } from './broker-fixture.ts';
import { newCa } from './certificates.ts';

/** What is not its own, MQTT.js hands on to TLS. */
type ClientOptions = IClientOptions & Pick<ConnectionOptions, 'minVersion' | 'maxVersion'>;

const HERE = { host: '127.0.0.1', port: 0 };

export class SecureBroker implements AsyncDisposable {
  readonly under: BrokerUnderTest;
  readonly ca: DeviceCa;
  /** The authority's certificate, PEM. */
  readonly caPem: string;

  private constructor(under: BrokerUnderTest, ca: DeviceCa, caPem: string) {
    this.under = under;
    this.ca = ca;
    this.caPem = caPem;
  }

  static async start(options: Partial<MqttBrokerOptions> & { requireCertificate?: boolean; wss?: boolean } = {}): Promise<SecureBroker> {
    const ca = newCa();
    const serverCertificate = await ca.serverCertificate(['localhost', '127.0.0.1'], undefined);
    const { requireCertificate = false, wss = false, ...more } = options;
    const under = await BrokerUnderTest.start({ tls: { listen: HERE, requireCertificate }, webSocket: { listen: HERE, tls: wss }, serverCertificate, ...more });
    return new SecureBroker(under, ca, serverCertificate.ca);
  }

  /** Registers a new certificate for a device, in the place of the one it had. */
  async enrol(device: string, request?: string): Promise<IssuedCertificate> {
    const issued = await this.ca.issue(device as DeviceId, request);
    this.under.certificates.set(device, Buffer.from(issued.fingerprint).toString('hex'));
    return issued;
  }

  /** A connection of the MQTT.js client with a password, or with a certificate; rejects when it is refused. */
  async connect(scheme: 'mqtt' | 'mqtts' | 'ws' | 'wss', options: ClientOptions = {}): Promise<MqttClient> {
    const port = { mqtt: this.under.port, mqtts: this.under.tlsPort, ws: this.under.webSocketPort, wss: this.under.webSocketPort }[scheme];
    const url = `${scheme}://localhost:${port}${scheme.startsWith('ws') ? '/mqtt' : ''}`;
    return await connectAsync(url, { ca: this.caPem, reconnectPeriod: 0, protocolVersion: 4, ...options }, false);
  }

  /** What a connection with a password shows. */
  login(device: string, password = PASSWORD): ClientOptions {
    return { clientId: device, username: device, password };
  }

  /** What a connection with a certificate shows. */
  showing({ certificate, privateKey }: IssuedCertificate, more: ClientOptions = {}): ClientOptions {
    return { cert: certificate, key: privateKey ?? '', ...more };
  }

  /** A TLS connection that says nothing yet; resolves when the handshake is over at this end. */
  async openTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    return await new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port: this.under.tlsPort, ca: this.caPem, ...options });
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  /** Resolves when the client's connection is gone. */
  async closed(client: MqttClient): Promise<void> {
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
  }

  /** Resolves when so many connections or messages were turned away. */
  async untilRefused(count: number): Promise<void> {
    await this.under.observed.until(() => this.under.observed.refusals.length >= count);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.under[Symbol.asyncDispose]();
  }
}
