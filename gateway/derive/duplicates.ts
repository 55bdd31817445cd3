import type { Message } from '../decode/native-json.ts';
import { sha256 } from '../ledger/bytes.ts';
import type { DeviceId, Frame, Sequence } from '../reading.ts';
import type { SeenChunk } from './derive-store.ts';
import { IDENTITY_LENGTH, IdentityRing } from './identity-ring.ts';

/** Frames of one device that are remembered at least: well above what any client has in flight at once. */
const REMEMBERED_FRAMES = 2048;

/**
 * What makes two frames of one device the same message: its counter together with the device's time, however the
 * message is written down (a counter alone may restart with the device), else topic and bytes.
 */
export function identityOf(frame: Frame, { message, address }: Readonly<{ message: Message | undefined; address?: string | undefined }>): string {
  // Devices behind one connection count each for itself.
  if (address === undefined && message?.sequence !== undefined && message.deviceTime !== undefined) return pack(message.sequence, message.deviceTime);
  const content = Buffer.concat([Buffer.from(`${frame.topic}\0`, 'utf8'), frame.payload]);
  return Buffer.from(sha256(content).subarray(0, IDENTITY_LENGTH)).toString('latin1');
}

/** The lower 32 bits of both: the same counter at the same time of another 50 days is no concern. */
function pack(sequence: number, time: number): string {
  const low = sequence % 2 ** 32 >>> 0;
  const when = Math.abs(Math.trunc(time)) % 2 ** 32 >>> 0;
  return String.fromCharCode(
    low >>> 24, (low >>> 16) & 0xff, (low >>> 8) & 0xff, low & 0xff,
    when >>> 24, (when >>> 16) & 0xff, (when >>> 8) & 0xff, when & 0xff,
  );
}

/**
 * Whether an earlier frame of the same identity makes this one a repetition: when the message carries a counter or a
 * time, or the sender marked a repetition (DUP, retained). Without either, two equal values are two readings, and losing one
 * would be worse than keeping a repetition.
 */
export function repeatable(frame: Frame, message: Message | undefined): boolean {
  // What a broker kept comes with every subscription anew.
  if (frame.dup || frame.retained === true) return true;
  return message !== undefined && (message.sequence !== undefined || message.readings.some((reading) => reading.deviceTime !== undefined));
}

type Window = Readonly<{ seen: IdentityRing; chunks: { window: Sequence; length: number }[] }> & {
  /** Identities of the derivation window that is open. */
  open: number;
};

/**
 * Which messages each device sent of late, however long ago that was: a device that was cut off for a week still sends
 * its unacknowledged messages again. Kept in chunks, one for each derivation window, so that a checkpoint writes only
 * what came since the last one.
 */
export class DuplicateWindows {
  readonly #devices = new Map<DeviceId, Window>();
  #touched = new Set<DeviceId>();

  constructor(seen: ReadonlyMap<DeviceId, readonly SeenChunk[]>) {
    for (const [device, chunks] of seen) {
      const window = this.#windowOf(device);
      for (const chunk of chunks) {
        const identities = split(chunk.identities);
        window.chunks.push({ window: chunk.window, length: identities.length });
        for (const identity of identities) window.seen.push(identity);
      }
    }
  }

  has(device: DeviceId, identity: string): boolean {
    return this.#devices.get(device)?.seen.has(identity) ?? false;
  }

  add(device: DeviceId, identity: string): void {
    const window = this.#windowOf(device);
    window.seen.push(identity);
    window.open += 1;
    this.#touched.add(device);
  }

  /** Ends a derivation window: returns what it added and which chunks are old enough to go. */
  close(window: Sequence): {
    seen: ReadonlyMap<DeviceId, Uint8Array>;
    forgotten: readonly Readonly<{ window: Sequence; device: DeviceId }>[];
  } {
    const seen = new Map<DeviceId, Uint8Array>();
    const forgotten: { window: Sequence; device: DeviceId }[] = [];
    for (const device of this.#touched) {
      const state = this.#windowOf(device);
      seen.set(device, state.seen.newest(state.open));
      state.chunks.push({ window, length: state.open });
      state.open = 0;
      for (const old of forget(state)) forgotten.push({ window: old, device });
    }
    this.#touched = new Set();
    return { seen, forgotten };
  }

  #windowOf(device: DeviceId): Window {
    let window = this.#devices.get(device);
    if (window === undefined) {
      window = { seen: new IdentityRing(), chunks: [], open: 0 };
      this.#devices.set(device, window);
    }
    return window;
  }
}

function forget({ seen, chunks }: Window): Sequence[] {
  const gone: Sequence[] = [];
  let oldest = chunks[0];
  while (oldest !== undefined && seen.length - oldest.length >= REMEMBERED_FRAMES) {
    seen.drop(oldest.length);
    gone.push(oldest.window);
    chunks.shift();
    oldest = chunks[0];
  }
  return gone;
}

function split(identities: Uint8Array): string[] {
  const all = Buffer.from(identities).toString('latin1');
  return Array.from({ length: all.length / IDENTITY_LENGTH }, (_, i) => all.slice(i * IDENTITY_LENGTH, (i + 1) * IDENTITY_LENGTH));
}
