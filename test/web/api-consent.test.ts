import { afterEach, describe, expect, it } from 'vitest';
import { applyStatement, enrolKey, type Consents } from '../../gateway/consent/consents.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { signStatement } from '../../gateway/consent/statement.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { ANNA as ANNAS_KEY, denial, hexOf, idNumber } from '../consent/statements.ts';
import { CareSite, type Answered } from './care-site.ts';
import { ANNA } from './ward.ts';

let site: CareSite | undefined;
const open = async (): Promise<CareSite> => (site = await CareSite.open());
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const PAGE = `/api/patients/${ANNA}`;
const said = ({ status, json }: Answered): unknown[] => [status, json['error']];
const patientIn = ({ json }: Answered): Record<string, unknown> => json['patient'] as Record<string, unknown>;
const measuredIn = (answered: Answered): readonly unknown[] => (patientIn(answered)['values'] as readonly { measurement: string }[]).map(({ measurement }) => measurement);

/** Anna says so, with her own key. */
function annaDenies(care: CareSite, ...denials: readonly Partial<Grant>[]): void {
  const enrolled = enrolKey(care.ward.consents.consents, 'anna', { key: hexOf(ANNAS_KEY.publicKey), who: 'patient', name: 'Anna', period: { from: UnixMillis(0) } });
  if (typeof enrolled === 'string') throw new Error(enrolled);
  const consents = denials.reduce<Consents>((state, differing, index) => applyStatement(state, signStatement(denial({ id: idNumber(index + 1), ...differing }), ANNAS_KEY), care.ward.now).state, enrolled);
  care.ward.consents = { ...care.ward.consents, consents };
}

describe('a page about a patient', () => {
  it('leaves out what the patient denies to whoever looks, with the scores made of it, and names it', async () => {
    const care = await open();
    annaDenies(care, { what: ['spo2'], to: { role: 'caregiver' } });
    expect(patientIn(await care.ask('ann', PAGE))).toMatchObject({ values: [], scores: [], withheld: ['spo2'], activity: 'rest', room: 'bedroom-1' });
    expect(measuredIn(await care.ask('cho', PAGE))).toEqual(['spo2']);
    expect(care.ward.shown).toEqual(['ann: values of anna', 'cho: values of anna']);
  });

  it('does not say where somebody is and what they do who denies that', async () => {
    const care = await open();
    annaDenies(care, { what: ['activity_location'] });
    expect(patientIn(await care.ask('ann', PAGE))).toMatchObject({ values: [{ measurement: 'spo2' }], activity: null, room: null, withheld: [] });
  });

  it('is not shown for what it was not permitted for, and that somebody asked is written down', async () => {
    const care = await open();
    expect(said(await care.ask('ann', `${PAGE}?purpose=HRESCH`))).toEqual([403, 'not_permitted']);
    annaDenies(care, { to: { person: 'ann' } });
    const { status, json } = await care.ask('ann', PAGE);
    expect([status, json['message']]).toEqual([403, expect.stringContaining('denied by grant 00000000')]);
    expect(care.ward.shown).toEqual(['ann: nothing: denied of anna', 'ann: nothing: denied of anna']);
    expect(said(await care.ask('ben', PAGE))).toEqual([200, undefined]);
    expect((await care.ask('ann', `${PAGE}?purpose=FUN`)).json['message']).toContain('purpose: expected why you look, one of TREAT');
  });

  it('does not keep an alarm from those who are there to help', async () => {
    const care = await open();
    annaDenies(care, {});
    expect(said(await care.ask('ann', '/api/alarms'))).toEqual([200, undefined]);
  });
});

