/** Alarms over HTTP: as they are, what happened to them, and what people answer. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../alarm/step.ts';
import type { AlarmView } from '../alarm-views.ts';
import { KINDS, type Kind } from '../context/finding.ts';
import { Minutes } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import { askedBy } from './api-access.ts';
import { answer, digits, list, NOTICE, object, orNull, ref, whole, word } from './api-schemas.ts';
import type { AnswerOutcome, CareDesk } from './care-desk.ts';
import { mayReach, withinReach } from './reach.ts';
import { RequestError } from './request-error.ts';

const LONGEST_PAUSE_MINUTES = 24 * 60;
const STEPS_AT_MOST = 1000;
const errors = { '4xx': ref('Error'), '5xx': ref('Error') };

type ById = Readonly<{ Params: { id: string } }>;

export function addAlarms(api: FastifyInstance, desk: CareDesk): void {
  const { alarms } = desk;

  api.get<{ Querystring: { kind?: Kind } }>('/alarms', {
    config: { needs: 'see' },
    schema: {
      summary: 'The live alarms, the most urgent first; those about people and those about equipment apart',
      querystring: object({ kind: word(KINDS, 'physiological or technical: only alarms of this kind') }, ['kind']),
      response: { 200: answer({ lastStep: whole('The last step that is in it'), alarms: object({ physiological: list(ref('Alarm')), technical: list(ref('Alarm')) }, KINDS) }), ...errors },
    },
  }, async (request) => {
    const { kind } = request.query;
    const all = alarms.lists();
    const identity = askedBy(request);
    const lists = { physiological: withinReach(desk, identity, all.physiological), technical: withinReach(desk, identity, all.technical) };
    await showing(desk, request, Object.values(kind === undefined ? lists : { [kind]: lists[kind] }).flat(), 'alarms');
    return { notice: NOTICE, lastStep: alarms.lastStep, alarms: kind === undefined ? lists : { [kind]: lists[kind] } };
  });

  api.get<ById>('/alarms/:id', {
    config: { needs: 'see' },
    schema: { summary: 'One alarm, live or remembered for its episode', params: object({ id: digits('the number of an alarm') }), response: { 200: answer({ alarm: ref('Alarm') }), ...errors } },
  }, async (request, reply) => {
    const { id } = request.params;
    const alarm = alarms.alarm(Number(id));
    if (alarm === undefined || !mayReach(desk, askedBy(request), alarm.subject)) throw new RequestError(404, 'unknown_alarm', `there is no alarm ${id} now; what happened to one of the past is in /api/alarms/${id}/steps`);
    await showing(desk, request, [alarm], 'alarms');
    return withRevision(reply, alarm);
  });

  api.get<ById & Readonly<{ Querystring: { before?: string } }>>('/alarms/:id/steps', {
    config: { needs: 'see' },
    schema: {
      summary: 'What happened to one alarm, in order',
      params: object({ id: digits('the number of an alarm') }),
      querystring: object({ before: digits('the number of a step: look only before it') }, ['before']),
      response: { 200: answer({ steps: list(ref('Step')), searchedBackTo: orNull(whole('Looking ended at this step; there may be more before it. Null: these are all')) }), ...errors },
    },
  }, async (request) => {
    const { params: { id }, query: { before } } = request;
    const all = await alarms.ofAlarm(Number(id), before === undefined ? undefined : Number(before));
    const found = { ...all, steps: withinReach(desk, askedBy(request), all.steps) };
    await showing(desk, request, found.steps, 'alarm history');
    return { notice: NOTICE, ...found };
  });

  api.get<{ Querystring: { after?: string; limit?: string } }>('/steps', {
    config: { needs: 'see' },
    schema: {
      summary: 'What happened to all alarms, in order',
      querystring: object({ after: digits('the number of a step: only what came after it'), limit: digits(`at most so many steps, 1 to ${STEPS_AT_MOST}. Default 100`) }, ['after', 'limit']),
      response: { 200: answer({ steps: list(ref('Step')), lastStep: whole('The last step there is') }), ...errors },
    },
  }, async (request) => {
    const { after = '0', limit = '100' } = request.query;
    const most = Number(limit);
    if (most < 1 || most > STEPS_AT_MOST) throw new RequestError(400, 'bad_request', `limit: expected a whole number from 1 to ${STEPS_AT_MOST}, got ${limit}`);
    const steps = withinReach(desk, askedBy(request), await alarms.after(Number(after), most));
    await showing(desk, request, steps, 'alarm history');
    return { notice: NOTICE, steps, lastStep: alarms.lastStep };
  });

  addAnswers(api, desk);
}

/** Writes down whose data are in an answer. */
async function showing(desk: CareDesk, request: FastifyRequest, shown: readonly Readonly<{ subject: Subject | null }>[], what: 'alarms' | 'alarm history'): Promise<void> {
  const { person: id, access: role } = askedBy(request);
  await desk.disclose({ id, role }, shown.flatMap(({ subject }) => (subject === null ? [] : [{ subject }])), what);
}

