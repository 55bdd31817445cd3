/**
 * How commands reach a running gateway: JSON over HTTP on a Unix socket in the data folder. Whoever may read the data
 * folder may use it; nobody else can reach it.
 */

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { AddedDevice, Administration, ContractOrder, DeviceOrder, KnownBy, LinksReport, Period, PseudonymOrder, Reloaded, Status } from '../administration.ts';
import type { Discovery, ListedDevice } from '../device-views.ts';
import { PeerError, QUARANTINE_REASONS, UsageError } from '../errors.ts';
import type { Disclosure } from '../disclosures.ts';
import type { Erased, ErasureOrder } from '../erasure.ts';
import type { FlowCopy } from '../nodered/flow-files.ts';
import type { NodeRedStatus } from '../nodered/node-red.ts';
import type { GrowthOrder, MadeProof, ProofOrder } from '../prove.ts';
import type { QuarantineFilter, QuarantinePage, QuarantinedFrame, RetryPage } from '../quarantine.ts';
import type { UnixMillis } from '../quantity.ts';
import { LANES, Sequence, isDeviceId, isSubjectId, type DeviceId, type Subject } from '../reading.ts';
import type { AuthorityView, Proposal, ProposalOrder } from '../succession-desk.ts';
import type { Trace } from '../trace.ts';
import type { ConsentApi } from '../consent-administration.ts';
import type { ContractInForce } from './care-desk.ts';
import { call, follow } from './control-call.ts';
import { addConsentRoutes, consentClient } from './control-consent.ts';
import { startControlSocket, type Control } from './control-socket.ts';
import { addTokenRoutes, periodIn, textIn, tokenClient, type TokenApi } from './control-tokens.ts';

/** What a command may do, whether the gateway runs or the command opened the data folder itself. */
export type AdministrationApi = TokenApi & Readonly<{
  consent: ConsentApi;
  addDevice: (order: DeviceOrder) => Promise<AddedDevice>;
  bindDevice: (device: DeviceId, subject: Subject, period?: Period) => Promise<void>;
  revokeDevice: (device: DeviceId) => Promise<void>;
  devices: () => Promise<readonly ListedDevice[]>;
  discover: () => Promise<Discovery>;
  quarantine: (from: Sequence, filter?: QuarantineFilter) => Promise<QuarantinePage>;
  quarantined: (sequence: Sequence) => Promise<QuarantinedFrame>;
  retryQuarantine: (from: Sequence, filter?: QuarantineFilter) => Promise<RetryPage>;
  retryQuarantined: (sequence: Sequence) => Promise<void>;
  trace: (device: DeviceId, sequence?: Sequence) => Promise<Trace>;
  contracts: () => Promise<readonly ContractInForce[]>;
  activateContracts: (order: ContractOrder) => Promise<readonly ContractInForce[]>;
  authority: () => Promise<AuthorityView>;
  rotateKey: () => Promise<AuthorityView>;
  proposeChange: (order: ProposalOrder) => Promise<Proposal>;
  applyChange: (texts: readonly string[]) => Promise<AuthorityView>;
  forgoReplacement: () => Promise<AuthorityView>;
  erase: (order: Omit<ErasureOrder, 'by'>) => Promise<Erased>;
  prove: (order: ProofOrder) => Promise<MadeProof>;
  disclosures: (subject: Subject) => Promise<readonly Disclosure[]>;
  pseudonym: (order: PseudonymOrder) => Promise<KnownBy>;
  proveGrowth: (order: GrowthOrder) => Promise<Readonly<{ text: string; to: number }>>;
  policy: () => Promise<string>;
  receipt: (entry: number) => Promise<Readonly<{ entry: string; receipt: string }>>;
  /** Everything the gateway keeps, unencrypted (backup.ts). */
  backup: () => Promise<AsyncIterable<Uint8Array>>;
  flowsStatus: () => Promise<NodeRedStatus | null>;
  flowsHistory: () => Promise<readonly FlowCopy[]>;
  restoreFlows: (copy: string) => Promise<void>;
  reload: () => Promise<Reloaded>;
  links: () => Promise<LinksReport>;
  status: () => Promise<Status>;
}>;

/** Listens on `path`, replacing a socket that a killed gateway left behind: the store's lock says that none runs. */
export async function startControl(path: string, administration: Administration): Promise<Control> {
  return await startControlSocket(path, (app) => {
    addRoutes(app, administration);
    addQuarantineRoutes(app, administration);
    addTokenRoutes(app, administration);
    addContractRoutes(app, administration);
    addAuthorityRoutes(app, administration);
    addConsentRoutes(app, administration);
    addFlowRoutes(app, administration);
  });
}

