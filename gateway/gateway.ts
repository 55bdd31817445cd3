/**
 * The gateway as one object: uplink, pipeline, broker, web server and control socket, opened so that whatever hears of
 * something is there before it, and closed the other way round. It is handed its stores; only main.ts knows which.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { LIVE_SECTIONS, decisionsFor, encoded } from './activation.ts';
import { Administration, type Reloaded } from './administration.ts';
import { AlarmFeed } from './alarm-feed.ts';
import { AlarmHistory } from './alarm-history.ts';
import { DEFAULT_POLICY, type AlarmPolicy } from './alarm/policy.ts';
import type { Snapshot } from './backup.ts';
import type { GatewayConfig } from './config/schema.ts';
import { ConsentDesk } from './consent-desk.ts';
import { baseOf, whoLivesIn } from './consent-filter.ts';
import { glassDesk } from './glass-desk.ts';
import { encodeOperatorAction } from './decode/operator.ts';
import type { DeriveStore } from './derive/derive-store.ts';
import { Desk } from './desk.ts';
import { Disclosures } from './disclosures.ts';
import { Erasure, type ErasureStore } from './erasure.ts';
import { GatewayFlowDesk } from './flow-desk.ts';
import { GatewayFlowSource } from './flow-source.ts';
import { FLOWS, FlowsHost } from './flows-host.ts';
import { Consumers, type ConsumerStore } from './flows/consumers.ts';
import { KeyEpochs } from './key-epochs.ts';
import { addressesOf, reachOf, startDeviceBroker, type MqttAddresses, type Served } from './device-broker.ts';
import { ConfigError, UsageError, type StoreError } from './errors.ts';
import { systemClock, type Clock } from './ingest/clock.ts';
import { DeviceCa } from './ingest/device-ca.ts';
import type { CredentialStore } from './ingest/devices.ts';
import type { TidyJournal } from './ingest/journal.ts';
import { followBroker, type Bridge, type BridgeObserver, type BridgeOptions } from './ingest/mqtt-bridge.ts';
import type { MqttBroker } from './ingest/mqtt-broker.ts';
import { followSerialLine, type SerialLineOptions, type SerialObserver } from './ingest/serial-port.ts';
import { means, usbPorts, type UsbPort } from './ingest/usb-ports.ts';
import { toHex } from './ledger/bytes.ts';
import type { BlockStore, PendingEntries } from './ledger/block-store.ts';
import { ed25519KeyFrom } from './ledger/ed25519.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { ChainTerms } from './ledger/terms.ts';
import { secretIn } from './operations/data-folder.ts';
import { keyFilesIn } from './key-files.ts';
import { openChain, openKeys, type OpenedChain } from './open-chain.ts';
import { rememberErased } from './releases.ts';
import { deliveredHeight, heightEverywhere } from './delivered.ts';
import { openReleaseRelays } from './release-relays.ts';
import type { ReleaseCursors } from './uplink/release-cursors.ts';
import { DISK_LEVELS } from './disk/disk-budget.ts';
import { MODEM_STATES } from './modem/modem.ts';
import { PATH_STATES } from './uplink/path-health.ts';
import type { ReleaseRelay } from './uplink/release-relay.ts';
import { refuseRestored } from './restoration.ts';
import { OwnConditions } from './own-conditions.ts';
import { SuccessionDesk } from './succession-desk.ts';
import { LocalClock } from './local-clock.ts';
import { localHour, type LocalHour } from './context/local-hour.ts';
import type { Logger } from './operations/log.ts';
import { LogThrottle } from './operations/log-throttle.ts';
import { GatewayMetrics } from './operations/metrics.ts';
import { People } from './people/people.ts';
import type { TokenStore } from './people/tokens.ts';
import { Pipeline, type PipelineObserver } from './pipeline.ts';
import { Progress } from './progress.ts';
import type { Frame, Subject } from './reading.ts';
import { Rebirths } from './rebirths.ts';
import { RefusedLogins } from './refused-logins.ts';
import type { RelayCursors } from './uplink/cursors.ts';
import { patientsMeasured, subjectView } from './subject-view.ts';
import { systemTime } from './uplink/retry.ts';
import { GatewayDisk, type TidyStore } from './gateway-disk.ts';
import { openGatewayLinks } from './gateway-links.ts';
import { GatewayModems } from './gateway-modems.ts';
import { GatewayNotices } from './gateway-notices.ts';
import type { AddressMemory } from './uplink/known-addresses.ts';
import type { UsageMemory } from './uplink/link.ts';
import type { Links } from './uplink/links.ts';
import { startUplink, type Uplink } from './uplink/uplink.ts';
import { isLoopback } from './web/shown-secret.ts';
import { startControl } from './web/control.ts';
import { Handles } from './vault/handles.ts';
import type { Keyring } from './vault/keyring.ts';
import { startWeb } from './web/server.ts';

/** Every store of a gateway, over one engine. */
export type GatewayStores = Readonly<{
  journal: TidyJournal;
  /** What the keeper of the disk needs, for this chain. */
  tidy: (chain: Uint8Array) => TidyStore;
  deriveStore: DeriveStore;
  blocks: BlockStore;
  pending: PendingEntries;
  credentials: CredentialStore;
  tokens: TokenStore;
  consumers: ConsumerStore;
  keyring: Keyring;
  erasures: ErasureStore;
  cursors: RelayCursors;
  releaseCursors: ReleaseCursors;
  /** What is known of links and of where hospitals are. */
  links: Readonly<{ usage: UsageMemory; addresses: AddressMemory }>;
  /** All of them as of one moment, what was derived before what it was derived from. */
  snapshot: Snapshot;
  close: () => Promise<void>;
}>;

