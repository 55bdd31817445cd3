import { afterEach, describe, expect, it } from 'vitest';
import { NOTICE } from '../../gateway/web/api-schemas.ts';
import { CareSite, type Answered } from './care-site.ts';
import { ANNA } from './ward.ts';

let site: CareSite | undefined;
const open = async (...given: Parameters<typeof CareSite.open>): Promise<CareSite> => (site = await CareSite.open(...given));
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const said = ({ status, json }: Answered): unknown[] => [status, json['error']];
const ANN = { id: 'ann', role: 'caregiver' };

describe('patients', () => {
  it('are listed with addresses that do not name them, and what is known of them is told with its age', async () => {
    const care = await open();
    expect((await care.ask('vera', '/api/patients')).json).toEqual({ notice: NOTICE, patients: [{ id: 'anna', link: `/api/patients/${ANNA}` }] });
    expect((await care.ask('vera', `/api/patients/${ANNA}`)).json).toEqual({ notice: NOTICE, patient: { ...(await care.ward.desk.view({ kind: 'patient', id: 'anna' })), withheld: [] } });
    for (const id of ['ana', 'a%2Fb', '%00']) expect(said(await care.ask('vera', `/api/patients/${id}`))).toEqual([404, 'unknown_patient']);
  });

  it('are observed by people in their own words', async () => {
    const care = await open();
    const table: readonly [body: object, values: object][] = [
      [{ consciousness: 'A', oxygen: 'air' }, { consciousness: 0, oxygen_flow: 0 }],
      [{ consciousness: 'U', oxygen: { litresPerMinute: 0.5 } }, { consciousness: 4, oxygen_flow: 0.5 }],
      [{ respiratoryRate: 18, bodyTemperature: 37.2, systolicPressure: 120, diastolicPressure: 80 }, { respiratory_rate: 18, body_temperature: 37.2, systolic_pressure: 120, diastolic_pressure: 80 }],
      [{ heartRate: 70, spo2: 96, bodyWeight: 71.5, glucose: 100 }, { heart_rate: 70, spo2: 96, body_weight: 71.5, glucose: 100 }],
    ];
    for (const [body, values] of table) {
      expect(await care.send('ann', `/api/patients/${ANNA}/observations`, body)).toMatchObject({ status: 201, json: { notice: NOTICE, patient: 'anna', values } });
      expect(care.ward.actions.at(-1)).toEqual({ type: 'observe', patient: 'anna', values, by: ANN });
    }
  });

  it('are recorded sample by sample for as long as a caregiver asks', async () => {
    const care = await open();
    const wanted = { measurement: 'ppg', seconds: 30 };
    expect(await care.send('ann', `/api/patients/${ANNA}/waveforms`, wanted)).toMatchObject({ status: 202, json: { notice: NOTICE, patient: 'anna', ...wanted } });
    expect(care.ward.actions.at(-1)).toEqual({ type: 'waveform', patient: 'anna', measurement: 'ppg', time: 30_000, by: ANN });
    expect(said(await care.send('vera', `/api/patients/${ANNA}/waveforms`, wanted))).toEqual([403, 'not_allowed']);
    expect((await care.send('ann', `/api/patients/${ANNA}/waveforms`, { ...wanted, seconds: 601 })).json['message']).toBe('seconds: expected whole seconds, 1 to 600');
  });

  it('are not observed in ways that cannot be', async () => {
    const care = await open();
    const table: readonly [body: unknown, message: string][] = [
      [{}, 'body: expected at least one of consciousness, oxygen, respiratoryRate, heartRate, spo2, bodyTemperature, systolicPressure, diastolicPressure, bodyWeight, glucose'],
      [[], 'body: expected at least one of consciousness, oxygen, respiratoryRate, heartRate, spo2, bodyTemperature, systolicPressure, diastolicPressure, bodyWeight, glucose'],
      [{ bodyTemperature: 98.6 }, 'bodyTemperature: expected body_temperature in Cel, 20 to 45'],
      [{ spo2: '97' }, 'spo2: expected spo2 in %, 30 to 100'],
      [{ respiratoryRate: null }, 'respiratoryRate: expected respiratory_rate in /min, 1 to 100'],
      [{ consciousness: 'X' }, 'consciousness: expected A, C, V, P or U: A alert, C new confusion, V responds to voice, P to pain, U unresponsive (ACVPU)'],
      [{ oxygen: 'some' }, 'oxygen: expected "air", or {"litresPerMinute": above 0 to 100}'],
      [{ oxygen: { litresPerMinute: 0 } }, 'oxygen: expected "air", or {"litresPerMinute": above 0 to 100}'],
      [{ oxygen: { litresPerMinute: 101 } }, 'oxygen: expected "air", or {"litresPerMinute": above 0 to 100}'],
    ];
    for (const [body, message] of table) expect((await care.send('ann', `/api/patients/${ANNA}/observations`, body)).json).toEqual({ error: 'bad_request', message });
    expect((await care.send('ann', `/api/patients/${ANNA}/observations`, { pulse: 70 })).json['message']).toMatch(/^body: "pulse" is unknown; expected /);
    expect(said(await care.send('ann', '/api/patients/p-00/observations', { spo2: 97 }))).toEqual([404, 'unknown_patient']);
    expect(care.ward.actions).toEqual([]);
  });

  it('get a scale from a clinician', async () => {
    const care = await open();
    expect((await care.send('cho', `/api/patients/${ANNA}/spo2-scale`, { scale: 2 }, 'PUT')).json).toEqual({ notice: NOTICE, patient: 'anna', scale: 2 });
    expect(care.ward.actions).toEqual([{ type: 'prescribe', patient: 'anna', spo2Scale: 2, by: { id: 'cho', role: 'clinician' } }]);
    for (const scale of [0, 3, '2', null]) expect((await care.send('cho', `/api/patients/${ANNA}/spo2-scale`, { scale }, 'PUT')).json['message']).toBe('scale: expected scale 1 or 2');
  });
});

