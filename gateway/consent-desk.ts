/** What people order about consent, judged before it is written down, so that whoever orders it hears why not. */

import { statusOf, type Episode } from './consent/break-glass.ts';
import { consentsOf, type KeptGrant } from './consent/consents.ts';
import { decide, type AccessRequest, type BaseRule, type Decision } from './consent/decide.ts';
import type { PersonKey } from './consent/keys.ts';
import { readRelease } from './consent/release.ts';
import { openStatement } from './consent/statement.ts';
import { decodeOperatorAction, encodeOperatorAction, type Actor } from './decode/operator.ts';
import { changeConsent, type ConsentAction, type ConsentRefused } from './derive/consent-changes.ts';
import { DecodeError, UsageError, messageOf } from './errors.ts';
import type { Clock } from './ingest/clock.ts';
import { CborError } from './ledger/cbor.ts';
import { fingerprint } from './ledger/es256k.ts';
import type { Pipeline } from './pipeline.ts';
import type { UnixMillis } from './quantity.ts';
import type { EpisodeView } from './web/care-desk.ts';

/** What is known of one patient's consent. */
export type ConsentView = Readonly<{
  patient: string;
  /** For the next grant. */
  version: string;
  keys: readonly PersonKey[];
  grants: readonly KeptGrant[];
  requests: readonly Readonly<{ hash: string; grant: string; purpose: string; approvals: readonly string[]; threshold: number; released: boolean; expires: UnixMillis }>[];
}>;

/** What was written down: in the chain its word stands in clear, the rest sealed. */
export type ConsentDone = Readonly<{ patient: string; word: string; version: string; episode?: number; hash?: string }>;

export type ConsentDeskOptions = Readonly<{
  pipeline: Pick<Pipeline, 'carryOut'> & Readonly<{ derived: Pick<Pipeline['derived'], 'consent'> }>;
  clock: Pick<Clock, 'now' | 'trust'>;
  /** Public keys of the hospitals there are. */
  hospitals: readonly Uint8Array[];
  /** What the deployment permits where a patient said nothing. */
  base: readonly BaseRule[];
}>;

export class ConsentDesk {
  readonly #options: ConsentDeskOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ConsentDeskOptions) {
    this.#options = options;
  }

  /** One after the other. Throws {@link UsageError} with the reason for what may not be. */
  async carryOut(action: ConsentAction): Promise<ConsentDone> {
    const done = await this.attempt(action);
    if ('refused' in done) throw new UsageError(`${done.refused}: ${done.why}`);
    return done;
  }

  /** The same, with a refusal as an answer. */
  async attempt(action: ConsentAction): Promise<ConsentDone | ConsentRefused> {
    const done = this.#last.then(() => this.#attempt(action));
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #attempt(given: ConsentAction): Promise<ConsentDone | ConsentRefused> {
    const { pipeline, clock } = this.#options;
    if (clock.trust() === 'implausible') return { refused: 'clock_not_set', why: "the gateway's clock is not set yet, and consent has a time: wait until it is" };
    const action = asJournalled(given);
    if ('refused' in action) return action;
    const changed = changeConsent(pipeline.derived.consent, action, clock.now());
    if ('refused' in changed) return changed;
    await pipeline.carryOut([encodeOperatorAction(action)]);
    const { patient, word, said } = changed.record;
    const { episode, hash } = said as Readonly<{ episode?: number; hash?: string }>;
    return { patient, word, version: consentsOf(pipeline.derived.consent.consents, patient).version, ...(episode === undefined ? {} : { episode }), ...(hash === undefined ? {} : { hash }) };
  }

  /** Takes what somebody signed. Throws {@link UsageError} for bytes that are no statement about consent. */
  async submit(statement: Uint8Array): Promise<ConsentDone> {
    return await this.carryOut({ type: 'statement', patient: this.#patientOf(statement), statement });
  }

  #patientOf(bytes: Uint8Array): string {
    const { statement } = reading(() => openStatement(bytes));
    if (statement.kind !== 'approval') return statement.patient;
    const release = this.#options.pipeline.derived.consent.releases.find(({ hash }) => hash === statement.request);
    if (release === undefined) throw new UsageError(`unknown_request: nobody asked for ${statement.request}`);
    return release.request.patient;
  }

  /** Asks those whom a grant names. `request`: consent/release.ts, encoded. */
  async ask(request: Uint8Array, by: Actor): Promise<ConsentDone> {
    const { patient } = reading(() => readRelease(request));
    return await this.carryOut({ type: 'ask_release', patient, request, by });
  }

  view(patient: string): ConsentView {
    const { consents, releases } = this.#options.pipeline.derived.consent;
    const { version, keys, grants } = consentsOf(consents, patient);
    const requests = releases.filter(({ request }) => request.patient === patient).map(({ request, hash, threshold, approvals, approved }) => ({
      hash, grant: request.grant, purpose: request.purpose, approvals: approvals.map(({ name }) => name), threshold, released: approved !== undefined, expires: request.expires,
    }));
    return { patient, version, keys, grants, requests };
  }

  /** Those that are open, or wait for their review, and the last ones judged. */
  episodes(): readonly EpisodeView[] {
    const now = this.#options.clock.now();
    return this.#options.pipeline.derived.consent.glass.map((episode) => viewOf(episode, now));
  }

  /** Whose episode it is; undefined when there is none of that number. */
  patientOfEpisode(number: number): string | undefined {
    return this.#options.pipeline.derived.consent.glass.find((each) => each.number === number)?.patient;
  }

  /** What of a patient's data somebody may see now. */
  decide(request: AccessRequest): Decision {
    const { pipeline, clock, hospitals, base } = this.#options;
    const { consents, glass, releases } = pipeline.derived.consent;
    return decide(consents, request, clock.now(), { base, glass, releases, hospitals: hospitals.map(fingerprint) });
  }
}

/** What derivation will read: judged is that, and not what it was made of. */
function asJournalled(action: ConsentAction): ConsentAction | ConsentRefused {
  try {
    return decodeOperatorAction(encodeOperatorAction(action)) as ConsentAction;
  } catch (error) {
    if (error instanceof DecodeError) return { refused: 'malformed', why: error.message };
    throw error;
  }
}

function viewOf(episode: Episode, now: UnixMillis): EpisodeView {
  const { number, patient, by, reason, opened, ends, endedBy = null, due, review } = episode;
  const judged = review === undefined ? null : { ...review, at: inIso(review.at) };
  return { number, patient, by, reason, opened: inIso(opened), ends: inIso(ends), endedBy, due: inIso(due), status: statusOf(episode, now), review: judged };
}

const inIso = (at: UnixMillis): string => new Date(at).toISOString();

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new UsageError(messageOf(cause), { cause });
    throw cause;
  }
}
