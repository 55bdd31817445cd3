/** What a hospital node sends to integration engines, put together from its configuration. */

import { randomUUID } from 'node:crypto';
import type { UpstreamConfig } from './config/schema.ts';
import { UsageError } from './errors.ts';
import type { Destination, Outcome } from './hl7/output.ts';
import { startHl7Outputs, type Hl7Outputs } from './hl7/outputs.ts';
import type { SetAsideMessages } from './hl7/set-aside.ts';
import type { Logger } from './operations/log.ts';
import type { OutputReporter } from './oversight/output-status.ts';
import { Minutes, UnixMillis } from './quantity.ts';
import type { IdentityMap } from './records/identity.ts';
import type { Leases } from './records/lease.ts';
import type { OutputGate } from './records/output-gate.ts';
import type { OutputCursors, RecordLog } from './records/record-log.ts';
import { systemTime } from './uplink/retry.ts';
import type { Hl7OutputApi } from './web/control-hl7.ts';

/** What it needs of a hospital's stores. */
export type Hl7Stores = Readonly<{ outputs: OutputCursors; refusedMessages: SetAsideMessages; identities: IdentityMap; leases: Leases }>;

export type HospitalHl7Options = Readonly<{
  config: Pick<UpstreamConfig, 'name' | 'hl7'>;
  stores: Hl7Stores;
  records: RecordLog;
  gate: OutputGate;
  /** The text of a configured file. Throws {@link ConfigError}. */
  textIn: (file: string) => string;
  log: Logger;
  onOutcome: (destination: string, outcome: Outcome) => void;
}>;

/** How long an engine may be without an acknowledgement, while something waits and fails, before a person has to look. */
const PATIENCE = Minutes(5);

/** How destinations do, for operators. */
export function reportOf(outputs: Pick<Hl7Outputs, 'status'>, now: () => UnixMillis): OutputReporter {
  const since = now();
  return () => outputs.status().map(({ destination, sends, behind, setAside, lastAck, lastError }) => ({
    name: destination, kind: setAside === 0 ? 'HL7 v2' : `HL7 v2, ${setAside} set aside`,
    state: !sends || (lastError !== null && now() - (lastAck ?? since) < PATIENCE) ? 'waiting' : lastError === null ? 'working' : 'failing',
    behind, unit: 'records', lastSuccess: lastAck, lastError,
  }));
}

const PAGE = 500;

/** For commands. */
export function outputApiOf(outputs: Hl7Outputs): Hl7OutputApi {
  const named = (destination: string): string => {
    if (outputs.status().every((each) => each.destination !== destination)) throw new UsageError(`${JSON.stringify(destination.slice(0, 64))} is no engine of upstream.hl7`);
    return destination;
  };
  return {
    hl7Outputs: () => Promise.resolve(outputs.status()),
    refusedMessages: async (destination, number) => await outputs.setAside(named(destination), number, PAGE),
    sendAgain: async (destination) => await outputs.sendAgain(named(destination)),
  };
}

/** Begins to send. Throws {@link ConfigError} when a configured file cannot be read. */
export function startHospitalHl7({ config, stores, records, gate, textIn, log, onOutcome }: HospitalHl7Options): Hl7Outputs {
  const { outputs: cursors, refusedMessages: setAside, identities, leases } = stores;
  return startHl7Outputs({
    destinations: config.hl7.map((each) => destinationOf(each, config.name, textIn)),
    log: records, cursors, setAside, gate, identities, leases, holder: randomUUID(),
    clock: () => UnixMillis(Date.now()), time: systemTime, random: Math.random, logger: log, onOutcome,
  });
}

function destinationOf(given: UpstreamConfig['hl7'][number], node: string, textIn: (file: string) => string): Destination {
  const { name, address, tls, purpose, what, leastPriority, summaries, rooms, retries } = given;
  const { sendingApplication, sendingFacility = node, receivingApplication = '', receivingFacility = '', processing, acknowledgement } = given;
  const { certificateFile, keyFile, caFile } = tls ?? {};
  const own = certificateFile !== undefined && keyFile !== undefined && { own: { certificate: textIn(certificateFile), key: textIn(keyFile) } };
  return {
    name, purpose, what, retries,
    address: { ...address, ...(tls && { tls: { ...(caFile !== undefined && { ca: textIn(caFile) }), ...own } }) },
    addressing: {
      sendingApplication, sendingFacility, receivingApplication, receivingFacility, processing, acknowledgement,
      timeZone: given.timeZone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
    wanted: { leastPriority, summaries, rooms },
    times: { connect: given.connectTimeout, acknowledgement: given.timeout },
    retry: { base: given.retryBase, cap: given.retryCap },
  };
}
