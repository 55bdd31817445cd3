/** A step of an alarm as IHE PCD-04 says it (ORU^R40^ORU_R40); the README has the table, and what of it could not be confirmed. */

import { z } from 'zod';
import type { HospitalRecord } from '../records/record.ts';
import { GATEWAY, identifier, inOrder, LOCAL, units, type Coded, type MeasurementCode } from './codes.ts';
import { ALARMS, AUTHORITY, controlIdOf, header, notices, subjectSegments, type Making } from './header.ts';
import { instant } from './instant.ts';
import { decimal, Rows } from './rows.ts';
import { writeMessage, type Components } from './text.ts';

/** The most urgent first. */
export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

const value = z.looseObject({ measurement: z.string(), value: z.number(), unit: z.string(), limit: z.number().optional() });
type EvidenceValue = z.output<typeof value>;

/** As far as it is said here. An excerpt lacks what was measured, and why; words that a newer gateway knows are none of ours. */
const step = z.looseObject({
  alarm: z.number().int(), why: z.string(), from: z.string(), to: z.string(),
  rule: z.string().optional(), kind: z.string().optional(), priority: z.string().optional(), message: z.string().optional(), untold: z.string().optional(),
  evidence: z.looseObject({ values: z.array(value) }).nullish(),
  by: z.looseObject({ id: z.string() }).optional(),
});
export type StepPayload = z.output<typeof step>;

/** What an entry of the alarm lane says; undefined where it is about no alarm. Throws {@link z.ZodError} for what cannot be read. */
export function stepOf({ payload }: Pick<HospitalRecord, 'payload'>): StepPayload | undefined {
  return 'alarm' in payload ? step.parse(payload) : undefined;
}

/** Whether the step is to be told where alarms below `least` are not. Of unknown priority: always. An answer that was refused changed nothing. */
export function isTold({ why, priority }: StepPayload, least: Priority): boolean {
  const rank = PRIORITIES.findIndex((each) => each === priority);
  return why !== 'refused' && (rank === -1 || rank <= PRIORITIES.indexOf(least));
}

const EVENT: Coded = ['196616', 'MDC_EVT_ALARM', 'MDC'];
const FACETS = {
  source: ['68480', 'MDC_ATTR_ALERT_SOURCE', 'MDC'],
  phase: ['68481', 'MDC_ATTR_EVENT_PHASE', 'MDC'],
  state: ['68482', 'MDC_ATTR_ALARM_STATE', 'MDC'],
  inactivation: ['68483', 'MDC_ATTR_ALARM_INACTIVATION_STATE', 'MDC'],
  priority: ['68484', 'MDC_ATTR_ALARM_PRIORITY', 'MDC'],
  type: ['68485', 'MDC_ATTR_ALERT_TYPE', 'MDC'],
} as const;

/** The message about a step of an alarm. */
export function alarmMessage(record: HospitalRecord, said: StepPayload, making: Making): string {
  const at = instant(record.time, making.addressing.timeZone);
  const order: Components = [`${record.chain}-${record.entry}`, AUTHORITY];
  const alarm: Components = [undefined, [`${record.chain}-alarm-${said.alarm}`, AUTHORITY]];
  const none = undefined;
  return writeMessage([
    header(ALARMS, controlIdOf(record), making),
    ...subjectSegments(record.subject, making.identity),
    ['OBR', '1', none, order, EVENT, none, none, at, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, alarm],
    ...notices(record),
    ...rowsOf(record, said, at).segments,
  ]);
}

type Coding = EvidenceValue & Readonly<{ code: MeasurementCode }>;

function rowsOf(record: HospitalRecord, said: StepPayload, at: string): Rows {
  const rows = new Rows(record);
  const values: readonly Coding[] = inOrder((said.evidence?.values ?? []).map((each) => ({ ...each, name: each.measurement })));
  const source = values.find(({ limit }) => limit !== undefined) ?? values[0];
  // Places are opened before the rows of the alarm, which stay together.
  const places = new Map(values.map((each) => [each, rows.placeOf(each.code)]));
  const object = (source && places.get(source)) ?? '1.0.0.0';
  const [priority, type] = [PRIORITY[said.priority ?? ''] ?? 'PN', TYPE[said.kind ?? '']];
  const common = { flags: { repetitions: [isOver(said) ? 'N' : 'A', priority, ...(type === undefined ? [] : [type])] }, status: 'R' as const };
  const rule: readonly (string | undefined)[] = said.rule === undefined ? [] : [said.rule, said.rule, LOCAL];
  rows.add({ type: 'ST', id: [...EVENT, ...rule], place: `${object}.1`, value: said.message ?? said.rule ?? 'alarm', at, ...common });
  if (source === undefined) rows.add({ type: 'ST', id: FACETS.source, place: `${object}.2`, value: said.rule ?? GATEWAY[1], ...common });
  else addValue(rows, source, `${object}.2`, at);
  const facet = (id: Coded, number: number, text: string, observer?: string): void => rows.add({ type: 'ST', id, place: `${object}.${number}`, value: text, observer, ...common });
  facet(FACETS.phase, 3, phaseOf(said));
  facet(FACETS.state, 4, stateOf(said));
  facet(FACETS.inactivation, 5, inactivationOf(said), said.by?.id);
  facet(FACETS.priority, 6, priority);
  if (type !== undefined) facet(FACETS.type, 7, type);
  for (const [each, place] of places) if (each !== source) addValue(rows, each, place, at);
  return rows;
}

/** OBX-7 has the limit as words: on which side of it values are good is in the rule, and a number alone would be read as one. */
function addValue(rows: Rows, { code, value: measured, unit, limit }: Coding, place: string, at: string): void {
  rows.add({ type: 'NM', id: identifier(code), place, value: decimal(measured), units: units(code, unit), range: limit === undefined ? undefined : `limit ${decimal(limit)}`, status: 'R', at });
}

const PRIORITY: Readonly<Record<string, string>> = { high: 'PH', medium: 'PM', low: 'PL' };
const TYPE: Readonly<Record<string, string>> = { physiological: 'SP', technical: 'ST' };
const STATE: Readonly<Record<string, string>> = { pending: 'inactive', active: 'active', acknowledged: 'active', latched: 'latched', cleared: 'inactive' };
const BEGINS = new Set(['raised', 'raised_again', 'no_room']);
/** Somebody answered, or it became more urgent: something is new though the condition is not. */
const NEWS = new Set(['acknowledged', 'snoozed', 'snooze_ended', 'snooze_broken', 'priority_raised']);

const isOver = ({ to, why }: StepPayload): boolean => why !== 'no_room' && (to === 'cleared' || to === 'none');

/** What found no place in the list is alarmed all the same. */
const stateOf = ({ to, why }: StepPayload): string => (why === 'no_room' ? 'active' : STATE[to] ?? 'inactive');

function phaseOf(said: StepPayload): string {
  if (BEGINS.has(said.why)) return 'start';
  if (isOver(said)) return 'end';
  return said.from !== said.to || NEWS.has(said.why) ? 'update' : 'continue';
}

function inactivationOf({ to, why, untold }: StepPayload): string {
  if (to === 'acknowledged') return 'alert-acknowledged';
  return why === 'snoozed' || untold === 'snoozed' ? 'audio-paused' : 'enabled';
}