type DeviceBody = Readonly<{ device: string; subject?: Partial<Subject>; credential?: Readonly<Record<string, unknown>> }>;
type DeviceParams = Readonly<{ device: string }>;

function addRoutes(app: FastifyInstance, administration: Administration): void {
  app.get('/status', () => administration.status());
  app.get('/links', () => administration.links());
  app.get('/backup', async (_request, reply) => reply.type('application/octet-stream').send(Readable.from(await administration.backup(), { objectMode: false })));
  app.post('/reload', () => administration.reload());
  app.get<{ Params: { entry: string } }>('/receipts/:entry', ({ params }) => administration.receipt(sequenceIn(params.entry)));
  app.post<{ Body: Readonly<{ subject?: Partial<Subject> }> }>('/disclosures', ({ body }) => administration.disclosures(subjectIn(body.subject)));
  app.post<{ Body: Readonly<{ subject?: Partial<Subject>; hospital?: unknown }> }>('/pseudonym', ({ body: { subject, hospital } }) => administration.pseudonym({ subject: subjectIn(subject), hospital: textIn(hospital, 'hospital') }));
  app.get<{ Params: { lane: string; from: string } }>('/growth/:lane/:from', ({ params }) => {
    const lane = LANES.find((each) => each === params.lane);
    if (lane === undefined) throw new UsageError(`"${params.lane}" is no lane: ${LANES.join(' or ')}`);
    return administration.proveGrowth({ lane, from: sequenceIn(params.from) });
  });
  app.get('/policy', async () => ({ policy: await administration.policy() }));
  app.get<{ Params: { what: string; number: string } }>('/proofs/:what/:number', ({ params: { what, number } }) => {
    if (what !== 'entry' && what !== 'frame') throw new UsageError('a proof is of an entry or a frame');
    return administration.prove({ what, number: sequenceIn(number) });
  });
  app.post<{ Body: Readonly<{ subject?: Partial<Subject>; through?: unknown }> }>('/erase', ({ body: { subject, through } }) =>
    administration.erase({ subject: subjectIn(subject), ...(through === undefined ? {} : { through: epochIn(through) }) }));
  app.get('/devices', () => administration.devices());
  app.post<{ Body: DeviceBody }>('/devices', ({ body }) => administration.addDevice(orderIn(body)));
  app.put<{ Params: DeviceParams; Body: Pick<DeviceBody, 'subject'> & Partial<Record<'from' | 'until', unknown>> }>('/devices/:device/subject', async ({ params, body }) => {
    await administration.bindDevice(deviceIn(params.device), subjectIn(body.subject), { ...instantIn(body, 'from'), ...instantIn(body, 'until') });
    return {};
  });
  app.get('/discover', () => administration.discover());
  app.delete<{ Params: DeviceParams }>('/devices/:device', async ({ params }) => {
    await administration.revokeDevice(deviceIn(params.device));
    return {};
  });
  app.get<{ Params: DeviceParams; Querystring: { sequence?: string } }>('/devices/:device/trace', ({ params, query }) =>
    administration.trace(deviceIn(params.device), query.sequence === undefined ? undefined : sequenceIn(query.sequence)),
  );
}

type ContractBody = Readonly<{ packs?: unknown; signatures?: unknown; by?: Readonly<{ id?: unknown; role?: unknown }> }>;

function addContractRoutes(app: FastifyInstance, administration: Administration): void {
  app.get('/contracts', () => administration.contracts());
  app.post<{ Body: ContractBody }>('/contracts', ({ body: { packs, signatures, by } }) => {
    if (!Array.isArray(packs) || packs.length === 0 || !packs.every((each) => typeof each === 'string')) throw new UsageError('"packs" must be a list of rule packs');
    return administration.activateContracts({ packs, signatures: Array.isArray(signatures) ? signatures : [], by: { id: textIn(by?.id, 'by.id'), role: textIn(by?.role, 'by.role') } });
  });
}

function addAuthorityRoutes(app: FastifyInstance, administration: Administration): void {
  app.get('/authority', () => administration.authority());
  app.post('/authority/rotate', () => administration.rotateKey());
  app.post<{ Body: Fields }>('/authority/propose', ({ body }) => administration.proposeChange(proposalIn(body)));
  app.post<{ Body: Fields }>('/authority/apply', ({ body: { texts } }) => administration.applyChange(textsIn(texts, 'texts')));
  app.post('/authority/forgo', () => administration.forgoReplacement());
}

