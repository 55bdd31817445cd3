/** Two readers of HL7 v2 by others. */

import { Hl7Message } from '@medplum/core';

type Field = Readonly<{ getValue(component?: number): unknown }>;
type Read = Readonly<{ version: string; segments: readonly Readonly<{ segmentType: string; field(position: number): Field }>[] }>;
type Reader = Readonly<{ HL7Message: Readonly<{ parse(bytes: Buffer, options: Readonly<{ strict: boolean }>): Read }> }>;

// Its types bring those of a browser into every file of the project.
const READER: string = 'hl7v2';
const { HL7Message } = (await import(READER)) as Reader;

/** With the dictionary of HL7 v2.6. Throws where a value is not of the type of its field. */
export const readStrictly = (message: string): Read => HL7Message.parse(Buffer.from(message, 'utf8'), { strict: true });

/** What the reader says a component says; of bytes in hexadecimal alone it makes no text. */
export function textIn(field: Field | undefined, component = 1): string {
  const found = field?.getValue(component) ?? '';
  if (Buffer.isBuffer(found)) return found.toString('utf8');
  return typeof found === 'string' ? found : JSON.stringify(found);
}

/** The names of the segments. */
export const segmentsOf = (message: string): readonly string[] => Hl7Message.parse(message).segments.map(({ name }) => name).filter((name) => name !== '');
