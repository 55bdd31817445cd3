/** A NATS cluster with JetStream: reached, judged, and given the streams that blocks are kept in. */

import { jetstream, type JetStreamClient, jetstreamManager, type JetStreamManager, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { ConfigError, messageOf, StoreError } from '../errors.ts';
import { MAX_BLOCK_BYTES } from '../ledger/block.ts';
import { Seconds } from '../quantity.ts';

/** Before 2.10.27 a stream of several replicas lets several expectations of one sequence through, or loses a stream when a server dies. */
const OLDEST_VERSION = [2, 10, 27] as const;
const TIMEOUT = Seconds(5);
const REPLICAS = 3;
/** A lane is in the stream of its chain's first byte, modulo this. It MUST NOT change. */
export const STREAMS = 8;
/** Beside a block lie the state of the lane and the nodes of its tree. */
const MOST_BESIDE = 256 * 1024;

export type NatsOptions = Readonly<{
  /** `replicated`: a message is on the disks of a majority when it is acknowledged; what cannot be seen to be so is refused. */
  durability: 'replicated' | 'local';
}>;

type Cluster = Readonly<{ servers: readonly string[]; user: string | undefined; password: string | undefined; monitor: string | null; replicas: number; tls: boolean; name: string }>;

export type Nats = Readonly<{ name: string; connection: NatsConnection; manager: JetStreamManager; client: JetStreamClient; close: () => Promise<void> }>;

const SHAPE = /^nats:\/\/(?:(?<user>[^:@/?]*)(?::(?<password>[^@/?]*))?@)?(?<hosts>[^@/?]+)\/?(?:\?(?<settings>.*))?$/;

export const streamName = (index: number): string => `VITALGATE_${index}`;

/**
 * Connects to `nats://user:password@host:4222,host:4222?monitor=8222&replicas=3&tls=true` and makes the streams that are not there. `monitor`: the port of the
 * monitoring endpoint of each host; without it nobody can see whether a message is on a disk before it is acknowledged. Throws {@link ConfigError} for
 * another URL, {@link StoreError} when the cluster cannot be reached, is too old, or lets go of what it has acknowledged.
 */
export async function openNats(url: string, { durability }: NatsOptions): Promise<Nats> {
  const cluster = clusterIn(url);
  const { name } = cluster;
  if (durability === 'replicated') await assertDurable(cluster);
  const connection = await reached(cluster);
  try {
    const { version, max_payload: most } = connection.info ?? { version: 'none', max_payload: 0 };
    assertVersion(version, name);
    if (most < MAX_BLOCK_BYTES + MOST_BESIDE) throw new StoreError('VG_STORE_WRITE', `${name}: max_payload is ${most} bytes, a block may have ${MAX_BLOCK_BYTES}: expected for example 8MB`);
    const manager = await jetstreamManager(connection, { timeout: TIMEOUT });
    for (let index = 0; index < STREAMS; index++) await ensureStream(manager, index, cluster);
    return { name, connection, manager, client: jetstream(connection, { timeout: TIMEOUT }), close: () => connection.close() };
  } catch (thrown) {
    await connection.close();
    throw thrown instanceof StoreError ? thrown : new StoreError('VG_STORE_WRITE', `${name}: ${messageOf(thrown)}`);
  }
}

function clusterIn(url: string): Cluster {
  const parts = SHAPE.exec(url)?.groups;
  if (parts === undefined) throw new ConfigError('the URL of a NATS store is not of the form nats://host:4222,host:4222?monitor=8222');
  const { user, password, hosts = '', settings } = parts;
  const given = new URLSearchParams(settings);
  const replicas = Number(given.get('replicas') ?? REPLICAS);
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5) throw new ConfigError(`replicas=${given.get('replicas')} in the URL of a NATS store: expected 1 to 5`);
  const decoded = (text: string | undefined): string | undefined => (text === undefined ? undefined : decodeURIComponent(text));
  return { servers: hosts.split(','), user: decoded(user), password: decoded(password), monitor: given.get('monitor'), replicas, tls: given.get('tls') === 'true', name: `nats://${hosts}` };
}

async function reached({ servers, user, password, tls, name }: Cluster): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...servers], name: 'vitalgate', maxReconnectAttempts: -1, timeout: TIMEOUT,
      ...(user !== undefined && { user }), ...(password !== undefined && { pass: password }), ...(tls && { tls: {} }),
    });
  } catch (thrown) {
    throw new StoreError('VG_STORE_READ', `${name}: ${messageOf(thrown)}`);
  }
}

function assertVersion(version: string, name: string): void {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  const differs = OLDEST_VERSION.findIndex((least, index) => numbers[index] !== least);
  if (differs >= 0 && !((numbers[differs] ?? 0) > (OLDEST_VERSION[differs] ?? 0))) {
    throw new StoreError('VG_STORE_WRITE', `${name} runs NATS ${version}: expected ${OLDEST_VERSION.join('.')} or later, for earlier ones let several blocks of one height through`);
  }
}

/** Every server has to write to its disk before it acknowledges: https://docs.nats.io, JetStream sync_interval. */
async function assertDurable({ servers, monitor, name }: Cluster): Promise<void> {
  if (monitor === null) throw new StoreError('VG_STORE_WRITE', `${name}: whether sync_interval is always cannot be seen: expected the port of the monitoring endpoint, as in ?monitor=8222 (or durability: local)`);
  for (const server of servers) {
    const host = server.replace(/:\d+$/, '');
    const seen = await seenAt(`http://${host}:${monitor.includes(',') ? (monitor.split(',')[servers.indexOf(server)] ?? '') : monitor}/varz`);
    assertVersion(seen.version ?? 'none', server);
    if (seen.jetstream?.config?.sync_always !== true) throw new StoreError('VG_STORE_WRITE', `${server}: sync_interval is not always: a power cut could take blocks that were countersigned (or durability: local)`);
  }
}

type Seen = Readonly<{ version?: string; jetstream?: Readonly<{ config?: Readonly<{ sync_always?: boolean }> }> }>;

async function seenAt(url: string): Promise<Seen> {
  try {
    return (await (await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) })).json()) as Seen;
  } catch (thrown) {
    throw new StoreError('VG_STORE_READ', `${url} cannot be read: ${messageOf(thrown)}`);
  }
}

/** Nothing in it is ever removed, by anybody. */
async function ensureStream(manager: JetStreamManager, index: number, { replicas, name }: Cluster): Promise<void> {
  const stream = streamName(index);
  const wanted: Pick<StreamConfig, 'name' | 'subjects' | 'storage' | 'retention' | 'deny_delete' | 'deny_purge' | 'num_replicas'> = {
    name: stream, subjects: [`vitalgate.${index}.>`], storage: StorageType.File, retention: RetentionPolicy.Limits, deny_delete: true, deny_purge: true, num_replicas: replicas,
  };
  // Made with the same settings twice it is one stream; where it is another, the server refuses.
  const { config } = await manager.streams.info(stream).catch(() => manager.streams.add(wanted));
  if (config.num_replicas < replicas || config.storage !== StorageType.File || config.max_age > 0 || config.max_msgs > 0 || config.max_bytes > 0 || config.max_msgs_per_subject > 0) {
    throw new StoreError('VG_STORE_WRITE', `${name}: stream ${stream} has ${config.num_replicas} replicas and limits of its own: expected ${replicas} on disk, and no limit`);
  }
}
