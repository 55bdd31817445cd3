/** The gateway's side of a relay: a store with its own chain in it, and a way to watch what happens. */

import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { StoredCursors } from '../../gateway/store/cursor-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { clientAt } from './client-at.ts';
import type { RelayCursors } from '../../gateway/uplink/cursors.ts';
import { Relay, type ReceiptEvent, type RelayOptions, type StateEvent } from '../../gateway/uplink/relay.ts';
import { RetrySchedule } from '../../gateway/uplink/retry.ts';
import { type ChainWriter, keyOf } from '../upstream/gateway-chain.ts';
import { LogBook } from '../upstream/hospital.ts';
import { EventLog } from './event-log.ts';
import { ManualTime } from './manual-time.ts';

export class GatewaySide {
  readonly blocks: StoredBlocks;
  readonly cursors: RelayCursors;
  readonly writer: ChainWriter;
  readonly time = new ManualTime();
  readonly log = new LogBook();
  readonly receipts = new EventLog<ReceiptEvent>();
  readonly states = new EventLog<StateEvent>();

  constructor(writer: ChainWriter, engine = openMemoryStore()) {
    this.writer = writer;
    this.blocks = new StoredBlocks(engine, { removePending: false });
    this.cursors = new StoredCursors(engine);
  }

  /** A gateway that has sealed and stored `writer`'s blocks. */
  static async of(writer: ChainWriter): Promise<GatewaySide> {
    const side = new GatewaySide(writer);
    await writer.keepIn(side.blocks);
    return side;
  }

  /** Seals one more block and keeps it. */
  async seal(): Promise<void> {
    await this.writer.seal();
    await this.writer.keepIn(this.blocks);
  }

  async relay(url: string, hospital = 'north', options: Partial<RelayOptions> = {}): Promise<Relay & AsyncDisposable> {
    const { blocks, cursors, time, log, receipts, states } = this;
    const relay = await Relay.open({
      id: this.writer.id,
      hospital: { name: hospital, key: keyOf(hospital).publicKey },
      client: clientAt(url),
      blocks,
      cursors,
      time,
      log,
      retry: new RetrySchedule({}, () => 0.5, time.now),
      onReceipt: receipts.add,
      onState: states.add,
      ...options,
    });
    relay.start();
    return Object.assign(relay, { [Symbol.asyncDispose]: () => relay.stop() });
  }
}
