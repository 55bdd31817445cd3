/** What people and commands may ask of a gateway and have it do. It knows no HTTP and no terminal. */

import type { LiveSection } from './activation.ts';
import { backupOf, type Snapshot } from './backup.ts';
import { ConsentAdministration } from './consent-administration.ts';
import type { ConsentDesk } from './consent-desk.ts';
import type { FlowsHost } from './flows-host.ts';
import type { FlowCopy } from './nodered/flow-files.ts';
import type { NodeRedStatus } from './nodered/node-red.ts';
import { COMMAND_LINE, encodeOperatorAction, type Actor, type OperatorAction } from './decode/operator.ts';
import { readContractSignature } from './derive/contract-signature.ts';
import type { DeriveStore, Totals } from './derive/derive-store.ts';
import type { Desk } from './desk.ts';
import { disclosuresOf, type Disclosed, type Disclosure, type Disclosures } from './disclosures.ts';
import { discovery, listDevices, type Discovery, type ListedDevice } from './device-views.ts';
import { UsageError, type StoreError } from './errors.ts';
import type { Erased, Erasure, ErasureOrder } from './erasure.ts';
import type { Clock } from './ingest/clock.ts';
import type { DeviceCa } from './ingest/device-ca.ts';
import { generatePassword, makeCredential, type Credential, type CredentialStore } from './ingest/devices.ts';
import type { Journal } from './ingest/journal.ts';
import type { UsbPort } from './ingest/usb-ports.ts';
import type { BlockStore, PendingEntries } from './ledger/block-store.ts';
import { toHex } from './ledger/bytes.ts';
import { decode, type CborMap } from './ledger/cbor.ts';
import { decodeEntry } from './ledger/entry.ts';
import { openBlock } from './ledger/block.ts';
import type { Ed25519Key } from './ledger/ed25519.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { AuthorityView, Proposal, ProposalOrder, SuccessionDesk } from './succession-desk.ts';
import type { Term } from './ledger/terms.ts';
import type { Pipeline } from './pipeline.ts';
import type { ListedToken, MadeToken, People } from './people/people.ts';
import type { Progress, StateProgress } from './progress.ts';
import { policyOf, prove, proveGrowth, receiptFor, type GrowthOrder, type MadeProof, type ProofOrder } from './prove.ts';
import type { Millis, UnixMillis } from './quantity.ts';
import { quarantinePage, quarantinedFrame, retryOne, retryPage, type QuarantineFilter, type QuarantinePage, type QuarantinedFrame, type QuarantineSources, type RetryPage } from './quarantine.ts';
import { LANES, nameOf, subjectNamed, type DeviceId, type Lane, type ReadingState, type Sequence, type Subject } from './reading.ts';
import type { Continued } from './restoration.ts';
import type { RefusedLogins } from './refused-logins.ts';
import { traceMessage, type Trace } from './trace.ts';
import type { RelayStatus } from './uplink/relay.ts';
import type { DiskReport } from './gateway-disk.ts';
import type { ModemReport } from './gateway-modems.ts';
import type { Links, LinksStatus } from './uplink/links.ts';
import type { ReleaseStatus } from './uplink/release-relay.ts';
import type { Uplink } from './uplink/uplink.ts';
import type { Keyring } from './vault/keyring.ts';
import { openPayload } from './vault/payload.ts';
import { pseudonymsUnder } from './vault/pseudonym.ts';
import type { ContractInForce } from './web/care-desk.ts';

/** `hospital`: its public key, hexadecimal. */
export type PseudonymOrder = Readonly<{ subject: Subject; hospital: string }>;

/** By what a hospital knows somebody in the newest epoch of which it may have something, and before that. Hexadecimal. */
export type KnownBy = Readonly<{ epoch: number; pseudonym: string; before: string }>;

