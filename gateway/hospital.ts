/** A hospital node, put together: what it keeps, what it takes from gateways, and what leaves it again. */

import { randomBytes } from 'node:crypto';
import type { UpstreamConfig } from './config/schema.ts';
import { enrolledIn } from './enrolment-file.ts';
import { messageOf, type StoreError } from './errors.ts';
import type { Hl7Outputs } from './hl7/outputs.ts';
import { openHospitalConsent, type HospitalConsent } from './hospital-consent.ts';
import { startHospitalControl } from './hospital-control.ts';
import { openHospitalFhir, permissionsTold, type FhirStores } from './hospital-fhir.ts';
import { outputApiOf, reportOf, startHospitalHl7, type Hl7Stores } from './hospital-hl7.ts';
import { overseeHospital } from './hospital-oversight.ts';
import { patientApiOf } from './hospital-patients.ts';
import { openHospitalRecords, type RecordStores } from './hospital-records.ts';
import { hospitalSocketIn, keepReading, openHospitalPeople, staffOf, tokenApiOf } from './hospital-staff.ts';
import { keyFilesIn } from './key-files.ts';
import type { BlockStore } from './ledger/block-store.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { Logger } from './operations/log.ts';
import type { UpstreamMetrics } from './operations/metrics.ts';
import type { OutputReporter, OutputStatus } from './oversight/output-status.ts';
import { readStatusQuery, type StatusParams } from './oversight/status-query.ts';
import type { TokenStore } from './people/tokens.ts';
import { Millis, Seconds, UnixMillis } from './quantity.ts';
import type { EpisodeStore } from './records/episode-store.ts';
import type { NoteLog } from './records/note.ts';
import type { ToldStore } from './records/told-store.ts';
import { nodeCertificateIn, type NodeCertificate } from './tls/node-certificate.ts';
import { areDetailsAsked } from './upstream/asked-details.ts';
import { addBreakGlassRoutes } from './upstream/break-glass-routes.ts';
import { Distribution } from './upstream/distribution.ts';
import type { PeerStatus } from './upstream/peers.ts';
import { promisedFor } from './upstream/promises.ts';
import type { ReleaseStore } from './upstream/release-store.ts';
import { startUpstream, type Upstream } from './upstream/server.ts';
import { VerifyPool } from './upstream/verify-pool.ts';
import type { HpkePair } from './vault/hpke.ts';

/** Everything a hospital keeps. */
export type HospitalStores = Readonly<{ blocks: BlockStore; releases: ReleaseStore; told: ToldStore; notes: NoteLog & EpisodeStore; tokens: TokenStore; /** Which engine, for people. */ kind: string; close: () => Promise<void> }> & RecordStores & FhirStores & Hl7Stores;

export type HospitalOptions = Readonly<{
  config: UpstreamConfig;
  /** They stay open when the node closes. */
  stores: HospitalStores;
  /** Receipts are signed with it. */
  key: SigningKey;
  /** Gateways seal content keys for it. */
  payloadPair: HpkePair;
  /** Certificate and key of the configured files; ignored unless the configuration names files. */
  certificate: (files: Exclude<UpstreamConfig['tls'], 'own' | 'none'>) => NodeCertificate;
  log: Logger;
  metrics: UpstreamMetrics;
  /** The text of a configured file. Throws {@link ConfigError}, or another error that says so. */
  textIn: (file: string) => string;
  /** What serves must begin anew: the store has to be opened again, or a thread was lost. */
  onLost: (fault: Error) => void;
}>;

/** A node that runs, with what its outputs ask. */
export type HospitalNode = Upstream & Readonly<{ consent: HospitalConsent; hl7: Hl7Outputs; peers: Readonly<{ status: () => readonly PeerStatus[] }> }>;

