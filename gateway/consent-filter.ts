/** What of a payload, or of a page about somebody, consent leaves to be shown. */

import type { BaseRule, Decision } from './consent/decide.ts';
import { GLASS_RULES, leftOf, type Content, type Permits } from './consent/content.ts';
import { ITEMS } from './consent/data-classes.ts';
import type { Fidelity } from './consent/vocabulary.ts';
import type { ConsentDesk } from './consent-desk.ts';
import { encode, type CborKey, type CborMap, type CborValue } from './ledger/cbor.ts';
import { fingerprint } from './ledger/es256k.ts';
import { type Allowed, type Asked, fidelityOf, type Ruling, shows, type BaseFidelity } from './releases.ts';
import { ACCESSES } from './people/access.ts';
import type { Subject } from './reading.ts';
import type { Onlooker, Page, SubjectView } from './web/care-desk.ts';

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
  const left = leftOf(contentOf(entry, payload), permits);
  if (typeof left === 'string') return left;
  const kept = 'fields' in left
    ? [...payload].filter(([name]) => left.fields.includes(name as string))
    : [...payload].map(([name, value]): [CborKey, CborValue] => [name, name === 'measurements' ? new Map([...(value as CborMap)].filter(([measurement]) => left.measurements.includes(measurement as string))) : value]);
  return { excerpt: encode(new Map(kept), { floats: true }) };
}

function contentOf({ kind, fields }: Asked['entry'], payload: CborMap): Content {
  if (kind === 'summary') {
    return fields.has('samples') ? { what: 'waveform', measurement: payload.get('measurement') as string } : { what: 'summary', measurements: [...(payload.get('measurements') as CborMap).keys()] as string[] };
  }
  const values = (payload.get('evidence') as CborMap | undefined)?.get('values') as readonly CborMap[] | undefined;
  const saysWhy = (payload.get('rule') as string | undefined)?.startsWith(GLASS_RULES) === true;
  return { what: 'alarm', technical: payload.get('kind') === 'technical', isAnswer: kind === 'acknowledgement', saysWhy, values: (values ?? []).map((value) => value.get('measurement') as string) };
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
  // What is usual tells of what was measured.
  const baselines = view.baselines.filter(({ from }) => from.every(isShown));
  const isWhole = withheld.length === 0;
  return {
    ...view, values, withheld, baselines,
    ...(isShown(WHEREABOUTS) ? {} : { activity: null, room: null }),
    // A score can be taken apart again.
    ...(isWhole ? {} : { scores: [] }),
  };
}

/** By patient: the rooms they live in. */
export const whoLivesIn = (patients: readonly Readonly<{ id: string; rooms: readonly Readonly<{ room: string }>[] }>[], room: Subject['id']): readonly string[] =>
  patients.filter(({ rooms }) => rooms.some((each) => each.room === room)).map(({ id }) => id);
