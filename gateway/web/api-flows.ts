/** Messages for flows, and what they ask (../flows/): server-sent events one way, JSON the other. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { People } from '../people/people.ts';
import { accessFor, mayDo, type Right } from '../people/access.ts';
import { readAsk, type Ask } from '../flows/asks.ts';
import { Allowance } from '../flows/allowance.ts';
import { placeOf, type KeptConsumer, type Positions } from '../flows/consumers.ts';
import { Delivery } from '../flows/delivery.ts';
import type { AskAnswer, AskRefused, Asker, FlowDesk } from '../flows/desk.ts';
import { CONTRACT, isTopic, TOPICS, type Topic } from '../flows/messages.ts';
import { SCHEMAS } from '../flows/schemas.ts';
import { UsageError, messageOf } from '../errors.ts';
import type { Millis } from '../quantity.ts';
import { isDeviceId } from '../reading.ts';
import { askedBy } from './api-access.ts';
import { answer, list, NOTICE, object, ref, text, whole, type Schema } from './api-schemas.ts';
import { COMMENT, EventWriter, eventOf } from './event-writer.ts';
import { RequestError, type ErrorLog } from './request-error.ts';

export type FlowRoutesOptions = Readonly<{
  desk: FlowDesk;
  people: People;
  log: ErrorLog;
  uptime: () => Millis;
  heartbeat?: Millis;
  patience?: Millis;
  /** Consumers that are connected at a time. Default 32. */
  most?: number;
}>;

const errors = { '4xx': ref('Error'), '5xx': ref('Error') };
/** Described by the contract itself. */
const anything: Schema = { type: 'object', additionalProperties: true };

export function addFlows(api: FastifyInstance, options: FlowRoutesOptions): void {
  const { desk } = options;
  api.get('/flows/contract', {
    config: { needs: 'public' },
    schema: { summary: 'The contract of messages and asks, as JSON Schema (draft 2020-12)', security: [], response: { 200: { type: 'object', additionalProperties: true }, ...errors } },
  }, () => ({ contract: CONTRACT, ...SCHEMAS }));

  api.get('/flows/lists', {
    config: { needs: 'see' },
    schema: { summary: 'Patients, rooms, devices, people, commands and measurements, for lists to choose from', response: { 200: { ...anything, description: 'patients, rooms, devices, people, commands, measurements, testPatients, timeZone' }, ...errors } },
  }, async (request) => ({ contract: CONTRACT, notice: NOTICE, ...(await desk.lists(askerOf(request))) }));

  addMessages(api, options);
  addConsumers(api, desk);
  addAsks(api, options);
}

const askerOf = (request: FastifyRequest): Asker => askedBy(request);

type Following = Readonly<{ consumer: string; topics?: string }>;

