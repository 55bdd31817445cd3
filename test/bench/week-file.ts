/** The journal of a simulated week as a file, so that it can be derived again, here or in another process. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import type { LocalDeriver } from '../../gateway/derive/deriver.ts';
import { Sequence } from '../../gateway/reading.ts';

const CHUNK = 1 << 20;

/** Frames one after the other, each behind its length in 4 bytes, big endian. */
export class JournalWriter {
  readonly #file: number;
  #pending: Buffer[] = [];
  #bytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'wx', 0o600);
  }

  add(frame: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    this.#pending.push(length, frame);
    this.#bytes += 4 + frame.length;
    if (this.#bytes >= CHUNK) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending);
    for (let written = 0; written < bytes.length;) written += writeSync(this.#file, bytes, written);
    this.#pending = [];
    this.#bytes = 0;
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }
}

/** The frames of such a file, in order. */
export function* framesIn(path: string): Generator<Buffer, void, undefined> {
  const file = openSync(path, 'r');
  try {
    let held = Buffer.alloc(0);
    const chunk = Buffer.alloc(CHUNK);
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) {
      held = Buffer.concat([held, chunk.subarray(0, read)]);
      let at = 0;
      while (held.length - at >= 4 && held.length - at - 4 >= held.readUInt32BE(at)) {
        const end = at + 4 + held.readUInt32BE(at);
        yield Buffer.from(held.subarray(at + 4, end));
        at = end;
      }
      held = held.subarray(at);
    }
    if (held.length > 0) throw new Error(`${path} ends within a frame`);
  } finally {
    closeSync(file);
  }
}

/** SHA-256 over the bytes of all entries, in order, each behind its lane and length. */
export class EntryDigest {
  readonly #hash = createHash('sha256');
  entries = 0;

  add({ entries }: Pick<Checkpoint, 'entries'>): void {
    for (const { lane, bytes } of entries) {
      this.#hash.update(`${lane} ${bytes.length} `).update(bytes);
      this.entries += 1;
    }
  }

  /** Once, at the end. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}

/** Derives all frames in batches of that size. `pause` is awaited between batches. */
export async function replay(frames: Iterable<Buffer>, batch: number, deriver: LocalDeriver, pause: () => Promise<void> | void = () => undefined): Promise<string> {
  const digest = new EntryDigest();
  let first = 1;
  let held: Buffer[] = [];
  const deriveHeld = (): void => {
    for (const checkpoint of deriver.deriveNow({ first: Sequence(first), frames: held }).checkpoints) digest.add(checkpoint);
    first += held.length;
    held = [];
  };
  for (const frame of frames) {
    held.push(frame);
    if (held.length < batch) continue;
    deriveHeld();
    await pause();
  }
  if (held.length > 0) deriveHeld();
  return digest.hex();
}