/** A device to be registered. Without a subject its binding stays as it is; without a password, or a certificate request (PEM), one is made. */
export type DeviceOrder = Readonly<{
  device: DeviceId;
  subject?: Subject | undefined;
  credential: Readonly<{ kind: 'password'; password?: string | undefined }> | Readonly<{ kind: 'certificate'; csr?: string | undefined }>;
}>;

/** What a device needs, told once. Certificates and keys are PEM. */
export type AddedDevice = Readonly<{
  device: DeviceId;
  subject: Subject | null;
  topic: string;
  /** Where it connects, the most private way first. */
  urls: readonly string[];
  password?: string;
  /** The private key is there when it was made here; it is kept nowhere. */
  certificate?: Readonly<{ certificate: string; privateKey?: string; ca: string }>;
  /** By which it recognises this gateway, where TLS is spoken. */
  ca?: string;
}>;
/** Rule packs as YAML, with signatures of people under some of them. */
export type ContractOrder = Readonly<{ packs: readonly string[]; /** As derive/contract-signature.ts reads them. */ signatures: readonly unknown[]; by: Actor }>;
export type LaneStatus = Readonly<{ lane: Lane; height: number; hash: string; entries: number }>;

export type LinksReport = LinksStatus & Readonly<{ relays: readonly RelayStatus[]; payloads: readonly ReleaseStatus[]; modems: readonly ModemReport[] }>;

export type Status = Readonly<{
  chain: string;
  startedAt: string;
  /** Why messages are refused at the moment; null when they are not. */
  fault: string | null;
  disk: DiskReport | null;
  states: Readonly<Record<ReadingState, StateProgress>>;
  queues: Readonly<{ accept: number; derive: number }>;
  lanes: readonly LaneStatus[];
  totals: Totals;
  relays: readonly RelayStatus[];
  /** In words, with the payload that stays on this machine: for the people of the house. */
  lastEvent: string | null;
}>;

/** On the gateway's wall clock; absent: from now, for ever. */
export type Period = Readonly<{ from?: UnixMillis; until?: UnixMillis }>;

/** What reading the configuration again did, and the sections that are different but count only after a restart. */
export type Reloaded = Readonly<{ activated: readonly LiveSection[]; needRestart: readonly string[] }>;

export type AdministrationOptions = Readonly<{
  erasure: Erasure;
  disclosures: Disclosures;
  checkpointKey: () => Ed25519Key;
  /** The gateway's, in force. */
  signingKey: () => SigningKey;
  succession: SuccessionDesk;
  consent: ConsentDesk;
  flows: FlowsHost;
  folder: string;
  snapshot: Snapshot;
  reload: () => Promise<Reloaded>;
  journal: Journal;
  deriveStore: DeriveStore;
  blocks: BlockStore;
  pending: PendingEntries;
  credentials: CredentialStore;
  people: People;
  desk: Desk;
  pipeline: Pipeline;
  progress: Progress;
  uplink: Uplink | undefined;
  links: Links | undefined;
  /** One for each hospital, while the gateway serves. */
  releases: readonly Readonly<{ status: ReleaseStatus }>[];
  modems: Readonly<{ report(): readonly ModemReport[] }> | undefined;
  disk: Readonly<{ report(): DiskReport | null }> | undefined;
  ca: DeviceCa;
  /** See MqttBroker.disconnect; 0 while there is no broker. */
  disconnect: (device: DeviceId) => number;
  /** Where devices connect, and whether TLS is spoken anywhere. */
  reach: () => Readonly<{ urls: readonly string[]; tls: boolean }>;
  chain: Uint8Array;
  /** Who was in force when, in a lane. */
  terms: (lane: Lane) => readonly Term[];
  keyring: Keyring;
  random: (size: number) => Uint8Array;
  clock: Clock;
  refusedLogins: RefusedLogins;
  /** Serial ports with something plugged in that the configuration does not mean. */
  unusedPorts: () => readonly UsbPort[];
  startedAt: UnixMillis;
}>;

const nameIfAny = (subject: Subject | undefined): string | null => (subject === undefined ? null : nameOf(subject));