export type GatewayOptions = Readonly<{
  config: GatewayConfig;
  openStores: (folder: string, bootId: Uint8Array) => Promise<GatewayStores>;
  log: Logger;
  /** Reads the configuration again, for a reload. Throws {@link ConfigError}. Default: there is none to read. */
  rereadConfig?: () => GatewayConfig;
  /** The folder was just restored, and its chain is known to be all there is (restoration.ts). Default false: such a folder is refused. */
  restoring?: boolean;
  /** Take devices, serve pages and relay. Without it only administration works: for commands while no gateway runs. */
  serve: boolean;
}>;

export type Gateway = Readonly<{
  administration: Administration;
  chain: Uint8Array;
  /** Where it listens. Empty when it does not serve. */
  addresses: GatewayAddresses;
  /** Resolves when the store takes nothing any more until it is opened anew: then stop, and start again. */
  storeLost: Promise<StoreError>;
  /** Refuses new messages, finishes what is under way, and closes everything. */
  stop: () => Promise<void>;
}>;

/** `web` as an address for a browser. */
export type GatewayAddresses = MqttAddresses & Readonly<{ web?: string }>;

/** Where commands reach the gateway that runs on a data folder. */
export const controlSocketOf = (data: string): string => join(data, 'control.sock');

const random = (size: number): Uint8Array => randomBytes(size);

/**
 * Opens everything; on the first run it creates data folder, keys and chain. Resolves when devices may publish. Throws
 * {@link ConfigError} when the configuration contradicts the chain, StoreError when the store cannot be used.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const opened = new Opened();
  try {
    return await open(options, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** What was opened, to be closed in the reverse order. */
class Opened {
  readonly #closers: (() => Promise<void>)[] = [];

