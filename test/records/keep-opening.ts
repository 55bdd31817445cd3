/** Opens what lies in a folder of releases until it is killed, and says on standard output how far it has come. Argument: the folder. */

import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { OpeningHospital } from './opened.ts';

const [folder = ''] = process.argv.slice(2);
const hospital = new OpeningHospital(await openRocksStore(folder));
hospital.records.onMore(() => {
  void hospital.records.newest().then((newest) => process.stdout.write(`${newest}\n`));
});
hospital.projector.start();
