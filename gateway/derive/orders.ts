import type { AlarmPolicy } from '../alarm/policy.ts';
import type { Actor } from '../alarm/condition.ts';
import type { Contract } from '../context/contract.ts';
import type { RoomKind } from '../context/watch.ts';
import type { Millis } from '../quantity.ts';
import { sha256, toHex } from '../ledger/bytes.ts';

/** What is known of a patient's home, and which packs are for them. */
export type PatientRecord = Readonly<{
  id: string;
  /** `room`: id of a room subject. */
  rooms: readonly Readonly<{ room: string; kind: RoomKind }>[];
  /** Nobody else lives in these rooms: what moves there is this person. */
  alone: boolean;
  /** Names of packs; absent: all in force. */
  packs?: readonly string[];
}>;

/** A contract in force, its SHA-256 (hexadecimal), who put it in force, and the public keys (hexadecimal) of those who signed it. */
export type ActivatedContract = Readonly<{ contract: Contract; hash: string; by: readonly Actor[]; signers: readonly string[] }>;

/** A decision of a clinician about a patient. */
export type Prescription = Readonly<{ spo2Scale: 1 | 2; by: Actor }>;

/** Somebody wants every sample of a measurement until a steady instant. */
export type WantedWaveform = Readonly<{ patient: string; measurement: string; until: Millis }>;

/** What people decided about watching, as it holds now. JSON. */
export type Orders = Readonly<{
  contracts: readonly ActivatedContract[];
  patients: readonly PatientRecord[];
  /** By patient id. */
  prescriptions: Readonly<Record<string, Prescription>>;
  /** Absent: none. */
  waveforms?: readonly WantedWaveform[];
  /** Absent: DEFAULT_POLICY. */
  policy?: AlarmPolicy;
  /** How many minutes local clocks are ahead of UTC; absent before anybody said. */
  offset?: number;
}>;

/** SHA-256 of a contract's JSON as derivation reads it (context/read-contracts.ts), hexadecimal. */
export const hashOfContract = (contract: Contract): string => toHex(sha256(Buffer.from(JSON.stringify(contract), 'utf8')));

export const NO_ORDERS: Orders = { contracts: [], patients: [], prescriptions: {} };
