/** A summary as IHE PCD-01 says it (ORU^R01^ORU_R01); the README has the table. */

import { z } from 'zod';
import { UnixMillis } from '../quantity.ts';
import type { HospitalRecord } from '../records/record.ts';
import { GATEWAY, identifier, inOrder, LOCAL, units, type MeasurementCode } from './codes.ts';
import { AUTHORITY, controlIdOf, header, notices, OBSERVATIONS, subjectSegments, type Making } from './header.ts';
import { instant } from './instant.ts';
import { decimal, Rows } from './rows.ts';
import { writeMessage, type Components } from './text.ts';

const count = z.number().int().nonnegative();
const statistics = z.looseObject({
  unit: z.string(), count, doubtful: count, lowest: z.number().optional(), highest: z.number().optional(), mean: z.number().optional(), last: z.number().optional(),
});
type Statistics = z.output<typeof statistics>;

const summary = z.looseObject({ from: z.number(), to: z.number(), seconds: z.number().optional(), late: z.number().optional(), measurements: z.record(z.string(), statistics) });
export type SummaryPayload = z.output<typeof summary>;

/** What a summary says; undefined for a waveform. Throws {@link z.ZodError} for what is neither. */
export function summaryOf({ payload }: Pick<HospitalRecord, 'payload'>): SummaryPayload | undefined {
  return 'samples' in payload ? undefined : summary.parse(payload);
}

/** The message about a summary. */
export function observationMessage(record: HospitalRecord, said: SummaryPayload, making: Making): string {
  const { timeZone } = making.addressing;
  const to = instant(UnixMillis(said.to), timeZone);
  const order: Components = [`${record.chain}-${record.entry}`, AUTHORITY];
  return writeMessage([
    header(OBSERVATIONS, controlIdOf(record), making),
    ...subjectSegments(record.subject, making.identity),
    ['OBR', '1', undefined, order, GATEWAY, undefined, undefined, instant(UnixMillis(said.from), timeZone), to],
    ...notices(record),
    ...rowsOf(record, said, to).segments,
  ]);
}

function rowsOf(record: HospitalRecord, { measurements }: SummaryPayload, to: string): Rows {
  const rows = new Rows(record);
  for (const { name, code } of inOrder(Object.entries(measurements).map(([each, { unit }]) => ({ name: each, unit })))) {
    const said = measurements[name];
    if (said !== undefined) addMeasurement(rows, name, said, code, to);
  }
  return rows;
}

const NONE: Components = ['1', '1', 'UCUM'];

/** The value, and its facets under our own names, because none of IEEE 11073 could be confirmed. Numbers of facets stay: one may be added. */
function addMeasurement(rows: Rows, name: string, { unit, count: values, doubtful, lowest, highest, mean, last }: Statistics, code: MeasurementCode, at: string): void {
  const place = rows.placeOf(code);
  const [method, value] = code.state === true ? ['last', last] : ['mean', mean];
  const common = { units: units(code, unit), at, method: [method, method, LOCAL] };
  if (values > 0 && value !== undefined) rows.add({ type: 'NM', id: identifier(code), place, value: decimal(value), status: 'R', ...common });
  // What was measured and doubted, or withheld, is not 0: there is no value.
  else rows.add({ id: identifier(code), place, status: 'X', ...(doubtful > 0 && { flags: 'QUES' }), ...common });
  const facet = (number: number, what: string, facetValue: number | undefined, facetUnits: Components): void => {
    if (facetValue !== undefined) rows.add({ type: 'NM', id: [`${name}.${what}`, `${what} of ${name}`, LOCAL], place: `${place}.${number}`, value: decimal(facetValue), units: facetUnits, status: 'R', at });
  };
  facet(1, 'lowest', lowest, units(code, unit));
  facet(2, 'highest', highest, units(code, unit));
  if (code.state === true) facet(3, 'mean', mean, units(code, unit));
  else facet(3, 'last', last, units(code, unit));
  facet(4, 'count', values, NONE);
  if (doubtful > 0) facet(5, 'doubtful', doubtful, NONE);
}
