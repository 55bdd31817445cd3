import { House } from '../lab/house.ts';
import { Laboratory, laboratoryNeeds, LINKS, PROFILES, type LabLink, type Profile } from '../lab/laboratory.ts';
import { alarmIn, TROUBLES } from '../lab/troubles.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { spreadOf } from './figures.ts';

const ROUNDS = 10;
const ALARMS = 100;
/** How long a link with nothing to do is listened to, and how often it is probed meanwhile. */
const IDLE_SECONDS = 120;
const PROBES_A_DAY = 86_400 / 300;
/** What a house sends while the bytes on the wire are counted. */
const READINGS = { perSecond: 20, seconds: 120 };

export const links: Bench = {
  name: 'links',
  summary: 'Fail-over, alarm latency, and bytes on the wire between a house and a hospital in network namespaces (root)',
  run: async (context) => {
    const { missing, note } = laboratoryNeeds();
    if (missing) return { cases: [], targets: [], notes: [`could not run:${note}`] };
    const rounds = context.options.rounds ?? (context.options.quick ? 2 : ROUNDS);
    const alarms = context.options.quick ? 10 : ALARMS;
    const cases = [
      ...(await failover(rounds, context)),
      await latency('alarm over ethernet', 'ethernet', PROFILES.ethernet, alarms, context),
      await latency('alarm over 5G (20 ms, 2 %, 50 Mbit/s)', 'cellular', PROFILES['5g'], alarms, context),
      await bytes(context),
    ];
    return findingsOf(cases);
  },
};

async function failover(rounds: number, { progress, signal }: BenchContext): Promise<Case[]> {
  await using lab = await Laboratory.build();
  await using house = await House.in(lab);
  await house.startHospital();
  await house.startGateway();
  const cases: Case[] = [];
  for (const trouble of TROUBLES) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      signal.throwIfAborted();
      progress(`${trouble.name}, ${round + 1} of ${rounds}`);
      times.push(await alarmIn(house, trouble));
    }
    cases.push({ name: trouble.name, figures: { alarms: rounds, ...spreadOf(times) } });
  }
  return cases;
}

/** From a device's message to the hospital's receipt, over one link alone. */
async function latency(name: string, link: LabLink, profile: Profile, alarms: number, { progress, signal }: BenchContext): Promise<Case> {
  await using lab = await Laboratory.build({ ethernet: profile, cellular: profile });
  await using house = await House.in(lab);
  await house.startHospital();
  await house.startGateway();
  for (const each of LINKS) if (each !== link) await lab.pull(each);
  await house.untilUp(link);
  const times: number[] = [];
  for (let n = 0; n < alarms; n++) {
    signal.throwIfAborted();
    if (n % 10 === 0) progress(`${name}, ${n} of ${alarms}`);
    times.push(await house.alarm(await house.newPatient()));
  }
  return { name, figures: { alarms, ...spreadOf(times) } };
}

/** What a house costs on a metered link: with nothing to do beside ethernet, and as the only one. */
async function bytes({ progress, options }: BenchContext): Promise<Case> {
  const idleSeconds = options.quick ? 60 : IDLE_SECONDS;
  const seconds = options.quick ? 30 : READINGS.seconds;
  await using lab = await Laboratory.build();
  await using house = await House.in(lab);
  await house.startHospital();
  await house.startGateway();
  await house.untilUp(...LINKS);
  progress(`listening to an idle link for ${idleSeconds} s`);
  const idle = await during(lab, () => new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000)));
  const patient = await house.newPatient();
  await lab.pull('ethernet');
  progress(`${READINGS.perSecond} readings a second for ${seconds} s over cellular`);
  let sent = 0;
  const busy = await during(lab, async () => {
    for (let second = 0, seq = 0; second < seconds; second++) {
      const began = Date.now();
      const payloads = Array.from({ length: READINGS.perSecond }, () => JSON.stringify({ seq: seq++, time: Date.now(), measurement: 'heart_rate', value: 60 + (seq % 9), unit: '/min' }));
      sent += payloads.reduce((sum, payload) => sum + payload.length, 0);
      await house.publish(patient, payloads);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 - (Date.now() - began))));
    }
    while ((await house.links()).relays.some(({ lag }) => lag > 0));
  });
  const perProbe = idle / (idleSeconds / 30);
  return {
    name: 'bytes on the wire',
    figures: { idle_bytes_per_day: perProbe * PROBES_A_DAY, bytes_per_probe: perProbe, sent_json_bytes: sent, wire_bytes: busy, wire_per_json: busy / sent },
  };
}

async function during(lab: Laboratory, work: () => Promise<unknown>): Promise<number> {
  const before = await lab.bytesOver('cellular');
  await work();
  return (await lab.bytesOver('cellular')) - before;
}

function findingsOf(cases: readonly Case[]): Findings {
  return {
    cases,
    targets: [
      ...TROUBLES.map(({ name }) => targetFor(cases, name, 'p95_ms', 'at most', 5000)),
      targetFor(cases, 'alarm over ethernet', 'p99_ms', 'at most', 150),
      targetFor(cases, 'alarm over 5G (20 ms, 2 %, 50 Mbit/s)', 'p99_ms', 'at most', 1000),
      targetFor(cases, 'bytes on the wire', 'wire_per_json', 'at most', 0.5),
      targetFor(cases, 'bytes on the wire', 'idle_bytes_per_day', 'at most', 300_000),
    ],
    notes: ['from a device\'s message to the hospital\'s receipt at the gateway, asked for every few milliseconds; all programs on this machine', 'bytes as the interface counts them, IP headers included; a metered link is probed every 5 min, here every 30 s'],
  };
}
