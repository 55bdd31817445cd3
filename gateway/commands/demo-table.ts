import type { Status } from '../administration.ts';
import { READING_STATES } from '../reading.ts';

export type DemoTableOptions = Readonly<{
  out: (line: string) => void;
  /** Redraw in place; without it (a pipe, a log) every table is written below the last. */
  live: boolean;
  /** Columns of the terminal: a row that wrapped would be two when it is drawn over. Default: as many as it takes. */
  width?: number;
}>;

/** The live table of the demo: messages per second and in all for each state, blocks, hospitals, the last event. */
export class DemoTable {
  readonly #options: DemoTableOptions;
  #before: Readonly<{ status: Status; at: number }> | undefined;
  #height = 0;

  constructor(options: DemoTableOptions) {
    this.#options = options;
  }

  /** `links`: a line for each; `at`: monotonic milliseconds. */
  show(status: Status, links: readonly string[], at: number): void {
    const rows = [...this.#states(status, at), ...lanes(status), ...relays(status), ...links, `last event  ${status.lastEvent ?? 'none yet'}`];
    if (this.#options.live && this.#height > 0) this.#options.out(`\x1b[${this.#height + 1}A`);
    for (const row of rows) this.#options.out(this.#options.live ? `\x1b[2K${row.slice(0, this.#options.width)}` : row);
    this.#height = rows.length;
    this.#before = { status, at };
  }

  #states(status: Status, at: number): string[] {
    const names = READING_STATES.map((state) => state.padStart(11)).join('');
    const perSecond = READING_STATES.map((state) => this.#rate(state, status, at).toFixed(1).padStart(11)).join('');
    const total = READING_STATES.map((state) => String(status.states[state].messages).padStart(11)).join('');
    return [`messages    ${names}`, `  per second${perSecond}`, `  in all    ${total}`];
  }

  #rate(state: (typeof READING_STATES)[number], status: Status, at: number): number {
    if (this.#before === undefined) return 0;
    const seconds = (at - this.#before.at) / 1000;
    return (status.states[state].messages - this.#before.status.states[state].messages) / seconds;
  }
}

const lanes = (status: Status): string[] =>
  status.lanes.map(({ lane, height, entries, hash }) => `lane ${lane.padEnd(7)}block ${String(height).padStart(5)}  ${String(entries).padStart(6)} entries  ${hash.slice(0, 24)}…`);

const relays = (status: Status): string[] =>
  status.relays.map(({ hospital, lane, state, lag }) => `${hospital} ${lane}: ${state}, ${lag === 0 ? 'all blocks countersigned' : `${lag} blocks behind`}`);
