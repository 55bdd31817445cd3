import type { Access } from '../people/access.ts';
import type { Subject } from '../reading.ts';
import type { Ask } from './asks.ts';
import type { Consumers, Positions, SequenceName } from './consumers.ts';
import type { MessageOf, Topic } from './messages.ts';

/** Who asks, and with what right (people/). */
export type Asker = Readonly<{ person: string; access: Access }>;

/** One message of what is numbered, without what depends on who gets it. `subject` null: of nobody. */
export type Numbered = Readonly<{ position: number; subject: Subject | null }> &
  Readonly<{ topic: 'alarm'; alarm: MessageOf<'alarm'>['alarm'] } | { topic: 'block'; block: MessageOf<'block'>['block'] }>;

/** How something is now: the newest counts, under its key. */
export type Current = Readonly<{ key: string; id: string; subject: Subject | null }> &
  Readonly<{ topic: 'vital'; vital: MessageOf<'vital'>['vital'] } | { topic: 'room'; room: MessageOf<'room'>['room'] } | { topic: 'device'; device: MessageOf<'device'>['device'] }>;

/** What happens in the gateway, for flows. Reading from it MUST NOT hold up anything else. */
export interface FlowSource {
  /** The last of everything that is numbered. */
  heads(): Promise<Positions>;
  /** What comes after a position, in order, at most `limit`. */
  after(sequence: SequenceName, position: number, limit: number): Promise<readonly Numbered[]>;
  /** Calls back when there is more of what is numbered. Listeners MUST return at once and not throw. Returns what ends it. */
  onNumbered(listener: () => void): () => void;
  /** Calls back with what is different now, of these topics. Listeners MUST return at once and not throw. Returns what ends it. */
  onCurrent(topics: readonly Topic[], listener: (current: readonly Current[]) => void): () => void;
}

/** What one person may see; judged anew for every message. */
export interface FlowView {
  maySee(subject: Subject | null): boolean;
  /** Whether they may see values of a measurement of somebody, as the patient permits. */
  maySeeValue(subject: Subject, measurement: string): boolean;
  /** Notes whose data somebody is about to be shown. Resolves when that is written down. */
  disclose(subjects: readonly Subject[], what: 'values' | 'alarm history' | 'alarms'): Promise<void>;
}

/** `kind`: how it is answered (404, 403, 409, 429). `refused`: a word for programs. */
export type AskRefused = Readonly<{ kind: 'unknown' | 'not_allowed' | 'conflict'; refused: string; why: string }>;
/** `mayTryAgain`: nothing came of it, so that the same ask once more is no repetition. */
export type AskAnswer = Readonly<{ done: Readonly<Record<string, unknown>>; mayTryAgain?: boolean }> | AskRefused;

/** For pick lists: what there is, as far as somebody may see it. */
export type FlowLists = Readonly<{
  patients: readonly string[];
  rooms: readonly string[];
  devices: readonly string[];
  /** `ways`: by which the gateway can tell them, beside what flows do themselves. */
  people: readonly Readonly<{ name: string; roles: readonly string[]; ways: readonly string[] }>[];
  commands: readonly Readonly<{ name: string; kind: 'buzzer' | 'command' }>[];
  measurements: readonly Readonly<{ name: string; unit: string }>[];
  testPatients: readonly string[];
  /** IANA name of where the gateway stands. */
  timeZone: string;
}>;

/** What flows have of the gateway. */
export interface FlowDesk {
  readonly source: FlowSource;
  readonly consumers: Consumers;
  /** Live alarms, most urgent first, that somebody may see. */
  liveAlarms(asker: Asker): readonly Readonly<{ subject: Subject | null }>[];
  viewFor(asker: Asker): FlowView;
  /** Does it, or says why not. Throws StoreError. */
  ask(ask: Ask, asker: Asker): Promise<AskAnswer>;
  lists(asker: Asker): Promise<FlowLists>;
}
