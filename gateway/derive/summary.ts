import { encode, type CborMap, type CborValue } from '../ledger/cbor.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Reading, Subject } from '../reading.ts';

/** Of one measurement. `doubtful` values are counted and nothing else; without any other the rest says nothing. */
type Statistics = { unit: string; count: number; doubtful: number; lowest: number; highest: number; sum: number; last: number };

/** What a summary holds so far. JSON. */
export type SummaryState = Readonly<{ from: UnixMillis; to: UnixMillis; measurements: Readonly<Record<string, Readonly<Statistics>>> }>;

export const SUMMARY_PARTS = ['short', 'late', 'long'] as const;
export type SummaryPart = (typeof SUMMARY_PARTS)[number];

/**
 * What was measured of one subject in the minute that goes on (`short`), what came in it and is from before (`late`: from the memory of a
 * device), and in the quarter of an hour until this minute (`long`). JSON.
 */
export type OpenSummaries = Readonly<{ subject: Subject } & { [P in SummaryPart]?: SummaryState }>;

/**
 * What one subject showed in a time: for every measurement the number of values, the lowest, highest, mean and last one, and of how
 * many more something spoke against them. Its payload stays beside the chain; the entry carries the commitment.
 */
export class Summary {
  readonly subject: Subject;
  readonly #statistics: Map<string, Statistics>;
  #from: UnixMillis | undefined;
  #to: UnixMillis | undefined;

  constructor(subject: Subject, state?: SummaryState) {
    this.subject = subject;
    this.#statistics = new Map(Object.entries(state?.measurements ?? {}).map(([name, statistics]) => [name, { ...statistics }]));
    this.#from = state?.from;
    this.#to = state?.to;
  }

  /** Adds a value, or every sample of a waveform. `measuredAt` is on the gateway's clock. */
  add(reading: Reading, measuredAt: UnixMillis): void {
    this.#cover(measuredAt, measuredAt);
    const statistics = this.#statisticsOf(reading.measurement, reading.unit);
    const values = typeof reading.value === 'number' ? [reading.value] : reading.value;
    // What a device had kept is late, and true.
    if (reading.doubt !== undefined && reading.doubt !== 'stored') {
      statistics.doubtful += values.length;
      return;
    }
    for (const value of values) {
      statistics.lowest = statistics.count === 0 ? value : Math.min(statistics.lowest, value);
      statistics.highest = statistics.count === 0 ? value : Math.max(statistics.highest, value);
      statistics.count += 1;
      statistics.sum += value;
      statistics.last = value;
    }
  }

  /** Adds what a later one holds. */
  merge(later: Summary): void {
    if (later.#from === undefined || later.#to === undefined) return;
    this.#cover(later.#from, later.#to);
    for (const [measurement, more] of later.#statistics) {
      const statistics = this.#statisticsOf(measurement, more.unit);
      statistics.doubtful += more.doubtful;
      if (more.count === 0) continue;
      statistics.lowest = statistics.count === 0 ? more.lowest : Math.min(statistics.lowest, more.lowest);
      statistics.highest = statistics.count === 0 ? more.highest : Math.max(statistics.highest, more.highest);
      statistics.count += more.count;
      statistics.sum += more.sum;
      statistics.last = more.last;
    }
  }

  #cover(from: UnixMillis, to: UnixMillis): void {
    if (this.#from === undefined || from < this.#from) this.#from = from;
    if (this.#to === undefined || to > this.#to) this.#to = to;
  }

  #statisticsOf(measurement: string, unit: string): Statistics {
    let statistics = this.#statistics.get(measurement);
    if (statistics === undefined) {
      statistics = { unit, count: 0, doubtful: 0, lowest: 0, highest: 0, sum: 0, last: 0 };
      this.#statistics.set(measurement, statistics);
    }
    return statistics;
  }

  /** Undefined before the first value. */
  get state(): SummaryState | undefined {
    if (this.#from === undefined || this.#to === undefined) return undefined;
    return { from: this.#from, to: this.#to, measurements: Object.fromEntries([...this.#statistics].map(([name, statistics]) => [name, { ...statistics }])) };
  }

  /**
   * CBOR: `{"from": ms, "to": ms, "measurements": {name: {"unit", "count", "doubtful", "lowest", "highest",
   * "mean", "last"}}}`; the last four only where `count` is above 0.
   */
  payload(): Uint8Array {
    const measurements = new Map<string, CborValue>();
    for (const [name, { unit, count, doubtful, lowest, highest, sum, last }] of this.#statistics) {
      const values = count === 0 ? {} : { lowest, highest, mean: sum / count, last };
      const statistics: CborMap = new Map<string, CborValue>(Object.entries({ unit, count, doubtful, ...values }));
      measurements.set(name, statistics);
    }
    const payload = new Map<string, CborValue>([
      ['from', this.#from ?? 0],
      ['to', this.#to ?? 0],
      ['measurements', measurements],
    ]);
    return encode(payload, { floats: true });
  }
}
