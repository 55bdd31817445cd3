import { clockPlausible, implausible } from '../context/plausibility.ts';
import type { Notice } from '../decode/decoder.ts';
import type { Interpretation } from '../decode/family.ts';
import type { Announced } from '../decode/home-assistant.ts';
import type { Message } from '../decode/native-json.ts';
import type { DeviceClass, Expectations, KnownDevice, Profile } from '../decode/profile.ts';
import type { ProfileTable, Reader } from '../decode/profile-table.ts';
import { DecodeError } from '../errors.ts';
import { Millis, Minutes, UnixMillis } from '../quantity.ts';
import type { DeviceId, Frame, Reading, Subject } from '../reading.ts';
import { subjectAt, type Bindings } from './bindings.ts';
import { LONGEST_BUFFER, ageOf, observeClock, type DeviceClock } from './device-clock.ts';

/** What derivation knows when a frame arrives. */
export type Knowledge = Readonly<{
  profiles: ProfileTable;
  bindings: ReadonlyMap<DeviceId, Bindings>;
  /** What a decoder keeps between the frames of a connection. */
  memories: ReadonlyMap<string, unknown>;
  clockOf: (device: DeviceId) => DeviceClock | undefined;
  /** Steady time of the frame (steady-time.ts). */
  now: Millis;
}>;

/** A plausible reading of a device that was bound to somebody when it was taken. */
export type Attributed = Readonly<{
  reading: Reading;
  subject: Subject;
  /** When it was taken, on the gateway's wall clock, as well as the device's clock can tell; else when it came. */
  measuredAt: UnixMillis;
}>;

/** What a device's frame says, as far as it can be understood. */
export type Meaning = Readonly<{
  /** Undefined when nothing could be decoded. */
  message: Message | undefined;
  /** Who measured: the device that proved itself, or one behind it. Undefined when that one is not approved. */
  device: DeviceId | undefined;
  /** In the source's words, which device behind the connection is meant; undefined for the connection's own. */
  address: string | undefined;
  readings: readonly Attributed[];
  /** Why the rest is in quarantine. */
  rejected: readonly DecodeError[];
  notices: readonly Notice[];
  /** What is said about the devices of others; undefined when the message is about none. */
  announced: readonly Announced[] | undefined;
  decoder: Readonly<{ name: string; version: number }> | undefined;
  /** The topic filter of the profile that reads it. */
  filter: string | undefined;
  expectations: Expectations;
  class: DeviceClass | undefined;
  /** What the decoder must be handed next time; undefined: as before. */
  memory: unknown;
  /** What is known of the device's clock after this message; undefined when it never showed one. */
  clock: DeviceClock | undefined;
  /** The device's clock cannot be right. The readings stand: their place in the journal says when they came. */
  clockInDoubt: boolean;
}>;

const NOTHING: Omit<Meaning, 'rejected'> = {
  message: undefined, device: undefined, address: undefined, readings: [], notices: [], announced: undefined, decoder: undefined, filter: undefined, expectations: {},
  class: undefined, memory: undefined, clock: undefined, clockInDoubt: false,
};

/** What is older is from a device's memory, whether it says so or not: no alarm may rest on it. */
const STORED_AFTER = Minutes(5);

/** The name under which a decoder's memory of a connection is kept. */
export const memoryName = (device: DeviceId | '', decoder: string): string => `${device}/${decoder}`;

/** Decodes a device's frame, looks up whom it is about, and sorts out what cannot be true. */
export function understand(frame: Frame, knowledge: Knowledge): Meaning {
  // The broker lets nobody publish elsewhere; a journal could have come from anywhere.
  const reader = frame.topic.startsWith(`devices/${frame.device}/`) ? knowledge.profiles.readerFor(frame.topic) : undefined;
  if (reader === undefined) {
    return { ...NOTHING, rejected: [new DecodeError('unknown_topic', `no profile reads the topic "${frame.topic}"; readings go to devices/<id>/readings`)] };
  }
  try {
    return judge(frame, interpret(frame, reader, knowledge), reader, knowledge);
  } catch (error) {
    if (error instanceof DecodeError) return { ...NOTHING, decoder: reader.family, rejected: [error] };
    throw error;
  }
}

function interpret(frame: Frame, { family, profile, relative }: Reader, { memories }: Knowledge): Interpretation {
  const { timeZone } = profile;
  const { payload, receivedAt } = frame;
  const input = timeZone === undefined ? { topic: relative, payload, receivedAt } : { topic: relative, payload, receivedAt, timeZone };
  return family.interpret(input, memories.get(memoryName(frame.device, family.name)), profile);
}

