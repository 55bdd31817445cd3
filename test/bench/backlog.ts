import { setTimeout as pause } from 'node:timers/promises';
import { measureDisk } from '../../gateway/disk/disk-use.ts';
import { fastClock } from '../fast-clock.ts';
import { House } from '../lab/house.ts';
import { Laboratory, laboratoryNeeds, PROFILES } from '../lab/laboratory.ts';
import type { DeviceWithPassword } from '../path/site.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { spreadOf } from './figures.ts';

const PEOPLE = 20;
const READINGS_PER_SECOND = 20;
const HOURS = 24;
/** How many seconds of the house go by in one of ours: more, and a gateway would have fewer chances to cut its blocks on time. */
const SPEED = 100;
const DRAIN_TARGET_S = 900;
/** From one alarm to the next while the backlog is drained. */
const ALARM_EVERY_MS = 500;
const LEAST_ALARMS = 5;

export const backlog: Bench = {
  name: 'backlog',
  summary: `${HOURS} hours without a hospital at ${READINGS_PER_SECOND} readings/s, lived by a real gateway in a quarter of an hour; then what draining them takes over 5 Mbit/s and 80 ms (root)`,
  run: async (context) => {
    const { missing, note } = laboratoryNeeds();
    const hours = context.options.quick ? 1 : HOURS * (context.options.days ?? 1);
    const clock = fastClock(hours, SPEED);
    if (missing || clock === undefined) return { cases: [], targets: [], notes: [missing ? `could not run:${note}` : 'could not run: sudo apt-get install -y libfaketime'] };
    return findingsOf(await liveAndDrain(hours, clock, context));
  },
};

async function liveAndDrain(hours: number, clock: Readonly<Record<string, string>>, { progress, signal }: BenchContext): Promise<Case> {
  await using lab = await Laboratory.build({ ethernet: PROFILES.backlog, cellular: PROFILES.backlog });
  await using house = await House.in(lab, {}, { payloads: 'summary' });
  await house.startGateway(clock);
  const began = Date.now() - hours * 3_600_000;
  const people: DeviceWithPassword[] = [];
  while (people.length < PEOPLE) people.push(await house.newPatient());
  const { readings, bytes: json } = await house.feed(people, { perSecond: READINGS_PER_SECOND, seconds: hours * 3600, from: began, speed: SPEED }, (fed) => {
    signal.throwIfAborted();
    progress(`${fed.toLocaleString('en')} readings in ${(fed / READINGS_PER_SECOND / 3600).toFixed(1)} hours of the house`);
  });
  await house.stopGateway();
  const { used } = await measureDisk(house.data);

  await house.startHospital();
  const wireBefore = await wireBytes(lab);
  const startedAt = performance.now();
  await house.startGateway();
  const ready = performance.now() - startedAt;
  const blocks = (await house.api.status()).lanes.reduce((sum, { height }) => sum + height + 1, 0);
  const { took, alarms } = await drain(house, { progress, signal });
  const wire = (await wireBytes(lab)) - wireBefore;
  return {
    name: 'after the outage',
    figures: {
      hours, readings, sent_json_bytes: json, blocks, disk_bytes: used, disk_bytes_per_reading: used / readings, ready_ms: ready, drained_s: took / 1000,
      wire_bytes: wire, wire_per_json: wire / json, alarms: alarms.length, ...spreadOf(alarms),
    },
  };
}

const wireBytes = async (lab: Laboratory): Promise<number> => (await lab.bytesOver('ethernet')) + (await lab.bytesOver('cellular'));

/** Until the hospital has every block and every payload that there was at the beginning; alarms are raised meanwhile. */
async function drain(house: House, { progress, signal }: Pick<BenchContext, 'progress' | 'signal'>): Promise<Readonly<{ took: number; alarms: readonly number[] }>> {
  const began = performance.now();
  const alarms: number[] = [];
  let took: number | undefined;
  while (took === undefined || alarms.length < LEAST_ALARMS) {
    signal.throwIfAborted();
    alarms.push(await house.alarm(await house.newPatient()));
    const { relays, payloads } = await house.links();
    const left = relays.reduce((sum, { lag }) => sum + lag, 0) + payloads.reduce((sum, { behind }) => sum + behind.alarm + behind.record, 0);
    progress(`${left.toLocaleString('en')} blocks and payloads of blocks to go, ${alarms.length} alarms`);
    // What the alarms of this bench add is there at any moment.
    if (left < FEW) took ??= performance.now() - began;
    await pause(ALARM_EVERY_MS);
  }
  return { took, alarms };
}

const FEW = 20;

function findingsOf(measured: Case): Findings {
  const { name } = measured;
  const target = (...rest: [figure: string, bound: 'at most', value: number]) => targetFor([measured], name, ...rest);
  return {
    cases: [measured],
    targets: [target('drained_s', 'at most', DRAIN_TARGET_S), target('ready_ms', 'at most', 10_000), target('p99_ms', 'at most', 2000), target('wire_per_json', 'at most', 0.5)],
    notes: [
      `the gateway and its devices lived by a clock ${SPEED} times as fast (libfaketime), and after the restart by the true one`,
      'p50 to worst: an alarm, from the device\'s message to the hospital\'s receipt, while the backlog was drained; bytes as the interfaces count them',
      `${PEOPLE} people; the hospital gets all blocks, and payloads of events and summaries`,
    ],
  };
}
