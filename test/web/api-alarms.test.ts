import { afterEach, describe, expect, it } from 'vitest';
import { NOTICE } from '../../gateway/web/api-schemas.ts';
import { Millis } from '../../gateway/quantity.ts';
import { cleared, raised } from '../alarm/scenes.ts';
import { CareSite, type Answered } from './care-site.ts';

let site: CareSite | undefined;
const open = async (...given: Parameters<typeof CareSite.open>): Promise<CareSite> => (site = await CareSite.open(...given));
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const said = ({ status, json }: Answered): unknown[] => [status, json['error']];
const high = raised({ rule: 'low-oxygen', priority: 'high', message: 'SpO2 80 % < 92 %' });
const technical = raised({ rule: 'no-data spo2 clip', kind: 'technical', message: 'No data' });
type Json = Record<string, never>;

describe('the list of alarms', () => {
  it('has the most urgent first, both kinds apart, and says what this is not', async () => {
    const care = await open();
    care.ward.happens(1, raised({ rule: 'slow-pulse' }));
    care.ward.happens(2, technical, high);
    const { status, json, headers } = await care.ask('vera', '/api/alarms');
    expect([status, json['notice'], json['lastStep'], headers.get('cache-control')]).toEqual([200, NOTICE, 3, 'no-store']);
    expect(json['alarms']).toEqual(care.ward.feed.lists());
    expect(Object.entries(json['alarms'] as Record<string, { rule: string }[]>).map(([kind, list]) => [kind, list.map(({ rule }) => rule)])).toEqual([
      ['physiological', ['low-oxygen', 'slow-pulse']], ['technical', ['no-data spo2 clip']],
    ]);
    expect(Object.keys((await care.ask('vera', '/api/alarms?kind=technical')).json['alarms'] as object)).toEqual(['technical']);
    expect((await care.ask('vera', '/api/alarms?kind=siren')).json).toEqual({ error: 'bad_request', message: 'kind: expected physiological or technical: only alarms of this kind' });
  });

  it('says of an alarm who was told, what happens next, and who paused or acknowledged it', async () => {
    const care = await open();
    care.ward.happens(1, high);
    const alarm = async (): Promise<Json> => (await care.ask('vera', '/api/alarms/1')).json['alarm'] as Json;
    expect(await alarm()).toEqual({
      id: 1, revision: 1, subject: { kind: 'patient', id: 'anna' }, rule: 'low-oxygen', kind: 'physiological', priority: 'high', phase: 'active', message: 'SpO2 80 % < 92 %', count: 1,
      evidence: care.ward.past[0]?.evidence,
      raisedAt: '2026-11-23T09:00:01.000Z',
      told: { level: 1, levels: 2, people: ['ann', 'ben'], at: '2026-11-23T09:00:01.000Z' },
      next: { what: 'escalated', at: '2026-11-23T09:00:21.000Z', level: 2, people: ['cho'] },
      snooze: null, acknowledgedBy: null,
    });
    care.ward.happens(21, { type: 'timer' });
    expect(await alarm()).toMatchObject({ told: { level: 2, people: ['cho'] }, next: { what: 'told_again', level: 2, at: '2026-11-23T09:01:01.000Z' } });
    await care.send('ann', '/api/alarms/1/snooze', { revision: 1, minutes: 1 });
    expect(await alarm()).toMatchObject({ snooze: { until: '2026-11-23T09:01:21.000Z', by: { id: 'ann', role: 'caregiver' } }, next: { what: 'snooze_ended', at: '2026-11-23T09:01:21.000Z' } });
    await care.send('cho', '/api/alarms/1/acknowledge', { revision: 1 });
    expect(await alarm()).toMatchObject({ phase: 'acknowledged', acknowledgedBy: { id: 'cho', role: 'clinician' }, snooze: null, next: { what: 'realarm', level: 1, people: ['ann', 'ben'] } });
    care.ward.happens(30, cleared({ rule: 'low-oxygen' }));
    expect(await alarm()).toMatchObject({ phase: 'cleared', next: null });
    expect(said(await care.ask('vera', '/api/alarms/2'))).toEqual([404, 'unknown_alarm']);
  });

  it('waits for the end of quiet hours without knowing when that is', async () => {
    const care = await open();
    care.ward.happens(1, { type: 'quiet', quiet: true }, raised({ priority: 'low' }));
    care.ward.happens(20, { type: 'timer' });
    expect((await care.ask('vera', '/api/alarms/1')).json['alarm']).toMatchObject({ phase: 'active', told: null, next: { what: 'hold_over', at: null, level: 1 } });
  });
});