  add(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}

async function open({ config, openStores, log, serve, rereadConfig, restoring = false }: GatewayOptions, opened: Opened): Promise<Gateway> {
  if (!restoring) refuseRestored(config.data);
  const clock = systemClock();
  const keys = openKeys(config.data, random, log);
  const stores = await openStores(config.data, random(16));
  opened.add(stores.close);
  const { state: derived } = await stores.deriveStore.load();
  const chain = await openChain({ config, keys, blocks: stores.blocks, succession: derived.succession, clock, random, log, serve });
  const metrics = new GatewayMetrics();
  const reached: Reached = { progress: undefined, rebirths: undefined, alarms: undefined, succession: undefined, releases: [], flows: undefined };
  const firstOfThisStart = stores.journal.next;
  const keyInForce = (): SigningKey => keys.keyFor((reached.succession ?? chain.begun).authority.gateway) ?? keys.current;
  const links = serve ? await openGatewayLinks({ config, stores, signingKey: keyInForce, clock, onSwitch: (change) => metrics.countSwitch(change), log }) : undefined;
  if (links !== undefined) opened.add(() => links.stop());
  const uplink = links === undefined ? undefined : await openUplink(config, stores, chain, links, log, reached);
  if (uplink !== undefined) opened.add(() => uplink.stop());
  const alarmsWaiting = async (): Promise<number> => ((await stores.blocks.head({ chain: chain.chain, lane: 'alarm' }))?.height ?? 0) - (uplink?.relayedHeight('alarm') ?? 0);
  // The message to people says which gateway it is by the beginning of its chain: that is on its status page, too.
  const modems = links === undefined ? undefined : new GatewayModems({ links: config.links, works: (link) => links.works(link), waiting: alarmsWaiting, name: toHex(chain.chain).slice(0, 8), log });
  if (modems !== undefined) opened.add(() => modems.stop());
  const notices = new GatewayNotices({ config, people: config.alarms.people, modems, uptime: clock.uptime, log });
  const progress = await openProgress(stores, chain.chain, uplink);
  reached.progress = progress;
  const storeLost = Promise.withResolvers<StoreError>();
  const observe = observerOf({ terms: chain.terms, metrics, progress, log, uplink, reached, storeLost: storeLost.resolve });
  const pipeline = await Pipeline.start({ ...stores, keyFor: keys.keyFor, chain: chain.chain, begun: chain.begun.authority, clock, random, seal: config.seal, observe });
  opened.add(() => pipeline.stop());
  const succession = new SuccessionDesk({ ...stores, ...chain, keys, pipeline, clock, log });
  reached.succession = succession;
  const erasure = new Erasure({ ...stores, pipeline, log, tellErased: (gone) => rememberErased(stores.releaseCursors, config.hospitals.map(({ key }) => Buffer.from(key, 'hex')), gone) });
  await erasure.resume();
  const epochs = new KeyEpochs({ pipeline, keyring: stores.keyring, clock, began: chain.parameters.created, length: config.keys.epoch, onFault: (error) => log.error({ error }, 'beginning an epoch of keys') });
  opened.add(async () => epochs.stop());
  if (serve) await epochs.start();
  await activate(pipeline, config);
  const alarms = new AlarmFeed({
    alarms: pipeline.derived.alarms,
    policy: () => policyIn(pipeline),
    wallAt: (steady) => pipeline.derived.wallAt(steady),
    history: new AlarmHistory({ ...stores, ...chain }),
  });
  reached.alarms = alarms;
  const local = new LocalClock({
    pipeline, clock, timeZone: config.timeZone, quiet: () => policyIn(pipeline).quiet,
    onFault: (error) => log.error({ error }, 'telling derivation what local clocks show'),
  });
  opened.add(async () => local.stop());
  if (serve) await local.start();
  const reload = async (): Promise<Reloaded> => {
    if (rereadConfig === undefined) throw new UsageError('this gateway was started without a configuration file');
    const changed = rereadConfig();
    const reloaded = await reloadFrom(changed, { config, pipeline, local, people, notices, log });
    packsAreConfigured = changed.packs !== undefined;
    return reloaded;
  };
  let packsAreConfigured = config.packs !== undefined;
  const disclosures = new Disclosures({ pipeline, clock, log });
  opened.add(() => disclosures.stop());
  const hospitals = config.hospitals.map((each) => ({ ...each, key: Buffer.from(each.key, 'hex') }));
  const base = baseOf(hospitals);
  const consent = new ConsentDesk({ pipeline, clock, hospitals: hospitals.map(({ key }) => key), base });
  if (links !== undefined && uplink !== undefined) {
    const livingIn = (room: string): readonly string[] => whoLivesIn(pipeline.derived.orders.patients, room);
    const told = { state: () => pipeline.derived.consent, homes: () => pipeline.derived.orders.patients, base, now: clock.now, isErasing: (subject: Subject) => erasure.isErasing(subject) };
    reached.releases = openReleaseRelays({ ...stores, ...told, config, chain: chain.chain, uplink, links, signingKey: keyInForce, desk: consent, livingIn, disclosures, pipeline, random, log });
    opened.add(async () => void (await Promise.all(reached.releases.map((relay) => relay.stop()))));
  }
  const desk = deskOver(pipeline, { alarms, clock, consent, disclosures, handles: new Handles(stores.keyring), packsAreConfigured: () => packsAreConfigured });
  const people = await People.open({ store: stores.tokens, people: config.alarms.people, random, now: clock.now });
  const source = new GatewayFlowSource({ alarms, blocks: stores.blocks, chain: chain.chain, pipeline, receipted: (lane) => uplink?.receiptedHeight(lane), now: clock.now });
  reached.flows = source;
  const flowDesk = new GatewayFlowDesk({ source, consumers: await Consumers.open(stores.consumers), desk, pipeline, consent, policy: () => policyIn(pipeline), notices, testPatients: config.flows.testPatients, timeZone: config.timeZone, ownFlows: FLOWS, accessOf: (person) => people.accessOf(person), reachOf: (person) => people.patientsOf(person), uptime: clock.uptime });
  const flowsHost = new FlowsHost({ config, people, random, uptime: clock.uptime, log, serve });
  const ca = new DeviceCa(keyFilesIn(config.data), random);
  const serving: Served = { broker: undefined };
  const refusedLogins = new RefusedLogins();
  const unusedPorts = (): readonly UsbPort[] => usbPorts().filter((port) => !config.serial.some((line) => means(serialLineOf(line).port, port)));
  const heights = { delivered: () => deliveredHeight(uplink, reached.releases, config.hospitals), everywhere: () => uplink && heightEverywhere(uplink, hospitals, reached.releases), sealed: async () => (await stores.blocks.head({ chain: chain.chain, lane: 'record' }))?.height };
  const disk = serve ? await GatewayDisk.start({ config, journal: stores.journal, tidy: stores.tidy(chain.chain), pipeline, progress, heights, clock, log }) : undefined;
  if (disk !== undefined) opened.add(() => disk.stop());
  const conditions = links && new OwnConditions({ pipeline, isReached: () => links.isReached, waiting: alarmsWaiting, flows: () => flowsHost.condition, now: clock.uptime, log });
  if (conditions !== undefined) opened.add(() => conditions.stop());
  const administration = new Administration({ reload, consent, flows: flowsHost, folder: config.data, erasure, disclosures, checkpointKey: () => ed25519KeyFrom(secretIn(keyFilesIn(config.data), 'checkpoint.key', () => random(32)).secret), ...stores, signingKey: keyInForce, succession, chain: chain.chain, terms: (lane) => chain.terms.of(lane), ...reachOf(config.mqtt, serving), ca, people, desk, pipeline, progress, uplink, links, releases: reached.releases, modems, disk, random, clock, refusedLogins, unusedPorts, startedAt: clock.now() });
  const gateway = { administration, chain: chain.chain, storeLost: storeLost.promise, stop: () => opened.close() };
  if (!serve) return { ...gateway, addresses: {} };
  return { ...gateway, addresses: await startServing({ config, desk, flowDesk, flowsHost, notices, people, stores, ca, serving, refusedLogins, pipeline, metrics, progress, administration, clock, log, opened, reached, firstOfThisStart }) };
}

/** Receipts may arrive before there is anything to count them, and old frames be derived before there is anybody to ask. */
type Reached = { progress: Progress | undefined; rebirths: Rebirths | undefined; alarms: AlarmFeed | undefined; succession: SuccessionDesk | undefined; releases: readonly ReleaseRelay[]; flows: GatewayFlowSource | undefined };

async function openUplink(config: GatewayConfig, stores: GatewayStores, { chain, terms }: OpenedChain, links: Links, log: Logger, reached: Reached): Promise<Uplink> {
  const uplink: Uplink = await startUplink({
    chain,
    hospitals: config.hospitals.map(({ name, key, joining }) => ({ name, key: Buffer.from(key, 'hex'), joining })),
    terms: (lane) => terms.of(lane),
    blocks: stores.blocks,
    cursors: stores.cursors,
    time: systemTime,
    random: Math.random,
    log,
    retry: { base: config.relay.retryBase, cap: config.relay.retryCap },
    ways: { alarms: (name) => links.alarmWay(name), records: (name) => links.bestWay(name, () => 'record'), mended: (signal) => links.mended(signal) },
    onReceipt: ({ lane }) => {
      for (const relay of reached.releases) relay.wake();
      reached.flows?.wake();
      if (lane === 'record') void reached.progress?.countersigned(heightsOf(uplink)).catch((error: unknown) => log.error({ error }, 'counting receipts'));
    },
    onState: (event) => log.debug(event, 'relay'),
  });
  return uplink;
}

const heightsOf = (uplink: Uplink | undefined): Readonly<Record<'relayed' | 'receipted', number | undefined>> => ({
  relayed: uplink?.relayedHeight('record'),
  receipted: uplink?.receiptedHeight('record'),
});

async function openProgress(stores: GatewayStores, chain: Uint8Array, uplink: Uplink | undefined): Promise<Progress> {
  const progress = new Progress({
    blocks: stores.blocks,
    chain,
    accepted: stores.journal.next - 1,
    heights: heightsOf(uplink),
  });
  await progress.recover((await stores.blocks.head({ chain, lane: 'record' }))?.height);
  return progress;
}

type Observed = Readonly<{
  terms: ChainTerms;
  metrics: GatewayMetrics;
  progress: Progress;
  log: Logger;
  uplink: Uplink | undefined;
  reached: Reached;
  storeLost: (fault: StoreError) => void;
}>;

function observerOf({ terms, metrics, progress, log, uplink, reached, storeLost }: Observed): PipelineObserver {
  return {
    accepted: (run, messages) => progress.accepted(messages, run.first + run.frames.length - 1),
    derived: (checkpoints, before) => {
      reached.alarms?.take(checkpoints);
      // Hospitals are told of a revocation now, and not with the next payload.
      if (checkpoints.some(({ consent, orders }) => consent !== undefined || orders !== undefined)) for (const relay of reached.releases) relay.wake();
      reached.flows?.derived(checkpoints);
      metrics.countDerived(before, checkpoints.at(-1)?.totals ?? before);
      void reached.rebirths?.take(checkpoints.flatMap(({ resyncs }) => resyncs)).catch((error: unknown) => log.error({ error }, 'asking for births'));
    },
    sealed: (block) => {
      const { lane } = block.state;
      metrics.blocks.inc({ lane });
      terms.take(block);
      progress.sealed(block);
      reached.succession?.sealed(block);
      uplink?.wake(lane);
      reached.flows?.wake();
      if (block.succession !== undefined) void uplink?.dropLeft(lane).catch((error: unknown) => log.error({ error }, 'ending the relays to hospitals that left'));
    },
    storeFault: (fault) => {
      metrics.storeHealthy.set(fault === undefined ? 1 : 0);
      if (fault === undefined) log.info({}, 'the store takes writes again; devices are acknowledged again');
      else if (fault.code === 'VG_STORE_CLOSED') storeLost(fault);
      else log.fatal({ code: fault.code, error: fault.message }, 'ALARM: the store fails; every message is refused until it works again');
    },
    loopFault: (loop, fault) => {
      log.error({ loop, code: fault.code, error: fault.message }, 'a loop of the pipeline met a store fault and tries again');
      if (fault.code === 'VG_STORE_CLOSED') storeLost(fault);
    },
  };
}

const policyIn = ({ derived }: Pipeline): AlarmPolicy => derived.orders.policy ?? DEFAULT_POLICY;

function deskOver(pipeline: Pipeline, { alarms, clock, consent, disclosures, handles, packsAreConfigured }: Readonly<{ alarms: AlarmFeed; clock: Clock; consent: ConsentDesk; disclosures: Disclosures; handles: Handles; packsAreConfigured: () => boolean }>): Desk {
  const { derived } = pipeline;
  const localNow = (): LocalHour | undefined => (clock.trust() === 'implausible' || derived.orders.offset === undefined ? undefined : localHour(clock.now(), derived.orders.offset));
  return new Desk({
    alarms,
    handles,
    consent,
    glass: glassDesk(consent),
    disclose: (by, shown, what) => disclosures.note(by, shown, what),
    carryOut: (actions) => pipeline.carryOut(actions.map(encodeOperatorAction)),
    orders: () => derived.orders,
    measured: () => patientsMeasured(derived, clock.now()),
    view: async (subject) => subjectView(subject, { derived, watch: await pipeline.watchOf(subject), now: clock.now(), local: localNow() }),
    packsAreConfigured,
    now: clock.now,
  });
}

/** Puts the live sections of the configuration in force, and says which were others before. */
async function activate(pipeline: Pipeline, config: GatewayConfig): Promise<Reloaded['activated']> {
  const decided = decisionsFor(config, pipeline.derived);
  if (decided.length > 0) await pipeline.carryOut(encoded(decided));
  return decided.map(({ section }) => section);
}

/** Takes over what may change while the gateway runs, and says what else is different. */
async function reloadFrom(changed: GatewayConfig, { config, pipeline, local, people, notices, log }: Readonly<{ config: GatewayConfig; pipeline: Pipeline; local: LocalClock; people: People; notices: GatewayNotices; log: Logger }>): Promise<Reloaded> {
  const activated = await activate(pipeline, changed);
  await local.look();
  people.configure(changed.alarms.people);
  notices.configure(changed.alarms.people);
  const others = (Object.keys(changed) as (keyof GatewayConfig)[]).filter((key) => !LIVE_SECTIONS.some((live) => live === key) && key !== 'data');
  const needRestart = others.filter((key) => JSON.stringify(changed[key]) !== JSON.stringify(config[key]));
  log.info({ activated, needRestart }, 'read the configuration again');
  return { activated, needRestart };
}

type Serving = Readonly<{
  config: GatewayConfig;
  desk: Desk;
  flowDesk: GatewayFlowDesk;
  flowsHost: FlowsHost;
  notices: GatewayNotices;
  people: People;
  stores: GatewayStores;
  ca: DeviceCa;
  serving: Served;
  pipeline: Pipeline;
  metrics: GatewayMetrics;
  progress: Progress;
  administration: Administration;
  clock: Clock;
  log: Logger;
  opened: Opened;
  refusedLogins: RefusedLogins;
  reached: Reached;
  firstOfThisStart: number;
}>;

async function startServing(parts: Serving): Promise<GatewayAddresses> {
  const { config, stores, pipeline, metrics, administration, clock, log, opened } = parts;
  const control = await startControl(controlSocketOf(config.data), administration);
  opened.add(control.close);
  const { listen, plainHttp } = config.web;
  if (!plainHttp && !isLoopback(listen.host)) log.info({ host: listen.host }, 'the API is served to this machine alone, because there is no TLS: put a proxy before it that speaks TLS, or set web.plainHttp');
  const api = { desk: parts.desk, flows: parts.flowDesk, people: parts.people, uptime: clock.uptime, plainHttp };
  const web = await startWeb({ listen, api, blocks: stores.blocks, registry: metrics.registry, administration, refresh: () => refresh(parts), flows: parts.flowsHost, log });
  opened.add(web.close);
  // Before the web server: it waits for its answers, and they for this.
  opened.add(() => parts.notices.stop());
  opened.add(() => parts.flowsHost.stop());
  parts.flowsHost.start(loopbackOf(web.address));
  const broker = await startDeviceBroker(parts);
  opened.add(broker.close);
  const serialHooks = { accept: (frames: readonly Frame[]) => pipeline.acceptAll(frames), clock, observe: serialObserver(parts) };
  for (const line of config.serial) {
    const followed = await followSerialLine(serialLineOf(line), serialHooks);
    opened.add(() => followed.close());
  }
  const bridgeHooks = { ...serialHooks, offer: (frame: Frame) => pipeline.offer(frame), observe: bridgeObserver(parts) };
  const bridges = new Map<string, Bridge>();
  for (const bridge of config.bridges) {
    const followed = await followBroker(bridgeOf(bridge), bridgeHooks);
    opened.add(() => followed.close());
    bridges.set(bridge.name, followed);
  }
  parts.reached.rebirths = rebirthsOver(broker, bridges, parts);
  opened.add(async () => void (parts.reached.rebirths = undefined));
  const addresses = { ...addressesOf(broker), web: web.address };
  log.info({ ...addresses, control: controlSocketOf(config.data) }, 'ready: devices may publish');
  return addresses;
}

/** Where programs of this machine find the web server, whatever it listens on. */
const loopbackOf = (address: string): string => address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');

/** Requests go back the way the messages came. */
function rebirthsOver(broker: MqttBroker, bridges: ReadonlyMap<string, Bridge>, { metrics, clock, log, firstOfThisStart }: Serving): Rebirths {
  return new Rebirths({
    clock,
    since: firstOfThisStart,
    send: ({ source, connection }, topic, payload) => {
      if (source !== 'bridge') broker.publish(topic, payload);
      else if (bridges.get(connection)?.publish(topic.slice(`devices/${connection}/`.length), payload) !== true) return;
      metrics.rebirths.inc();
      log.info({ connection, topic }, 'asked an edge node for its births: a message of it could not be understood');
    },
  });
}

/** What is read when somebody asks, not followed: counting every message in a metric would cost more than its frame. */
async function refresh({ metrics, pipeline, progress, administration }: Serving): Promise<void> {
  metrics.countStates(progress.states);
  metrics.queue.set({ queue: 'accept' }, pipeline.waiting);
  metrics.queue.set({ queue: 'derive' }, pipeline.backlog);
  const links = await administration.links();
  metrics.showLinks(links, PATH_STATES);
  metrics.showPayloads(links.payloads);
  metrics.showModems(links.modems, MODEM_STATES);
  metrics.showDisk(administration.disk(), DISK_LEVELS);
  for (const { hospital, lane, lag } of await administration.relays()) metrics.hospitalLag.set({ hospital, lane }, lag);
}

function serialLineOf({ device, path, usb, decoder, framing, baudRate }: GatewayConfig['serial'][number]): SerialLineOptions {
  // The configuration has exactly one of the two.
  const port = usb === undefined ? { path: path ?? '' } : { usb: { vendor: usb.vendor, product: usb.product, ...(usb.serial === undefined ? {} : { serial: usb.serial }) } };
  return { device, port, decoder, ...(framing === undefined ? {} : { framing }), ...(baudRate === undefined ? {} : { baudRate }) };
}

function serialObserver({ metrics, progress, clock, log }: Serving): SerialObserver {
  const throttle = new LogThrottle({ uptime: clock.uptime });
  const openLines = new Set<string>();
  return {
    received: (messages) => {
      for (let i = 0; i < messages; i++) progress.received();
    },
    accepted: (waited, bytes) => {
      metrics.ackSeconds.observe(waited / 1000);
      metrics.serialAccepted.inc(bytes);
    },
    lost: (device, reason, bytes) => {
      metrics.serialLost.inc({ reason }, bytes);
      const suppressed = throttle.admit(`${reason} ${device}`);
      if (suppressed !== undefined) log.warn({ device, reason, bytes, suppressed }, 'bytes of a serial line came to nothing');
    },
    line: (device, state, detail) => {
      if (state === 'open') openLines.add(device);
      else openLines.delete(device);
      metrics.serialLines.set(openLines.size);
      log[state === 'open' ? 'info' : 'warn']({ device, state, detail }, state === 'open' ? 'a serial line is open' : 'a serial line is not open; it is tried again');
    },
  };
}

function bridgeOf({ username, passwordFile, caFile, ...given }: GatewayConfig['bridges'][number]): BridgeOptions {
  return {
    ...given,
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

function bridgeObserver({ metrics, progress, clock, log }: Serving): BridgeObserver {
  const throttle = new LogThrottle({ uptime: clock.uptime });
  const connected = new Set<string>();
  return {
    received: () => progress.received(),
    accepted: (waited) => metrics.ackSeconds.observe(waited / 1000),
    refused: (bridge, reason, message) => {
      metrics.refused.inc({ reason });
      const suppressed = throttle.admit(`${reason} ${bridge}`);
      if (suppressed !== undefined) log.warn({ bridge, reason, message, suppressed }, 'refused');
    },
    link: (bridge, state, detail) => {
      if (state === 'connected') connected.add(bridge);
      else connected.delete(bridge);
      metrics.bridges.set(connected.size);
      log[state === 'connected' ? 'info' : 'warn']({ bridge, state, detail }, 'a bridge to another broker');
    },
  };
}
