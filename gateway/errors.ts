/**
 * Every error this program throws on purpose, as one table. A class stands for a decision the caller can take; the
 * code is stable (tests and scripts match on it, never on the message); `cause` holds what was caught underneath.
 *
 * | class            | whose fault             | what the caller does                                   |
 * | ---------------- | ----------------------- | ------------------------------------------------------ |
 * | ConfigError      | whoever wrote the file  | show it, exit 2                                        |
 * | QuantityError    | whoever wrote the text  | wrapped into a ConfigError with the line               |
 * | UsageError       | whoever typed a command | show it and the command's help, exit 2                 |
 * | DecodeError      | the device              | quarantine the frame under `reason`                    |
 * | StoreError       | disk or file system     | refuse what was offered, raise an alarm, never continue |
 * | BlockRejected    | the writer of a block   | do not accept the block; `reason` says which rule broke |
 * | PeerError        | the other node          | retry later                                            |
 * | UnreadableError  | file or address         | exit 2: nothing could be judged                        |
 * | InternalError    | us                      | stop loudly                                            |
 */

export abstract class VitalgateError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

export class ConfigError extends VitalgateError {
  readonly code = 'VG_CONFIG';
}

export class QuantityError extends VitalgateError {
  readonly code = 'VG_QUANTITY';
}

export class UsageError extends VitalgateError {
  readonly code = 'VG_USAGE';
}

/** Why a frame was put into quarantine. The words are metric labels and file names of test vectors: do not rename. */
export const QUARANTINE_REASONS = [
  'empty_payload',
  'invalid_utf8',
  'invalid_json',
  'too_complex',
  'wrong_shape',
  'unknown_measurement',
  'wrong_unit',
  'not_a_number',
  'implausible_value',
  'unknown_topic',
  'unbound_device',
  'unapproved_device',
] as const;
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

export class DecodeError extends VitalgateError {
  readonly code = 'VG_DECODE';
  readonly reason: QuarantineReason;
  constructor(reason: QuarantineReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export class StoreError extends VitalgateError {
  readonly code: 'VG_STORE_WRITE' | 'VG_STORE_READ' | 'VG_STORE_CORRUPT' | 'VG_STORE_LOCKED' | 'VG_STORE_CLOSED' | 'VG_STORE_FULL';
  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Which rule a change of who may speak for a chain broke (ledger/succession.ts): do not rename. */
export type ChangeFault =
  | 'change_wrong_chain'
  | 'change_wrong_number'
  | 'change_expired'
  | 'change_impossible'
  | 'change_unsigned'
  | 'change_unproven'
  | 'change_wrong_height';

/** Which rule a block broke. The words are printed by `vitalgate verify` and sent to gateways: do not rename. */
export type RejectReason =
  | 'malformed'
  | 'not_canonical'
  | 'wrong_version'
  | 'wrong_chain'
  | 'wrong_lane'
  | 'wrong_height'
  | 'wrong_prev'
  | 'wrong_genesis'
  | 'wrong_tree_size'
  | 'wrong_tree_root'
  | 'wrong_entry_range'
  | 'wrong_entry_order'
  | 'bad_signature'
  | 'insufficient_work'
  /** An entry after the change in its block. */
  | 'change_misplaced'
  /** Signed with a gateway key that a replacement took out of force. */
  | 'revoked_key'
  | ChangeFault;

export class BlockRejected extends VitalgateError {
  readonly code = 'VG_BLOCK_REJECTED';
  readonly reason: RejectReason;
  constructor(reason: RejectReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export class PeerError extends VitalgateError {
  readonly code: 'VG_PEER_UNREACHABLE' | 'VG_PEER_REFUSED' | 'VG_PEER_FORKED' | 'VG_PEER_MALFORMED';
  constructor(code: PeerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class UnreadableError extends VitalgateError {
  readonly code = 'VG_UNREADABLE';
}

export class InternalError extends VitalgateError {
  readonly code = 'VG_INTERNAL';
}

/** The message of anything that was thrown, for a log line or a person. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The message of what a network client threw: what went wrong is often one level down, under words that say little. */
export function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (thrown instanceof AggregateError && thrown.message === '') return thrown.errors.map(messageOf).join('; ');
  return (cause === undefined ? '' : messageOf(cause)) || messageOf(thrown);
}
