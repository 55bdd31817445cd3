/** What of a payload, or of a page about somebody, consent leaves to be shown. */

import type { BaseRule, Decision } from './consent/decide.ts';
import { ITEMS } from './consent/data-classes.ts';
import type { Fidelity } from './consent/vocabulary.ts';
import type { ConsentDesk } from './consent-desk.ts';
import { encode, type CborMap, type CborValue } from './ledger/cbor.ts';
import { fingerprint } from './ledger/es256k.ts';
import { type Allowed, type Asked, fidelityOf, shows, type BaseFidelity } from './releases.ts';
import type { Subject } from './reading.ts';
import type { SubjectView } from './web/care-desk.ts';

/** Of an alarm that may be told of, though not what was measured: that, when and how urgent. */
const BARE_ALARM: readonly string[] = ['alarm', 'why', 'from', 'to', 'kind', 'priority'];

export type HospitalFilterOptions = Readonly<{
  hospital: Readonly<{ key: Uint8Array }>;
  /** Where patients said nothing. */
  base: BaseFidelity;
  desk: Pick<ConsentDesk, 'decide'>;
  /** Who lives in a room. */
  livingIn: (room: string) => readonly string[];
}>;

/**
 * What a hospital may have of a payload, for treatment, as consent stands now. Of a room that is somebody's it may have what each of them
 * permits; a room that is nobody's goes by the base alone.
 */
export function allowedTo({ hospital, base, desk, livingIn }: HospitalFilterOptions, { subject, entry, payload }: Asked): Allowed {
  const needed = fidelityOf(entry);
  if (needed === undefined) return 'nothing';
  const recipient = { hospital: fingerprint(hospital.key) };
  const rules: readonly BaseRule[] = base === 'none' ? [] : [{ to: recipient, purposes: ['TREAT'], fidelity: base }];
  const patients = subject.kind === 'patient' ? [subject.id] : livingIn(subject.id);
  if (patients.length === 0) return shows(base, needed) ? 'whole' : 'nothing';
  const measuredAt = entry.time;
  const decisions = patients.map((patient) => desk.decide({ patient, recipient, purpose: 'TREAT', measuredAt }, rules));
  const permits = (item: string, fidelity: Fidelity): boolean => decisions.every(({ what }) => what[item] !== undefined && shows(what[item], fidelity));
  switch (entry.kind) {
    case 'acknowledgement': return permits('alarm_answer', 'events') && alarmShows(payload, permits) ? 'whole' : 'nothing';
    case 'event': return alarm(payload, permits);
    default: return entry.fields.has('samples') ? waveform(payload, permits) : summary(payload, permits);
  }
}

type Permits = (item: string, fidelity: Fidelity) => boolean;

/** Every measurement there is may be behind an alarm whose payload names none. */
function alarmShows(payload: CborMap, permits: Permits): boolean {
  const values = (payload.get('evidence') as CborMap | undefined)?.get('values') as readonly CborMap[] | undefined;
  return (values ?? []).every((value) => permits(value.get('measurement') as string, 'events'));
}

function alarm(payload: CborMap, permits: Permits): Allowed {
  const kind = payload.get('kind') === 'technical' ? 'technical_alarm' : 'physiological_alarm';
  if (!permits(kind, 'events')) return 'nothing';
  return alarmShows(payload, permits) ? 'whole' : { excerpt: encode(new Map([...payload].filter(([name]) => BARE_ALARM.includes(name as string))), { floats: true }) };
}

const waveform = (payload: CborMap, permits: Permits): Allowed => (permits(payload.get('measurement') as string, 'full') ? 'whole' : 'nothing');

function summary(payload: CborMap, permits: Permits): Allowed {
  const measurements = payload.get('measurements') as CborMap;
  const shown = [...measurements].filter(([name]) => permits(name as string, 'summary'));
  if (shown.length === 0) return 'nothing';
  if (shown.length === measurements.size) return 'whole';
  return { excerpt: encode(new Map<string, CborValue>([...payload].map(([name, value]) => [name as string, name === 'measurements' ? new Map(shown) : value])), { floats: true }) };
}

/** Who looks at a page. `purpose`: ActReason code. */
export type Onlooker = Readonly<{ person: string; access: 'viewer' | 'caregiver' | 'clinician' | 'administrator'; purpose: string }>;

/** Whoever the configuration gives access to a gateway looks after the people there, unless one of these says otherwise. */
const baseFor = ({ access }: Onlooker): readonly BaseRule[] => [{ to: { role: access }, purposes: ['TREAT', 'ETREAT', 'HOPERAT'], fidelity: 'full' }];

export const decisionFor = (desk: Pick<ConsentDesk, 'decide'>, patient: string, onlooker: Onlooker): Decision =>
  desk.decide({ patient, recipient: { person: onlooker.person, role: onlooker.access }, purpose: onlooker.purpose }, baseFor(onlooker));

/** What tells where somebody is, and what they do. */
const WHEREABOUTS = 'motion';

/** The page without what is withheld, and what that is. */
export function shownTo(view: SubjectView, decision: Decision): SubjectView & Readonly<{ withheld: readonly string[] }> {
  const isShown = (item: string): boolean => !ITEMS.includes(item) || decision.what[item] === 'full' || decision.what[item] === 'summary';
  const values = view.values.filter(({ measurement }) => isShown(measurement));
  const withheld = view.values.filter(({ measurement }) => !isShown(measurement)).map(({ measurement }) => measurement);
  const isWhole = withheld.length === 0;
  return {
    ...view, values, withheld,
    ...(isShown(WHEREABOUTS) ? {} : { activity: null, room: null }),
    // A score can be taken apart again.
    ...(isWhole ? {} : { scores: [] }),
  };
}

/** By patient: the rooms they live in. */
export const whoLivesIn = (patients: readonly Readonly<{ id: string; rooms: readonly Readonly<{ room: string }>[] }>[], room: Subject['id']): readonly string[] =>
  patients.filter(({ rooms }) => rooms.some((each) => each.room === room)).map(({ id }) => id);
