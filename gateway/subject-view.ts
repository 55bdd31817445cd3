/** What people are told of a patient or a room: what is known now, and how old it is. */

import { locationAt } from './context/location.ts';
import { PARAMETERS, type News2 } from './context/news2.ts';
import { news2Of } from './context/observations.ts';
import { factsOf } from './context/subject-state.ts';
import type { LocalHour } from './context/local-hour.ts';
import { usualNow } from './context/usual.ts';
import type { WatchState } from './context/watch.ts';
import { MEASUREMENTS } from './decode/measurements.ts';
import type { DerivationOverview } from './derive/overview.ts';
import { personOf } from './derive/watch-book.ts';
import { Millis, type UnixMillis } from './quantity.ts';
import type { Subject } from './reading.ts';
import type { SubjectView } from './web/care-desk.ts';

type Known = Readonly<{
  derived: DerivationOverview;
  /** What derivation remembers; undefined for somebody nothing was measured of. */
  watch: WatchState | undefined;
  now: UnixMillis;
  /** Undefined while the clock cannot be believed. */
  local: LocalHour | undefined;
}>;

/** Undefined for a subject that nobody told the gateway of and nothing was measured of. */
export function subjectView(subject: Subject, { derived, watch, now, local }: Known): SubjectView | undefined {
  const isKnown = watch !== undefined || (subject.kind === 'patient' && isNamed(subject.id, derived, now));
  if (!isKnown) return undefined;
  const spo2Scale = derived.orders.prescriptions[subject.id]?.spo2Scale ?? 1;
  if (watch === undefined) return { subject, values: [], activity: null, room: null, spo2Scale, scores: [], baselines: [] };
  const at = derived.steadyAt(now);
  const facts = factsOf(watch.known, { at });
  const place = locationAt(watch.known.location, at);
  const values = Object.entries(watch.known.latest).map(([measurement, latest]) => ({
    measurement,
    value: latest.value,
    unit: MEASUREMENTS.get(measurement)?.unit ?? '1',
    measuredAt: new Date(derived.wallAt(latest.at)).toISOString(),
    age: Millis(Math.max(0, Math.round(at - latest.at))),
    quality: facts.value(measurement) === undefined ? ('stale' as const) : ('good' as const),
  }));
  if (subject.kind === 'room') return { subject, values, activity: null, room: null, spo2Scale, scores: [], baselines: [] };
  const news2 = news2Of(watch.known.latest, at, spo2Scale);
  const scores = [{ name: 'NEWS2', value: news2.complete ? news2.total : null, parts: partsOf(news2.scores) }];
  const baselines = usualNow(watch, personOf(derived.orders.patients.find(({ id }) => id === subject.id), spo2Scale), { at, local });
  return { subject, values, activity: facts.activity, room: place.kind === 'room' ? place.room : null, spo2Scale, scores, baselines };
}

const partsOf = (scores: News2['scores']): Readonly<Record<string, number | null>> => Object.fromEntries(PARAMETERS.map((parameter) => [parameter, scores[parameter] ?? null]));

function isNamed(id: string, derived: DerivationOverview, now: UnixMillis): boolean {
  const { patients, prescriptions } = derived.orders;
  return patients.some((patient) => patient.id === id) || Object.hasOwn(prescriptions, id) || patientsMeasured(derived, now).includes(id);
}

/** Patients that a device measures at an instant. */
export function patientsMeasured(derived: DerivationOverview, now: UnixMillis): readonly string[] {
  const subjects = [...derived.bindings.keys()].map((device) => derived.subjectAt(device, now));
  return [...new Set(subjects.flatMap((subject) => (subject?.kind === 'patient' ? [subject.id] : [])))];
}
