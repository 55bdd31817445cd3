import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import { Sequence, isDeviceId, isSubjectId, type DeviceId, type Reading, type Subject } from '../reading.ts';

/**
 * What a person or the configuration decided, as it enters the journal: the payload of an `operator` frame, JSON in
 * UTF-8. Derivation depends on nothing that is not in a frame, so these are frames too.
 */
export type OperatorAction =
  /** `from` (included) and `until` (excluded) on the gateway's wall clock; absent: from now, for ever. */
  | Readonly<{ type: 'bind'; device: DeviceId; subject: Subject; from?: UnixMillis; until?: UnixMillis }>
  | Readonly<{ type: 'unbind'; device: DeviceId }>
  /** Decodes a frame of the journal again, whose readings named in `taken` (see {@link readingName}) were taken before. */
  | Readonly<{ type: 'retry'; sequence: Sequence; frame: Uint8Array; taken: readonly string[] }>
  /** The device proves itself by this from now on; `fingerprint` is the SHA-256 of its certificate, hexadecimal. */
  | Readonly<{ type: 'enrol'; device: DeviceId; credential: 'password' }>
  | Readonly<{ type: 'enrol'; device: DeviceId; credential: 'certificate'; fingerprint: string }>
  /** The device proves itself by nothing any more, and is nobody's. */
  | Readonly<{ type: 'revoke'; device: DeviceId }>
  | Readonly<{ type: 'rules'; rules: readonly unknown[] }>
  | Readonly<{ type: 'profiles'; profiles: readonly unknown[] }>;

/** What tells the readings of one frame apart. */
export const readingName = ({ measurement, deviceTime }: Reading): string => `${measurement} ${deviceTime ?? ''}`;

export function encodeOperatorAction(action: OperatorAction): Uint8Array {
  const plain = action.type === 'retry' ? { ...action, frame: Buffer.from(action.frame).toString('base64') } : action;
  return Buffer.from(JSON.stringify(plain), 'utf8');
}

/** Throws {@link DecodeError} for an action this version does not know. */
export function decodeOperatorAction(payload: Uint8Array): OperatorAction {
  const action = parse(payload);
  switch (action['type']) {
    case 'bind':
      return { type: 'bind', device: deviceOf(action), subject: subjectOf(action['subject']), ...instantIn(action, 'from'), ...instantIn(action, 'until') };
    case 'unbind':
      return { type: 'unbind', device: deviceOf(action) };
    case 'retry':
      return { type: 'retry', sequence: sequenceIn(action), frame: bytesIn(action), taken: takenIn(action) };
    case 'enrol':
      return { type: 'enrol', device: deviceOf(action), ...credentialOf(action) };
    case 'revoke':
      return { type: 'revoke', device: deviceOf(action) };
    case 'rules':
      if (!Array.isArray(action['rules'])) throw new DecodeError('wrong_shape', '"rules" must be an array');
      return { type: 'rules', rules: action['rules'] };
    case 'profiles':
      if (!Array.isArray(action['profiles'])) throw new DecodeError('wrong_shape', '"profiles" must be an array');
      return { type: 'profiles', profiles: action['profiles'] };
    default:
      throw new DecodeError('wrong_shape', `unknown operator action ${JSON.stringify(action['type'])}`);
  }
}

function parse(payload: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new DecodeError('invalid_json', 'an operator action must be JSON', { cause });
  }
  throw new DecodeError('wrong_shape', 'an operator action must be an object');
}

function instantIn<Name extends 'from' | 'until'>(action: Readonly<Record<string, unknown>>, name: Name): Partial<Record<Name, UnixMillis>> {
  const instant = action[name];
  if (instant === undefined) return {};
  if (!Number.isSafeInteger(instant)) throw new DecodeError('wrong_shape', `"${name}" must be an instant in whole milliseconds`);
  return { [name]: instant } as Record<Name, UnixMillis>;
}

function sequenceIn({ sequence }: Readonly<Record<string, unknown>>): Sequence {
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) throw new DecodeError('wrong_shape', '"sequence" must be a whole number from 1');
  return Sequence(sequence as number);
}

function bytesIn({ frame }: Readonly<Record<string, unknown>>): Uint8Array {
  if (typeof frame !== 'string') throw new DecodeError('wrong_shape', '"frame" must be bytes in base64');
  return Buffer.from(frame, 'base64');
}

function takenIn({ taken }: Readonly<Record<string, unknown>>): readonly string[] {
  if (!Array.isArray(taken) || !taken.every((each) => typeof each === 'string')) throw new DecodeError('wrong_shape', '"taken" must be an array of texts');
  return taken;
}

function deviceOf(action: Readonly<Record<string, unknown>>): DeviceId {
  const { device } = action;
  if (typeof device !== 'string' || !isDeviceId(device)) throw new DecodeError('wrong_shape', '"device" must be a device id');
  return device;
}

function credentialOf({ credential, fingerprint }: Readonly<Record<string, unknown>>): { credential: 'password' } | { credential: 'certificate'; fingerprint: string } {
  if (credential === 'password' && fingerprint === undefined) return { credential };
  if (credential === 'certificate' && typeof fingerprint === 'string' && /^[0-9a-f]{64}$/.test(fingerprint)) return { credential, fingerprint };
  throw new DecodeError('wrong_shape', '"credential" must be "password", or "certificate" with "fingerprint" of 64 hexadecimal digits');
}

function subjectOf(value: unknown): Subject {
  const { kind, id } = (value ?? {}) as Readonly<Record<string, unknown>>;
  // One name, however its accents were typed (Unicode normalisation form C): the ledger knows no other.
  const name = typeof id === 'string' ? id.normalize('NFC') : '';
  if ((kind !== 'patient' && kind !== 'room') || !isSubjectId(name)) {
    throw new DecodeError('wrong_shape', '"subject" must be {"kind":"patient" or "room","id":…}');
  }
  return { kind, id: name };
}
