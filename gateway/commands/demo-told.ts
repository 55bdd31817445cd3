import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

const MOST_LINES = 4;
const MOST_AT_ONCE = 64 * 1024;

/** What people were told in the demo: by the mail server, the modem, the bell and the lamp, which write it into files. */
export class DemoTold {
  readonly #files: readonly Readonly<{ path: string; read: (line: string) => string | undefined }>[];
  readonly #rests = new Map<string, Readonly<{ offset: number; rest: string }>>();
  #told: readonly string[] = [];

  constructor({ folder, bell, lamp }: Readonly<{ folder: string; bell: string; lamp: string }>) {
    this.#files = [
      { path: join(folder, 'sim.log'), read: (line) => /(?:mail|message) to .*$/.exec(line)?.[0] },
      { path: bell, read: (line) => (line === '' ? undefined : `the bell rings: ${line}`) },
      { path: lamp, read: (line) => (line === '' ? undefined : `the lamp is told: ${line}`) },
    ];
    // What stands there is of another day.
    this.#look();
    this.#told = [];
  }

  /** For the table: the last of it. */
  lines(): readonly string[] {
    this.#look();
    return (this.#told.length === 0 ? ['nobody yet: import an example of flows, deploy it, and press its button'] : this.#told).map((line) => `told        ${line}`);
  }

  #look(): void {
    const fresh = this.#files.flatMap(({ path, read }) => this.#linesOf(path).flatMap((line) => read(line) ?? []));
    this.#told = [...this.#told, ...fresh].slice(-MOST_LINES);
  }

  #linesOf(path: string): readonly string[] {
    const { offset, rest } = this.#rests.get(path) ?? { offset: 0, rest: '' };
    const part = readFrom(path, offset);
    const lines = (rest + part.toString('utf8')).split('\n');
    this.#rests.set(path, { offset: offset + part.length, rest: lines.pop() ?? '' });
    return lines;
  }
}

/** Nothing of a file that is not there yet. */
function readFrom(path: string, offset: number): Buffer {
  try {
    const file = openSync(path, 'r');
    try {
      const part = Buffer.alloc(MOST_AT_ONCE);
      return part.subarray(0, readSync(file, part, 0, part.length, offset));
    } finally {
      closeSync(file);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
