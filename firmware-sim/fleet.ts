/** Patients and rooms, instrumented: which devices there are, and the endless, repeatable stream of what they measure. */

import { ConfigError } from '../gateway/errors.ts';
import { Millis, Seconds, UnixMillis } from '../gateway/quantity.ts';
import { DeviceClock, drawClockError } from './clock.ts';
import { type EpisodeOrder, provoke } from './episodes.ts';
import { Household } from './household.ts';
import type { Measurement, Sample } from './message.ts';
import { profileOf } from './profile.ts';
import { Random } from './random.ts';
import type { VirtualRoom } from './room.ts';
import { chestProbes, climateProbes, doorProbes, motionProbes, oximeterProbes, type Probe, wristProbes } from './sensors.ts';

export type DeviceKind = 'wrist' | 'oximeter' | 'chest' | 'climate' | 'motion' | 'door';

/** What somebody has to know to register a device. */
export type FleetDevice = Readonly<{
  /** `anna-wrist`, `anna-bedroom-climate`: also its MQTT user name. */
  id: string;
  kind: DeviceKind;
  /** Whom it measures: a patient's id, or a room's. */
  subject: Readonly<{ kind: 'patient' | 'room'; id: string }>;
  /** The room it belongs to; wearables belong to the bedroom. */
  location: string;
  measurements: readonly Measurement[];
}>;

export type FleetOptions = Readonly<{
  /** Number of patients, from 1: anna, ben, clara, patient-4, … */
  patients: number;
  /** Any number or text; the same one repeats the run. */
  seed: number | string;
  /** Rooms of each patient, the bedroom first. Default `['bedroom']`; the room ids are `anna-bedroom`, … */
  rooms?: readonly [string, ...string[]];
  /** Whether finger clips also send the curve, one message a second each. Default false. */
  ppg?: boolean;
}>;

export type SimulationOptions = FleetOptions &
  Readonly<{
    /** True time at which the run begins; device clocks are set at this moment. */
    startedAt: UnixMillis;
    /** Local time of day at which the simulated day begins, from midnight. Default 8 h. */
    timeOfDay?: Millis;
    /** How many times as often as normal every probe is read. Default 1. */
    rate?: number;
    /** Simulated seconds that pass while a device's clock counts one. Default 1, so device times follow the simulated ones. */
    compression?: number;
    /** Episodes certain to come. Default none; others come by chance. */
    episodes?: readonly EpisodeOrder[];
  }>;

/** One message to be sent by one device. */
export type FleetMessage = Readonly<{
  device: string;
  /** Simulated time since the run began. */
  at: Millis;
  /** What the device's own clock showed. */
  deviceTime: UnixMillis;
  sample: Sample;
}>;

type Instrument = FleetDevice & Readonly<{ household: Household; probes: readonly Probe[]; random: Random }>;

/** The devices of a fleet, patient by patient. Depends on nothing but the options; makes no connection. */
export function fleetFor(options: FleetOptions): FleetDevice[] {
  return instruments(options, 0, []).map(({ id, kind, subject, location, measurements }) => ({
    id, kind, subject, location, measurements,
  }));
}

/**
 * Everything the fleet measures, in order of simulated time, without end. The promise: for the same options the same messages
 * MUST come in the same order; nothing here reads a clock. Throws {@link ConfigError} at once, not when iterated.
 */
export function simulateFleet(options: SimulationOptions): Generator<FleetMessage, never> {
  const begin = (options.timeOfDay ?? Seconds(8 * 3600)) / 1000;
  const schedule = instruments(options, begin, options.episodes ?? []).flatMap((one) => appointmentsOf(one, options));
  return measure(schedule, begin, options);
}

function* measure(
  schedule: readonly Appointment[],
  begin: number,
  { startedAt, compression = 1 }: SimulationOptions,
): Generator<FleetMessage, never> {
  for (;;) {
    const due = earliest(schedule);
    const at = due.at;
    due.at += due.every;
    due.instrument.household.advanceTo(begin + at / 1000);
    const sample = due.probe.sample(begin + at / 1000);
    if (sample === undefined) continue;
    const trueTime = UnixMillis(startedAt + at / compression);
    yield { device: due.instrument.id, at: Millis(at), deviceTime: due.clock.read(trueTime), sample };
  }
}

