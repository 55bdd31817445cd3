import type { Millis } from '../../gateway/quantity.ts';

/** A device's side of a dialogue over a serial line; times are monotonic. */
export type Conversation = Readonly<{
  /** Bytes from the host, in pieces as they come; returns what is answered, often nothing. */
  hear: (bytes: Uint8Array, now: Millis) => Uint8Array;
  /** Whether the host wants data at `now`. */
  isWanted: (now: Millis) => boolean;
}>;
