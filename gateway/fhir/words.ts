/** The words of alarms as payloads have them, and what FHIR calls them. */

export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const KINDS = ['physiological', 'technical'] as const;

/** DetectedIssue.severity. */
export const SEVERITIES = { high: 'high', medium: 'moderate', low: 'low' } as const satisfies Record<Priority, string>;

/** Communication.priority. */
export const URGENCIES = { high: 'stat', medium: 'urgent', low: 'routine' } as const satisfies Record<Priority, string>;