const taken = { 200: answer({ alarm: orNull(ref('Alarm')), step: ref('Step') }), ...errors };
const revision = whole('the revision of the alarm as it was seen, a whole number', 1);

function addAnswers(api: FastifyInstance, desk: CareDesk): void {
  api.post<ById & Readonly<{ Body: { revision: number } }>>('/alarms/:id/acknowledge', {
    config: { needs: 'answer' },
    schema: {
      summary: 'Takes an alarm over. May be repeated: the same person and revision is the same answer',
      params: object({ id: digits('the number of an alarm') }), body: object({ revision }), response: taken,
    },
  }, async (request, reply) => {
    const { person: id, access: role } = askedBy(request);
    refuseUnreached(desk, request, Number(request.params.id));
    return told(reply, await desk.answer({ type: 'acknowledge', alarm: Number(request.params.id), revision: request.body.revision, by: { id, role } }));
  });

  api.post<ById & Readonly<{ Body: { revision: number; minutes: number } }>>('/alarms/:id/snooze', {
    config: { needs: 'answer' },
    schema: {
      summary: 'Pauses an alarm, for at most as long as the configuration allows. May be repeated as acknowledge',
      params: object({ id: digits('the number of an alarm') }),
      body: object({ revision, minutes: whole(`whole minutes of the pause, 1 to ${LONGEST_PAUSE_MINUTES}`, 1, LONGEST_PAUSE_MINUTES) }),
      response: taken,
    },
  }, async (request, reply) => {
    const { person: id, access: role } = askedBy(request);
    const { revision: seen, minutes } = request.body;
    refuseUnreached(desk, request, Number(request.params.id));
    return told(reply, await desk.answer({ type: 'snooze', alarm: Number(request.params.id), revision: seen, time: Minutes(minutes), by: { id, role } }));
  });
}

/** An alarm of somebody else's patient is none to them. */
function refuseUnreached(desk: CareDesk, request: FastifyRequest, id: number): void {
  const alarm = desk.alarms.alarm(id);
  if (alarm !== undefined && !mayReach(desk, askedBy(request), alarm.subject)) throw new RequestError(404, 'unknown_alarm', `the answer was not taken: ${REFUSALS.unknown_alarm}`);
}

const REFUSALS: Readonly<Record<Refusal, string>> = {
  unknown_alarm: 'there is no such alarm now',
  unknown_revision: 'the alarm never had this revision: expected the one that /api/alarms shows',
  not_active: 'it is pending: nobody was told yet, and there is nothing to answer',
  already_acknowledged: 'somebody has acknowledged it already',
  already_cleared: 'it is over',
  priority_raised: 'its priority rose after it was seen: look at it as it is now, and answer with its revision',
  outdated: 'it began anew after it was seen: look at it as it is now, and answer with its revision',
  no_time_left: 'it may not be paused any longer',
};

/** A refusal shows the alarm as it is now, so that whoever answered sees why. */
function told(reply: FastifyReply, outcome: AnswerOutcome): object {
  const { alarm } = outcome;
  if (outcome.taken) return { ...(alarm === undefined ? { notice: NOTICE, alarm: null } : withRevision(reply, alarm)), step: outcome.step };
  const { refusal } = outcome;
  void reply.code(refusal === 'unknown_alarm' ? 404 : 409);
  return { error: refusal, message: `the answer was not taken: ${REFUSALS[refusal]}`, notice: NOTICE, alarm: alarm ?? null };
}

/** Weak: the same revision takes the same answers, but its phase or its times may be others (RFC 9110 §8.8.1). */
function withRevision(reply: FastifyReply, alarm: AlarmView): Readonly<{ notice: string; alarm: AlarmView }> {
  void reply.header('etag', `W/"${alarm.id}-${alarm.revision}"`);
  return { notice: NOTICE, alarm };
}
