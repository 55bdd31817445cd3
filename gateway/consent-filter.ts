/** What of a payload, or of a page about somebody, consent leaves to be shown. */

import type { BaseRule, Decision } from './consent/decide.ts';
import { ITEMS } from './consent/data-classes.ts';
import type { Fidelity } from './consent/vocabulary.ts';
import type { ConsentDesk } from './consent-desk.ts';
import { encode, type CborMap, type CborValue } from './ledger/cbor.ts';
import { fingerprint } from './ledger/es256k.ts';
import { type Allowed, type Asked, fidelityOf, type Ruling, shows, type BaseFidelity } from './releases.ts';
import { ACCESSES } from './people/access.ts';
import type { Subject } from './reading.ts';
import type { Onlooker, Page, SubjectView } from './web/care-desk.ts';

/** Of an alarm that may be told of, though not what was measured: that, when and how urgent. */
const BARE_ALARM: readonly string[] = ['alarm', 'why', 'from', 'to', 'kind', 'priority'];

export type HospitalFilterOptions = Readonly<{
  hospital: Readonly<{ key: Uint8Array }>;
  /** What for it gets anything: ActReason code, or HRESCH/study. */
  purpose: string;
  /** Of a room that is nobody's. */
  base: BaseFidelity;
  desk: Pick<ConsentDesk, 'decide'>;
  /** Who lives in a room. */
  livingIn: (room: string) => readonly string[];
}>;

/**
 * What a hospital may have of a payload as consent stands now. Of a room that is somebody's it may have what each of them permits; a room
 * that is nobody's goes by the base alone.
 */
export function rulingFor({ hospital, purpose, base, desk, livingIn }: HospitalFilterOptions, { subject, entry, payload }: Asked): Ruling {
  const needed = fidelityOf(entry);
  if (needed === undefined) return { allowed: 'nothing', purpose, consents: [] };
  const recipient = { hospital: fingerprint(hospital.key) };
  const patients = subject.kind === 'patient' ? [subject.id] : livingIn(subject.id);
  if (patients.length === 0) return { allowed: shows(base, needed) ? 'whole' : 'nothing', purpose, consents: [] };
  const measuredAt = entry.time;
  const decisions = patients.map((patient) => desk.decide({ patient, recipient, purpose, measuredAt }));
  const permits = (item: string, fidelity: Fidelity): boolean => decisions.every(({ what }) => what[item] !== undefined && shows(what[item], fidelity));
  return { allowed: allowedOf(entry, payload, permits), purpose, consents: [...new Set(decisions.map(({ version }) => version))] };
}

function allowedOf(entry: Asked['entry'], payload: CborMap, permits: Permits): Allowed {
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
  // Why somebody broke the glass is what they wrote about the patient.
  const saysWhy = (payload.get('rule') as string | undefined)?.startsWith('glass-') === true;
  return alarmShows(payload, permits) && (!saysWhy || permits('reason', 'events')) ? 'whole' : { excerpt: encode(new Map([...payload].filter(([name]) => BARE_ALARM.includes(name as string))), { floats: true }) };
}

const waveform = (payload: CborMap, permits: Permits): Allowed => (permits(payload.get('measurement') as string, 'full') ? 'whole' : 'nothing');

function summary(payload: CborMap, permits: Permits): Allowed {
  const measurements = payload.get('measurements') as CborMap;
  const shown = [...measurements].filter(([name]) => permits(name as string, 'summary'));
  if (shown.length === 0) return 'nothing';
  if (shown.length === measurements.size) return 'whole';
  return { excerpt: encode(new Map<string, CborValue>([...payload].map(([name, value]) => [name as string, name === 'measurements' ? new Map(shown) : value])), { floats: true }) };
}

/**
 * What holds where patients said nothing: hospitals get what the configuration says, and whoever it gives access to a gateway looks after the
 * people there.
 */
export function baseOf(hospitals: readonly Readonly<{ key: Uint8Array; payloads: BaseFidelity; purpose: string }>[]): readonly BaseRule[] {
  const given = hospitals.flatMap(({ key, payloads, purpose }): readonly BaseRule[] => (payloads === 'none' ? [] : [{ to: { hospital: fingerprint(key) }, purposes: [purpose], fidelity: payloads }]));
  return [...given, ...ACCESSES.map((role): BaseRule => ({ to: { role }, purposes: ['TREAT', 'ETREAT', 'HOPERAT'], fidelity: 'full' }))];
}

/** What of a page about a patient somebody may see, as consent stands now. */
export function pageFor(view: SubjectView, { person, access, purpose }: Onlooker, desk: Pick<ConsentDesk, 'decide'>): Page {
  const { subject } = view;
  const decision = desk.decide({ patient: subject.id, recipient: { person, role: access }, purpose });
  const basis = { subject, purpose, consents: [decision.version], ...(decision.episode === undefined ? {} : { episode: decision.episode }) };
  return decision.decision === 'deny' ? { basis, denied: decision.why.join('; ') } : { basis, page: shownTo(view, decision) };
}

/** What tells where somebody is, and what they do. */
const WHEREABOUTS = 'motion';

/** The page without what is withheld, and what that is. */
function shownTo(view: SubjectView, decision: Decision): SubjectView & Readonly<{ withheld: readonly string[] }> {
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
