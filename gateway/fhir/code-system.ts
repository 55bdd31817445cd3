import type { CodeSystem } from '@medplum/fhirtypes';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { wordsOf } from './codes.ts';
import { OWN_CODES } from './systems.ts';

const OTHERS: Readonly<Record<string, string>> = {
  environment: 'category: measured of a room, not of a person',
  'physiological-alarm': 'alarm condition of a person and their rooms (IEC 60601-1-8)',
  'technical-alarm': 'alarm condition of a device, or of the gateway itself (IEC 60601-1-8)',
  'alarm-limit': 'what a value was compared with when an alarm was raised',
  condition: 'condition of the rule that an alarm comes from',
  last: 'last value of the period',
  'summary-length': 'length of the summary: a minute, or a quarter of an hour over what minutes have said',
  period: 'first and last moment at which the values of a summary were measured',
};

/** What stands in {@link OWN_CODES}, as far as it is known beforehand: scores and other derived values of rule packs have their names there. */
export const OWN_CODE_SYSTEM: CodeSystem = {
  resourceType: 'CodeSystem', id: 'vitalgate', url: OWN_CODES, name: 'VitalgateCodes', title: 'Codes of Vitalgate', status: 'active', content: 'fragment', caseSensitive: true,
  description: 'What Vitalgate says for which it knows no code of a published system. A code is never renamed.',
  concept: [
    ...[...MEASUREMENTS.keys()].map((name) => ({ code: name, display: wordsOf(name) })),
    ...Object.entries(OTHERS).map(([code, definition]) => ({ code, definition })),
  ],
};
