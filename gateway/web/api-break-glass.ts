/** Breaking the glass over HTTP: a clinician sees everything of one patient for a while, and somebody else judges it afterwards. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Minutes } from '../quantity.ts';
import { askedBy } from './api-access.ts';
import { patientAt } from './api-patients.ts';
import { answer, digits, list, NOTICE, object, ref, text, whole, word } from './api-schemas.ts';
import type { CareDesk, EpisodeView, GlassRefused, GlassVerdict } from './care-desk.ts';
import { mayReach } from './reach.ts';
import { RequestError } from './request-error.ts';

const errors = { '4xx': ref('Error'), '5xx': ref('Error') };
const LONGEST_MINUTES = 24 * 60;
const params = object({ episode: digits('the number of an episode') });
type ByNumber = Readonly<{ Params: { episode: string } }>;
const REASON = 'for people who judge it, at least ten characters that say something';

export function addBreakGlass(api: FastifyInstance, desk: CareDesk): void {
  const { glass } = desk;

  api.post<Readonly<{ Params: { id: string }; Body: { reason: string; minutes?: number } }>>('/patients/:id/break-glass', {
    config: { needs: 'break' },
    schema: {
      summary: 'Breaks the glass: whatever the patient permits, you see everything of them for a while (purpose=BTG). It is told to those who look after the patient, stands in the chain, and is judged afterwards',
      params: object({ id: text('what the links of /api/patients call a patient') }),
      body: object({ reason: text(REASON), minutes: whole(`whole minutes, 1 to ${LONGEST_MINUTES}. Default 240`, 1, LONGEST_MINUTES) }, ['minutes']),
      response: { 201: answer({ episode: ref('Episode') }), ...errors },
    },
  }, async (request, reply) => {
    const { subject } = await patientAt(desk, request);
    const { person: id, access: role } = askedBy(request);
    const { reason, minutes } = request.body;
    const episode = done(await glass.open(subject.id, reason, minutes === undefined ? undefined : Minutes(minutes), { id, role }));
    return await reply.code(201).send({ notice: NOTICE, episode });
  });

  api.get('/break-glass', {
    config: { needs: 'review' },
    schema: { summary: 'Episodes that are open or wait to be judged, and the last ones that were', response: { 200: answer({ episodes: list(ref('Episode')) }), ...errors } },
  }, async (request) => {
    const { person: id, access: role } = askedBy(request);
    const episodes = glass.episodes().filter(({ patient }) => mayReach(desk, askedBy(request), { kind: 'patient', id: patient }));
    await desk.disclose({ id, role }, episodes.map(({ patient }) => ({ subject: { kind: 'patient', id: patient } })), 'episodes');
    return { notice: NOTICE, episodes };
  });

  api.delete<ByNumber>('/break-glass/:episode', {
    config: { needs: 'review' },
    schema: { summary: 'Ends an episode before its time', params, response: { 200: answer({ episode: ref('Episode') }), ...errors } },
  }, async (request, reply) => {
    const { person: id, access: role } = askedBy(request);
    refuseUnreached(desk, request);
    return told(reply, await glass.end(Number(request.params.episode), { id, role }));
  });

  api.post<ByNumber & Readonly<{ Body: { verdict: GlassVerdict; remark: string } }>>('/break-glass/:episode/review', {
    config: { needs: 'review' },
    schema: {
      summary: 'Judges an episode that is over. Nobody judges their own',
      params,
      body: object({ verdict: word(['justified', 'unjustified'], 'justified or unjustified'), remark: text(REASON) }),
      response: { 200: answer({ episode: ref('Episode') }), ...errors },
    },
  }, async (request, reply) => {
    const { person: id, access: role } = askedBy(request);
    const { verdict, remark } = request.body;
    refuseUnreached(desk, request);
    return told(reply, await glass.review(Number(request.params.episode), verdict, remark, { id, role }));
  });
}

/** An episode of somebody else's patient is none to them. */
function refuseUnreached(desk: CareDesk, request: FastifyRequest<ByNumber>): void {
  const episode = desk.glass.episodes().find(({ number }) => number === Number(request.params.episode));
  if (episode !== undefined && !mayReach(desk, askedBy(request), { kind: 'patient', id: episode.patient })) throw new RequestError(404, 'unknown_episode', 'there is no such episode');
}

const told = (reply: FastifyReply, outcome: EpisodeView | GlassRefused): FastifyReply => reply.send({ notice: NOTICE, episode: done(outcome) });

function done(outcome: EpisodeView | GlassRefused): EpisodeView {
  if (!('refused' in outcome)) return outcome;
  throw new RequestError(outcome.refused === 'unknown_episode' ? 404 : outcome.refused === 'role_may_not' ? 403 : outcome.refused.startsWith('bad_') ? 400 : 409, outcome.refused, outcome.why);
}
