/** Breaking the glass at a hospital: somebody with an authorised role sees everything of one patient that is here for a while, gives the reason, and answers for it. */

import { endGlass, GLASS_WORDS, openGlass, reviewGlass, statusOf, type Episode, type Glass, type GlassActor, type GlassRefusal, type GlassStatus, type GlassVerdict } from '../consent/break-glass.ts';
import type { Millis, UnixMillis } from '../quantity.ts';
import { Turns } from '../turns.ts';
import type { EpisodeStore } from './episode-store.ts';
import type { GlassStep } from './note.ts';
import type { ToldConsents } from './told-consents.ts';

export type HospitalGlassOptions = Readonly<{
  episodes: EpisodeStore;
  told: Pick<ToldConsents, 'of'>;
  now: () => UnixMillis;
}>;

export type GlassRefused = Readonly<{ refused: GlassRefusal | 'unknown_person'; why: string }>;
/** `patient`: as this hospital calls them. */
export type EpisodeThere = Episode & Readonly<{ status: GlassStatus }>;

type Step = readonly [what: GlassStep['what'], by: GlassActor, change: (glass: Glass) => ReturnType<typeof openGlass>, said: (episode: Episode) => Pick<GlassStep, 'reason' | 'verdict'>];

/** One step after the other. Each is durable, and on its way to the patient's gateway, when it resolves. Throws {@link StoreError}. */
export class HospitalGlass {
  readonly #options: HospitalGlassOptions;
  readonly #turns = new Turns();

  constructor(options: HospitalGlassOptions) {
    this.#options = options;
  }

  /** Those that are open, or wait for their review, and the last ones judged. */
  async episodes(): Promise<readonly EpisodeThere[]> {
    const now = this.#options.now();
    return (await this.#options.episodes.episodes()).episodes.map((episode) => ({ ...episode, status: statusOf(episode, now) }));
  }

  /** `person`: any name this hospital knows the patient by. */
  async open(person: string, reason: string, time: Millis | undefined, by: GlassActor): Promise<EpisodeThere | GlassRefused> {
    const change = (glass: Glass): ReturnType<typeof openGlass> => openGlass(glass, { number: 1 + Math.max(0, ...glass.map(({ number }) => number)), patient: person, by, reason, ...(time === undefined ? {} : { time }) }, this.#options.now());
    return await this.#step('broken', by, change, ({ reason: why }) => ({ reason: why }));
  }

  async end(number: number, by: GlassActor): Promise<EpisodeThere | GlassRefused> {
    return await this.#step('ended', by, (glass) => endGlass(glass, number, by, this.#options.now()), ({ reason }) => ({ reason }));
  }

  async review(number: number, verdict: GlassVerdict, remark: string, by: GlassActor): Promise<EpisodeThere | GlassRefused> {
    return await this.#step('reviewed', by, (glass) => reviewGlass(glass, { number, by, verdict, remark }, this.#options.now()), () => ({ reason: remark, verdict }));
  }

  async #step(...step: Step): Promise<EpisodeThere | GlassRefused> {
    for (;;) {
      const done = await this.#turns.take('', () => this.#tried(...step));
      if (done !== 'overtaken') return done;
    }
  }

  async #tried(...[what, by, change, said]: Step): Promise<EpisodeThere | GlassRefused | 'overtaken'> {
    const { episodes: store, told, now } = this.#options;
    const { episodes, moment } = await store.episodes();
    const result = change(episodes);
    if (typeof result === 'string') return { refused: result, why: GLASS_WORDS[result] };
    const { episode, glass } = result;
    const gone = episodes.map(({ number }) => number).filter((number) => !glass.some((each) => each.number === number));
    const known = await told.of(episode.patient);
    // Who nobody said anything of is nobody whose glass could be broken: not even that they permit it is known.
    if (known?.kind !== 'patient') return { refused: 'unknown_person', why: 'nothing is known here of what this patient permits' };
    const subject = { kind: 'patient', person: episode.patient } as const;
    const note: GlassStep = { what, chain: known.chain, subject, pseudonym: known.names[0] ?? episode.patient, time: now(), episode: episode.number, by, ends: episode.ends, ...said(episode) };
    return (await store.put(moment, episode, note, gone)) ? { ...episode, status: statusOf(episode, now()) } : 'overtaken';
  }
}
