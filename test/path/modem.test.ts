import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'node-pdu';
import { describe, expect, it } from 'vitest';
import type { LinksReport } from '../../gateway/administration.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate, type Program } from './program.ts';
import { SerialCable } from './serial-cable.ts';
import { Site } from './site.ts';

type Modem = LinksReport['modems'][number];

/** A site whose second link has a simulated modem on a pseudo-terminal. The words go to the simulator. */
async function siteWithModem(...words: readonly string[]): Promise<AsyncDisposable & Readonly<{ site: Site; cable: SerialCable; simulator: Program; modem: () => Promise<Modem> }>> {
  const site = await Site.prepare();
  const cable = new SerialCable(site.folder, 'modem');
  await cable.lay();
  const pinFile = join(site.folder, 'pin');
  writeFileSync(pinFile, '4711\n');
  const links = [{ name: '5g', address: '127.0.0.1', metered: true, modem: { port: cable.path, apn: 'hospital.iot', pinFile, sms: { to: ['+4915112345678'], after: '30s' } } }];
  site.writeConfig({ ...site.sections((await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim(), { gateway: { links } }) });
  const simulator = site.launch('sim', '--modem', 'quectel', '--serial', cable.deviceEnd, '--pin', '4711', '--apns', 'hospital.iot', ...words);
  const modem = async (): Promise<Modem> => {
    const { stdout } = await vitalgate('links', '--config', site.config, '--json');
    return (JSON.parse(stdout) as LinksReport).modems[0] as Modem;
  };
  return { site, cable, simulator, modem, [Symbol.asyncDispose]: async () => {
    await site[Symbol.asyncDispose]();
    await cable[Symbol.asyncDispose]();
  } };
}

describe('a link with a modem', () => {
  it('is brought up from PIN to data session, and its signal and handovers show in "vitalgate links" and the metrics', async () => {
    await using house = await siteWithModem('--story', '0s:5g-sa,8s:lte,16s:none', '--errors', '0.05');
    const { site, modem } = house;
    await Promise.all([site.startHospital(), site.startGateway()]);
    await until('the modem is connected', async () => (await modem()).state === 'connected');
    const { technology, operator, signal, address } = await modem();
    expect([technology, operator, address]).toEqual(['5G SA', 'Testnet', '10.201.80.91']);
    expect(signal.rsrp).toBeLessThan(-60);
    const { stdout } = await vitalgate('links', '--config', site.config);
    expect(stdout).toMatch(/\n {2}modem Quectel RM520N-GL: connected \(data can go\), 5G SA, Testnet, RSRP -\d+ dBm, RSRQ -11 dB, SINR 15 dB\n/);
    expect(await site.metric('vitalgate_modem_state{link="5g",state="connected"}')).toBe(1);
    expect(await site.metric('vitalgate_modem_technology{link="5g",technology="5G SA"}')).toBe(1);
    expect(await site.metric('vitalgate_modem_signal{link="5g",measure="rsrp"}')).toBeLessThan(-60);

    await until('it was handed over to LTE', async () => (await modem()).technology === 'LTE');
    await until('it has lost its network', async () => (await modem()).state === 'searching');
    expect(await site.metric('vitalgate_modem_technology{link="5g",technology="LTE"}')).toBeUndefined();
  });

  it('says that a modem is silent, takes it up when it answers again, and when it was unplugged and plugged in', async () => {
    await using house = await siteWithModem('--story', '0s:lte,6s:wedge,30s:wake');
    const { site, cable, modem } = house;
    await Promise.all([site.startHospital(), site.startGateway()]);
    await until('the modem is connected', async () => (await modem()).state === 'connected');
    await until('it is silent', async () => (await modem()).state === 'silent', 60_000);
    await until('it is connected again', async () => (await modem()).state === 'connected', 60_000);
    await cable.pullOut();
    await until('there is none', async () => (await modem()).state === 'absent');
    expect((await modem()).why).toContain('there is no modem at');
  }, 120_000);

  it('sends a short message when an alarm has reached no hospital for long, with nothing in it that is about anybody', async () => {
    await using house = await siteWithModem('--story', '0s:lte');
    const { site, simulator, modem } = house;
    await site.startGateway();
    const device = await site.addDevice('oximeter', 'Mrs Example');
    await until('the modem is connected', async () => (await modem()).state === 'connected');
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    for (const [seq, value] of [97, 70].entries()) {
      expect(await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
    }
    await until('a message was sent', async () => (await modem()).smsSent === 1, 90_000);
    const pdu = /sms ([0-9A-F]+)/.exec(simulator.stderr)?.[1] ?? '';
    const { address, data } = parse(pdu) as unknown as { address: { phone: string }; data: { getText: () => string } };
    expect(address.phone).toContain('4915112345678');
    const { chain } = await site.api.status();
    expect(data.getText()).toBe(`Vitalgate ${chain.slice(0, 8)}: alarms have reached no hospital for 1 min (1 waiting). Please look after the people there.`);
    expect(await site.metric('vitalgate_modem_sms_sent_total{link="5g"}')).toBe(1);
  }, 120_000);
});
