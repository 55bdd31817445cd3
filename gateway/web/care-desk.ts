import type { Actor } from '../alarm/condition.ts';
import type { Refusal } from '../alarm/step.ts';
import type { AlarmLists, AlarmView, StepView } from '../alarm-views.ts';
import type { StepsOfAlarm } from '../alarm-feed.ts';
import type { Shown } from '../disclosures.ts';
import type { Access } from '../people/access.ts';
import type { Millis } from '../quantity.ts';
import type { Doubt, Subject } from '../reading.ts';

/** What the API asks of the gateway. Everything a person decides is a frame of the journal, derived and committed before it is answered. */
export interface CareDesk {
  readonly alarms: AlarmBoard;
  readonly glass: GlassDesk;

  /** Acknowledges or pauses an alarm. Asked again with the same, it says the same and does nothing more. Throws StoreError. */
  answer(answer: Answer): Promise<AnswerOutcome>;

  /** Ids of the patients somebody has told the gateway of, in order. */
  patients(): Promise<readonly string[]>;
  /** The patients who live in a room. */
  whoLivesIn(room: string): readonly string[];
  /** What a patient is called in addresses (vault/handles.ts). */
  handleOf(patient: string): string;
  /** The patient that a handle of {@link handleOf} stands for; undefined when it stands for nobody the gateway knows. */
  patientOf(handle: string): Promise<string | undefined>;
  /** What is known now; undefined for a subject the gateway does not know. */
  view(subject: Subject): Promise<SubjectView | undefined>;
  /** The same, without what the patient does not permit this person to see. */
  pageFor(patient: string, onlooker: Onlooker): Promise<Page | undefined>;
  /** Notes that somebody is about to be shown what is known of subjects; resolves when that is written down. */
  disclose(by: Actor, shown: readonly Shown[], what: 'values' | 'alarms' | 'alarm history' | 'episodes' | 'nothing: denied'): Promise<void>;
  /** What a person saw or measured by hand, by measurement in its own unit. */
  observe(patient: string, values: Readonly<Record<string, number>>, by: Actor): Promise<void>;
  /** Every sample of a measurement for so long, as entries beside the summaries. */
  wantWaveform(patient: string, measurement: string, time: Millis, by: Actor): Promise<void>;
  /** The scale of SpO2 for NEWS2. */
  prescribe(patient: string, spo2Scale: 1 | 2, by: Actor): Promise<void>;

  contracts(): Promise<readonly ContractInForce[]>;
  /** Puts these rule packs in force, and no others, with the signatures people made under them. Nothing changes when there is a mistake in one. */
  activate(packs: readonly string[], signatures: readonly ContractSignature[], by: Actor): Promise<Activation>;
}

/** Breaking the glass (consent/break-glass.ts). A refusal is a word for programs and a reason for people. */
export interface GlassDesk {
  /** Those that are open or wait to be judged, and the last ones that were. */
  episodes(): readonly EpisodeView[];
  /** Opens an episode; without `time` for as long as is usual. */
  open(patient: string, reason: string, time: Millis | undefined, by: Actor): Promise<EpisodeView | GlassRefused>;
  end(number: number, by: Actor): Promise<EpisodeView | GlassRefused>;
  review(number: number, verdict: GlassVerdict, remark: string, by: Actor): Promise<EpisodeView | GlassRefused>;
}

export type GlassRefused = Readonly<{ refused: string; why: string }>;
export type GlassVerdict = 'justified' | 'unjustified';

/** Instants are ISO 8601, UTC. */
export type EpisodeView = Readonly<{
  number: number;
  patient: string;
  by: Actor;
  reason: string;
  opened: string;
  ends: string;
  endedBy: Actor | null;
  /** By when it must be judged. */
  due: string;
  status: 'open' | 'ended' | 'overdue' | 'reviewed';
  review: Readonly<{ at: string; by: Actor; verdict: GlassVerdict; remark: string }> | null;
}>;

/** The alarms as of the last committed window of frames (../alarm-feed.ts). */
export interface AlarmBoard {
  readonly lastStep: number;
  lists(): AlarmLists;
  alarm(id: number): AlarmView | undefined;
  after(step: number, limit: number): Promise<readonly StepView[]>;
  ofAlarm(id: number, before?: number): Promise<StepsOfAlarm>;
  onSteps(listener: () => void): () => void;
}

/** `revision`: of the alarm as the person saw it. */
export type Answer = Readonly<{ alarm: number; revision: number; by: Actor }> & (Readonly<{ type: 'acknowledge' }> | Readonly<{ type: 'snooze'; time: Millis }>);

/** `alarm`: as it is now; undefined when nobody remembers it. */
export type AnswerOutcome = Readonly<{ alarm: AlarmView | undefined }> & (Readonly<{ taken: true; step: StepView }> | Readonly<{ taken: false; refusal: Refusal }>);

/** What is known of one patient or room. */
export type SubjectView = Readonly<{
  subject: Subject;
  values: readonly Readonly<{
    measurement: string;
    value: number;
    /** UCUM. */
    unit: string;
    /** ISO 8601, UTC. */
    measuredAt: string;
    age: Millis;
    /** `stale`: too old for any rule. */
    quality: 'good' | 'stale' | Doubt;
  }>[];
  /** Null: unknown, or not a person. */
  activity: string | null;
  room: string | null;
  /** For NEWS2. 2 only where a clinician decided so. */
  spo2Scale: 1 | 2;
  scores: readonly Readonly<{
    /** For example `NEWS2`. */
    name: string;
    /** Null while too little is known. */
    value: number | null;
    /** Points by parameter; null where nothing is known. */
    parts: Readonly<Record<string, number | null>>;
  }>[];
  /** What is usual for them, as far as the rules in force follow it (context/usual.ts). `from`: the measurements it was learnt from. */
  baselines: readonly Readonly<{ name: string; value: number; unit: string; days: number | null; meaning: string; from: readonly string[] }>[];
}>;

/** Who looks at a page, and what for (ActReason code). */
export type Onlooker = Readonly<{ person: string; access: Access; purpose: string }>;

/** `basis`: what the disclosure rests on. `denied`: why nothing is shown. */
export type Page = Readonly<{ basis: Shown }> & (Readonly<{ page: SubjectView & Readonly<{ withheld: readonly string[] }> }> | Readonly<{ denied: string }>);

export type ContractInForce = Readonly<{
  pack: string;
  version: number;
  description: string | null;
  rules: number;
  /** SHA-256 as entries of the chain name it, hexadecimal. */
  hash: string;
  /** Empty: the gateway's own. */
  by: readonly Actor[];
  /** Public keys (hexadecimal) of those who signed it. */
  signers: readonly string[];
}>;

/** As "vitalgate contract sign" writes them beside a pack; hexadecimal. */
export type ContractSignature = Readonly<{ contract: string; key: string; signature: string }>;

/** `configured`: the configuration file names the packs, so that they are changed there. */
export type Activation = Readonly<{ activated: readonly ContractInForce[] } | { mistakes: readonly PackMistake[] } | { configured: true }>;

/** `pack`: which of those given, from 0; null: of all together. `line`: in its text, from 1; null: of the whole. */
export type PackMistake = Readonly<{ pack: number | null; line: number | null; message: string }>;
