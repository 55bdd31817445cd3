/**
 * Writes numbered records to the RocksDB folder it is given until it is killed, and says after each which number is
 * safe: one line a number. `synced` records are behind an fsync, `plain` ones are not.
 */

import { openRocksStore } from '../../gateway/store/rocks-store.ts';

const [folder = '', kind = 'synced'] = process.argv.slice(2);
const store = await openRocksStore(folder);
for (let n = 1; ; n++) {
  const key = Buffer.from(String(n).padStart(8, '0'));
  await store.write([{ key, value: Buffer.from(`value ${n}`) }], { sync: kind === 'synced' });
  process.stdout.write(`${n}\n`);
}