describe('the glass', () => {
  const why = { reason: 'found unconscious in the hall' };

  it('is broken by clinicians only, with a reason and for a day at most', async () => {
    const care = await open();
    for (const who of ['vera', 'ann', 'otto']) expect(said(await care.send(who, `${PAGE}/break-glass`, why))).toEqual([403, 'not_allowed']);
    for (const reason of ['', 'urgent', 'aaaaaaaaaaaaaa', 'x'.repeat(2000)]) expect(said(await care.send('cho', `${PAGE}/break-glass`, { reason }))).toEqual([400, 'bad_reason']);
    for (const minutes of [0, 1441, 1.5]) expect((await care.send('cho', `${PAGE}/break-glass`, { ...why, minutes })).json['message']).toContain('minutes: expected whole minutes, 1 to 1440');
    expect(said(await care.send('cho', '/api/patients/p-0/break-glass', why))).toEqual([404, 'unknown_patient']);
    expect(care.ward.consents.glass).toEqual([]);
    expect(await care.send('cho', `${PAGE}/break-glass`, why)).toMatchObject({ status: 201, json: { episode: { number: 1, patient: 'anna', status: 'open', review: null, endedBy: null } } });
    expect(said(await care.send('cho', `${PAGE}/break-glass`, why))).toEqual([409, 'already_open']);
  });

  it('shows everything to whoever broke it, and nothing more to anybody else, until it is over', async () => {
    const care = await open();
    annaDenies(care, { purposes: ['ETREAT', 'HOPERAT', 'TREAT'] });
    expect(said(await care.ask('cho', `${PAGE}?purpose=BTG`))).toEqual([403, 'not_permitted']);
    await care.send('cho', `${PAGE}/break-glass`, { ...why, minutes: 1 });
    expect(measuredIn(await care.ask('cho', `${PAGE}?purpose=BTG`))).toEqual(['spo2']);
    expect(said(await care.ask('cho', PAGE))).toEqual([403, 'not_permitted']);
    expect(said(await care.ask('otto', `${PAGE}?purpose=BTG`))).toEqual([403, 'not_permitted']);
    care.ward.happens(60);
    expect(said(await care.ask('cho', `${PAGE}?purpose=BTG`))).toEqual([403, 'not_permitted']);
  });

  it('stays whole where the patient has denied even that', async () => {
    const care = await open();
    annaDenies(care, { purposes: ['BTG'] });
    await care.send('cho', `${PAGE}/break-glass`, why);
    expect(said(await care.ask('cho', `${PAGE}?purpose=BTG`))).toEqual([403, 'not_permitted']);
  });

  it('is judged when it is over, by somebody else who may', async () => {
    const care = await open();
    await care.send('cho', `${PAGE}/break-glass`, why);
    const verdict = { verdict: 'unjustified', remark: 'she was asleep in her chair' };
    expect(said(await care.send('otto', '/api/break-glass/1/review', verdict))).toEqual([409, 'still_open']);
    expect(said(await care.ask('ann', '/api/break-glass/1', { method: 'DELETE' }))).toEqual([403, 'not_allowed']);
    expect(await care.ask('cho', '/api/break-glass/1', { method: 'DELETE' })).toMatchObject({ status: 200, json: { episode: { status: 'ended', endedBy: { id: 'cho' } } } });
    expect(said(await care.ask('cho', '/api/break-glass/1', { method: 'DELETE' }))).toEqual([409, 'not_open']);
    expect(said(await care.send('cho', '/api/break-glass/1/review', verdict))).toEqual([409, 'own_episode']);
    expect((await care.send('otto', '/api/break-glass/1/review', { ...verdict, verdict: 'fine' })).json['message']).toBe('verdict: expected justified or unjustified');
    expect(said(await care.send('otto', '/api/break-glass/2/review', verdict))).toEqual([404, 'unknown_episode']);
    expect(await care.send('otto', '/api/break-glass/1/review', verdict)).toMatchObject({ status: 200, json: { episode: { status: 'reviewed', review: { ...verdict, by: { id: 'otto', role: 'administrator' } } } } });
    expect(said(await care.send('otto', '/api/break-glass/1/review', verdict))).toEqual([409, 'already_reviewed']);
    expect((await care.ask('otto', '/api/break-glass')).json['episodes']).toMatchObject([{ number: 1, status: 'reviewed' }]);
    expect(said(await care.ask('vera', '/api/break-glass'))).toEqual([403, 'not_allowed']);
  });
});
