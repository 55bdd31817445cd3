/** What people order about consent, judged before it is written down, so that whoever orders it hears why not. */

import { statusOf, type Episode, type GlassStatus } from './consent/break-glass.ts';
import { consentsOf, type KeptGrant } from './consent/consents.ts';
import { decide, type AccessRequest, type BaseRule, type Decision } from './consent/decide.ts';
import type { PersonKey } from './consent/keys.ts';
import { hashOfRelease, readRelease } from './consent/release.ts';
import { openStatement } from './consent/statement.ts';
import { encodeOperatorAction, type Actor } from './decode/operator.ts';
import { changeConsent, type ConsentAction } from './derive/consent-changes.ts';
import { UsageError, messageOf } from './errors.ts';
import type { Clock } from './ingest/clock.ts';
import { CborError } from './ledger/cbor.ts';
import { fingerprint } from './ledger/es256k.ts';
import type { Pipeline } from './pipeline.ts';

/** What is known of one patient's consent. */
export type ConsentView = Readonly<{
  patient: string;
  /** For the next grant. */
  version: string;
  keys: readonly PersonKey[];
  grants: readonly KeptGrant[];
  requests: readonly Readonly<{ hash: string; grant: string; purpose: string; approvals: readonly string[]; threshold: number; released: boolean; expires: number }>[];
}>;

export type EpisodeView = Episode & Readonly<{ status: GlassStatus }>;

/** What was written down: in the chain its word stands in clear, the rest sealed. */
export type ConsentDone = Readonly<{ patient: string; word: string; version: string; episode?: number; hash?: string }>;

export type ConsentDeskOptions = Readonly<{
  pipeline: Pick<Pipeline, 'carryOut' | 'derived'>;
  clock: Clock;
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
    const done = this.#last.then(() => this.#carryOut(action));
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #carryOut(action: ConsentAction): Promise<ConsentDone> {
    const { pipeline, clock } = this.#options;
    if (clock.trust() === 'implausible') throw new UsageError("the gateway's clock is not set yet, and consent has a time: wait until it is");
    const changed = changeConsent(pipeline.derived.consent, action, clock.now());
    if ('refused' in changed) throw new UsageError(`${changed.refused}: ${changed.why}`);
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
    if (statement.kind === 'review') throw new UsageError('a review is made with "vitalgate break-glass review"');
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
    return this.#options.pipeline.derived.consent.glass.map((episode) => ({ ...episode, status: statusOf(episode, now) }));
  }

  /** Whose episode it is. Throws {@link UsageError} when there is none of that number. */
  patientOfEpisode(number: number): string {
    const found = this.#options.pipeline.derived.consent.glass.find((each) => each.number === number);
    if (found === undefined) throw new UsageError(`unknown_episode: there is no episode ${number}`);
    return found.patient;
  }

  /** What of a patient's data somebody may see now. `base`: instead of the deployment's. */
  decide(request: AccessRequest, base: readonly BaseRule[] = this.#options.base): Decision {
    const { pipeline, clock, hospitals } = this.#options;
    const { consents, glass, releases } = pipeline.derived.consent;
    return decide(consents, request, clock.now(), { base, glass, releases, hospitals: hospitals.map(fingerprint) });
  }
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CborError) throw new UsageError(messageOf(cause), { cause });
    throw cause;
  }
}

/** What approvers sign, hexadecimal. Throws {@link CborError}. */
export const hashOfRequest = (request: Uint8Array): string => hashOfRelease(readRelease(request));
