/** The broker as this gateway runs it: from the configuration to the listeners, and what of it people are told. */

import type { AddressInfo } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { AdministrationOptions } from './administration.ts';
import type { GatewayConfig } from './config/schema.ts';
import { deviceUrls, machineNames } from './device-urls.ts';
import type { Clock } from './ingest/clock.ts';
import type { DeviceCa } from './ingest/device-ca.ts';
import { Authenticator, type CredentialStore } from './ingest/devices.ts';
import { startMqttBroker, type MqttBroker, type MqttObserver } from './ingest/mqtt-broker.ts';
import type { ServerCertificate } from './ingest/mqtt-layer.ts';
import type { Logger } from './operations/log.ts';
import { LogThrottle } from './operations/log-throttle.ts';
import type { GatewayMetrics } from './operations/metrics.ts';
import type { Pipeline } from './pipeline.ts';
import type { Progress } from './progress.ts';
import type { RefusedLogins } from './refused-logins.ts';

type MqttConfig = GatewayConfig['mqtt'];

export type DeviceBrokerParts = Readonly<{
  config: GatewayConfig;
  stores: Readonly<{ credentials: CredentialStore }>;
  ca: DeviceCa;
  serving: Served;
  pipeline: Pipeline;
  metrics: GatewayMetrics;
  progress: Progress;
  refusedLogins: RefusedLogins;
  clock: Clock;
  log: Logger;
}>;

/** MQTT over TCP, TLS and WebSocket as host:port, as far as they listen. */
export type MqttAddresses = Readonly<{ mqtt?: string; mqtts?: string; webSocket?: string }>;

/** Filled in when there is a broker: administration is there before it. */
export type Served = { broker: MqttBroker | undefined };

const namesOf = ({ tls }: MqttConfig): readonly string[] => tls?.names ?? machineNames(hostname(), networkInterfaces());

const speaksTls = ({ tls, webSocket }: MqttConfig): boolean => webSocket?.tls === true || (tls !== undefined && tls.listen !== 'none');

/** What administration may know and do of the broker. */
export function reachOf(mqtt: MqttConfig, serving: Served): Pick<AdministrationOptions, 'disconnect' | 'reach'> {
  return {
    disconnect: (device) => serving.broker?.disconnect(device) ?? 0,
    reach: () => ({ urls: deviceUrls(mqtt, namesOf(mqtt), serving.broker?.addresses ?? {}), tls: speaksTls(mqtt) }),
  };
}

/** Throws {@link ConfigError} when an address cannot be taken, or the files of the certificate authority are not what they were. */
export async function startDeviceBroker(parts: DeviceBrokerParts): Promise<MqttBroker> {
  const { config, stores, pipeline, serving, clock } = parts;
  const authenticator = new Authenticator({ credentials: stores.credentials });
  serving.broker = await startMqttBroker(
    { ...config.mqtt, serverCertificate: await serverCertificate(parts) },
    {
      authenticate: (device, proof) => authenticator.authenticate(device, proof),
      accept: (frames) => pipeline.acceptAll(frames),
      offer: (frame) => pipeline.offer(frame),
      clock,
      observe: mqttObserver(parts),
    },
  );
  return serving.broker;
}

async function serverCertificate({ ca, config: { mqtt }, clock }: DeviceBrokerParts): Promise<ServerCertificate | undefined> {
  if (!speaksTls(mqtt)) return undefined;
  return await ca.serverCertificate(namesOf(mqtt), clock.trust() === 'implausible' ? undefined : clock.now());
}

export function addressesOf({ addresses: { tcp, tls, webSocket } }: MqttBroker): MqttAddresses {
  const text = ({ address, port }: AddressInfo): string => `${address}:${port}`;
  return {
    ...(tcp === undefined ? {} : { mqtt: text(tcp) }),
    ...(tls === undefined ? {} : { mqtts: text(tls) }),
    ...(webSocket === undefined ? {} : { webSocket: text(webSocket) }),
  };
}

function mqttObserver({ metrics, progress, refusedLogins, clock, log }: DeviceBrokerParts): MqttObserver {
  const throttle = new LogThrottle({ uptime: clock.uptime });
  return {
    connected: (delta) => metrics.connections.inc(delta),
    received: () => progress.received(),
    accepted: (waited) => metrics.ackSeconds.observe(waited / 1000),
    refused: (reason, detail) => {
      metrics.refused.inc({ reason });
      refusedLogins.note(detail.device ?? '', reason, clock.now());
      const suppressed = throttle.admit(`${reason} ${detail.device ?? ''}`);
      if (suppressed !== undefined) log.warn({ reason, ...detail, suppressed }, 'refused');
    },
    throttled: (device, duration) => {
      metrics.throttled.inc(duration / 1000);
      const suppressed = throttle.admit(`throttled ${device}`);
      if (suppressed !== undefined) log.warn({ device, suppressed }, 'throttled: the device sends faster than mqtt.maxRate or mqtt.maxRateBytes; its messages wait, none is lost');
    },
  };
}
