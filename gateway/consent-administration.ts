/** What commands ask about consent, and have done. */

import type { Decision, AccessRequest } from './consent/decide.ts';
import type { ConsentDesk, ConsentDone, ConsentView } from './consent-desk.ts';
import type { ConsentAction } from './derive/consent-changes.ts';
import { COMMAND_LINE, type Actor } from './decode/operator.ts';
import type { Disclosures } from './disclosures.ts';
import { UsageError } from './errors.ts';
import type { People } from './people/people.ts';
import type { EpisodeView } from './web/care-desk.ts';

export type ConsentApi = Readonly<{
  view: (patient: string) => Promise<ConsentView>;
  /** `by`: a person of the configuration; absent: whoever may open the data folder. */
  carryOut: (order: ConsentOrder) => Promise<ConsentDone>;
  submit: (statement: Uint8Array) => Promise<ConsentDone>;
  ask: (request: Uint8Array, by?: string) => Promise<ConsentDone>;
  decide: (request: AccessRequest) => Promise<Decision>;
  episodes: () => Promise<readonly EpisodeView[]>;
}>;

type Distributed<T> = T extends ConsentAction & { by: Actor } ? Omit<T, 'by' | 'patient'> & { readonly by?: string; readonly patient?: string } : never;
/** An action whose author is named, and not yet believed. Of an episode `patient` need not be said. */
export type ConsentOrder = Distributed<Exclude<ConsentAction, { type: 'statement' | 'ask_release' }>>;

export type ConsentAdministrationOptions = Readonly<{ consent: ConsentDesk; people: People; disclosures: Disclosures }>;

export class ConsentAdministration implements ConsentApi {
  readonly #options: ConsentAdministrationOptions;

  constructor(options: ConsentAdministrationOptions) {
    this.#options = options;
  }

  async view(patient: string): Promise<ConsentView> {
    const { consent, disclosures } = this.#options;
    await disclosures.note(COMMAND_LINE, [{ subject: { kind: 'patient', id: patient } }], 'consents');
    return consent.view(patient);
  }

  /** Throws {@link UsageError} for what may not be, or by somebody the configuration does not name. */
  async carryOut({ by, ...order }: ConsentOrder): Promise<ConsentDone> {
    return await this.#options.consent.carryOut({ ...order, patient: this.#patientOf(order), by: this.#actorOf(by) });
  }

  #patientOf(order: Omit<ConsentOrder, 'by'>): string {
    if (order.patient !== undefined) return order.patient;
    const episode = 'episode' in order ? (order.episode as number) : undefined;
    const patient = episode === undefined ? undefined : this.#options.consent.patientOfEpisode(episode);
    if (patient === undefined) throw new UsageError(episode === undefined ? 'about which patient?' : `there is no episode ${episode}`);
    return patient;
  }

  #actorOf(person: string | undefined): Actor {
    if (person === undefined) return COMMAND_LINE;
    const role = this.#options.people.accessOf(person);
    if (role === undefined) throw new UsageError(`${JSON.stringify(person)} is nobody in alarms.people of the configuration`);
    return { id: person, role };
  }

  async submit(statement: Uint8Array): Promise<ConsentDone> {
    return await this.#options.consent.submit(statement);
  }

  async ask(request: Uint8Array, by?: string): Promise<ConsentDone> {
    return await this.#options.consent.ask(request, this.#actorOf(by));
  }

  async decide(request: AccessRequest): Promise<Decision> {
    return this.#options.consent.decide(request);
  }

  async episodes(): Promise<readonly EpisodeView[]> {
    return this.#options.consent.episodes();
  }
}
