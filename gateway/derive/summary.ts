import { encode, type CborMap, type CborValue } from '../ledger/cbor.ts';
import type { UnixMillis } from '../quantity.ts';
import { nameOf, type Reading, type Subject } from '../reading.ts';

type Statistics = { unit: string; count: number; lowest: number; highest: number; sum: number; last: number };

/**
 * What one subject showed in one window: for every measurement the number of values, the lowest, highest, mean and
 * last one. Its payload stays beside the chain; the entry carries the commitment.
 */
export class Summary {
  readonly subject: Subject;
  readonly #statistics = new Map<string, Statistics>();
  #from: UnixMillis | undefined;
  #to: UnixMillis | undefined;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  /** Adds a value, or every sample of a waveform. `receivedAt` is the gateway's clock. */
  add(reading: Reading, receivedAt: UnixMillis): void {
    this.#from ??= receivedAt;
    this.#to = receivedAt;
    const statistics = this.#statisticsOf(reading);
    for (const value of typeof reading.value === 'number' ? [reading.value] : reading.value) {
      statistics.count += 1;
      statistics.lowest = Math.min(statistics.lowest, value);
      statistics.highest = Math.max(statistics.highest, value);
      statistics.sum += value;
      statistics.last = value;
    }
  }

  #statisticsOf(reading: Reading): Statistics {
    let statistics = this.#statistics.get(reading.measurement);
    if (statistics === undefined) {
      statistics = { unit: reading.unit, count: 0, lowest: Infinity, highest: -Infinity, sum: 0, last: 0 };
      this.#statistics.set(reading.measurement, statistics);
    }
    return statistics;
  }

  /**
   * CBOR: `{"subject": "patient/anna", "from": ms, "to": ms, "measurements": {name: {"unit", "count", "lowest", "highest", "mean", "last"}}}`.
   */
  payload(): Uint8Array {
    const measurements = new Map<string, CborValue>();
    for (const [name, { unit, count, lowest, highest, sum, last }] of this.#statistics) {
      const statistics: CborMap = new Map<string, CborValue>(Object.entries({ unit, count, lowest, highest, mean: sum / count, last }));
      measurements.set(name, statistics);
    }
    const payload = new Map<string, CborValue>([
      ['subject', nameOf(this.subject)],
      ['from', this.#from ?? 0],
      ['to', this.#to ?? 0],
      ['measurements', measurements],
    ]);
    return encode(payload, { floats: true });
  }
}
