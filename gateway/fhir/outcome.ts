/** What goes wrong, as FHIR says it. */

import type { OperationOutcome } from '@medplum/fhirtypes';
import { answerTo, RequestError, type ErrorLog } from '../web/request-error.ts';

type IssueCode = NonNullable<OperationOutcome['issue']>[number]['code'];

/** A request that FHIR has a word for refusing. */
export const refused = (status: number, code: IssueCode, message: string): RequestError => new RequestError(status, code, message);

const CODES: Readonly<Record<number, IssueCode>> = { 400: 'invalid', 401: 'login', 403: 'forbidden', 404: 'not-found', 405: 'not-supported', 406: 'not-supported', 413: 'too-long', 415: 'not-supported', 429: 'throttled', 503: 'transient' };
const WORDS: ReadonlySet<string> = new Set<IssueCode>(['invalid', 'value', 'not-supported', 'not-found', 'too-costly', 'security', 'forbidden', 'throttled', 'transient', 'deleted']);

/** Status and body for anything thrown while a request was served. */
export function outcomeFor(thrown: unknown, log: ErrorLog): Readonly<{ status: number; body: OperationOutcome }> {
  const { status, body: { error, message } } = answerTo(thrown, log);
  const code = WORDS.has(error) ? (error as IssueCode) : (CODES[status] ?? (status < 500 ? 'invalid' : 'exception'));
  return { status, body: { resourceType: 'OperationOutcome', issue: [{ severity: status < 500 ? 'error' : 'fatal', code, diagnostics: printable(message) }] } };
}

/** Part of what was asked may stand in a message. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ').slice(0, 1000);
