/**
 * The flash memory in which devices remember their message counters. A gateway recognises repetitions by device and `seq`, so
 * a device that began again at 1 after a restart would have its new readings taken for old ones.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import { ConfigError, messageOf } from '../gateway/errors.ts';

/** Numbers claimed at once: after a crash up to this many are skipped, and none is used twice. */
const CLAIM = 1024;

/**
 * Counters in a JSON file `{ "<device id>": <first number not claimed yet>, … }`. The promise: a number given to
 * {@link Counters.use} MUST be covered by the file before that call returns, so that it survives a kill of the process.
 */
export class Counters {
  readonly #path: string;
  readonly #claimed: Map<string, number>;
  readonly #next = new Map<string, number>();

  /** Reads the file, or begins empty when there is none. Throws {@link ConfigError} when it holds something else. */
  constructor(path: string) {
    this.#path = path;
    this.#claimed = readCounters(path);
  }

  /** The number with which a device goes on. */
  first(deviceId: string): number {
    return this.#claimed.get(deviceId) ?? 1;
  }

  /** Remembers that `seq` is about to be used. */
  use(deviceId: string, seq: number): void {
    this.#next.set(deviceId, seq + 1);
    if (seq < this.first(deviceId)) return;
    this.#claimed.set(deviceId, seq + CLAIM);
    this.#write();
  }

  /** Gives back the claimed numbers that were not used. To be called when no device is running any more. */
  close(): void {
    for (const [deviceId, next] of this.#next) this.#claimed.set(deviceId, next);
    this.#write();
  }

  #write(): void {
    const draft = `${this.#path}.new`;
    writeFileSync(draft, `${JSON.stringify(Object.fromEntries(this.#claimed), null, 2)}\n`, { flush: true });
    renameSync(draft, this.#path);
  }
}

function readCounters(path: string): Map<string, number> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return new Map();
    throw new ConfigError(`counters file ${path}: ${messageOf(cause)}`, { cause });
  }
  return parseCounters(path, text);
}

function parseCounters(path: string, text: string): Map<string, number> {
  const expected = 'expected JSON such as {"anna-wrist": 1025}, each number from 1';
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('not an object');
    return new Map(Object.entries(parsed).map(([id, next]) => [id, checkedNumber(id, next)]));
  } catch (cause) {
    throw new ConfigError(`counters file ${path}: ${messageOf(cause)}; ${expected}`, { cause });
  }
}

function checkedNumber(id: string, next: unknown): number {
  if (typeof next !== 'number' || !Number.isSafeInteger(next) || next < 1) throw new TypeError(`"${id}" has ${JSON.stringify(next)}`);
  return next;
}
