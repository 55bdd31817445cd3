/** Another process that derives the journal of a week: `node week-replay.ts <file> <batch>` prints the digest of its entries. */

import { framesIn, replay } from './week-file.ts';
import { weekDeriver } from './week-journal.ts';

const [file = '', batch = '1024'] = process.argv.slice(2);
process.stdout.write(`${await replay(framesIn(file), Number(batch), weekDeriver())}\n`);
