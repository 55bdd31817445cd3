/**
 * The simulated week as a gateway would have it in its journal: what devices sent, what people ordered, and the `timer` frames that
 * derivation asked for. The alarms it raises are acknowledged after some minutes, as nurses do.
 */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { score, type RaisedAlarm, type Score } from '../../firmware-sim/week/score.ts';
import type { Told, Week, WeekOptions } from '../../firmware-sim/week/week.ts';
import { loadPack } from '../../gateway/config/pack.ts';
import { mistakesIn, type Contract } from '../../gateway/context/contract.ts';
import { encodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import { Derivation, type DerivationOptions } from '../../gateway/derive/derivation.ts';
import { NOTHING_DERIVED, type Checkpoint, type DerivedState } from '../../gateway/derive/derive-store.ts';
import { LocalDeriver, type Derived } from '../../gateway/derive/deriver.ts';
import { FRAME_SALT, openKnown, knownSubjectKeys } from '../vault/known-keys.ts';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { decode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Millis, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId, type Frame, type Subject } from '../../gateway/reading.ts';
import { ANSWERS, isForPeople, packsFor } from './week-answers.ts';

/** The first local midnight, where clocks are two hours ahead of UTC. */
export const EPOCH = UnixMillis(Date.UTC(2026, 5, 1) - 2 * 3_600_000);
const OFFSET = 120;
/** The gateway was started before the first message. */
const SET_UP_BEFORE = Minutes(1);
const WINDOW_AGE = Seconds(10);
/** How long a nurse takes to answer. */
const ANSWERED_AFTER = Minutes(4);
const NURSE = { id: 'nora', role: 'nurse' };
const CLINICIAN = { id: 'carl', role: 'clinician' };

export const weekDeriver = (state: DerivedState = NOTHING_DERIVED, options: Partial<DerivationOptions> = {}): LocalDeriver =>
  new LocalDeriver(new Derivation(knownSubjectKeys(), state, options));

const subjectOf = (name: string): Subject => ({ kind: name.startsWith('patient/') ? 'patient' : 'room', id: name.slice(name.indexOf('/') + 1) });

const PACKS = new URL('../../gateway/packs/', import.meta.url);

/** The rule packs that come with the gateway and are for people. */
export function readyPacks(): readonly Contract[] {
  const files = readdirSync(PACKS).filter((file) => file.endsWith('.yaml') && !file.endsWith('.test.yaml')).sort();
  return files.map((file) => loadPack(fileURLToPath(new URL(file, PACKS)), { mistakesIn })).filter(({ pack }) => isForPeople(pack));
}

/** Holds alarms against the script: see score.ts. */
export function scoreOf(alarms: readonly RaisedAlarm[], { people, script }: Week, packs: readonly Contract[], { leadIn, days }: WeekOptions): Score {
  const given = new Map(people.map((person) => [person.id, packsFor(person)]));
  return score({
    alarms, script, answers: ANSWERS, people: people.length, from: leadIn * 86_400, until: (leadIn + days) * 86_400,
    rules: packs.flatMap(({ pack, rules }) => rules.map(({ id, kind }) => ({ rule: `${pack}/${id}`, kind }))),
    isGiven: (rule, patient) => given.get(patient)?.includes(rule.slice(0, rule.indexOf('/'))) === true,
  });
}

/** What somebody sets up before: packs, homes, prescriptions, devices. */
function ordersFor({ week, packs }: Pick<JournalOptions, 'week' | 'packs'>): readonly OperatorAction[] {
  const people = new Map(week.people.map((person) => [person.id, person]));
  const patients = week.homes.map((home) => {
    const person = people.get(home.id);
    return person === undefined ? home : { ...home, packs: packsFor(person) };
  });
  return [
    { type: 'local', offset: OFFSET, quiet: false },
    { type: 'contracts', packs, by: [CLINICIAN, NURSE] },
    { type: 'patients', patients },
    ...week.prescriptions.map(({ patient, spo2Scale }): OperatorAction => ({ type: 'prescribe', patient, spo2Scale, by: CLINICIAN })),
    ...week.devices.map(({ device, subject }): OperatorAction => ({ type: 'bind', device: device as DeviceId, subject: subjectOf(subject) })),
  ];
}

export type JournalOptions = Readonly<{
  week: Week;
  packs: readonly Contract[];
  deriver: LocalDeriver;
  /** Every frame, as it is written to the journal. */
  onFrame: (bytes: Buffer) => void;
  onCheckpoint: (checkpoint: Checkpoint) => void;
  /** How long a window of derivation may stay open. Default 10 s; that of a gateway is shorter, and its evidence finer. */
  windowAge?: Millis;
  /** After every so many messages. */
  onProgress: (at: number, frames: number) => Promise<void> | void;
}>;

/** Lives through the week, deriving frame by frame, as a gateway that always keeps up. Resolves with how many frames there were. */
export async function keepJournal(options: JournalOptions): Promise<number> {
  const { week, deriver, onFrame, onCheckpoint, onProgress, windowAge = WINDOW_AGE } = options;
  let frames = 0;
  let told = 0;
  let now = 0 - SET_UP_BEFORE;
  let windowSince: number | undefined;
  let dueAt = Infinity;
  const answers = new Answering();

  const take = (at: number, part: Pick<Frame, 'source' | 'device' | 'topic' | 'payload' | 'dup'>): void => {
    // Clocks of gateways count whole milliseconds.
    now = Math.max(now, Math.ceil(at));
    const uptime = Millis(now + SET_UP_BEFORE);
    const bytes = encodeFrame({ ...part, qos: part.source === 'mqtt' ? 1 : 0, receivedAt: UnixMillis(EPOCH + now), uptime, clockTrust: 'synchronised' }, FRAME_SALT);
    onFrame(bytes);
    frames += 1;
    follow(deriver.deriveNow({ first: Sequence(frames), frames: [bytes] }));
  };
  const follow = ({ checkpoints, windowIsOpen, dueIn }: Derived): void => {
    windowSince = windowIsOpen ? (windowSince !== undefined && checkpoints.length === 0 ? windowSince : now) : undefined;
    dueAt = dueIn === undefined ? Infinity : now + dueIn;
    for (const checkpoint of checkpoints) {
      answers.see(checkpoint, now);
      onCheckpoint(checkpoint);
    }
  };
  const order = (at: number, action: OperatorAction): void => take(at, { source: 'operator', device: '', topic: '', payload: encodeOperatorAction(action), dup: false });
  /** What a gateway does by itself before the next message comes. */
  const passTime = (until: number): void => {
    for (;;) {
      const tickAt = Math.min(windowSince === undefined ? Infinity : windowSince + windowAge, dueAt);
      const answer = answers.next;
      const next = Math.min(tickAt, answer?.at ?? Infinity);
      if (next > until) return;
      if (answer !== undefined && answer.at <= tickAt) order(answer.at, answers.take());
      else take(Math.max(next, now), { source: 'timer', device: '', topic: '', payload: new Uint8Array(), dup: false });
    }
  };

  for (const action of ordersFor(options)) order(now, action);
  for (const each of week.live()) {
    passTime(instantOf(each));
    if (each.is === 'round') order(each.round.at, observed(each.round));
    else take(each.delivery.at, { ...each.delivery, source: 'mqtt', device: each.delivery.device as DeviceId });
    told += 1;
    if (told % 4096 === 0) await onProgress(now, frames);
  }
  take(now + WINDOW_AGE, { source: 'timer', device: '', topic: '', payload: new Uint8Array(), dup: false });
  return frames;
}

const instantOf = (told: Told): number => (told.is === 'delivery' ? told.delivery.at : told.round.at);

const observed = ({ patient, alert, oxygen }: Extract<Told, { is: 'round' }>['round']): OperatorAction =>
  ({ type: 'observe', patient, values: { consciousness: alert ? 0 : 1, oxygen_flow: oxygen }, by: NURSE });

type Answer = Readonly<{ at: number; alarm: number }>;

/** Somebody who acknowledges every alarm that is told, some minutes later. */
class Answering {
  readonly #queue: Answer[] = [];
  readonly #revisions = new Map<number, number>();

  see({ steps }: Checkpoint, now: number): void {
    for (const { step: { alarm, revision, told, to } } of steps) {
      this.#revisions.set(alarm, revision);
      if (told !== undefined && to === 'active' && !this.#queue.some((each) => each.alarm === alarm)) this.#queue.push({ at: now + ANSWERED_AFTER, alarm });
    }
  }

  get next(): Answer | undefined {
    return this.#queue[0];
  }

  take(): OperatorAction {
    const { alarm } = this.#queue.shift() as Answer;
    return { type: 'acknowledge', alarm, revision: this.#revisions.get(alarm) ?? 1, by: NURSE };
  }
}

/** The alarms that a checkpoint's entries say were raised. */
export function raisedIn({ entries }: Pick<Checkpoint, 'entries'>): readonly RaisedAlarm[] {
  return entries.filter(({ lane }) => lane === 'alarm').flatMap((entry): RaisedAlarm[] => {
    const { kind, time } = decodeEntry(entry.bytes);
    const open = kind === 'event' ? openKnown(entry) : undefined;
    const said = open === undefined ? undefined : (decode(open.payload, { floats: true }) as CborMap);
    const text = (name: string): string => {
      const value = said?.get(name);
      return typeof value === 'string' ? value : '';
    };
    if (text('why') !== 'raised' && text('why') !== 'raised_again') return [];
    return [{ at: (time - EPOCH) / 1000, subject: open?.subject ?? '', rule: text('rule'), kind: text('kind') as RaisedAlarm['kind'], priority: text('priority') }];
  });
}
