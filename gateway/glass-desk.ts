import type { ConsentDesk } from './consent-desk.ts';
import type { ConsentAction } from './derive/consent-changes.ts';
import { InternalError } from './errors.ts';
import type { EpisodeView, GlassDesk, GlassRefused } from './web/care-desk.ts';

/** Breaking the glass as pages and other programs do it: each step answered with the episode as it is then. */
export function glassDesk(desk: ConsentDesk): GlassDesk {
  const carryOut = async (action: ConsentAction): Promise<EpisodeView | GlassRefused> => {
    const done = await desk.attempt(action);
    if ('refused' in done) return done;
    const found = desk.episodes().find(({ number }) => number === done.episode);
    if (found === undefined) throw new InternalError(`episode ${done.episode} is not there after it was changed`);
    return found;
  };
  const about = async (number: number, action: (patient: string) => ConsentAction): Promise<EpisodeView | GlassRefused> => {
    const patient = desk.patientOfEpisode(number);
    return patient === undefined ? { refused: 'unknown_episode', why: `there is no episode ${number}` } : await carryOut(action(patient));
  };
  return {
    episodes: () => desk.episodes(),
    open: (patient, reason, time, by) => carryOut({ type: 'break_glass', patient, reason, ...(time === undefined ? {} : { time }), by }),
    end: (episode, by) => about(episode, (patient) => ({ type: 'end_glass', patient, episode, by })),
    review: (episode, verdict, remark, by) => about(episode, (patient) => ({ type: 'review_glass', patient, episode, verdict, remark, by })),
  };
}
