/** What a hospital has of a simulated week: the payloads that the gateway's own derivation makes of it, as records. */

import { createHash } from 'node:crypto';
import { simulateWeek } from '../../firmware-sim/week/week.ts';
import { decode, type CborValue } from '../../gateway/ledger/cbor.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { subjectNamed } from '../../gateway/reading.ts';
import { RECORD_KINDS, type HospitalRecord, type Plain, type RecordKind } from '../../gateway/records/record.ts';
import { EPOCH, keepJournal, readyPacks, weekDeriver } from '../bench/week-journal.ts';
import { openKnown } from '../vault/known-keys.ts';

const WEEK_CHAIN = 'c0ffee00c0ffee00c0ffee00c0ffee00';

/** The same options give the same records. */
export async function recordsOfWeek({ people, days, seed = 7 }: Readonly<{ people: number; days: number; seed?: number }>): Promise<readonly HospitalRecord[]> {
  const records: HospitalRecord[] = [];
  const week = simulateWeek({ seed, people, leadIn: 0, days, epoch: EPOCH });
  await keepJournal({
    week, packs: readyPacks(), deriver: weekDeriver(), onFrame: () => undefined, onProgress: () => undefined,
    onCheckpoint: ({ entries }) => {
      for (const { lane, sequence, bytes, sealed } of entries) {
        const { kind, time, fields } = decodeEntry(bytes);
        const open = sealed === undefined ? undefined : openKnown({ bytes, sealed });
        if (open?.subject === undefined || !(RECORD_KINDS as readonly string[]).includes(kind)) continue;
        const number = records.length + 1;
        records.push({
          number, arrived: UnixMillis(time + 2000), chain: WEEK_CHAIN, lane, height: number, blockHash: hash(`block ${number}`), entry: sequence, kind: kind as RecordKind, time,
          subject: { kind: subjectNamed(open.subject).kind, person: hash(open.subject).slice(0, 32) }, whole: true,
          payload: { ...(plain(decode(open.payload, { floats: true })) as HospitalRecord['payload']), ...(fields.has('seconds') && { seconds: Number(fields.get('seconds')) }) },
        });
      }
    },
  });
  return records;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As a hospital has it (released.ts). */
function plain(value: CborValue): Plain {
  if (value instanceof Map) return Object.fromEntries([...(value as ReadonlyMap<string, CborValue>)].map(([key, each]) => [key, plain(each)]));
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return Array.isArray(value) ? (value as readonly CborValue[]).map(plain) : (value as Plain);
}