describe('an answer', () => {
  it('is the one of whoever the token is of, and is told when it is taken', async () => {
    const care = await open();
    care.ward.happens(1, high);
    const taken = await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 });
    expect([taken.status, taken.headers.get('etag'), taken.json['notice']]).toEqual([200, 'W/"1-1"', NOTICE]);
    expect(taken.json).toMatchObject({ alarm: { phase: 'acknowledged', acknowledgedBy: { id: 'ann', role: 'caregiver' } }, step: { step: 2, why: 'acknowledged', by: { id: 'ann', role: 'caregiver' } } });
    expect(care.ward.actions).toEqual([{ type: 'acknowledge', alarm: 1, revision: 1, by: { id: 'ann', role: 'caregiver' } }]);
  });

  it('that is refused says why, and shows the alarm as it is now', async () => {
    const care = await open();
    care.ward.happens(1, raised());
    care.ward.happens(2, raised({ priority: 'high' }));
    const refused = await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 });
    expect(refused).toMatchObject({ status: 409, json: { error: 'priority_raised', notice: NOTICE, alarm: { revision: 2, priority: 'high', phase: 'active' } } });
    expect(refused.json['message']).toBe('the answer was not taken: its priority rose after it was seen: look at it as it is now, and answer with its revision');
    await care.send('ann', '/api/alarms/1/acknowledge', { revision: 2 });
    expect(said(await care.send('ben', '/api/alarms/1/acknowledge', { revision: 2 }))).toEqual([409, 'already_acknowledged']);
    expect(said(await care.send('ben', '/api/alarms/1/acknowledge', { revision: 9 }))).toEqual([409, 'unknown_revision']);
    expect(await care.send('ben', '/api/alarms/9/acknowledge', { revision: 1 })).toMatchObject({ status: 404, json: { error: 'unknown_alarm', alarm: null } });
  });

  it('may be sent again by who did not hear of it, also when it is over', async () => {
    const care = await open();
    care.ward.happens(1, high);
    const paused = [await care.send('ann', '/api/alarms/1/snooze', { revision: 1, minutes: 1 }), await care.send('ann', '/api/alarms/1/snooze', { revision: 1, minutes: 1 })];
    expect(paused.map(({ status, json }) => [status, (json['step'] as Json)['step']])).toEqual([[200, 2], [200, 2]]);
    const answers = await Promise.all(Array.from({ length: 5 }, () => care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 })));
    expect(answers.map(({ status, json }) => [status, (json['step'] as Json)['step']])).toEqual(answers.map(() => [200, 3]));
    care.ward.happens(5, cleared({ rule: 'low-oxygen' }));
    expect(await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 })).toMatchObject({ status: 200, json: { alarm: { phase: 'cleared' }, step: { step: 3 } } });
    expect(said(await care.send('ben', '/api/alarms/1/acknowledge', { revision: 1 }))).toEqual([409, 'already_cleared']);
    expect(care.ward.past.map(({ why }) => why)).toEqual(['raised', 'snoozed', 'acknowledged', 'cleared', 'refused']);
  });

  it('for a longer pause, or much later, is another one', async () => {
    const care = await open();
    care.ward.happens(1, raised());
    await care.send('ann', '/api/alarms/1/snooze', { revision: 1, minutes: 1 });
    await care.send('ann', '/api/alarms/1/snooze', { revision: 1, minutes: 2 });
    expect(care.ward.past.map(({ why }) => why)).toEqual(['raised', 'snoozed', 'snoozed']);
  });

  it('has to be one', async () => {
    const care = await open();
    care.ward.happens(1, high);
    const table: readonly [body: unknown, message: string][] = [
      [{}, 'body: "revision" is missing; expected revision, minutes'],
      [{ revision: 1 }, 'body: "minutes" is missing; expected revision, minutes'],
      [{ revision: '1', minutes: 1 }, 'revision: expected the revision of the alarm as it was seen, a whole number'],
      [{ revision: null, minutes: 1 }, 'revision: expected the revision of the alarm as it was seen, a whole number'],
      [{ revision: 1.5, minutes: 1 }, 'revision: expected the revision of the alarm as it was seen, a whole number'],
      [{ revision: 1, minutes: 0 }, 'minutes: expected whole minutes of the pause, 1 to 1440'],
      [{ revision: 1, minutes: 1441 }, 'minutes: expected whole minutes of the pause, 1 to 1440'],
      [{ revision: 1, minutes: 1, by: 'eve' }, 'body: "by" is unknown; expected revision, minutes'],
    ];
    for (const [body, message] of table) expect((await care.send('ann', '/api/alarms/1/snooze', body)).json).toEqual({ error: 'bad_request', message });
    for (const id of ['0x1', '-1', '1.0', '01', '%20', '9'.repeat(16)]) expect((await care.send('ann', `/api/alarms/${id}/acknowledge`, { revision: 1 })).status).toBe(400);
    expect(said(await care.ask('ann', '/api/alarms/1/acknowledge', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }))).toEqual([400, 'bad_request']);
    expect(said(await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1, x: 'x'.repeat(20_000) }))).toEqual([413, 'too_large']);
    expect(care.ward.past).toHaveLength(1);
  });

  it('is not waited for without end, and what is inside is not told', async () => {
    const care = await open({ ward: { patience: Millis(1) } });
    care.ward.happens(1, high);
    care.ward.carryOut = () => new Promise(() => undefined);
    expect(said(await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 }))).toEqual([503, 'store_fault']);
    care.ward.carryOut = () => Promise.reject(new Error('secret of the house'));
    const failed = await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 });
    expect([...said(failed), failed.text.includes('secret')]).toEqual([500, 'internal', false]);
    care.ward.carryOut = undefined;
    expect((await care.send('ann', '/api/alarms/1/acknowledge', { revision: 1 })).status).toBe(200);
  });
});

