/**
 * Breaking the glass at a hospital, over HTTP:
 *
 *     POST   /v1/break-glass {"person", "reason", "minutes"?}                  201 {episode}: everything of one patient is seen for a while (clinicians)
 *     GET    /v1/break-glass                                                  200 {episodes}: with their status (clinicians, administrators)
 *     DELETE /v1/break-glass/{number}                                         200 {episode}: ends it before its time (whoever opened it, and who may judge)
 *     POST   /v1/break-glass/{number}/review {"verdict", "remark"}             200 {episode}: judges one that is over (somebody else)
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { LONGEST_TIME, VERDICTS, type Episode, type GlassActor, type GlassStatus, type GlassVerdict } from '../consent/break-glass.ts';
import { KiB, Minutes, type Millis } from '../quantity.ts';
import { RequestError } from '../web/request-error.ts';

type Done = (Episode & Readonly<{ status: GlassStatus }>) | Readonly<{ refused: string; why: string }>;

/** What it does, each step durable when it resolves. */
export interface HospitalGlassDesk {
  episodes(): Promise<readonly (Episode & Readonly<{ status: GlassStatus }>)[]>;
  open(person: string, reason: string, time: Millis | undefined, by: GlassActor): Promise<Done>;
  end(number: number, by: GlassActor): Promise<Done>;
  review(number: number, verdict: GlassVerdict, remark: string, by: GlassActor): Promise<Done>;
}

export type BreakGlassOptions = Readonly<{
  glass: HospitalGlassDesk;
  /** Who of the staff asks. Throws {@link RequestError} for anybody who has none of these roles. */
  admit: (request: FastifyRequest, reply: FastifyReply, roles: readonly ('clinician' | 'administrator')[]) => Readonly<{ person: string; role: string }>;
}>;

const LARGEST_BODY = KiB(8);
const MOST_MINUTES = LONGEST_TIME / Minutes(1);

const Opening = z.strictObject({ person: z.string().regex(/^[0-9a-f]{32}$/), reason: z.string().max(1000), minutes: z.int().min(1).max(MOST_MINUTES).optional() });
const Judging = z.strictObject({ verdict: z.enum(VERDICTS), remark: z.string().max(1000) });
const EpisodeNumber = z.string().regex(/^[1-9]\d{0,14}$/).transform(Number);

export async function addBreakGlassRoutes(app: FastifyInstance, { glass, admit }: BreakGlassOptions): Promise<void> {
  const asks = (request: FastifyRequest, reply: FastifyReply, ...roles: readonly ('clinician' | 'administrator')[]): GlassActor => {
    const { person: id, role } = admit(request, reply, roles);
    return { id, role };
  };
  await app.register(async (scope) => {
    scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: LARGEST_BODY }, scope.getDefaultJsonParser('error', 'error'));
    scope.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'));

    scope.post<{ Body: unknown }>('/v1/break-glass', async (request, reply) => {
      const by = asks(request, reply, 'clinician');
      const { person, reason, minutes } = read(Opening, request.body, `{"person": 32 hexadecimal digits, "reason": text, "minutes": 1 to ${MOST_MINUTES}, which may be absent}`);
      return await reply.code(201).send(done(await glass.open(person, reason, minutes === undefined ? undefined : Minutes(minutes), by)));
    });

    scope.get('/v1/break-glass', async (request, reply) => {
      asks(request, reply, 'clinician', 'administrator');
      return { episodes: (await glass.episodes()).map(viewOf) };
    });

    scope.delete<{ Params: Readonly<{ number: string }> }>('/v1/break-glass/:number', async (request, reply) => {
      const by = asks(request, reply, 'clinician', 'administrator');
      return done(await glass.end(read(EpisodeNumber, request.params.number, 'the number of an episode'), by));
    });

    scope.post<{ Params: Readonly<{ number: string }>; Body: unknown }>('/v1/break-glass/:number/review', async (request, reply) => {
      const by = asks(request, reply, 'clinician', 'administrator');
      const { verdict, remark } = read(Judging, request.body, `{"verdict": ${VERDICTS.join(' or ')}, "remark": text}`);
      return done(await glass.review(read(EpisodeNumber, request.params.number, 'the number of an episode'), verdict, remark, by));
    });
  });
}

function read<T>(schema: z.ZodType<T>, value: unknown, expected: string): T {
  const { success, data } = schema.safeParse(value);
  if (!success) throw new RequestError(400, 'bad_request', `expected ${expected}`);
  return data;
}

function done(outcome: Done): object {
  if (!('refused' in outcome)) return { episode: viewOf(outcome) };
  const { refused, why } = outcome;
  throw new RequestError(refused.startsWith('unknown_') ? 404 : refused === 'role_may_not' ? 403 : refused.startsWith('bad_') ? 400 : 409, refused, why);
}

function viewOf({ number, patient, by, reason, opened, ends, endedBy, due, review, status }: Episode & Readonly<{ status: GlassStatus }>): object {
  const judged = review === undefined ? null : { ...review, at: inIso(review.at) };
  return { number, person: patient, by, reason, opened: inIso(opened), ends: inIso(ends), endedBy: endedBy ?? null, due: inIso(due), status, review: judged };
}

const inIso = (at: number): string => new Date(at).toISOString();
