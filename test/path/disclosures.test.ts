import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Disclosure } from '../../gateway/disclosures.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

describe('whom a patient\'s data were shown to', () => {
  let site: Site;
  let token: string;
  beforeAll(async () => {
    site = await Site.prepare({ gateway: { alarms: { people: [{ name: 'ann', roles: ['nurse'] }] } } });
    await Promise.all([site.startHospital(), site.startGateway()]);
    token = (JSON.parse((await vitalgate('person', 'token', 'ann', '--json', '--config', site.config)).stdout) as { secret: string }).secret;
    for (const [device, patient] of [['clip', 'anna'], ['band', 'otto']] as const) {
      const { topic, password } = await site.addDevice(device, patient);
      await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
      await client.publish({ topic, payload: JSON.stringify({ seq: 1, time: Date.now(), measurement: 'spo2', value: 80, unit: '%' }) });
    }
    // Not by its status, which tells of the last alarm.
    await until('both alarms are in blocks', async () => {
      const { chains: [chain] } = (await (await fetch(`${site.webUrl}/v1/chains`)).json()) as { chains: { chain: string }[] };
      const blocks = await (await fetch(`${site.webUrl}/v1/chains/${chain?.chain}/alarm/blocks`)).text();
      return blocks.split('raised').length > 2;
    });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const get = async (path: string): Promise<number> => (await fetch(`${site.webUrl}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
  async function disclosures(patient: string): Promise<string[]> {
    const { stdout } = await vitalgate('disclosures', '--patient', patient, '--json', '--config', site.config);
    return (JSON.parse(stdout) as Disclosure[]).map(({ recipient, role, what, purpose, times }) => `${recipient} (${role}) ${what} ${purpose} ${times}`);
  }

  it('is nobody, until somebody looks', async () => {
    expect(await vitalgate('disclosures', '--patient', 'anna', '--config', site.config)).toMatchObject({ code: 0, stdout: 'nobody was shown anything\n' });
  });

  it('is written down for values, alarms and raw messages, about those who were in the answer, once for those who go on looking', async () => {
    const listed = await (await fetch(`${site.webUrl}/api/patients`, { headers: { authorization: `Bearer ${token}` } })).json() as { patients: { id: string; link: string }[] };
    const anna = listed.patients.find(({ id }) => id === 'anna');
    expect(anna?.link).toMatch(/^\/api\/patients\/p-[0-9a-f]{32}$/);
    for (let i = 0; i < 3; i++) expect(await get(anna?.link ?? '')).toBe(200);
    expect(await get('/api/patients/anna')).toBe(404);
    expect(await get('/api/alarms')).toBe(200);
    await site.api.trace('clip' as never);
    expect(await disclosures('anna')).toEqual([
      'command line (administrator) disclosures HOPERAT 1', 'ann (caregiver) values TREAT 1', 'ann (caregiver) alarms TREAT 1', 'command line (administrator) raw message HOPERAT 1',
    ]);
    expect(await disclosures('otto')).toEqual(['ann (caregiver) alarms TREAT 1']);
    // The status tells of the last alarm, in words.
    const { lastEvent } = await site.api.status();
    const [, patient = ''] = /^patient\/(\w+): SpO2 80 %/.exec(lastEvent ?? '') ?? [];
    expect((await disclosures(patient)).at(-1)).toBe('command line (administrator) alarms HOPERAT 1');
  });

  it('counts the looks that went on when the gateway stops, and says so in words after it started again', async () => {
    await site.gateway.stop();
    await site.startGateway();
    expect(await disclosures('anna')).toContain('ann (caregiver) values TREAT 2');
    const { stdout } = await vitalgate('disclosures', '--patient', 'anna', '--config', site.config);
    expect(stdout).toMatch(/^when +to whom +what +purpose +times +consent\n\d{4}-\d\d-\d\dT\S+ +command line \(administrator\) +disclosures +HOPERAT +1 *\n/);
  });

  it('is not told by a hospital\'s copy of the chain', async () => {
    const { chain } = await site.settled();
    const bytes = Buffer.from(await (await nodeFetch(`${site.hospitalUrl}/v1/chains/${chain}/record/blocks`)).arrayBuffer());
    expect(bytes.includes('disclosure')).toBe(true);
    for (const word of ['anna', 'ann', 'caregiver', 'TREAT', 'values']) expect([word, bytes.includes(word)]).toEqual([word, false]);
  });
});
