import { clockPlausible, implausible } from '../context/plausibility.ts';
import type { Notice } from '../decode/decoder.ts';
import type { Interpretation } from '../decode/family.ts';
import type { Message } from '../decode/native-json.ts';
import type { ProfileTable, Reader } from '../decode/profile-table.ts';
import { DecodeError } from '../errors.ts';
import type { DeviceId, Frame, Reading, Subject } from '../reading.ts';

/** What derivation knows when a frame arrives. */
export type Knowledge = Readonly<{
  profiles: ProfileTable;
  bindings: ReadonlyMap<DeviceId, Subject>;
  /** What a decoder keeps between the frames of a connection. */
  memories: ReadonlyMap<string, unknown>;
}>;

/** What a device's frame says, as far as it can be understood. */
export type Meaning = Readonly<{
  /** Undefined when nothing could be decoded. */
  message: Message | undefined;
  /** Who measured: the device that proved itself, or one behind it. Undefined when that one is not approved. */
  device: DeviceId | undefined;
  /** In the source's words, which device behind the connection is meant. */
  address?: string;
  subject: Subject | undefined;
  /** The plausible readings of a device that is bound to somebody. */
  readings: readonly Reading[];
  /** Why the rest is in quarantine. */
  rejected: readonly DecodeError[];
  notices: readonly Notice[];
  decoder: Readonly<{ name: string; version: number }> | undefined;
  /** What the decoder must be handed next time; absent: as before. */
  memory?: unknown;
  /** The device's clock cannot be right. The readings stand: their place in the journal says when they came. */
  clockInDoubt: boolean;
}>;

const NOTHING = { message: undefined, device: undefined, subject: undefined, readings: [], notices: [], decoder: undefined, clockInDoubt: false } as const;

/** The name under which a decoder's memory of a connection is kept. */
export const memoryName = (device: DeviceId | '', decoder: string): string => `${device}/${decoder}`;

/** Decodes a device's frame, looks up whom it is about, and sorts out what cannot be true. */
export function understand(frame: Frame, knowledge: Knowledge): Meaning {
  // The broker lets nobody publish elsewhere; a journal could have come from anywhere.
  const reader = frame.topic.startsWith(`devices/${frame.device}/`) ? knowledge.profiles.readerFor(frame.topic) : undefined;
  if (reader === undefined) {
    return { ...NOTHING, rejected: [new DecodeError('unknown_topic', `no profile reads the topic "${frame.topic}"; readings go to devices/<id>/readings`)] };
  }
  const { name, version } = reader.family;
  try {
    return judge(frame, interpret(frame, reader, knowledge), { name, version }, knowledge);
  } catch (error) {
    if (error instanceof DecodeError) return { ...NOTHING, decoder: { name, version }, rejected: [error] };
    throw error;
  }
}

function interpret(frame: Frame, { family, profile, relative }: Reader, { memories }: Knowledge): Interpretation {
  const { timeZone } = profile;
  const input = { topic: relative, payload: frame.payload, receivedAt: frame.receivedAt, ...(timeZone === undefined ? {} : { timeZone }) };
  return family.interpret(input, memories.get(memoryName(frame.device, family.name)), profile);
}

function judge(frame: Frame, interpretation: Interpretation, decoder: Meaning['decoder'], { bindings }: Knowledge): Meaning {
  const { message, notices, address } = interpretation;
  const device = address === undefined ? (frame.device as DeviceId) : interpretation.device;
  const subject = device === undefined ? undefined : bindings.get(device);
  const common = {
    message,
    device,
    subject,
    notices,
    decoder,
    ...(address === undefined ? {} : { address }),
    ...('memory' in interpretation ? { memory: interpretation.memory } : {}),
  };
  // What says nothing about anybody needs nobody it is about.
  const empty = message.readings.length === 0 && message.rejected.length === 0;
  const objection = empty ? undefined : objectionTo(frame, device, subject);
  if (objection !== undefined) return { ...common, readings: [], rejected: [objection], clockInDoubt: false };
  return { ...common, ...sort(frame, message) };
}

function objectionTo(frame: Frame, device: DeviceId | undefined, subject: Subject | undefined): DecodeError | undefined {
  if (device === undefined) return new DecodeError('unapproved_device', `no profile names this device behind ${frame.device}`);
  return subject === undefined ? new DecodeError('unbound_device', `${device} is bound to no patient and no room`) : undefined;
}

function sort(frame: Frame, message: Message): Pick<Meaning, 'readings' | 'rejected' | 'clockInDoubt'> {
  const readings: Reading[] = [];
  const rejected = [...message.rejected];
  let clockInDoubt = false;
  for (const reading of message.readings) {
    const objection = implausible(reading);
    if (objection === undefined) readings.push(frame.retained === true ? { ...reading, doubt: 'stored' } : reading);
    else rejected.push(objection);
    if (reading.deviceTime !== undefined && !clockPlausible(reading.deviceTime, frame.receivedAt, frame.clockTrust)) clockInDoubt = true;
  }
  return { readings, rejected, clockInDoubt };
}
