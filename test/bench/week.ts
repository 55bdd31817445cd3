import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { eventLines, ruleLines, totalsOf, type RaisedAlarm, type Score } from '../../firmware-sim/week/score.ts';
import { simulateWeek, type WeekOptions } from '../../firmware-sim/week/week.ts';
import { NOTHING_DERIVED, type Checkpoint, type Totals } from '../../gateway/derive/derive-store.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { EntryDigest, framesIn, JournalWriter, replay } from './week-file.ts';
import { EPOCH, keepJournal, raisedIn, readyPacks, scoreOf, weekDeriver } from './week-journal.ts';

/** Baselines know nobody before a week has passed. */
const LEAD_IN = 9;
const MOST_FALSE_ALARMS = 2;
const REPLAY = resolve(import.meta.dirname, 'week-replay.ts');

export const week: Bench = {
  name: 'week',
  summary: 'A simulated week of 20 people through derivation: hits, misses and false alarms of every rule; the same again elsewhere',
  run: async (context) => {
    const { options } = context;
    const lived: WeekOptions = {
      seed: options.seed ?? 1, people: options.patients ?? (options.quick ? 6 : 20), leadIn: options.quick ? 2 : LEAD_IN, days: options.days ?? (options.quick ? 2 : 7), epoch: EPOCH,
    };
    const run = await liveThrough(lived, context);
    const hashes = await deriveAgain(run, context);
    return findingsOf(lived, run, hashes);
  },
};

type Run = Readonly<{ file: string; frames: number; hash: string; score: Score; alarms: number; totals: Totals; entries: number; seconds: number }>;

/** Derives as a gateway would, frame by frame, while the journal is written to a file. */
async function liveThrough(lived: WeekOptions, { folder, progress, signal }: BenchContext): Promise<Run> {
  const { leadIn, days } = lived;
  const file = join(folder, 'journal');
  const writer = new JournalWriter(file);
  const digest = new EntryDigest();
  const alarms: RaisedAlarm[] = [];
  let totals = NOTHING_DERIVED.totals;
  const onCheckpoint = (checkpoint: Checkpoint): void => {
    digest.add(checkpoint);
    alarms.push(...raisedIn(checkpoint));
    totals = checkpoint.totals;
  };
  const onProgress = async (at: number, frames: number): Promise<void> => {
    signal.throwIfAborted();
    progress(`day ${Math.floor(at / 86_400_000) + 1} of ${leadIn + days}, ${frames} frames, ${alarms.length} alarms`);
    await new Promise(setImmediate);
  };
  const started = performance.now();
  const [simulated, packs] = [simulateWeek(lived), readyPacks()];
  const frames = await keepJournal({ week: simulated, packs, deriver: weekDeriver(), onFrame: (frame) => writer.add(frame), onCheckpoint, onProgress });
  const seconds = (performance.now() - started) / 1000;
  writer.close();
  return { file, frames, hash: digest.hex(), score: scoreOf(alarms, simulated, packs, lived), alarms: alarms.length, totals, entries: digest.entries, seconds };
}

type Again = Readonly<{ here: string; elsewhere: string; seconds: number }>;

/** Twice at once: in this process in large batches, and in another one in odd ones. */
async function deriveAgain({ file }: Run, { progress, signal }: BenchContext): Promise<Again> {
  progress('deriving the same frames again, here and in another process');
  const started = performance.now();
  const elsewhere = promisify(execFile)(process.execPath, [REPLAY, file, '97'], { signal, maxBuffer: 1 << 20 });
  const here = replay(framesIn(file), 1024, weekDeriver(), async () => {
    signal.throwIfAborted();
    await new Promise(setImmediate);
  });
  const [own, { stdout }] = await Promise.all([here, elsewhere]);
  return { here: own, elsewhere: stdout.trim(), seconds: (performance.now() - started) / 1000 };
}

function findingsOf({ seed, people, leadIn, days }: WeekOptions, run: Run, again: Again): Findings {
  const totals = totalsOf(run.score);
  const name = `seed ${seed}`;
  const cases: Case[] = [{
    name,
    figures: {
      people, scored_days: days, frames: run.frames, readings: run.totals.readings, entries: run.entries, alarms: run.alarms,
      readings_per_s: run.totals.readings / run.seconds, replayed_readings_per_s: run.totals.readings / again.seconds,
      non_actionable_per_patient_day: totals.nonActionable, physiological_per_patient_day: totals.physiological, technical_per_patient_day: totals.technical,
      emergencies: totals.emergencies, emergencies_in_time: totals.caught,
    },
  }];
  const same = run.hash === again.here && run.hash === again.elsewhere;
  return {
    cases,
    tables: [['Rules', ...ruleLines(run.score)], ['Events', ...eventLines(run.score, leadIn * 86_400)]],
    targets: [
      targetFor(cases, name, 'non_actionable_per_patient_day', 'at most', MOST_FALSE_ALARMS),
      targetFor(cases, name, 'emergencies_in_time', 'at least', totals.emergencies),
    ],
    notes: [
      `${leadIn} days before the scored ones, in which habits are learnt, count for nothing`,
      `SHA-256 over all entries ${run.hash}${same ? ': the same when derived in batches of 1,024, and in another process in batches of 97' : ''}`,
    ],
    faults: [
      ...(same ? [] : [`derived again it is ${again.here} here and ${again.elsewhere} in another process`]),
      ...run.score.events.filter(({ event, inTime }) => event.need === 'emergency' && !inTime).map(({ event }) => `nobody was told in time of ${event.kind} of ${event.patient}`),
      ...(totals.nonActionable > MOST_FALSE_ALARMS ? [`${totals.nonActionable.toFixed(2)} non-actionable alarms per patient-day; at most ${MOST_FALSE_ALARMS}`] : []),
    ],
  };
}