function addMessages(api: FastifyInstance, options: FlowRoutesOptions): void {
  const { desk, people, log, most = 32 } = options;
  const open = new Map<string, EventWriter>();
  api.addHook('preClose', async () => {
    for (const writer of open.values()) writer.end();
  });

  api.get<{ Querystring: Following }>('/flows/messages', {
    config: { needs: 'see' },
    exposeHeadRoute: false,
    schema: {
      summary: 'Messages: an event "welcome", then an event "message" for each. A consumer goes on where it acknowledged last; one connection of each at a time, the newest',
      querystring: object({ consumer: text('what your flow calls itself, 1 to 64 of a-z A-Z 0-9 . _ -'), topics: text(`some of ${TOPICS.join(',')}, with commas. Default alarm`) }, ['topics']),
      response: { 200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: { type: 'string' } } } }, ...errors },
    },
  }, async (request, reply) => {
    const asker = askerOf(request);
    const { secret = '' } = request;
    const name = nameIn(request.query.consumer);
    const topics = topicsIn(request.query.topics);
    const key = `${asker.person}\n${name}`;
    if (open.size >= most && !open.has(key)) throw new RequestError(503, 'too_many_consumers', `there are ${most} consumers connected already`);
    const { consumer, isNew } = await begun(desk, asker, name);
    open.get(key)?.end();
    reply.hijack();
    let wake = (): void => undefined;
    const writer = new EventWriter(reply.raw, () => wake(), options.patience);
    open.set(key, writer);
    const view = desk.viewFor(asker);
    const delivery = new Delivery({
      source: desk.source,
      consumers: desk.consumers,
      consumer,
      topics,
      view,
      mayGoOn: () => writer.isOpen && people.identify(secret) !== undefined && desk.consumers.find(asker.person, name) !== undefined,
      send: (messages) => writer.send(messages.length === 0 ? COMMENT : messages.map((message) => eventOf('message', message)).join('')),
      ...(options.heartbeat === undefined ? {} : { heartbeat: options.heartbeat }),
    });
    wake = () => delivery.wake();
    const leave = people.onChange(wake);
    try {
      const live = desk.liveAlarms(asker);
      await view.disclose(live.flatMap(({ subject }) => subject ?? []), 'alarms');
      writer.begin();
      const { person, access } = asker;
      if (await writer.send(`retry: 1000\n${eventOf('welcome', { contract: CONTRACT, notice: NOTICE, consumer: name, person, access, topics, isNew, acknowledged: consumer.acknowledged, alarms: live })}`)) await delivery.follow();
    } catch (error) {
      log.error({ error: messageOf(error) }, 'a stream of messages for flows ended');
    } finally {
      leave();
      if (open.get(key) === writer) open.delete(key);
      writer.end();
    }
  });
}

async function begun(desk: FlowDesk, { person }: Asker, name: string): Promise<Readonly<{ consumer: KeptConsumer; isNew: boolean }>> {
  try {
    return await desk.consumers.begin(person, name, await desk.source.heads());
  } catch (error) {
    if (error instanceof UsageError) throw new RequestError(409, 'too_many_consumers', error.message, { cause: error });
    throw error;
  }
}

function nameIn(name: string): string {
  if (!isDeviceId(name)) throw new RequestError(400, 'bad_request', 'consumer: expected 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot');
  return name;
}

function topicsIn(given = 'alarm'): readonly Topic[] {
  const topics = [...new Set(given.split(','))];
  if (!topics.every(isTopic)) throw new RequestError(400, 'bad_request', `topics: expected some of ${TOPICS.join(', ')}, with commas`);
  return topics;
}

const consumerSchema = object({ name: text('What the flow calls itself'), acknowledged: anything, handedOver: anything });

function addConsumers(api: FastifyInstance, desk: FlowDesk): void {
  api.get('/flows/consumers', {
    config: { needs: 'see' },
    schema: { summary: 'Your consumers, and how far they have come', response: { 200: object({ consumers: list(consumerSchema) }), ...errors } },
  }, async (request) => ({ consumers: desk.consumers.of(askerOf(request).person).map(({ name, acknowledged, handedOver }) => ({ name, acknowledged, handedOver })) }));

  api.delete<{ Params: { name: string } }>('/flows/consumers/:name', {
    config: { needs: 'see' },
    schema: { summary: 'Forgets a consumer of yours', params: object({ name: text('what the flow calls itself') }), response: { 204: { type: 'null' }, ...errors } },
  }, async (request, reply) => {
    if (!(await desk.consumers.remove(askerOf(request).person, request.params.name))) throw unknownConsumer();
    return await reply.code(204).send();
  });

  api.post<{ Body: Readonly<{ consumer: string; ids: readonly string[] }> }>('/flows/acknowledgements', {
    config: { needs: 'see' },
    schema: {
      summary: 'Messages of alarm and block are done with, and with each all that came before it of its kind',
      body: object({ consumer: text('what your flow calls itself'), ids: { type: 'array', items: { type: 'string', maxLength: 64 }, minItems: 1, maxItems: 1024, description: 'ids of messages, 1 to 1024' } }),
      response: { 200: object({ acknowledged: { type: 'object', additionalProperties: whole('The last that is done with') } }), ...errors },
    },
  }, async (request) => {
    const { consumer, ids } = request.body;
    const kept = await desk.consumers.acknowledge(askerOf(request).person, consumer, positionsIn(ids));
    if (kept === undefined) throw unknownConsumer();
    return { acknowledged: kept.acknowledged };
  });
}

