/** Consent at a hospital: the decision of consent/decide.ts for every record and everybody it is about to be shown to. */

import type { Episode } from '../consent/break-glass.ts';
import { GLASS_RULES, isEnough, leftOf, type Content, type Left, type Permits } from '../consent/content.ts';
import { consentsTold, type ToldPatient } from '../consent/told.ts';
import { decide, type Decision } from '../consent/decide.ts';
import { NO_CONSENTS } from '../consent/consents.ts';
import { BREAK_GLASS, type Role } from '../consent/vocabulary.ts';
import { UnixMillis } from '../quantity.ts';
import type { HospitalDisclosures } from './disclosures.ts';
import type { EpisodeStore } from './episode-store.ts';
import type { Shown } from './note.ts';
import type { OutputGate, OutputRecipient } from './output-gate.ts';
import type { HospitalRecord, KnownSubject, Plain } from './record.ts';
import type { ToldConsents, ToldOfSomebody } from './told-consents.ts';

export type ConsentGateOptions = Readonly<{
  /** Fingerprint of this hospital's key, hexadecimal. */
  hospital: string;
  told: Pick<ToldConsents, 'of'>;
  episodes: Pick<EpisodeStore, 'episodes'>;
  disclosures: Pick<HospitalDisclosures, 'note'>;
  /** This hospital's clock. */
  now: () => UnixMillis;
}>;

/** Everybody whose consents are asked about somebody's, or a room's, data. */
type Household = Readonly<{ told: ToldOfSomebody; patients: readonly Party[] }>;
/** `undefined`: somebody, or nobody, who said nothing: the base decides. */
type Party = ToldPatient | undefined;

/** The one name in a decision: whose pseudonym it was says nothing any more. */
const PATIENT = 'patient';

export class ConsentGate implements OutputGate {
  readonly #options: ConsentGateOptions;

  constructor(options: ConsentGateOptions) {
    this.#options = options;
  }

  async show(recipient: OutputRecipient, records: readonly HospitalRecord[]): Promise<readonly HospitalRecord[]> {
    const judged = await this.#judges(recipient, records.map(({ subject }) => subject));
    const shown: HospitalRecord[] = [];
    const noted = new Map<Judge, Shown>();
    for (const record of records) {
      const judge = judged.get(keyOf(record.subject));
      const left = judge === undefined ? undefined : leftOfRecord(record, judge.permits(record.time));
      if (judge === undefined || left === undefined) continue;
      shown.push(left);
      noted.set(judge, judge.shown(record.subject));
    }
    if (noted.size > 0) await this.#options.disclosures.note([...noted.values()]);
    return shown;
  }

