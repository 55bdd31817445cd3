/** Another system's FHIR server, as one that transactions are sent to. */

import type { Bundle } from '@medplum/fhirtypes';
import { Agent, fetch } from 'undici';
import { z } from 'zod';
import { messageOf, reasonOf } from '../errors.ts';
import { type Bytes, MiB, Millis, Seconds } from '../quantity.ts';

/** How to prove who we are. Secrets are read anew for every token, so that one can be replaced while this runs. */
export type Authorisation =
  | Readonly<{ kind: 'none' }>
  | Readonly<{ kind: 'bearer'; token: () => string }>
  /** OAuth 2 client credentials (RFC 6749 section 4.4). */
  | Readonly<{ kind: 'client'; tokenUrl: string; client: string; secret: () => string; scope?: string }>;

export type FhirServerOptions = Readonly<{
  /** Base address, without a slash at the end. */
  url: string;
  /** Certificate authority (PEM). Default: those of this machine. */
  ca?: string;
  authorisation: Authorisation;
  /** Longest time for one transaction. Default 60 s. */
  timeout?: Millis;
}>;

/** How an entry of a transaction fared. */
export type EntryAnswer = Readonly<{ status: number; outcome: string }>;

/**
 * What became of a transaction. `done`: entry by entry, in order. `later`: nobody knows, or not now; sending it again is safe. `refused`: as it is it will never be
 * taken. `unwelcome`: we, or this address, are wrong (401, 403, 404, 501 and the like): a person has to mend it, and nothing of it is the bundle's fault.
 */
export type TransactionAnswer =
  | Readonly<{ is: 'done'; entries: readonly EntryAnswer[] }>
  | Readonly<{ is: 'later'; status: number; message: string; retryAfter?: Millis }>
  | Readonly<{ is: 'refused'; status: number; outcome: string }>
  | Readonly<{ is: 'unwelcome'; status: number; message: string }>;

const MOST_ANSWER = MiB(32);
const MOST_OUTCOME = 4000;
const LONGEST_WAIT = Seconds(3600);
const TYPE = 'application/fhir+json';

const Answer = z.object({
  resourceType: z.literal('Bundle'),
  entry: z.array(z.object({ response: z.object({ status: z.string(), outcome: z.unknown().optional() }) })).optional(),
});
const Token = z.object({ access_token: z.string().min(1), expires_in: z.number().positive().optional() });

export class FhirServer {
  readonly #options: FhirServerOptions;
  readonly #agent: Agent;
  readonly #now: () => Millis;
  #token: Readonly<{ text: string; until: number }> | undefined;

  /** `now`: a clock that only goes forward. */
  constructor(options: FhirServerOptions, now: () => Millis) {
    this.#options = options;
    this.#now = now;
    this.#agent = new Agent({ connect: options.ca === undefined ? {} : { ca: options.ca } });
  }

  /** Never rejects; aborting the signal makes it `later`. */
  async transact(bundle: Bundle, signal: AbortSignal): Promise<TransactionAnswer> {
    try {
      const answer = await this.#post(bundle, signal);
      if (answer.is !== 'unwelcome' || answer.status !== 401 || this.#options.authorisation.kind !== 'client') return answer;
      // A token may be withdrawn before it expires.
      this.#token = undefined;
      return await this.#post(bundle, signal);
    } catch (thrown) {
      return { is: 'later', status: 0, message: reasonOf(thrown) };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #post(bundle: Bundle, signal: AbortSignal): Promise<TransactionAnswer> {
    const { url, timeout = Seconds(60) } = this.#options;
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const authorisation = await this.#authorisation(within);
    // A redirect would take payloads and token to an address nobody has configured.
    const response = await fetch(url, {
      method: 'POST', dispatcher: this.#agent, redirect: 'manual', signal: within,
      headers: { 'content-type': `${TYPE}; charset=utf-8`, accept: TYPE, prefer: 'return=minimal', ...(authorisation !== undefined && { authorization: authorisation }) },
      body: JSON.stringify(bundle),
    });
    return judge(response.status, response.headers.get('retry-after'), await textOf(response.body, MOST_ANSWER), bundle.entry?.length ?? 0);
  }

  async #authorisation(signal: AbortSignal): Promise<string | undefined> {
    const { authorisation } = this.#options;
    switch (authorisation.kind) {
      case 'none': return undefined;
      case 'bearer': return `Bearer ${authorisation.token()}`;
      case 'client': return `Bearer ${await this.#clientToken(authorisation, signal)}`;
    }
  }

  async #clientToken({ tokenUrl, client, secret, scope }: Extract<Authorisation, { kind: 'client' }>, signal: AbortSignal): Promise<string> {
    if (this.#token !== undefined && this.#now() < this.#token.until) return this.#token.text;
    const credentials = Buffer.from(`${encodeURIComponent(client)}:${encodeURIComponent(secret())}`).toString('base64');
    const response = await fetch(tokenUrl, {
      method: 'POST', dispatcher: this.#agent, redirect: 'manual', signal,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) }).toString(),
    });
    const text = await textOf(response.body, MiB(1));
    if (response.status !== 200) throw new Error(`the authorisation server answers ${response.status}`);
    const { access_token: token, expires_in: seconds = 60 } = Token.parse(JSON.parse(text));
    // A little early, so that none expires on the way.
    this.#token = { text: token, until: this.#now() + 900 * seconds };
    return token;
  }
}

/** About what was sent: not valid, too long, breaks a rule of the server. */
const REFUSALS: readonly number[] = [400, 413, 422];
/** Passes by itself: among others 409 and 412, two writers at the same moment. */
export const PASSING: readonly number[] = [408, 409, 412, 423, 425, 429];

function judge(status: number, retryAfter: string | null, text: string, sent: number): TransactionAnswer {
  if (status === 200 || status === 201) return judgeDone(text, sent);
  if (REFUSALS.includes(status)) return { is: 'refused', status, outcome: text.slice(0, MOST_OUTCOME) };
  const message = `the server answers ${status}`;
  if (status !== 501 && (status >= 500 || PASSING.includes(status))) {
    const wait = waitIn(retryAfter);
    return { is: 'later', status, message, ...(wait !== undefined && { retryAfter: wait }) };
  }
  return { is: 'unwelcome', status, message };
}

function judgeDone(text: string, sent: number): TransactionAnswer {
  const strange: TransactionAnswer = { is: 'later', status: 200, message: 'the answer is no transaction-response of FHIR' };
  let entries: readonly EntryAnswer[];
  try {
    entries = (Answer.parse(JSON.parse(text)).entry ?? []).map(({ response: { status, outcome } }) => ({ status: Number(status.slice(0, 3)), outcome: outcome === undefined ? '' : JSON.stringify(outcome).slice(0, MOST_OUTCOME) }));
  } catch (thrown) {
    return { ...strange, message: `${strange.message}: ${messageOf(thrown).slice(0, 200)}` };
  }
  return entries.length === sent ? { is: 'done', entries } : strange;
}

/** Retry-After (RFC 9110 section 10.2.3) in seconds; a date is not worth a clock of another machine. */
function waitIn(header: string | null): Millis | undefined {
  return header !== null && /^\d{1,6}$/.test(header.trim()) ? Millis(Math.min(LONGEST_WAIT, Seconds(Number(header)))) : undefined;
}

async function textOf(body: AsyncIterable<Uint8Array> | null, limit: Bytes): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    if (size > limit) throw new Error(`the answer is longer than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