const unknownConsumer = (): RequestError => new RequestError(404, 'unknown_consumer', 'you have no consumer of this name; connecting to /api/flows/messages begins one');

function positionsIn(ids: readonly string[]): Partial<Positions> {
  const positions: { -readonly [Name in keyof Positions]?: number } = {};
  for (const id of ids) {
    const place = placeOf(id);
    if (place === undefined) throw new RequestError(400, 'bad_request', `ids: ${JSON.stringify(id)} is the id of no message that is acknowledged; expected such as alarm-17 or sealed-record-4`);
    positions[place.sequence] = Math.max(positions[place.sequence] ?? 0, place.position);
  }
  return positions;
}

const NEEDS: Readonly<Record<Ask['ask'], Right>> = {
  raise: 'answer', clear: 'answer', acknowledge: 'answer', snooze: 'answer', escalate: 'answer', notified: 'answer', tell: 'answer', note: 'observe', simulate: 'observe', context: 'see',
};
const STATUS: Readonly<Record<AskRefused['kind'], number>> = { unknown: 404, not_allowed: 403, conflict: 409 };
/** Answers that are kept for whoever asks again. */
const KEPT_ANSWERS = 1000;

function addAsks(api: FastifyInstance, { desk, uptime }: FlowRoutesOptions): void {
  const allowance = new Allowance(uptime, (time) => new Promise((resolve) => setTimeout(resolve, time)));
  const answered = new Map<string, Promise<AskAnswer>>();
  api.post('/flows/asks', {
    config: { needs: 'see' },
    // What is in it the contract judges, which says more than one mistake at a time.
    schema: { summary: 'Has the gateway do something, or answer: see /api/flows/contract', body: { ...anything, description: 'an ask of the contract, a JSON object' }, response: { 200: answer({ contract: whole('Version of the contract'), ask: text('What was asked'), id: text('Your own'), result: anything }, ['id']), ...errors } },
  }, async (request, reply) => {
    const asker = askerOf(request);
    if (!(await allowance.take(asker.person))) {
      void reply.headers({ 'retry-after': '1', connection: 'close' });
      throw new RequestError(429, 'too_many_asks', 'your flows ask more than the gateway answers: 20 in a second, 100 at once');
    }
    const read = readAsk(request.body);
    if ('mistakes' in read) throw new RequestError(400, 'bad_request', read.mistakes.join('; '));
    const { ask } = read;
    const right = NEEDS[ask.ask];
    if (!mayDo(askedBy(request).access, right)) throw new RequestError(403, 'not_allowed', `${asker.person} has access as ${asker.access}; "${ask.ask}" needs ${accessFor(right)} (alarms.people in the configuration)`);
    const outcome = await once(answered, asker.person, ask, () => desk.ask(ask, asker));
    if (!('done' in outcome)) throw new RequestError(STATUS[outcome.kind], outcome.refused, outcome.why);
    return { notice: NOTICE, contract: CONTRACT, ask: ask.ask, ...(ask.id === undefined ? {} : { id: ask.id }), result: outcome.done };
  });
}

/** Whoever asks again with the same id gets the same answer. What was refused, or failed, may be tried again. */
async function once(answered: Map<string, Promise<AskAnswer>>, person: string, ask: Ask, act: () => Promise<AskAnswer>): Promise<AskAnswer> {
  if (ask.id === undefined || ask.ask === 'context' || ask.dryRun === true) return await act();
  const key = JSON.stringify([person, ask]);
  const known = answered.get(key);
  if (known !== undefined) return await known;
  const answering = act();
  answered.set(key, answering);
  if (answered.size > KEPT_ANSWERS) answered.delete(answered.keys().next().value ?? '');
  try {
    const outcome = await answering;
    if (!('done' in outcome) || outcome.mayTryAgain === true) answered.delete(key);
    return outcome;
  } catch (error) {
    answered.delete(key);
    throw error;
  }
}