  async mayKnow(recipient: OutputRecipient, subject: KnownSubject): Promise<boolean> {
    return (await this.#judges(recipient, [subject])).get(keyOf(subject))?.everPermits() ?? false;
  }

  async #judges(recipient: OutputRecipient, subjects: readonly KnownSubject[]): Promise<ReadonlyMap<string, Judge>> {
    const episodes = recipient.purpose === BREAK_GLASS ? (await this.#options.episodes.episodes()).episodes : [];
    const judges = new Map<string, Judge>();
    for (const subject of new Map(subjects.map((each) => [keyOf(each), each])).values()) {
      const household = await this.#householdOf(subject);
      if (household !== undefined) judges.set(keyOf(subject), new Judge(recipient, household, { ...this.#options, now: this.#options.now(), episodes }));
    }
    return judges;
  }

  /** Undefined when nobody said what its people permit. */
  async #householdOf({ kind, person }: KnownSubject): Promise<Household | undefined> {
    const told = await this.#options.told.of(person);
    if (told?.kind !== kind) return undefined;
    if (told.kind === 'patient') return { told, patients: [told] };
    const residents = await Promise.all(told.residents.map((name) => this.#options.told.of(name)));
    const known = residents.filter((each) => each?.kind === 'patient');
    const patients = [...known, ...(told.others ? [undefined] : [])];
    // Who was erased, or whose word has not come yet, has not permitted it; and where there is nobody to ask nobody has.
    return known.length < told.residents.length || patients.length === 0 ? undefined : { told, patients };
  }
}

const keyOf = ({ kind, person }: KnownSubject): string => `${kind}/${person}`;

/** Decides for one recipient about one household. */
class Judge {
  readonly #recipient: OutputRecipient;
  readonly #household: Household;
  readonly #context: Readonly<{ hospital: string; now: UnixMillis; episodes: readonly Episode[] }>;
  /** Where a period begins or ends that somebody permitted or denied the data of, in order. */
  readonly #bounds: readonly UnixMillis[];
  /** By how many of these are behind: between two of them every time gives the same answer. */
  readonly #decided = new Map<number, readonly Decision[]>();

  constructor(recipient: OutputRecipient, household: Household, context: Readonly<{ hospital: string; now: UnixMillis; episodes: readonly Episode[] }>) {
    this.#recipient = recipient;
    this.#household = household;
    this.#context = context;
    const periods = household.patients.flatMap((party) => party?.grants ?? []).flatMap(({ grant: { measured } }) => measured ?? []);
    this.#bounds = [...new Set(periods.flatMap(({ from, until }) => (until === undefined ? [from] : [from, until])))].sort((one, other) => one - other);
  }

  permits(measuredAt: UnixMillis): Permits {
    const decisions = this.#decisions(measuredAt);
    return (item, fidelity) => decisions.every(({ what }) => isEnough(what[item], fidelity));
  }

  /** Whether something that was measured at some time is permitted. */
  everPermits(): boolean {
    return [UnixMillis(0), ...this.#bounds].some((measuredAt) => {
      const [first, ...more] = this.#decisions(measuredAt);
      return first !== undefined && Object.keys(first.what).some((item) => more.every(({ what }) => what[item] !== undefined));
    });
  }

  #decisions(measuredAt: UnixMillis): readonly Decision[] {
    const behind = this.#bounds.filter((bound) => bound <= measuredAt).length;
    const known = this.#decided.get(behind);
    if (known !== undefined) return known;
    const decisions = this.#household.patients.map((party) => this.#decide(party, measuredAt));
    this.#decided.set(behind, decisions);
    return decisions;
  }

  #decide(party: Party, measuredAt: UnixMillis): Decision {
    const { hospital, now, episodes } = this.#context;
    const { told } = this.#household;
    const { purpose, role } = this.#recipient;
    // What the gateway said was so then: a clock here that is behind makes nothing of it untrue.
    const at = UnixMillis(Math.max(now, told.at, party?.at ?? 0));
    const glass = party === undefined ? [] : episodesOf(episodes, party);
    const person = role === undefined ? {} : { person: this.#recipient.id, role: role as Role };
    return decide(party === undefined ? NO_CONSENTS : consentsTold(party, PATIENT), { patient: PATIENT, recipient: { hospital, ...person }, purpose, measuredAt }, at, {
      base: party?.base ?? told.base, releases: party?.releases ?? [], hospitals: [hospital], glass,
    });
  }

  shown(subject: KnownSubject): Shown {
    const { told, patients } = this.#household;
    const { id, role, purpose, by } = this.#recipient;
    const { episodes, now } = this.#context;
    const [decision] = [...this.#decided.values()].flat().filter(({ episode }) => episode !== undefined);
    const reason = decision && episodes.find(({ number }) => number === decision.episode)?.reason;
    return {
      what: 'shown', chain: told.chain, subject, pseudonym: told.names[0] ?? subject.person, time: now, by, purpose, times: 1,
      recipient: { id, ...(role === undefined ? {} : { role }) },
      consents: [...new Set(patients.flatMap((party) => (party === undefined ? [] : [party.version])))],
      ...(decision?.episode === undefined ? {} : { episode: decision.episode, ...(reason === undefined ? {} : { reason }) }),
    };
  }
}

/** Episodes for a patient, under the name that decisions know. */
const episodesOf = (episodes: readonly Episode[], { names }: ToldPatient): readonly Episode[] => episodes.filter(({ patient }) => names.includes(patient)).map((episode) => ({ ...episode, patient: PATIENT }));

function leftOfRecord(record: HospitalRecord, permits: Permits): HospitalRecord | undefined {
  const left = leftOf(contentOf(record), permits);
  if (left === 'nothing') return undefined;
  return left === 'whole' ? record : { ...record, whole: false, payload: cut(record.payload, left) };
}

type PlainMap = HospitalRecord['payload'];

function cut(payload: PlainMap, left: Exclude<Left, string>): PlainMap {
  if ('fields' in left) return Object.fromEntries(Object.entries(payload).filter(([name]) => left.fields.includes(name)));
  return { ...payload, measurements: Object.fromEntries(Object.entries(mapIn(payload['measurements'])).filter(([name]) => left.measurements.includes(name))) };
}

function contentOf({ kind, payload }: HospitalRecord): Content {
  if (kind === 'summary') return 'samples' in payload ? { what: 'waveform', measurement: textIn(payload['measurement']) } : { what: 'summary', measurements: Object.keys(mapIn(payload['measurements'])) };
  const values = mapIn(payload['evidence'])['values'];
  return {
    what: 'alarm', technical: payload['kind'] === 'technical', isAnswer: kind === 'acknowledgement', saysWhy: textIn(payload['rule']).startsWith(GLASS_RULES),
    values: Array.isArray(values) ? (values as readonly Plain[]).map((value) => textIn(mapIn(value)['measurement'])) : [],
  };
}

const textIn = (value: Plain | undefined): string => (typeof value === 'string' ? value : '');
const mapIn = (value: Plain | undefined): PlainMap => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as PlainMap) : {});
