/** What arrives, as it arrives: server-sent events (HTML Living Standard, section 9.2). */

import type { ServerResponse } from 'node:http';
import type { Bundle } from '@medplum/fhirtypes';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Doorbell } from '../doorbell.ts';
import { messageOf } from '../errors.ts';
import { Seconds } from '../quantity.ts';
import type { OutputRecipient } from '../records/output-gate.ts';
import type { HospitalRecord } from '../records/record.ts';
import { COMMENT, EventWriter, eventOf } from '../web/event-writer.ts';
import type { ErrorLog } from '../web/request-error.ts';
import { askingIn, type StaffDesk } from './asking.ts';
import { compose } from './compose.ts';
import { refused } from './outcome.ts';
import type { ReaderOptions } from './reader.ts';
import type { ClinicalType } from './record-search.ts';

export type StreamOptions = Pick<ReaderOptions, 'records' | 'gate' | 'identities' | 'proofs' | 'trail' | 'now'> & Readonly<{ staff: StaffDesk; log: ErrorLog }>;

/** Silence after which a comment is sent, so that proxies and readers know that the connection lives. */
const HEARTBEAT = Seconds(15);
/** How long a reader may take to read what was sent before it is cut off. */
const PATIENCE = Seconds(30);
const MOST_READERS = 64;
const AT_ONCE = 50;
const TYPES: readonly string[] = ['Observation', 'DetectedIssue', 'Communication'] satisfies ClinicalType[];

type StreamRequest = FastifyRequest<{ Querystring: Readonly<{ _type?: string | string[]; after?: string | string[] }> }>;

/**
 * `GET /$stream`: an event `record` for every record that they may have, with its number as id and a Bundle (collection) as data: its resources, whom and what
 * they are of, and Provenance. Whoever comes back with the id it saw last gets all after it, once and in order; whoever comes without begins
 * with what arrives next. `_type=Observation,DetectedIssue` leaves out others. A reader is told at its own pace, and holds nothing up.
 */
export function addStream(scope: FastifyInstance, options: StreamOptions): void {
  const open = new Set<Reader>();
  scope.addHook('preClose', async () => {
    for (const reader of open) reader.end();
  });
  scope.get('/$stream', { exposeHeadRoute: false, config: { isStream: true } }, async (request: StreamRequest, reply) => {
    const { person, role, purpose } = askingIn(request, reply, options.staff);
    const types = typesIn(request);
    const seen = seenIn(request);
    if (open.size >= MOST_READERS) {
      void reply.header('retry-after', '5');
      throw refused(503, 'transient', `there are ${MOST_READERS} streams already`);
    }
    reply.hijack();
    const mayStay = (): boolean => stillAdmits(request, reply, options);
    const reader = new Reader(reply.raw, { id: person, role, purpose, by: 'stream' }, types, mayStay, options);
    open.add(reader);
    const leave = [options.records.onMore(() => reader.wake()), options.staff.onChange(() => reader.wake())];
    try {
      await reader.follow(seen);
    } catch (error) {
      options.log.error({ error: messageOf(error) }, 'a stream of records ended');
    } finally {
      for (const each of leave) each();
      open.delete(reader);
      reader.end();
    }
  });
}

function stillAdmits(request: FastifyRequest, reply: FastifyReply, { staff }: Pick<StreamOptions, 'staff'>): boolean {
  try {
    staff.admit(request, reply);
    return true;
  } catch {
    return false;
  }
}

function typesIn({ query: { _type: type } }: StreamRequest): ReadonlySet<string> {
  const wanted = type === undefined ? TYPES : [type].flat().flatMap((each) => each.split(','));
  const strange = wanted.find((each) => !TYPES.includes(each));
  if (strange !== undefined) throw refused(400, 'value', `_type=${strange.slice(0, 40)}: expected ${TYPES.join(', ')}`);
  return new Set(wanted);
}

/** The record that was seen last, if it says so. The header is what browsers send when they come back: it wins. */
function seenIn({ headers, query }: StreamRequest): number | undefined {
  const text = headers['last-event-id'] ?? query.after;
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw refused(400, 'value', 'Last-Event-ID: expected the number of a record');
  return Number(text);
}

class Reader {
  readonly #writer: EventWriter;
  readonly #recipient: OutputRecipient;
  readonly #types: ReadonlySet<string>;
  readonly #mayStay: () => boolean;
  readonly #options: StreamOptions;
  readonly #bell = new Doorbell();

  constructor(response: ServerResponse, recipient: OutputRecipient, types: ReadonlySet<string>, mayStay: () => boolean, options: StreamOptions) {
    this.#writer = new EventWriter(response, () => this.wake(), PATIENCE);
    this.#recipient = recipient;
    this.#types = types;
    this.#mayStay = mayStay;
    this.#options = options;
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
    const { records } = this.#options;
    this.#writer.begin();
    const newest = await records.newest();
    // A number from the future is another hospital's.
    let last = seen === undefined || seen > newest ? newest : seen;
    if (!(await this.#writer.send('retry: 3000\n:\n\n'))) return;
    while (this.#writer.isOpen && this.#mayStay()) {
      const found = await records.after(last, AT_ONCE);
      if (found.length > 0 && !(await this.#tell(found))) return;
      last = found.at(-1)?.number ?? last;
      if (found.length > 0) continue;
      await this.#bell.wait(HEARTBEAT);
      if ((await records.newest()) <= last && this.#writer.isOpen && !(await this.#writer.send(COMMENT))) return;
    }
  }

  /** Written down before it leaves. */
  async #tell(found: readonly HospitalRecord[]): Promise<boolean> {
    const { gate, trail, now } = this.#options;
    const wanted = found.filter(({ kind }) => kind !== 'summary' || this.#types.has('Observation'));
    const shown = wanted.length === 0 ? [] : await gate.show(this.#recipient, wanted);
    const events: string[] = [];
    const counts = new Map<string, { subject: HospitalRecord['subject']; count: number }>();
    for (const record of shown) {
      const said = await compose(record, this.#options, ({ resourceType }) => this.#types.has(resourceType));
      if (said === undefined || said.made.length === 0) continue;
      const { subject } = record;
      const counted = counts.get(`${subject.kind} ${subject.person}`) ?? { subject, count: 0 };
      counts.set(`${subject.kind} ${subject.person}`, { subject, count: counted.count + said.made.length });
      const bundle: Bundle = { resourceType: 'Bundle', type: 'collection', entry: [...said.about, ...said.made, said.provenance].map((resource) => ({ resource })) };
      events.push(eventOf('record', bundle, record.number));
    }
    await trail.note([...counts.values()].map(({ subject, count }) => ({ time: now(), by: this.#recipient, subject, asked: '$stream', count })));
    return events.length === 0 || (await this.#writer.send(events.join('')));
  }
}
