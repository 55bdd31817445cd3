/** Minimal Lower Layer Protocol (HL7 v2 transport specification, MLLP release 1): a message between 0x0B and 0x1C 0x0D. */

import { PeerError } from '../errors.ts';
import { formatBytes, type Bytes } from '../quantity.ts';

const START = 0x0b;
const END = 0x1c;
const CARRIAGE_RETURN = 0x0d;

/** A message as it goes over the wire. None of ours has a control character but CR in it (text.ts). */
export const framed = (message: string): Buffer => Buffer.concat([Buffer.of(START), Buffer.from(message, 'utf8'), Buffer.of(END, CARRIAGE_RETURN)]);

/**
 * Takes what comes apart again, however it is cut. What stands outside of frames means nothing; a start within a frame begins a new one, because
 * whoever sent the first has given it up.
 */
export class FrameReader {
  readonly #limit: Bytes;
  #parts: Uint8Array[] | undefined;
  #size = 0;

  /** `limit`: of one message. */
  constructor(limit: Bytes) {
    this.#limit = limit;
  }

  /** The messages that are complete now. Throws {@link PeerError} for one that is longer than may be. */
  push(chunk: Uint8Array): readonly Buffer[] {
    const complete: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#parts === undefined) {
        const start = chunk.indexOf(START, at);
        if (start === -1) break;
        this.#begin();
        at = start + 1;
        continue;
      }
      const end = this.#endOf(chunk, at);
      this.#take(chunk.subarray(at, end));
      if (end === chunk.length) break;
      if (chunk[end] === END) complete.push(Buffer.concat(this.#parts));
      if (chunk[end] === START) this.#begin();
      else this.#parts = undefined;
      at = end + 1;
    }
    return complete;
  }

  #begin(): void {
    this.#parts = [];
    this.#size = 0;
  }

  /** Where the frame ends, or another begins; the length of the chunk where neither is in it. */
  #endOf(chunk: Uint8Array, from: number): number {
    const found = [chunk.indexOf(END, from), chunk.indexOf(START, from)].filter((at) => at !== -1);
    return Math.min(chunk.length, ...found);
  }

  #take(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#limit) throw new PeerError('VG_PEER_MALFORMED', `an answer of more than ${formatBytes(this.#limit)}`);
    // The socket may use the memory of a chunk again.
    this.#parts?.push(Uint8Array.from(part));
  }
}
