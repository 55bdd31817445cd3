/** What a hospital writes down of what people there do with somebody's data: it goes back to that one's gateway, for its chain. */

import type { GlassActor, GlassVerdict } from '../consent/break-glass.ts';
import type { StoreError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { OutputRecipient } from './output-gate.ts';
import type { KnownSubject } from './record.ts';

type Common = Readonly<{
  /** 32 hexadecimal digits. */
  chain: string;
  /** As this hospital calls them. */
  subject: KnownSubject;
  /** As their gateway can find them: a pseudonym of this hospital, 32 hexadecimal digits. */
  pseudonym: string;
  /** This hospital's clock. */
  time: UnixMillis;
}>;

/** Somebody, or a system, was shown something, so many times within a quarter of an hour. */
export type Shown = Common & Readonly<{
  what: 'shown';
  recipient: Readonly<{ id: string; role?: string }>;
  by: OutputRecipient['by'];
  /** ActReason code, or HRESCH/study. */
  purpose: string;
  times: number;
  /** Versions of the consents it was decided by, 64 hexadecimal digits each. */
  consents: readonly string[];
  /** A broken glass it rests on, and the reason that was given. */
  episode?: number;
  reason?: string;
}>;

/** A step of a broken glass. `reason`: why it was broken; of a review, the remark. */
export type GlassStep = Common & Readonly<{ what: 'broken' | 'ended' | 'reviewed'; episode: number; by: GlassActor; reason: string; ends: UnixMillis; verdict?: GlassVerdict }>;

/** `number`: ascending, not without gaps, and greater than the time: after a loss of the store it goes on above those that gateways have. */
export type Numbered<T> = T & Readonly<{ number: number }>;
export type Note = Shown | GlassStep;
export type HospitalDisclosure = Numbered<Shown>;

/** Notes in the order they were written down, each chain for itself. Throws {@link StoreError}. */
export interface NoteLog {
  /** All or none. MUST be durable when it resolves. A number MUST NOT be seen before a smaller one of its chain. */
  append(notes: readonly Note[]): Promise<void>;
  /** Those after `number`, at most `limit`. */
  after(chain: string, number: number, limit: number): Promise<readonly Numbered<Note>[]>;
  /** The number of the last; 0 before the first. */
  newest(chain: string): Promise<number>;
  /** All about one, in order. */
  of(person: string): AsyncIterable<Numbered<Note>>;
}