function addFlowRoutes(app: FastifyInstance, administration: Administration): void {
  app.get('/flows', async () => ({ status: await administration.flowsStatus() }));
  app.get('/flows/history', () => administration.flowsHistory());
  app.post<{ Body: Fields }>('/flows/restore', async ({ body: { copy } }) => {
    await administration.restoreFlows(textIn(copy, 'copy'));
    return {};
  });
}

type Fields = Readonly<Record<string, unknown>>;

function proposalIn({ type, join, leave, quorum, expires }: Fields): ProposalOrder {
  const period = periodIn(expires);
  if (period === undefined) throw new UsageError('"expires" must be whole milliseconds from 1');
  if (type === 'replacement') return { type, expires: period };
  if (type !== 'membership') throw new UsageError('"type" must be "membership" or "replacement"');
  if (quorum !== undefined && !Number.isSafeInteger(quorum)) throw new UsageError('"quorum" must be a whole number');
  return { type, join: Array.isArray(join) ? join.map(hospitalIn) : [], leave: textsIn(leave ?? [], 'leave'), quorum: quorum as number | undefined, expires: period };
}

function hospitalIn(value: unknown): Readonly<{ name: string; key: string }> {
  const { name, key } = (value ?? {}) as Fields;
  if (typeof key !== 'string' || !/^0[23][0-9a-f]{64}$/.test(key)) throw new UsageError('"join" must name hospitals with keys of 66 hexadecimal digits');
  return { name: textIn(name, 'join.name'), key };
}

function textsIn(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw new UsageError(`"${name}" must be a list of texts`);
  return value;
}

type PageQuery = Readonly<{ from?: string; device?: string; reason?: string }>;

function addQuarantineRoutes(app: FastifyInstance, administration: Administration): void {
  app.get<{ Querystring: PageQuery }>('/quarantine', ({ query }) => administration.quarantine(sequenceIn(query.from ?? '1'), filterIn(query)));
  app.post<{ Querystring: PageQuery }>('/quarantine/retry', ({ query }) => administration.retryQuarantine(sequenceIn(query.from ?? '1'), filterIn(query)));
  app.get<{ Params: { sequence: string } }>('/quarantine/:sequence', ({ params }) => administration.quarantined(sequenceIn(params.sequence)));
  app.post<{ Params: { sequence: string } }>('/quarantine/:sequence/retry', async ({ params }) => {
    await administration.retryQuarantined(sequenceIn(params.sequence));
    return {};
  });
}

function filterIn({ device, reason }: PageQuery): QuarantineFilter {
  const known = reason === undefined ? undefined : QUARANTINE_REASONS.find((each) => each === reason);
  if (reason !== undefined && known === undefined) throw new UsageError(`"${reason}" is no reason: ${QUARANTINE_REASONS.join(', ')}`);
  return { ...(device === undefined ? {} : { device }), ...(known === undefined ? {} : { reason: known }) };
}

const queryOf = (from: Sequence, filter: QuarantineFilter = {}): string => new URLSearchParams({ from: String(from), ...filter }).toString();

function instantIn<Name extends 'from' | 'until'>(body: Partial<Record<Name, unknown>>, name: Name): Partial<Record<Name, UnixMillis>> {
  const instant = body[name];
  if (instant === undefined) return {};
  if (!Number.isSafeInteger(instant)) throw new UsageError(`"${name}" must be an instant in whole Unix milliseconds`);
  return { [name]: instant } as Record<Name, UnixMillis>;
}

function deviceIn(text: string): DeviceId {
  if (!isDeviceId(text)) throw new UsageError(`"${text}" is no device id: 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot`);
  return text;
}

function orderIn({ device, subject, credential }: DeviceBody): DeviceOrder {
  return { device: deviceIn(device), credential: credentialIn(credential ?? {}), ...(subject === undefined ? {} : { subject: subjectIn(subject) }) };
}

function credentialIn({ kind, password, csr }: Readonly<Record<string, unknown>>): DeviceOrder['credential'] {
  if (kind === 'password' && isTextOrAbsent(password)) return { kind, password };
  if (kind === 'certificate' && isTextOrAbsent(csr)) return { kind, csr };
  throw new UsageError('"credential" must be {"kind": "password", "password": text or absent} or {"kind": "certificate", "csr": text or absent}');
}

const isTextOrAbsent = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string';

function subjectIn(subject: Partial<Subject> | undefined): Subject {
  const { kind, id } = subject ?? {};
  if ((kind === 'patient' || kind === 'room') && typeof id === 'string' && isSubjectId(id)) return { kind, id };
  throw new UsageError('"subject" must be {"kind": "patient" or "room", "id": 1 to 64 characters without "/"}');
}