/** A probe and when it is due next; `every` and `at` are simulated milliseconds since the run began. */
type Appointment = Readonly<{ instrument: Instrument; probe: Probe; clock: DeviceClock; every: number }> & { at: number };

/** Probes begin at a random moment of their first interval, so that the devices do not all speak at once. */
function appointmentsOf(instrument: Instrument, { startedAt, rate = 1 }: SimulationOptions): Appointment[] {
  const clock = new DeviceClock(startedAt, drawClockError(instrument.random.split('clock')));
  const phase = instrument.random.split('phase');
  return instrument.probes.map((probe) => {
    const every = Math.max(1, Math.round((probe.every * 1000) / (probe.continuous === true ? 1 : rate)));
    return { instrument, probe, clock, every, at: Math.floor(phase.between(0, every)) };
  });
}

function earliest(schedule: readonly Appointment[]): Appointment {
  return schedule.reduce((first, next) => (next.at < first.at ? next : first));
}

function instruments(options: FleetOptions, begin: number, episodes: readonly EpisodeOrder[]): Instrument[] {
  const { patients, seed, rooms = ['bedroom'], ppg = false } = options;
  if (!Number.isSafeInteger(patients) || patients < 1) throw new ConfigError(`patients ${patients}: expected a whole number from 1`);
  const root = new Random(seed);
  const households = Array.from({ length: patients }, (_, index) => {
    const profile = profileOf(index, root.split(`patient-${index + 1}`));
    const own = episodes.filter(({ patient }) => patient === profile.id).map((order) => provoke(order, begin));
    return new Household(profile, rooms, root.split(profile.id), begin, own);
  });
  refuseStrangers(episodes, households);
  return households.flatMap((household) => [
    ...wearables(household, root, begin, ppg),
    ...household.rooms.flatMap((room) => roomSensors(household, room, root)),
  ]);
}

function refuseStrangers(episodes: readonly EpisodeOrder[], households: readonly Household[]): void {
  const known = households.map(({ patient }) => patient.profile.id);
  const stranger = episodes.find(({ patient }) => !known.includes(patient));
  if (stranger !== undefined) {
    throw new ConfigError(`episode for "${stranger.patient}": there is no such patient, expected one of ${known.join(', ')}`);
  }
}

type Install = (kind: DeviceKind, measurements: readonly Measurement[], probes: (random: Random) => Probe[]) => Instrument;

/** How devices of one subject are made: named after it, each with a random stream of its own. */
function installer(subject: FleetDevice['subject'], location: string, household: Household, root: Random): Install {
  return (kind, measurements, probes) => {
    const id = `${subject.id}-${kind}`;
    const random = root.split(id);
    return { id, kind, subject, location, measurements, household, random, probes: probes(random) };
  };
}

function wearables(household: Household, root: Random, begin: number, ppg: boolean): Instrument[] {
  const { id } = household.patient.profile;
  const install = installer({ kind: 'patient', id }, household.bedroom, household, root);
  return [
    install('wrist', ['heart_rate', 'skin_temperature', 'steps', 'battery'], (random) => wristProbes(household, random, begin)),
    install('oximeter', ppg ? ['spo2', 'heart_rate', 'ppg'] : ['spo2', 'heart_rate'], (random) => oximeterProbes(household, random, ppg)),
    install('chest', ['respiratory_rate'], (random) => chestProbes(household, random)),
  ];
}

function roomSensors(household: Household, room: VirtualRoom, root: Random): Instrument[] {
  const { id } = room.profile;
  const install = installer({ kind: 'room', id }, id, household, root);
  return [
    install('climate', ['room_temperature', 'humidity', 'co2'], (random) => climateProbes(room, random)),
    install('motion', ['motion', 'illuminance'], () => motionProbes(room)),
    install('door', ['door'], () => doorProbes(room)),
  ];
}