describe('the history', () => {
  it('of all alarms comes in pages, from memory or from the chain', async () => {
    const care = await open({ ward: { keep: 3 } });
    for (let second = 1; second <= 10; second++) care.ward.happens(second, raised({ rule: `rule-${second}` }));
    const steps = async (query: string): Promise<number[]> => ((await care.ask('vera', `/api/steps${query}`)).json['steps'] as { step: number }[]).map(({ step }) => step);
    expect(await steps('?after=7')).toEqual([8, 9, 10]);
    expect(care.ward.historyReads).toBe(0);
    expect(await steps('?after=5&limit=4')).toEqual([6, 7, 8, 9]);
    expect(await steps('')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await steps('?after=10')).toEqual([]);
    expect(await steps('?after=99')).toEqual([]);
    const { json } = await care.ask('vera', '/api/steps?after=2&limit=1');
    expect(json).toEqual({ notice: NOTICE, steps: [care.ward.past[2]], lastStep: 10 });
    for (const query of ['?limit=0', '?limit=1001', '?after=-1', '?after=x', '?before=1']) expect(said(await care.ask('vera', `/api/steps${query}`))).toEqual([400, 'bad_request']);
  });

  it('of one alarm is found where it began', async () => {
    const care = await open({ ward: { keep: 2 } });
    care.ward.happens(1, raised({ rule: 'a' }), raised({ rule: 'b' }), raised({ rule: 'c' }));
    care.ward.happens(2, cleared({ rule: 'b' }), raised({ rule: 'd' }));
    const found = await care.ask('vera', '/api/alarms/2/steps');
    expect(found.json).toEqual({ notice: NOTICE, steps: [care.ward.past[1], care.ward.past[3]], searchedBackTo: null });
    expect((await care.ask('vera', '/api/alarms/2/steps?before=4')).json['steps']).toEqual([care.ward.past[1]]);
    expect((await care.ask('vera', '/api/alarms/77/steps')).json).toMatchObject({ steps: [], searchedBackTo: null });
  });
});
