/** Opens what lies in a folder of releases until it is killed, and says on standard output how far it has come. Arguments: the folder, or the address of a database, and who it is. */

import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { OpeningHospital } from './opened.ts';

const [place = '', holder = 'one'] = process.argv.slice(2);
const engine = place.startsWith('postgres') ? (await openPostgres([place], { durability: 'local' })).store : await openRocksStore(place);
const hospital = new OpeningHospital(engine, { holder });
hospital.records.onMore(() => {
  void hospital.records.newest().then((newest) => process.stdout.write(`${newest}\n`));
});
hospital.projector.start();
