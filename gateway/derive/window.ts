import { EMPTY_TREE, append, leafHash, rootOf } from '../ledger/merkle.ts';
import { MiB, type Bytes, type UnixMillis } from '../quantity.ts';
import type { AcceptedFrame, Reading, Sequence, Subject } from '../reading.ts';
import { Summary } from './summary.ts';

/** A window closes at this many frames at the latest: it bounds memory and what a restart derives again. */
const MAX_FRAMES = 4096;
const MAX_BYTES: Bytes = MiB(1);

/**
 * What evidence hashes for one frame, so that a single frame can be shown later without showing its neighbours:
 *
 *     salt (32) ‖ sequence (8, big endian) ‖ frame bytes (frame-codec.ts)
 *
 * It is one leaf of the window's RFC 9162 tree; the salt keeps a reading from being guessed from its hash.
 */
export function evidenceLeaf(salt: Uint8Array, accepted: AcceptedFrame): Uint8Array {
  const leaf = Buffer.allocUnsafe(salt.length + 8 + accepted.bytes.length);
  leaf.set(salt, 0);
  leaf.writeBigUInt64BE(BigInt(accepted.sequence), salt.length);
  leaf.set(accepted.bytes, salt.length + 8);
  return leaf;
}

/** The root of the frames' leaves, in order. */
export function evidenceRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  return rootOf(append(EMPTY_TREE, leafHashes).tree);
}

/** A run of journal frames that will be covered by one evidence entry, and what was measured in it. */
export class Window {
  readonly #leafHashes: Uint8Array[] = [];
  readonly #summaries = new Map<string, Summary>();
  #first: Sequence | undefined;
  #last: AcceptedFrame | undefined;
  #size = 0;
  /** `messages` are frames from devices; the others are about those. */
  readonly counts = { messages: 0, readings: 0, duplicates: 0, quarantined: 0 };

  addFrame(accepted: AcceptedFrame, salt: Uint8Array): void {
    this.#first ??= accepted.sequence;
    this.#last = accepted;
    this.#leafHashes.push(leafHash(evidenceLeaf(salt, accepted)));
    this.#size += accepted.bytes.length;
    if (accepted.frame.device !== '') this.counts.messages += 1;
  }

  addReading(subject: Subject, reading: Reading, receivedAt: UnixMillis): void {
    const name = `${subject.kind}/${subject.id}`;
    let summary = this.#summaries.get(name);
    if (summary === undefined) {
      summary = new Summary(subject);
      this.#summaries.set(name, summary);
    }
    summary.add(reading, receivedAt);
    this.counts.readings += 1;
  }

  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  get isFull(): boolean {
    return this.#leafHashes.length >= MAX_FRAMES || this.#size >= MAX_BYTES;
  }

  /** First and last frame; only for a window that holds one. */
  get span(): Readonly<{ first: Sequence; last: Sequence; time: UnixMillis }> | undefined {
    if (this.#first === undefined || this.#last === undefined) return undefined;
    return { first: this.#first, last: this.#last.sequence, time: this.#last.frame.receivedAt };
  }

  get root(): Uint8Array {
    return evidenceRoot(this.#leafHashes);
  }

  /** Of every subject that was measured, in the order they first appeared. */
  get summaries(): readonly Summary[] {
    return [...this.#summaries.values()];
  }
}
