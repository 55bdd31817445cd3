import type { Step } from '../alarm/step.ts';
import type { CborMap, CborValue } from '../ledger/cbor.ts';
import type { FieldValue } from '../ledger/entry.ts';
import type { UnixMillis } from '../quantity.ts';
import type { EntryDraft } from './drafts.ts';

/** With everything that is told to people. */
const NOTICE = 'Vitalgate is not a certified medical device. Do not rely on it alone.';

/**
 * What the chain says of a step of an alarm: that, why and how urgently something happened to an alarm of this pseudonym; about what, by
 * whom and who was told is in the payload, which lies under the subject's key and does not name it. `contract`: hash of the contract its rule comes from; a pack for one illness would say who has it, so
 * that this is in the payload, too.
 */
export function entryOfStep({ about, ...step }: Step, time: UnixMillis, contract: Uint8Array | undefined): EntryDraft {
  const { alarm, number, why, from, to, revision, by } = step;
  const fields: Record<string, FieldValue> = { alarm, step: number, why, from, to, revision };
  if (about !== null) fields['priority'] = about.priority;
  const subject = about?.subject ?? undefined;
  return { lane: 'alarm', kind: by === undefined ? 'event' : 'acknowledgement', time, fields, payload: payloadOf(step, about, contract), ...(subject === undefined ? {} : { subject }) };
}

function payloadOf({ alarm, why, from, to, told, untold, by, refusal, asked }: Omit<Step, 'about'>, about: Step['about'], contract: Uint8Array | undefined): Record<string, CborValue> {
  const { subject: _, ...rest } = about ?? { subject: null };
  const said = { alarm, why, from, to, ...rest, told, untold, by, refusal, asked, ...(told === undefined ? {} : { notice: NOTICE }) };
  return { ...Object.fromEntries(toCbor(said) as CborMap), ...(contract === undefined ? {} : { contract }) };
}

/** Plain JSON as CBOR; what is undefined is left out. */
export function toCbor(value: unknown): CborValue {
  if (Array.isArray(value)) return value.map(toCbor);
  if (typeof value !== 'object' || value === null) return value as CborValue;
  return new Map(Object.entries(value).filter(([, each]) => each !== undefined).map(([name, each]) => [name, toCbor(each)]));
}
