import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Bundle } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindingFaults, structureFaults } from './gates.ts';
import { alarmStep, minute } from './doubles.ts';
import { resourcesIn, TestNode } from './node.ts';

type Event = Readonly<{ id: number; bundle: Bundle }>;

/** Reads events until it is closed. */
class Listener {
  readonly response: IncomingMessage;
  #text = '';

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8').on('data', (part: string) => (this.#text += part));
    response.on('error', () => undefined);
  }

  get events(): readonly Event[] {
    return this.#text.split('\n\n').slice(0, -1).filter((each) => each.startsWith('event: record')).map((each) => {
      const [, id, data = ''] = each.split('\n');
      return { id: Number(id?.slice(4)), bundle: JSON.parse(data.slice(6)) as Bundle };
    });
  }

  async hears(count: number): Promise<readonly Event[]> {
    while (this.events.length < count) await once(this.response, 'data');
    return this.events;
  }
}

describe('the stream of what arrives', () => {
  let node: TestNode;
  beforeEach(async () => {
    node = await TestNode.with([minute(1, { heart_rate: [60, '/min'] }), alarmStep(2)]);
    await node.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => node[Symbol.asyncDispose]());

  async function listen(path = '/fhir/$stream', headers: Record<string, string> = {}, as = 'nora'): Promise<Listener> {
    const asked = request({ port: (node.app.server.address() as AddressInfo).port, path, headers: { authorization: `Bearer ${as}:clinician`, accept: 'text/event-stream', ...headers } }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return new Listener(response);
  }

  it('goes on after the record that was seen last, with all that belongs to each', async () => {
    const listener = await listen('/fhir/$stream', { 'last-event-id': '0' });
    expect(listener.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    node.around.records.add(minute(3, { spo2: [97, '%'] }));
    const events = await listener.hears(3);
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(events.flatMap(({ bundle }) => [...structureFaults(bundle), ...bindingFaults(bundle)])).toEqual([]);
    expect(resourcesIn(events[1]?.bundle as Bundle).map(({ resourceType }) => resourceType)).toEqual(['Patient', 'Device', 'Observation', 'DetectedIssue', 'Communication', 'Provenance']);
  });

  it('begins with what arrives next for whoever saw nothing, and where the number is of another hospital', async () => {
    const heads: readonly Record<string, string>[] = [{}, { 'last-event-id': '999' }];
    for (const headers of heads) {
      const listener = await listen('/fhir/$stream', headers);
      const number = node.around.records.all.length + 1;
      node.around.records.add(minute(number, { spo2: [97, '%'] }));
      expect((await listener.hears(1)).map(({ id }) => id)).toEqual([number]);
    }
  });

  it('has the types that are wanted, as consent leaves them, written down before', async () => {
    node.around.gate.permits = (record) => (record.number === 2 ? undefined : record);
    const listener = await listen('/fhir/$stream?_type=DetectedIssue&after=0');
    node.around.records.add(alarmStep(3));
    const [event] = await listener.hears(1);
    expect(event?.id).toBe(3);
    expect(resourcesIn(event?.bundle as Bundle).map(({ resourceType }) => resourceType)).toContain('DetectedIssue');
    expect(node.around.gate.shown.flatMap(({ numbers }) => numbers)).toEqual([3]);
    expect(await node.around.trail.newest({ limit: 5 })).toMatchObject([{ by: { by: 'stream', id: 'nora' }, asked: '$stream', count: 1 }]);
  });

  it('ends when they are nobody any more', async () => {
    const listener = await listen();
    const closed = new Promise<void>((resolve) => listener.response.once('close', () => resolve()));
    node.staff.dismiss('nora');
    await expect(closed).resolves.toBeUndefined();
  });

  it('refuses a type or a number that is none', async () => {
    expect(await node.refusal('/fhir/$stream?_type=Medication')).toEqual([400, 'value']);
    expect(await node.refusal('/fhir/$stream', { headers: { 'last-event-id': '1; DROP' } })).toEqual([400, 'value']);
  });
});
