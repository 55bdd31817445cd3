/** What a hospital node shows and gives as FHIR, put together from its configuration and its stores. */

import { hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { UpstreamConfig } from './config/schema.ts';
import type { KeptGrant } from './consent/consents.ts';
import { UsageError } from './errors.ts';
import type { AuditTrail } from './fhir/audit-trail.ts';
import { FhirServer, type Authorisation } from './fhir/fhir-server.ts';
import type { KnownPermission, Permissions } from './fhir/permissions.ts';
import type { BlockProofs } from './fhir/provenance.ts';
import { FhirPush } from './fhir/push.ts';
import type { KnownGateways } from './fhir/reader.ts';
import { addFhirRoutes } from './fhir/routes.ts';
import type { SetAsides } from './fhir/set-aside.ts';
import type { BlockStore, LaneId } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { toHex } from './ledger/bytes.ts';
import { encodeSign1 } from './ledger/cose.ts';
import { fingerprint, type SigningKey, verifyWithNodeCrypto } from './ledger/es256k.ts';
import { ReceiptRejected, verifyReceipt, type ExpectedReceipt } from './ledger/receipt.ts';
import type { Logger } from './operations/log.ts';
import type { OutputReporter } from './oversight/output-status.ts';
import { Millis, UnixMillis } from './quantity.ts';
import { LANES } from './reading.ts';
import type { RecordStores } from './hospital-records.ts';
import type { OutputGate } from './records/output-gate.ts';
import type { ToldConsents } from './records/told-consents.ts';
import type { RecordLog } from './records/record-log.ts';
import { systemTime } from './uplink/retry.ts';
import type { FhirOutputApi } from './web/control-fhir.ts';
import { OPERATORS, READERS, type Staff } from './web/staff.ts';

/** What it needs of a hospital's stores. */
export type FhirStores = Readonly<{ audit: AuditTrail; refusedResources: SetAsides }>;

export type HospitalFhirOptions = Readonly<{
  config: Pick<UpstreamConfig, 'name' | 'fhir'>;
  stores: FhirStores & Pick<RecordStores, 'outputs' | 'identities' | 'leases'> & Readonly<{ blocks: BlockStore }>;
  records: RecordLog;
  gate: OutputGate;
  permissions: Permissions;
  staff: Staff;
  /** This hospital's: pages of searches are sealed with a key that is derived of it, the same in all processes. */
  key: SigningKey;
  /** The text of a configured file. Throws {@link ConfigError}. */
  textIn: (file: string) => string;
  log: Logger;
}>;

export type HospitalFhir = Readonly<{
  addRoutes: (app: FastifyInstance) => Promise<void>;
  outputs: FhirOutputApi;
  /** For those who run the node. */
  report: OutputReporter;
  /** Begins to send. */
  start: () => void;
  stop: () => Promise<void>;
}>;

const now = (): UnixMillis => UnixMillis(Date.now());

/** Throws {@link ConfigError} when a configured file cannot be read. */
export function openHospitalFhir(options: HospitalFhirOptions): HospitalFhir {
  const { config: { name, fhir }, stores: { blocks, audit: trail, identities }, records, gate, permissions, staff, key, log } = options;
  const proofs = proofsIn(blocks, key);
  const running = fhir.push.map((each) => pushOf(each, options, proofs));
  return {
    addRoutes: async (app) => {
      if (!fhir.api) return;
      await addFhirRoutes(app, {
        name, records, gate, permissions, identities, proofs, trail, log, now, gateways: gatewaysIn(blocks), random: (size) => randomBytes(size),
        cursorKey: new Uint8Array(hkdfSync('sha256', key.secret, new Uint8Array(), 'vitalgate/fhir-page/1', 32)),
        staff: {
          admit: (request, reply) => {
            const member = staff.admit(request, reply, [...READERS, ...OPERATORS]);
            return { ...member, seesAudit: OPERATORS.includes(member.role) };
          },
          onChange: (listener) => staff.onChange(listener),
        },
      });
    },
    outputs: outputsOf(running.map(({ push }) => push)),
    report: () => running.map(({ push }) => ({ ...push.glance, kind: 'FHIR push', unit: 'records' })),
    start: () => {
      for (const { push } of running) push.start();
    },
    stop: async () => {
      await Promise.all(running.map(async ({ push, server }) => {
        await push.stop();
        await server.close();
      }));
    },
  };
}

/** What gateways told of somebody's consents, grant by grant. What nobody said is not here: then the configuration of the gateway decides. */
export const permissionsTold = (told: Pick<ToldConsents, 'of'>): Permissions => ({
  of: async ({ person, kind }) => {
    const known = await told.of(person);
    return kind !== 'patient' || known?.kind !== 'patient' ? [] : known.grants.map(permissionOf);
  },
});

function permissionOf({ grant: { id, permit, what = [], purposes = [], from, until, measured }, accepted, ended }: KeptGrant): KnownPermission {
  return {
    version: id, permits: permit, items: what, purposes, from, ...(until !== undefined && { until }), said: accepted, ...(ended !== undefined && { ended: true }),
    ...(measured !== undefined && { measured: { from: measured.from, ...(measured.until !== undefined && { until: measured.until }) } }),
  };
}

/** For commands. */
function outputsOf(pushes: readonly FhirPush[]): FhirOutputApi {
  const named = (server: string): FhirPush => {
    const found = pushes.find(({ name }) => name === server);
    if (found === undefined) throw new UsageError(`${JSON.stringify(server.slice(0, 64))} is no server of upstream.fhir.push`);
    return found;
  };
  return {
    fhirOutputs: () => Promise.all(pushes.map((push) => push.status())),
    refusedBy: async (server) => await named(server).refused(),
    retryAt: async (server) => await named(server).retry(),
  };
}

function pushOf(given: UpstreamConfig['fhir']['push'][number], { stores, records, gate, textIn, log }: HospitalFhirOptions, proofs: BlockProofs): Readonly<{ push: FhirPush; server: FhirServer }> {
  const { name, url, caFile, timeout, retryCap, purpose, what, summaries } = given;
  const server = new FhirServer({ url, timeout, authorisation: authorisationOf(given, textIn), ...(caFile !== undefined && { ca: textIn(caFile) }) }, systemTime.now);
  const push = new FhirPush({
    name, purpose, what, summaries, server, records, gate, proofs, log, now, identities: stores.identities, cursors: stores.outputs, leases: stores.leases, trail: stores.audit, asides: stores.refusedResources,
    holder: randomUUID(), sleep: systemTime.sleep, random: Math.random, longestWait: Millis(retryCap),
  });
  return { push, server };
}

function authorisationOf({ tokenFile, oauth }: UpstreamConfig['fhir']['push'][number], textIn: (file: string) => string): Authorisation {
  const firstLine = (file: string): string => (textIn(file).split(/\r?\n/, 1)[0] ?? '').trim();
  if (oauth !== undefined) {
    const { tokenUrl, client, secretFile, scope } = oauth;
    firstLine(secretFile);
    return { kind: 'client', tokenUrl, client, secret: () => firstLine(secretFile), ...(scope !== undefined && { scope }) };
  }
  if (tokenFile === undefined) return { kind: 'none' };
  firstLine(tokenFile);
  return { kind: 'bearer', token: () => firstLine(tokenFile) };
}

const chainOf = (chain: string): Uint8Array => Uint8Array.from(Buffer.from(chain, 'hex'));

async function keyOf(blocks: Pick<BlockStore, 'head'>, chain: string): Promise<string | undefined> {
  for (const lane of LANES) {
    const head = await blocks.head({ chain: chainOf(chain), lane });
    if (head !== undefined) return fingerprint(head.authority.gateway);
  }
  return undefined;
}

const gatewaysIn = (blocks: BlockStore): KnownGateways => ({ all: async () => (await blocks.chains()).map(toHex), keyOf: (chain) => keyOf(blocks, chain) });

/** The signature of a block as it lies here, and this hospital's over the same, where it was given for that very block. */
function proofsIn(blocks: BlockStore, { publicKey }: SigningKey): BlockProofs {
  return {
    of: async ({ chain, lane, height }) => {
      const id: LaneId = { chain: chainOf(chain), lane };
      const [bytes, key, receipts] = await Promise.all([blocks.block(id, height), keyOf(blocks, chain), blocks.receipts(id, height)]);
      if (bytes === undefined || key === undefined) return undefined;
      const { header, hash, envelope } = openBlock(bytes);
      const receipt = receipts.find((each) => isOurs(each, { key: publicKey, chain: id.chain, lane, height, hash }));
      return { signed: encodeSign1(envelope), sealed: header.time, key, ...(receipt !== undefined && { receipt: { signed: receipt, key: fingerprint(publicKey) } }) };
    },
  };
}

/** Receipts of other hospitals may lie here, too. */
function isOurs(receipt: Uint8Array, expected: ExpectedReceipt): boolean {
  try {
    verifyReceipt(receipt, expected, verifyWithNodeCrypto);
    return true;
  } catch (error) {
    if (error instanceof ReceiptRejected) return false;
    throw error;
  }
}
