/** Who at this hospital was shown what of whom: written down before it is shown. */

import { Minutes, type Millis, type UnixMillis } from '../quantity.ts';
import type { HospitalDisclosure, NoteLog, Shown } from './note.ts';

/** Whoever looks again within this time is looking still: one note for the first look, and one that counts the others. As a gateway does. */
const SAME_LOOK: Millis = Minutes(15);

type Look = { since: UnixMillis; more: number; shown: Shown };

/** What is decided anew is looked at anew. */
const nameOfLook = ({ recipient: { id, role = '' }, by, subject: { kind, person }, purpose, episode = 0, consents }: Shown): string => [id, role, by, kind, person, purpose, episode, ...consents].join('\n');

export class HospitalDisclosures {
  readonly #log: NoteLog;
  readonly #now: () => UnixMillis;
  readonly #looks = new Map<string, Look>();
  readonly #timer: NodeJS.Timeout;

  constructor({ log, now, onFault }: Readonly<{ log: NoteLog; now: () => UnixMillis; onFault: (fault: unknown) => void }>) {
    this.#log = log;
    this.#now = now;
    this.#timer = setInterval(() => void this.flush(false).catch(onFault), Minutes(1));
    this.#timer.unref();
  }

  /** Resolves when it is durable that each was shown. Throws {@link StoreError}; then nothing may be shown. */
  async note(all: readonly Shown[]): Promise<void> {
    const now = this.#now();
    const fresh: Shown[] = [];
    const looks = new Map<string, Look>();
    for (const [name, shown] of new Map(all.map((each) => [nameOfLook(each), each]))) {
      const look = this.#looks.get(name);
      // A clock that was put back ends a look, too.
      if (look !== undefined && now >= look.since && now - look.since < SAME_LOOK) {
        look.more += 1;
        continue;
      }
      if (look !== undefined && look.more > 0) fresh.push({ ...look.shown, times: look.more });
      fresh.push(shown);
      looks.set(name, { since: now, more: 0, shown });
    }
    if (fresh.length > 0) await this.#log.append(fresh);
    for (const [name, look] of looks) this.#looks.set(name, look);
  }

  /** Writes down how often looks went on, when their time is over; with `all` of every one. */
  async flush(all: boolean): Promise<void> {
    const now = this.#now();
    const over = [...this.#looks].filter(([, { since }]) => all || now < since || now - since >= SAME_LOOK);
    for (const [name] of over) this.#looks.delete(name);
    const more = over.flatMap(([, { shown, more: times }]) => (times === 0 ? [] : [{ ...shown, times }]));
    if (more.length > 0) await this.#log.append(more);
  }

  /** What of somebody was shown, in order; `from` and `to` included. */
  async *of(person: string, { from, to }: Readonly<{ from?: UnixMillis; to?: UnixMillis }> = {}): AsyncIterable<HospitalDisclosure> {
    for await (const note of this.#log.of(person)) {
      if (note.what === 'shown' && (from === undefined || from <= note.time) && (to === undefined || note.time <= to)) yield note;
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush(true);
  }
}