const RULE = '  - { id: low, when: spo2 < 85, priority: medium, message: "SpO2 {spo2} %", source: a test }';
const PACK = `pack: ward\nversion: 1\nrules:\n${RULE}\n`;

describe('rule packs', () => {
  it('are put in force by an administrator, as text or as JSON', async () => {
    const care = await open();
    const json = { pack: 'other', version: 2, rules: [{ id: 'low', when: 'spo2 < 85', priority: 'medium', message: 'low', source: 'a test' }] };
    const { status, json: answered } = await care.send('otto', '/api/contracts', { packs: [PACK, json] });
    expect([status, answered['notice'], (answered['contracts'] as object[]).length]).toEqual([200, NOTICE, 2]);
    expect(care.ward.actions).toMatchObject([{ type: 'contracts', packs: [{ pack: 'ward', version: 1 }, { pack: 'other', version: 2 }], by: [{ id: 'otto', role: 'administrator' }], signatures: [] }]);
    expect((await care.ask('vera', '/api/contracts')).json['contracts']).toEqual(answered['contracts']);
  });

  it('are refused with every mistake at its line, and nothing changes', async () => {
    const care = await open();
    const bad = `pack: bad\nversion: 0\nrules:\n${RULE.replace('spo2 < 85', '"spo2 <"')}\n`;
    const { status, json } = await care.send('otto', '/api/contracts', { packs: [PACK, bad, ': ['] });
    expect([status, json['error']]).toEqual([422, 'bad_pack']);
    const mistakes = json['mistakes'] as { pack: number; line: number; message: string }[];
    expect(mistakes.map(({ pack, line }) => [pack, line])).toEqual(expect.arrayContaining([[1, 2], [1, 4]]));
    expect(mistakes.some(({ pack }) => pack === 2)).toBe(true);
    expect(mistakes.some(({ pack }) => pack === 0)).toBe(false);
    expect((await care.send('otto', '/api/contracts', { packs: [PACK, PACK] })).json['mistakes']).toEqual([{ pack: null, line: null, message: expect.stringContaining('two packs are called ward') as string }]);
    const signature = { contract: 'a'.repeat(64), key: 'b'.repeat(66), signature: 'c'.repeat(128) };
    expect((await care.send('otto', '/api/contracts', { packs: [PACK], signatures: [signature] })).json['mistakes']).toMatchObject([{ message: 'a signature is for none of these packs: one was changed after it was signed' }]);
    for (const body of [{}, { packs: [] }, { packs: [7] }, { packs: PACK }]) expect((await care.send('otto', '/api/contracts', body)).status).toBe(400);
    expect(care.ward.actions).toEqual([]);
  });

  it('that the configuration names are changed there', async () => {
    const care = await open({ ward: { packsAreConfigured: true } });
    expect(said(await care.send('otto', '/api/contracts', { packs: [PACK] }))).toEqual([409, 'configured']);
  });
});
