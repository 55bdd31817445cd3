/** What became of four serial lines, read from what the gateway left on disk. */

import { join } from 'node:path';
import { openBlock } from '../../gateway/ledger/block.ts';
import { StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { blocksIn, framesIn, inStore, openSummaries, summariesOf, type Summarised } from '../faults/audit.ts';
import { keyringIn } from '../vault/folder-keys.ts';
import type { SerialDevice } from './serial-devices.ts';

export type LineAudit = Readonly<{
  /** Frames that stand in the journal, byte for byte and in order, one after the other from the first on. */
  accepted: number;
  /** Payloads in the journal; an oximeter's packets share them. */
  payloads: number;
  /** Values of {@link SerialDevice.counted} in the summaries of all minutes, the last one included. */
  derived: number;
  /** The first payload, from 1, that does not go on where the one before ended; absent when all do. Nothing is counted as accepted from there on. */
  brokenAt?: number;
}>;

export type SerialAudit = Readonly<{
  lines: ReadonlyMap<string, LineAudit>;
  /** Frames of MQTT devices in the journal. */
  mqtt: number;
}>;

/** `data`: the folder of a gateway that has ended. */
export async function auditSerial(data: string, devices: readonly SerialDevice[]): Promise<SerialAudit> {
  const readers = new Map(devices.map((device) => [device.name as string, new LineReader(device)]));
  const keys = keyringIn(data, { readOnly: true });
  let mqtt = 0;
  await inStore(join(data, 'journal'), async (store) => {
    for await (const { frame } of framesIn(store, keys)) {
      if (frame.source === 'mqtt') mqtt += 1;
      else if (frame.source === 'serial') readers.get(frame.device)?.take(frame.payload);
    }
  });
  const derived = await derivedIn(data, devices);
  const lines = [...readers].map(([name, { accepted, payloads, brokenAt }]) => {
    return [name, { accepted, payloads, derived: derived.get(name) ?? 0, ...(brokenAt === undefined ? {} : { brokenAt }) }] as const;
  });
  return { mqtt, lines: new Map(lines) };
}

/** Compares what a journal kept of a line with what its device sent. */
class LineReader {
  readonly #device: SerialDevice;
  accepted = 0;
  payloads = 0;
  brokenAt: number | undefined;

  constructor(device: SerialDevice) {
    this.#device = device;
  }

  take(payload: Uint8Array): void {
    this.payloads += 1;
    for (let at = 0; at < payload.length && this.brokenAt === undefined; ) {
      const expected = this.#device.payload(this.accepted);
      if (Buffer.from(expected).equals(payload.subarray(at, at + expected.length))) this.accepted += 1;
      else this.brokenAt = this.payloads;
      at += expected.length;
    }
  }
}

async function derivedIn(data: string, devices: readonly SerialDevice[]): Promise<ReadonlyMap<string, number>> {
  const counted = new Map(devices.map(({ name, counted: measurement }) => [`patient/${name} ${measurement}`, name]));
  const derived = new Map<string, number>();
  const keys = keyringIn(data, { readOnly: true });
  const count = async (summarised: AsyncIterable<Summarised>): Promise<void> => {
    for await (const { subject, measurement, count: values } of summarised) {
      const name = counted.get(`${subject} ${measurement}`);
      if (name !== undefined) derived.set(name, (derived.get(name) ?? 0) + values);
    }
  };
  const frames = await inStore(join(data, 'journal'), (store) => Array.fromAsync(framesIn(store, keys)));
  await inStore(join(data, 'store'), async (store) => {
    for (const block of await blocksIn(store)) await count(summariesOf(openBlock(block).entries, new StoredPendingEntries(store), keys));
    await count(openSummaries(store, frames, keys));
  });
  return derived;
}
