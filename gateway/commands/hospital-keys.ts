import { randomBytes } from 'node:crypto';
import { keyFilesIn } from '../key-files.ts';
import { secretIn } from '../operations/data-folder.ts';
import { type HpkePair, hpkePairFrom } from '../vault/hpke.ts';

/** The key pair that gateways seal content keys for; made on the first run of the node. */
export const payloadPairIn = (folder: string): HpkePair => hpkePairFrom(secretIn(keyFilesIn(folder), 'payload.key', () => randomBytes(32)).secret);