/** Starts a hospital node. Throws {@link ConfigError} when its address cannot be taken, {@link StoreError} when a store cannot be read. */
export async function startHospitalNode({ config, stores, key, payloadPair, certificate, textIn, log, metrics, onLost }: HospitalOptions): Promise<HospitalNode> {
  const { tls: tlsSetting, gateways: gatewaysSetting, peers: _, ...settings } = config;
  await using starting = new AsyncDisposableStack();
  const enrolled = typeof gatewaysSetting === 'object' && 'file' in gatewaysSetting ? enrolledIn(gatewaysSetting.file, log) : undefined;
  starting.defer(() => enrolled?.stop());
  const gateways = Array.isArray(gatewaysSetting) ? (gatewaysSetting as readonly string[]).map((hex) => Buffer.from(hex, 'hex')) : 'open';
  const tls = tlsSetting === 'none' ? undefined : tlsSetting === 'own' ? await nodeCertificateIn(keyFilesIn(config.data), key, (size) => randomBytes(size)) : certificate(tlsSetting);
  const people = await openHospitalPeople(stores.tokens, config.people);
  const staff = staffOf(people);
  const onStoreFault = (fault: StoreError): void => {
    if (fault.code === 'VG_STORE_CLOSED') onLost(fault);
  };
  const outputs: OutputReporter[] = [];
  const oversight = overseeHospital({ name: config.name, data: config.data, gatewayNames: config.gatewayNames, key: key.publicKey, stores, staff, metrics, outputs, log });
  starting.defer(oversight.stop);
  const records = openHospitalRecords({ stores: { ...stores, releases: oversight.releases }, opener: { pair: payloadPair, recipient: key.publicKey }, data: config.data, log, onStoreFault });
  const verifier = starting.adopt(new VerifyPool({ key, onFailure: onLost }), (pool) => pool.close());
  const consent = starting.adopt(openHospitalConsent({ ...stores, key, pair: payloadPair, now: () => UnixMillis(Date.now()), onFault: (error) => log.error({ error: messageOf(error) }, 'what was shown again could not be counted') }), ({ stop }) => stop());
  const fhir = openHospitalFhir({ config, stores, records: records.log, gate: consent.gate, permissions: permissionsTold(consent.consents), staff, key, textIn, log });
  outputs.push(fhir.report);
  metrics.watchQueue(() => verifier.waiting);
  const distribution = await openDistribution({ config, stores: { ...stores, blocks: oversight.blocks }, key, textIn, log, onStoreFault });
  const upstream = starting.adopt(await startUpstream({
    ...settings,
    ...(tls && { tls }),
    key,
    verifier,
    shared: config.store !== 'rocksdb',
    blocks: distribution.blocks,
    released: { store: records.releases, payloadKey: payloadPair.publicBytes, detailsAsked: (chain) => areDetailsAsked(config.data, chain, UnixMillis(Date.now())), consents: consent.door },
    promised: (chain) => promisedFor(config.data, chain),
    log,
    gateways: enrolled?.admission ?? gateways,
    onJudged: (outcome) => metrics.blocks.inc({ outcome }),
    onVerified: (duration) => metrics.verificationSeconds.observe(duration / 1000),
    onRefused: oversight.refused,
    onStoreFault,
    register: async (app) => {
      distribution.addRoutes(app);
      await oversight.addRoutes(app);
      await fhir.addRoutes(app);
      await addBreakGlassRoutes(app, { glass: consent.glass, admit: (...asks) => staff.admit(...asks) });
    },
  }), ({ close }) => close());
  distribution.peersFor(upstream.countersigner).start();
  outputs.push(() => distribution.status().map(peerReport));
  starting.defer(() => distribution.close());
  starting.defer(keepReading(people, (error) => log.warn({ error: messageOf(error) }, 'the tokens of the staff could not be read again')));
  const onOutcome = (destination: string, outcome: string): void => metrics.hl7Messages.inc({ destination, outcome });
  const hl7 = starting.adopt(startHospitalHl7({ config, stores, records: records.log, gate: consent.gate, textIn, log, onOutcome }), (running) => running.stop());
  outputs.push(reportOf(hl7, () => UnixMillis(Date.now())));
  const control = { ...tokenApiOf(people), ...patientApiOf(stores, () => records.projector.status()), ...fhir.outputs, ...outputApiOf(hl7), status: (asked: StatusParams) => Promise.resolve(oversight.node.status(readStatusQuery(asked))) };
  starting.adopt(await startHospitalControl(hospitalSocketIn(config.data), control), ({ close }) => close());
  records.projector.start();
  starting.defer(() => records.projector.stop());
  fhir.start();
  starting.defer(() => fhir.stop());
  const running = starting.move();
  return { ...upstream, consent, hl7, peers: distribution, close: () => running.disposeAsync() };
}

/** What exchanges chains with the nodes of other hospitals, over a store that tells it what changes. */
export async function openDistribution({ config, stores, key, textIn, log, onStoreFault }: Pick<HospitalOptions, 'config' | 'stores' | 'key' | 'textIn' | 'log'> & Readonly<{ onStoreFault: (fault: StoreError) => void }>): Promise<Distribution> {
  return await Distribution.open({
    blocks: stores.blocks,
    data: config.data,
    key: key.publicKey,
    peers: config.peers.map(({ caFile, key: hex, budget, ...peer }) => ({ ...peer, key: Buffer.from(hex, 'hex'), ...(budget !== undefined && { budget }), ...(caFile !== undefined && { ca: textIn(caFile) }) })),
    // Ours in any case: who reads from a peer is known there by the key of its node.
    certificate: () => nodeCertificateIn(keyFilesIn(config.data), key, (size) => randomBytes(size)),
    promised: (chain) => promisedFor(config.data, chain),
    now: () => UnixMillis(Date.now()),
    monotonic: () => Millis(performance.now()),
    randomBytes: (size) => randomBytes(size),
    random: Math.random,
    log,
    onStoreFault,
    // Other processes change a store that is shared.
    ...(config.store !== 'rocksdb' && { readAgainAfter: Seconds(30) }),
  });
}

/** How a peer does, as operators see it. */
const peerReport = ({ name, reachable, blocksBehind, lastContact, lastError }: PeerStatus): OutputStatus => ({
  name, kind: 'copies from a hospital', unit: 'blocks', behind: blocksBehind, lastError,
  state: lastError !== null ? 'failing' : reachable ? 'working' : 'waiting', lastSuccess: lastContact === null ? null : UnixMillis(lastContact),
});