function epochIn(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw new UsageError('"through" must be an epoch: a whole number from 1');
  return value as number;
}

function sequenceIn(text: string): Sequence {
  const sequence = Number(text);
  if (!Number.isSafeInteger(sequence) || sequence < 1) throw new UsageError(`"${text}" is no journal sequence: a whole number from 1`);
  return Sequence(sequence);
}

/** The gateway behind a control socket. Its methods throw {@link UsageError} for what the gateway refused, {@link PeerError} without one. */
export function controlClient(path: string): AdministrationApi {
  return {
    consent: consentClient(path),
    addDevice: async (order) => (await call(path, 'POST', '/devices', order)) as AddedDevice,
    bindDevice: async (device, subject, period = {}) => {
      await call(path, 'PUT', `/devices/${device}/subject`, { subject, ...period });
    },
    revokeDevice: async (device) => {
      await call(path, 'DELETE', `/devices/${device}`);
    },
    ...tokenClient(path),
    devices: async () => (await call(path, 'GET', '/devices')) as readonly ListedDevice[],
    discover: async () => (await call(path, 'GET', '/discover')) as Discovery,
    quarantine: async (from, filter) => (await call(path, 'GET', `/quarantine?${queryOf(from, filter)}`)) as QuarantinePage,
    quarantined: async (sequence) => (await call(path, 'GET', `/quarantine/${sequence}`)) as QuarantinedFrame,
    retryQuarantine: async (from, filter) => (await call(path, 'POST', `/quarantine/retry?${queryOf(from, filter)}`)) as RetryPage,
    retryQuarantined: async (sequence) => {
      await call(path, 'POST', `/quarantine/${sequence}/retry`);
    },
    trace: async (device, sequence) =>
      (await call(path, 'GET', `/devices/${device}/trace${sequence === undefined ? '' : `?sequence=${sequence}`}`)) as Trace,
    contracts: async () => (await call(path, 'GET', '/contracts')) as readonly ContractInForce[],
    activateContracts: async (order) => (await call(path, 'POST', '/contracts', order)) as readonly ContractInForce[],
    authority: async () => (await call(path, 'GET', '/authority')) as AuthorityView,
    rotateKey: async () => (await call(path, 'POST', '/authority/rotate')) as AuthorityView,
    proposeChange: async (order) => (await call(path, 'POST', '/authority/propose', order)) as Proposal,
    applyChange: async (texts) => (await call(path, 'POST', '/authority/apply', { texts })) as AuthorityView,
    forgoReplacement: async () => (await call(path, 'POST', '/authority/forgo')) as AuthorityView,
    flowsStatus: async () => ((await call(path, 'GET', '/flows')) as Readonly<{ status: NodeRedStatus | null }>).status,
    flowsHistory: async () => (await call(path, 'GET', '/flows/history')) as readonly FlowCopy[],
    restoreFlows: async (copy) => {
      await call(path, 'POST', '/flows/restore', { copy });
    },
    erase: async (order) => (await call(path, 'POST', '/erase', order)) as Erased,
    prove: async ({ what, number }) => (await call(path, 'GET', `/proofs/${what}/${number}`)) as MadeProof,
    receipt: async (entry) => (await call(path, 'GET', `/receipts/${entry}`)) as Readonly<{ entry: string; receipt: string }>,
    disclosures: async (subject) => (await call(path, 'POST', '/disclosures', { subject })) as readonly Disclosure[],
    pseudonym: async (order) => (await call(path, 'POST', '/pseudonym', order)) as KnownBy,
    proveGrowth: async ({ lane, from }) => (await call(path, 'GET', `/growth/${lane}/${from}`)) as Readonly<{ text: string; to: number }>,
    policy: async () => ((await call(path, 'GET', '/policy')) as { policy: string }).policy,
    backup: () => follow(path, '/backup'),
    reload: async () => (await call(path, 'POST', '/reload')) as Reloaded,
    links: async () => (await call(path, 'GET', '/links')) as LinksReport,
    status: async () => (await call(path, 'GET', '/status')) as Status,
  };
}

/** Whether a gateway answers on the socket, be it with an error. */
export async function controlAnswers(path: string): Promise<boolean> {
  try {
    await call(path, 'GET', '/alive');
    return true;
  } catch (error) {
    if (error instanceof PeerError) return error.code !== 'VG_PEER_UNREACHABLE';
    throw error;
  }
}
