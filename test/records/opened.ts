/** What a hospital does with what it is given, over one engine. */

import { UnixMillis } from '../../gateway/quantity.ts';
import { OpenedRecords } from '../../gateway/records/opened-records.ts';
import { ContentKeys } from '../../gateway/records/opening.ts';
import { Projector, type ProjectorOptions } from '../../gateway/records/projector.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { StoredIdentities } from '../../gateway/store/identity-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { StoredLeases } from '../../gateway/store/lease-store.ts';
import { StoredOutputs, StoredRecords } from '../../gateway/store/record-store.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import { LogBook } from '../upstream/hospital.ts';
import { NORTH } from './given.ts';

export class OpeningHospital implements AsyncDisposable {
  readonly blocks: StoredBlocks;
  readonly releases: StoredReleases;
  readonly store: StoredRecords;
  readonly outputs: StoredOutputs;
  readonly identities: StoredIdentities;
  readonly leases: StoredLeases;
  readonly projector: Projector;
  readonly records: OpenedRecords;
  readonly log = new LogBook();
  readonly faults: string[] = [];

  constructor(engine: KeyValueStore, options: Partial<Pick<ProjectorOptions, 'holder' | 'leases' | 'now'>> = {}) {
    const now = options.now ?? ((): UnixMillis => UnixMillis(Date.now()));
    this.blocks = new StoredBlocks(engine, { removePending: false });
    this.releases = new StoredReleases(engine, now);
    this.store = new StoredRecords(engine);
    this.outputs = new StoredOutputs(engine);
    this.identities = new StoredIdentities(engine, this.store);
    this.leases = new StoredLeases(engine, now);
    const keys = new ContentKeys(NORTH, (chain, key) => this.store.sealedKey(chain, key));
    this.projector = new Projector({ store: this.store, blocks: this.blocks, keys, leases: options.leases ?? this.leases, holder: options.holder ?? 'one', now, log: this.log, onStoreFault: (fault) => this.faults.push(fault.code) });
    this.records = new OpenedRecords({ store: this.store, keys, onMore: (listener) => this.projector.onMore(listener) });
  }

  /** Projects until nothing is left but what waits for a block. */
  async settled(): Promise<void> {
    this.projector.start();
    for (;;) {
      const { hasQueuedOld } = await this.store.state();
      if (hasQueuedOld && (await this.projector.status()).behind === 0) return;
      this.projector.ring();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.projector.stop();
  }
}