export class Administration {
  readonly consent: ConsentAdministration;
  readonly #options: AdministrationOptions;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: AdministrationOptions) {
    this.#options = options;
    this.consent = new ConsentAdministration(options);
  }

  /**
   * Registers a device and, when the order says so, binds it to a patient or room. Of one that exists the credential is
   * replaced, and its connections are closed. Password and private key are returned once and kept nowhere. The credential is
   * durable before the journal says so.
   */
  async addDevice(order: DeviceOrder): Promise<AddedDevice> {
    return await this.#inTurn(() => this.#add(order));
  }

  /** One credential after the other, so that the journal tells them in the order in which they took effect. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change);
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  async #add(order: DeviceOrder): Promise<AddedDevice> {
    const { ca, clock, credentials, disconnect, pipeline, reach } = this.#options;
    const { device, subject } = order;
    const { credential, given } = await this.#makeCredential(order);
    await credentials.put(credential);
    disconnect(device);
    await pipeline.decide(encodeOperatorAction(enrolment(credential)));
    if (subject !== undefined) await this.bindDevice(device, subject);
    const { urls, tls } = reach();
    const bound = subject ?? pipeline.derived.subjectAt(device, clock.now()) ?? null;
    return { device, subject: bound, topic: `devices/${device}/readings`, urls, ...given, ...(tls ? { ca: await ca.certificate() } : {}) };
  }

  async #makeCredential({ device, credential }: DeviceOrder): Promise<Readonly<{ credential: Credential; given: Pick<AddedDevice, 'password' | 'certificate'> }>> {
    const { ca, random } = this.#options;
    if (credential.kind === 'certificate') {
      const { fingerprint, ...certificate } = await ca.issue(device, credential.csr);
      return { credential: { kind: 'certificate', device, fingerprint }, given: { certificate } };
    }
    const password = credential.password ?? generatePassword(random);
    return { credential: await makeCredential(device, password, random), given: { password } };
  }

  /**
   * Binds a device to a patient or room, also one that has no credentials because it speaks through another's connection. Throws
   * {@link UsageError} for a period that is none, or while the gateway does not know what time it is.
   */
  async bindDevice(device: DeviceId, subject: Subject, period: Period = {}): Promise<void> {
    const { from, until } = period;
    if (from !== undefined && until !== undefined && from >= until) throw new UsageError('the period must end after it begins');
    if ((from !== undefined || until !== undefined) && this.#options.clock.trust() === 'implausible') {
      throw new UsageError("the gateway's clock is not set yet: bind without from and until, or wait until it is");
    }
    await this.#options.pipeline.decide(encodeOperatorAction({ type: 'bind', device, subject, ...period }));
  }

  /**
   * Takes a device's credential and binding away and closes its connections at once. Its past messages stay. Throws
   * {@link UsageError} when there is no such device.
   */
  async revokeDevice(device: DeviceId): Promise<void> {
    await this.#inTurn(() => this.#revoke(device));
  }

  async #revoke(device: DeviceId): Promise<void> {
    const { clock, credentials, disconnect, pipeline } = this.#options;
    if (!(await credentials.remove(device)) && pipeline.derived.subjectAt(device, clock.now()) === undefined) throw new UsageError(`there is no device ${device}`);
    disconnect(device);
    await pipeline.decide(encodeOperatorAction({ type: 'revoke', device }));
  }

  /** The rule packs in force. */
  async contracts(): Promise<readonly ContractInForce[]> {
    return await this.#options.desk.contracts();
  }

  /** Puts these rule packs in force, and no others. Throws {@link UsageError}, and changes nothing, when there is a mistake in one or the configuration names the packs. */
  async activateContracts({ packs, signatures, by }: ContractOrder): Promise<readonly ContractInForce[]> {
    const read = signatures.map(readContractSignature).filter((each) => each !== undefined);
    if (read.length < signatures.length) throw new UsageError('"signatures" must be signatures under contracts');
    const activation = await this.#options.desk.activate(packs, read, by);
    if ('activated' in activation) return activation.activated;
    if ('configured' in activation) throw new UsageError('the configuration names the rule packs (gateway.packs): change them there and run "vitalgate reload", or leave them out to let people decide');
    throw new UsageError(activation.mistakes.map(({ pack, line, message }) => `${pack === null ? '' : `pack ${pack + 1}${line === null ? '' : `, line ${line}`}: `}${message}`).join('\n'));
  }

  /**
   * An access token for a person of the configuration, told once and kept as a hash only. Throws {@link UsageError} for anybody else.
   */
  async makeToken(person: string, expiresAfter?: Millis): Promise<MadeToken> {
    return await this.#options.people.makeToken(person, expiresAfter);
  }

  /** How Node-RED is; null where none runs. */
  async flowsStatus(): Promise<NodeRedStatus | null> {
    return this.#options.flows.status();
  }

  /** Dated copies of the flows, the newest first. */
  async flowsHistory(): Promise<readonly FlowCopy[]> {
    return this.#options.flows.history();
  }

  /** Puts the flows of a copy in place and starts with them. Throws {@link UsageError} for a copy there is not. */
  async restoreFlows(copy: string): Promise<void> {
    await this.#options.flows.restore(copy);
  }

  /** By person and age. */
  async tokens(): Promise<readonly ListedToken[]> {
    return this.#options.people.tokens();
  }

  /** Ends the token with this id, or all of a person, at once. Throws {@link UsageError} when there is none. */
  async revokeTokens(nameOrId: string): Promise<readonly ListedToken[]> {
    return await this.#options.people.revoke(nameOrId);
  }

  /** Those that can log in, or are or will be bound, by name. */
  async devices(): Promise<readonly ListedDevice[]> {
    const { credentials, pipeline, clock } = this.#options;
    return listDevices(pipeline.derived, await credentials.list(), clock.now());
  }

  /** Who is seen and reaches nobody. */
  async discover(): Promise<Discovery> {
    const { pipeline, refusedLogins, unusedPorts } = this.#options;
    return discovery(pipeline.derived, refusedLogins.all, unusedPorts());
  }

  /** A page of what could not be understood, in the order it came. */
  async quarantine(from: Sequence, filter: QuarantineFilter = {}): Promise<QuarantinePage> {
    return await quarantinePage(this.#options, from, filter);
  }

  /** Throws {@link UsageError} when the frame is not in quarantine. */
  async quarantined(sequence: Sequence): Promise<QuarantinedFrame> {
    const frame = await quarantinedFrame(this.#options, sequence);
    await this.#showing(nameIfAny(this.#options.pipeline.derived.subjectAt(frame.device as DeviceId, this.#options.clock.now())));
    return frame;
  }

  /** Tries a page of the quarantine again; see quarantine.ts. */
  async retryQuarantine(from: Sequence, filter: QuarantineFilter = {}): Promise<RetryPage> {
    return await retryPage(this.#quarantineSources(), from, filter);
  }

  /** Tries one frame again. Throws {@link UsageError} when it is not in quarantine. */
  async retryQuarantined(sequence: Sequence): Promise<void> {
    await retryOne(this.#quarantineSources(), sequence);
  }

  #quarantineSources(): QuarantineSources {
    const { journal, deriveStore, pipeline } = this.#options;
    return { journal, deriveStore, carryOut: (actions) => pipeline.carryOut(actions) };
  }

  /**
   * Reads the configuration file again and puts its live sections (activation.ts) in force. Throws ConfigError, and changes nothing, when
   * there is a mistake in it; {@link UsageError} when there is no file.
   */
  /** See prove.ts. */
  async prove(order: ProofOrder): Promise<MadeProof> {
    const made = await prove(this.#options, order);
    if (made.device !== undefined) await this.#showing(nameIfAny(this.#options.pipeline.derived.subjectAt(made.device as DeviceId, this.#options.clock.now())));
    return made;
  }

  /** Whoever may open the data folder was shown something of a subject (`patient/anna`). */
  async #showing(name: string | null, what: Disclosed = 'raw message'): Promise<void> {
    if (name === null) return;
    await this.#options.disclosures.note(COMMAND_LINE, [{ subject: subjectNamed(name) }], what);
  }

  /** Whom a subject's data were shown to. */
  async disclosures(subject: Subject): Promise<readonly Disclosure[]> {
    const found = await disclosuresOf(this.#options, subject);
    await this.#showing(nameOf(subject), 'disclosures');
    return found;
  }

  /** By which pseudonym a hospital knows somebody. Throws {@link UsageError} where nothing of them was said yet, so that none does. */
  async pseudonym({ subject, hospital }: PseudonymOrder): Promise<KnownBy> {
    const { keyring } = this.#options;
    if (!/^0[23][0-9a-f]{64}$/.test(hospital)) throw new UsageError(`"${hospital}" is no public key of a hospital: 66 hexadecimal digits`);
    const key = keyring.all().filter(({ owner }) => owner === nameOf(subject)).at(-1);
    if (key === undefined) throw new UsageError(`nothing was said of ${nameOf(subject)} yet, or it is erased: no hospital knows it`);
    await this.#showing(nameOf(subject), 'pseudonym');
    const { pseudonym, before } = pseudonymsUnder(keyring, key, Buffer.from(hospital, 'hex'));
    return { epoch: key.epoch, pseudonym: toHex(pseudonym), before: toHex(before) };
  }

  /** See prove.ts. */
  async proveGrowth(order: GrowthOrder): Promise<Readonly<{ text: string; to: number }>> {
    return await proveGrowth(this.#options, order);
  }

  /** See prove.ts; both in base64. */
  async receipt(entry: number): Promise<Readonly<{ entry: string; receipt: string }>> {
    const made = await receiptFor({ ...this.#options, key: this.#options.signingKey() }, entry);
    return { entry: Buffer.from(made.entry).toString('base64'), receipt: Buffer.from(made.receipt).toString('base64') };
  }

  /** Whom an auditor of this chain has to believe (ledger/policy.ts). */
  async policy(): Promise<string> {
    return policyOf(this.#options);
  }

  /** Who speaks for the chain. */
  async authority(): Promise<AuthorityView> {
    return await this.#options.succession.view();
  }

  /** See SuccessionDesk.rotate. */
  async rotateKey(): Promise<AuthorityView> {
    return await this.#inTurn(() => this.#options.succession.rotate());
  }

  /** See SuccessionDesk.propose. */
  async proposeChange(order: ProposalOrder): Promise<Proposal> {
    return await this.#inTurn(() => this.#options.succession.propose(order));
  }

  /** See SuccessionDesk.apply. */
  async applyChange(texts: readonly string[]): Promise<AuthorityView> {
    return await this.#inTurn(() => this.#options.succession.apply(texts));
  }

  /** See SuccessionDesk.forgo. */
  async forgoReplacement(): Promise<AuthorityView> {
    return await this.#inTurn(() => this.#options.succession.forgo());
  }

  /** See Erasure.run. */
  async erase(order: Omit<ErasureOrder, 'by'>): Promise<Erased> {
    if (order.through === undefined) this.#options.disclosures.forget(order.subject);
    return await this.#options.erasure.run({ ...order, by: COMMAND_LINE });
  }

  /** Everything this gateway keeps, as of now, unencrypted (backup.ts). */
  async backup(): Promise<AsyncIterable<Uint8Array>> {
    return backupOf({ ...this.#options, now: this.#options.clock.now });
  }

  /** Does again what was erased since the backup, and writes down what was lost. */
  async completeRestoration(taken: UnixMillis, { erasures, lost }: Pick<Continued, 'erasures' | 'lost'>): Promise<void> {
    const { keyring, pipeline, erasure } = this.#options;
    for (const { keys, through } of erasures) {
      const subjects = new Set(keys.flatMap((id) => keyring.byId(id)?.about ?? []));
      if (through !== undefined && through >= keyring.epoch) await pipeline.carryOut([encodeOperatorAction({ type: 'epoch', epoch: through + 1 })]);
      for (const name of subjects) await erasure.run({ subject: subjectNamed(name), ...(through === undefined ? {} : { through }), by: COMMAND_LINE });
    }
    await pipeline.carryOut([encodeOperatorAction({ type: 'restored', taken, ...lost })]);
  }

  async reload(): Promise<Reloaded> {
    return await this.#options.reload();
  }

  /** Follows one message of a device, or its last, through the five states. */
  async trace(device: DeviceId, sequence?: Sequence): Promise<Trace> {
    const trace = await traceMessage({ ...this.#options, derived: this.#options.pipeline.derived }, device, sequence);
    await this.#showing(trace.accepted.subject);
    return trace;
  }

  /** Links, hospitals over each of them, and why another was used; nothing while the gateway does not serve. */
  async links(): Promise<LinksReport> {
    const status = this.#options.links?.status() ?? { links: [], paths: [], switches: [] };
    const { releases, modems } = this.#options;
    return { ...status, relays: await this.relays(), payloads: releases.map((relay) => relay.status), modems: modems?.report() ?? [] };
  }

  /** What the gateway takes of its disk; null before that was measured, and while it does not serve. */
  disk(): DiskReport | null {
    return this.#options.disk?.report() ?? null;
  }

  async relays(): Promise<readonly RelayStatus[]> {
    return (await this.#options.uplink?.status()) ?? [];
  }

  /** Why the gateway should get no traffic at the moment, or undefined. */
  notReady(): StoreError | undefined {
    return this.#options.pipeline.fault;
  }

  async status(): Promise<Status> {
    const { chain, pipeline, progress, startedAt } = this.#options;
    return {
      chain: toHex(chain),
      startedAt: new Date(startedAt).toISOString(),
      fault: pipeline.fault?.message ?? null,
      disk: this.disk(),
      states: progress.states,
      queues: { accept: pipeline.waiting, derive: pipeline.backlog },
      lanes: (await Promise.all(LANES.map((lane) => this.#laneStatus(lane)))).filter((lane) => lane !== undefined),
      totals: pipeline.derived.totals,
      relays: await this.relays(),
      lastEvent: await this.#lastEvent(),
    };
  }

  async #laneStatus(lane: Lane): Promise<LaneStatus | undefined> {
    const head = await this.#options.blocks.head({ chain: this.#options.chain, lane });
    return head === undefined ? undefined : { lane, height: head.height, hash: toHex(head.hash), entries: head.tree.size };
  }

  async #lastEvent(): Promise<string | null> {
    const { blocks, chain, keyring, pending } = this.#options;
    const id = { chain, lane: 'alarm' } as const;
    const head = await blocks.head(id);
    const bytes = head === undefined ? undefined : await blocks.block(id, head.height);
    const entry = bytes === undefined ? undefined : openBlock(bytes).entries.at(-1);
    const sealed = entry === undefined ? undefined : await pending.sealedPayload(decodeEntry(entry).sequence);
    const open = entry === undefined || sealed === undefined ? undefined : openPayload(keyring, entry, sealed);
    if (open === undefined) return null;
    if (open.subject !== undefined) await this.#showing(open.subject, 'alarms');
    return inWords(open.subject, decode(open.payload, { floats: true }) as CborMap);
  }
}

function enrolment(credential: Credential): OperatorAction {
  const { device, kind } = credential;
  return kind === 'password' ? { type: 'enrol', device, credential: kind } : { type: 'enrol', device, credential: kind, fingerprint: toHex(credential.fingerprint) };
}

function inWords(subject: string | undefined, event: CborMap): string {
  const { why, priority, message } = Object.fromEntries(event) as Record<string, string>;
  return `${subject ?? 'the gateway'}: ${message}, ${priority} priority, ${why}`;
}