// Every frame passes here: the shapes are spelled out, because spreading costs more than decoding.
function judge(frame: Frame, { message, notices, address, known, announced, memory }: Interpretation, { family, profile }: Reader, knowledge: Knowledge): Meaning {
  const device = address === undefined ? (frame.device as DeviceId) : known?.device;
  const bindings = device === undefined ? undefined : knowledge.bindings.get(device);
  // What says nothing about anybody needs nobody it is about.
  const empty = message.readings.length === 0 && (message.rejected.length === 0 || announced !== undefined);
  const objection = empty ? undefined : objectionTo(frame, device, bindings);
  const expectations = expectationsOf(profile, known);
  const before = device === undefined ? undefined : knowledge.clockOf(device);
  const clock = empty || objection !== undefined ? before : clockAfter(frame, message, before, knowledge.now);
  const sorted = objection === undefined ? sort(frame, message, device as DeviceId, bindings, clock, knowledge.now, expectations) : undefined;
  return {
    message,
    device,
    address,
    readings: sorted?.readings ?? [],
    rejected: sorted?.rejected ?? (objection === undefined ? [] : [objection]),
    notices,
    announced,
    decoder: family,
    filter: profile.topic,
    expectations,
    class: known?.class ?? profile.class,
    memory,
    clock,
    clockInDoubt: sorted?.clockInDoubt ?? false,
  };
}

function expectationsOf({ expect }: Profile, known: KnownDevice | undefined): Expectations {
  return known?.expect === undefined ? (expect ?? NOTHING.expectations) : { ...expect, ...known.expect };
}

function objectionTo(frame: Frame, device: DeviceId | undefined, bindings: Bindings | undefined): DecodeError | undefined {
  if (device === undefined) return new DecodeError('unapproved_device', `no profile names this device behind ${frame.device}`);
  return bindings === undefined ? notBound(device) : undefined;
}

const notBound = (device: DeviceId): DecodeError => new DecodeError('unbound_device', `${device} was bound to no patient and no room at that time`);

/** What a broker or the device's memory had kept says nothing about what its clock shows now. */
function clockAfter(frame: Frame, { readings, deviceTime }: Message, before: DeviceClock | undefined, now: Millis): DeviceClock | undefined {
  if (frame.retained === true) return before;
  let newest = deviceTime;
  for (const reading of readings) {
    if (reading.doubt === 'stored' || reading.deviceTime === undefined) continue;
    if (newest === undefined || reading.deviceTime > newest) newest = reading.deviceTime;
  }
  return newest === undefined || !Number.isSafeInteger(Math.trunc(newest)) ? before : observeClock(before, newest, now);
}

function sort(
  frame: Frame,
  message: Message,
  device: DeviceId,
  bindings: Bindings | undefined,
  clock: DeviceClock | undefined,
  now: Millis,
  expectations: Expectations,
): Pick<Meaning, 'readings' | 'rejected' | 'clockInDoubt'> {
  const readings: Attributed[] = [];
  const rejected = [...message.rejected];
  let clockInDoubt = false;
  let belongsToNobody = false;
  for (const reading of message.readings) {
    if (reading.deviceTime !== undefined && !clockPlausible(reading.deviceTime, frame.receivedAt, frame.clockTrust)) clockInDoubt = true;
    const objection = implausible(reading, expectations[reading.measurement]?.between);
    if (objection !== undefined) {
      rejected.push(objection);
      continue;
    }
    const age = ageOfReading(reading, frame, clock, now);
    const subject = subjectAt(bindings, Millis(now - age));
    if (subject === undefined) belongsToNobody = true;
    else readings.push({ reading: frame.retained === true || age > STORED_AFTER ? stored(reading) : reading, subject, measuredAt: UnixMillis(Math.round(frame.receivedAt - age)) });
  }
  if (belongsToNobody) rejected.push(notBound(device));
  return { readings, rejected, clockInDoubt };
}

/** How long ago it was taken; 0 when its device has no clock, or one that cannot be right. */
function ageOfReading({ deviceTime, doubt }: Reading, { receivedAt, clockTrust }: Frame, clock: DeviceClock | undefined, now: Millis): Millis {
  if (deviceTime === undefined) return Millis(0);
  const isKept = doubt === 'stored' && clockPlausible(deviceTime, receivedAt, clockTrust);
  // Records of a device that was never heard live: its clock is all there is.
  if (clock === undefined) return Millis(isKept && clockTrust !== 'implausible' ? Math.max(0, receivedAt - deviceTime) : 0);
  const age = ageOf(clock, deviceTime, now);
  return age <= LONGEST_BUFFER || isKept ? age : Millis(0);
}

const stored = (reading: Reading): Reading => ({ ...reading, doubt: reading.doubt ?? 'stored' });
