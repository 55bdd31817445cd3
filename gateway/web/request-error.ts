/** What an HTTP API of ours says when it does not do what was asked. */

import type { FastifyError } from 'fastify';
import { messageOf, StoreError, VitalgateError } from '../errors.ts';
import { type Millis, Seconds } from '../quantity.ts';

/**
 * The body of every answer that is no success. `error` is stable, scripts and gateways match on it; `message` is for
 * people and says what, where, and what was expected. MUST NOT hold a signature: an error is never worth one.
 */
export type ErrorBody = Readonly<{ error: string; message: string }>;

/** A request that is answered with `status` and an {@link ErrorBody}. `retryAfter`: when to come again, with 429 and 503. */
export class RequestError extends VitalgateError {
  readonly code = 'VG_REQUEST';
  readonly status: number;
  readonly error: string;
  readonly retryAfter: Millis | undefined;
  constructor(status: number, error: string, message: string, { retryAfter, ...options }: ErrorOptions & Readonly<{ retryAfter?: Millis }> = {}) {
    super(message, options);
    this.status = status;
    this.error = error;
    this.retryAfter = retryAfter;
  }
}

/** Fastify's own refusals (https://fastify.dev/docs/latest/Reference/Errors/) in our words. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [status: number, error: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'too_large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported_media_type'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'malformed'],
  FST_ERR_CTP_EMPTY_TYPE: [415, 'unsupported_media_type'],
};

/** Where unexpected errors are told: fields first, as pino takes them. */
export type ErrorLog = Readonly<{ error: (fields: object, message: string) => void }>;

/** When to come again while the store fails. */
const STORE_MENDED: Millis = Seconds(1);

/** `Retry-After` in whole seconds (RFC 9110 §10.2.3). */
const inSeconds = (wait: Millis): string => String(Math.max(1, Math.ceil(wait / 1000)));

/** Status, headers and body for anything thrown while a request was served. What is our fault is logged and not told. */
export function answerTo(thrown: unknown, log: ErrorLog): Readonly<{ status: number; headers?: Readonly<Record<string, string>>; body: ErrorBody }> {
  if (thrown instanceof RequestError) {
    const { status, error, message, retryAfter } = thrown;
    return { status, body: { error, message }, ...(retryAfter !== undefined && { headers: { 'retry-after': inSeconds(retryAfter) } }) };
  }
  const known = FRAMEWORK_ERRORS[(thrown as FastifyError).code];
  if (known) return { status: known[0], body: { error: known[1], message: messageOf(thrown) } };
  if (thrown instanceof StoreError) {
    log.error({ code: thrown.code, error: thrown.message }, 'the store fails; requests are refused until it works again');
    return { status: 503, headers: { 'retry-after': inSeconds(STORE_MENDED) }, body: { error: 'store_fault', message: 'the store of this node fails; try again later' } };
  }
  const status = (thrown as FastifyError).statusCode;
  if (status !== undefined && status >= 400 && status < 500) return { status, body: { error: 'bad_request', message: messageOf(thrown) } };
  log.error({ error: messageOf(thrown), stack: (thrown as Error).stack }, 'unexpected error while serving a request');
  return { status: 500, body: { error: 'internal', message: 'unexpected error; the log of this node says more' } };
}
