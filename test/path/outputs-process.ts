/**
 * A hospital node with an output, as a process: `node outputs-process.ts <data folder> <port>`. What it is sent, `{id, recipient, records}`,
 * is what is about to leave; it answers `{id, shown}`, or `{id, failed}`.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { payloadPairIn } from '../../gateway/commands/hospital-keys.ts';
import { openHospitalConsent } from '../../gateway/hospital-consent.ts';
import { keyFilesIn } from '../../gateway/key-files.ts';
import { signingKeyFrom } from '../../gateway/ledger/es256k.ts';
import { openDataFolder, secretIn } from '../../gateway/operations/data-folder.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { OutputRecipient } from '../../gateway/records/output-gate.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { StoredNotes } from '../../gateway/store/note-store.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { StoredTold } from '../../gateway/store/told-store.ts';
import { nodeCertificateIn } from '../../gateway/tls/node-certificate.ts';
import { startUpstream } from '../../gateway/upstream/server.ts';

export type Asked = Readonly<{ id: number; recipient: OutputRecipient; records: readonly HospitalRecord[] }>;
export type Answered = Readonly<{ id: number; shown: readonly HospitalRecord[] } | { id: number; failed: string }>;

const [data = '', port = '0'] = process.argv.slice(2);
openDataFolder(data);
// The one that `vitalgate upstream --print-key` made.
const key = signingKeyFrom(secretIn(keyFilesIn(data), 'hospital.key', () => randomBytes(32)).secret);
const store = await openRocksStore(join(data, 'store'));
const blocks = new StoredBlocks(store, { removePending: false });
const pair = payloadPairIn(data);
const now = (): UnixMillis => UnixMillis(Date.now());
const consent = openHospitalConsent({ told: new StoredTold(store), notes: new StoredNotes(store), blocks, key, pair, now, onFault: (error) => console.error(error) });
const say = (fields: object, message: string): void => console.error(message, JSON.stringify(fields));
await startUpstream({
  listen: { host: '127.0.0.1', port: Number(port) }, name: 'showing', key, blocks, gateways: 'open',
  released: { store: new StoredReleases(store), payloadKey: pair.publicBytes, consents: consent.door },
  tls: await nodeCertificateIn(keyFilesIn(data), key, (size) => randomBytes(size)),
  log: { info: say, warn: say, error: say },
});
process.on('message', ({ id, recipient, records }: Asked) => {
  const answer = (answered: Answered): void => void process.send?.(answered);
  consent.gate.show(recipient, records).then((shown) => answer({ id, shown }), (error: unknown) => answer({ id, failed: String(error) }));
});
process.once('disconnect', () => process.exit());
process.send?.('ready');
