/** What a hospital was given, opened: put together once for everything that reads it. */

import { hostname } from 'node:os';
import type { StoreError } from './errors.ts';
import type { BlockStore } from './ledger/block-store.ts';
import type { Logger } from './operations/log.ts';
import { UnixMillis } from './quantity.ts';
import type { IdentityDesk } from './records/identity.ts';
import type { Leases } from './records/lease.ts';
import { OpenedRecords } from './records/opened-records.ts';
import { ContentKeys, type Opener } from './records/opening.ts';
import { Projector } from './records/projector.ts';
import type { OutputCursors, RecordLog } from './records/record-log.ts';
import type { RecordStore } from './records/record-store.ts';
import type { ReleaseStore } from './upstream/release-store.ts';

/** What records need of a hospital's stores. */
export type RecordStores = Readonly<{ records: RecordStore; outputs: OutputCursors; identities: IdentityDesk; leases: Leases }>;

export type HospitalRecordsOptions = Readonly<{
  stores: RecordStores & Readonly<{ blocks: BlockStore; releases: ReleaseStore }>;
  opener: Opener;
  /** The data folder: at most one process of a machine works on it. */
  data: string;
  log: Logger;
  onStoreFault: (fault: StoreError) => void;
}>;

export type HospitalRecords = Readonly<{
  log: RecordLog;
  projector: Projector;
  /** The store of releases: the projector hears of what it takes. */
  releases: ReleaseStore;
}>;

/** Nothing is opened before the projector is started. */
export function openHospitalRecords({ stores, opener, data, log, onStoreFault }: HospitalRecordsOptions): HospitalRecords {
  const { records: store, blocks, leases, releases } = stores;
  const keys = new ContentKeys(opener, (chain, key) => store.sealedKey(chain, key));
  const projector = new Projector({ store, blocks, keys, leases, holder: `${hostname()}:${data}`, now: () => UnixMillis(Date.now()), log, onStoreFault });
  const records = new OpenedRecords({ store, keys, onMore: (listener) => projector.onMore(listener) });
  return { log: records, projector, releases: heard(releases, () => projector.ring()) };
}

const heard = (store: ReleaseStore, ring: () => void): ReleaseStore => ({
  lastNumber: (chain) => store.lastNumber(chain),
  keys: (chain) => store.keys(chain),
  payloads: (chain, key) => store.payloads(chain, key),
  put: async (release) => {
    const isKept = await store.put(release);
    if (isKept) ring();
    return isKept;
  },
});
