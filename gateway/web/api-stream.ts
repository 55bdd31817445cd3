/** What happens to alarms, as it happens: server-sent events (HTML Living Standard, section 9.2). */

import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Doorbell } from '../doorbell.ts';
import { messageOf } from '../errors.ts';
import type { Identity, People } from '../people/people.ts';
import type { Actor } from '../alarm/condition.ts';
import { Seconds, type Millis } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import { digits, NOTICE, object, ref } from './api-schemas.ts';
import { askedBy } from './api-access.ts';
import type { AlarmBoard, CareDesk } from './care-desk.ts';
import { COMMENT, EventWriter, eventOf } from './event-writer.ts';
import { withinReach } from './reach.ts';
import { RequestError, type ErrorLog } from './request-error.ts';

export type StreamOptions = Readonly<{
  alarms: AlarmBoard;
  /** See CareDesk. */
  whoLivesIn: CareDesk['whoLivesIn'];
  disclose: CareDesk['disclose'];
  people: People;
  log: ErrorLog;
  /** Silence after which a comment is sent, so that proxies and readers know that the connection lives. Default 15 s. */
  heartbeat?: Millis;
  /** How long a reader may take to read what was sent before it is cut off. Default 30 s. */
  patience?: Millis;
  /** Readers at a time. Default 64. */
  most?: number;
}>;

const STEPS_AT_A_TIME = 100;

/**
 * `GET /stream`. First an event `snapshot` with the live alarms, then an event `step` for every step, with its number as id. Whoever comes
 * back with the id it saw last gets every step after it, once and in order, from memory or from the chain; whoever comes without one begins
 * with what is there. A reader is told at its own pace and holds nothing up; one that does not read is cut off and may come back.
 */
export function addStream(api: FastifyInstance, options: StreamOptions): void {
  const { alarms, people, log, most = 64 } = options;
  const open = new Set<Reader>();
  api.addHook('preClose', async () => {
    for (const reader of open) reader.end();
  });

  api.get<{ Querystring: { after?: string } }>('/stream', {
    config: { needs: 'see' },
    exposeHeadRoute: false,
    schema: {
      summary: 'Alarms as they happen: an event "snapshot", then an event "step" for every step, with its number as id. Last-Event-ID, or "after", resumes without gap',
      querystring: object({ after: digits('the number of a step: begin after it, as Last-Event-ID does') }, ['after']),
      response: { 200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: { type: 'string' } } } }, '4xx': ref('Error'), '5xx': ref('Error') },
    },
  }, async (request, reply) => {
    if (open.size >= most) {
      void reply.header('retry-after', '5');
      throw new RequestError(503, 'too_many_streams', `there are ${most} streams already; close one, or ask /api/steps now and then`);
    }
    const { secret = '' } = request;
    const seen = lastSeen(request);
    const { person: id, access: role } = askedBy(request);
    reply.hijack();
    const reader = new Reader(reply.raw, () => people.identify(secret), { id, role }, options);
    open.add(reader);
    const leave = [alarms.onSteps(() => reader.wake()), people.onChange(() => reader.wake())];
    try {
      await reader.follow(seen);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'a stream of alarms ended');
    } finally {
      for (const each of leave) each();
      open.delete(reader);
      reader.end();
    }
  });
}

/** The step that was seen last, if it says so. The header is what browsers send when they come back: it wins. */
function lastSeen({ headers, query }: FastifyRequest<{ Querystring: { after?: string } }>): number | undefined {
  const text = headers['last-event-id'] ?? query.after;
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

class Reader {
  readonly #writer: EventWriter;
  readonly #identify: () => Identity | undefined;
  readonly #by: Actor;
  readonly #options: StreamOptions;
  readonly #bell = new Doorbell();

  constructor(response: ServerResponse, identify: () => Identity | undefined, by: Actor, options: StreamOptions) {
    this.#by = by;
    this.#identify = identify;
    this.#options = options;
    this.#writer = new EventWriter(response, () => this.wake(), options.patience);
  }

  wake(): void {
    this.#bell.ring();
  }

  end(): void {
    this.#writer.end();
    this.wake();
  }

  /** Until the reader leaves, is too slow, or may not see it any more. */
  async follow(seen: number | undefined): Promise<void> {
    const { alarms, heartbeat = Seconds(15) } = this.#options;
    const writer = this.#writer;
    writer.begin();
    let last = alarms.lastStep;
    // A number from the future is another gateway's, or of a folder that was restored from an older copy.
    const resumed = seen !== undefined && seen <= last;
    const { physiological, technical } = alarms.lists();
    const lists = { physiological: this.#reached(physiological), technical: this.#reached(technical) };
    await this.#showing([...lists.physiological, ...lists.technical], 'alarms');
    const snapshot = { notice: NOTICE, lastStep: last, resumedAfter: resumed ? seen : null, alarms: lists };
    if (!(await writer.send(`retry: 3000\n${eventOf('snapshot', snapshot, resumed ? undefined : last)}`))) return;
    if (resumed) last = seen;
    while (writer.isOpen && this.#identify() !== undefined) {
      const all = await alarms.after(last, STEPS_AT_A_TIME);
      const steps = this.#reached(all);
      await this.#showing(steps, 'alarm history');
      if (steps.length > 0 && !(await writer.send(steps.map((step) => eventOf('step', step, step.step)).join('')))) return;
      last = all.at(-1)?.step ?? last;
      if (all.length > 0) continue;
      await this.#bell.wait(heartbeat);
      if (alarms.lastStep === last && this.#identify() !== undefined && !(await writer.send(COMMENT))) return;
    }
  }

  /** What whoever it is now may see. */
  #reached<T extends Readonly<{ subject: Subject | null }>>(all: readonly T[]): readonly T[] {
    const identity = this.#identify();
    return identity === undefined ? [] : withinReach(this.#options, identity, all);
  }

  async #showing(shown: readonly Readonly<{ subject: Subject | null }>[], what: 'alarms' | 'alarm history'): Promise<void> {
    await this.#options.disclose(this.#by, shown.flatMap(({ subject }) => (subject === null ? [] : [{ subject }])), what);
  }
}
