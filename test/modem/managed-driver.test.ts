import { describe, expect, it } from 'vitest';
import { ManagedDriver, managedModems, type Mmcli } from '../../gateway/modem/managed-driver.ts';

const PATH = '/org/freedesktop/ModemManager1/Modem/0';

/** What `mmcli -J` prints of a modem: every scalar a string, `--` for what is not there. */
const described = (state: string, more: Readonly<{ lock?: string; reason?: string; technologies?: string[] }> = {}): string => JSON.stringify({
  modem: {
    '3gpp': { 'operator-code': '26201', 'operator-name': 'Testnet', 'registration-state': state === 'connected' || state === 'registered' ? 'home' : '--' },
    generic: {
      state,
      'state-failed-reason': more.reason ?? '--',
      'unlock-required': more.lock ?? '--',
      manufacturer: 'Quectel',
      model: 'RM520N-GL',
      ports: ['cdc-wdm0 (qmi)', 'ttyUSB2 (at)', 'wwan0 (net)'],
      'access-technologies': more.technologies ?? ['lte', '5gnr'],
    },
  },
});
const SIGNAL = JSON.stringify({ modem: { signal: { '5g': { rsrp: '-85.00', rsrq: '-11.00', snr: '15.50', 'error-rate': '--' }, lte: { rsrp: '--', rsrq: '--', rssi: '--', snr: '--' }, refresh: { rate: '30' } } } });

/** `mmcli` that answers as a test says; what is not listed it does not know. */
function mmcliThat(answers: Readonly<Record<string, string | Error>>): Readonly<{ mmcli: Mmcli; asked: string[] }> {
  const asked: string[] = [];
  return {
    asked,
    mmcli: (...words) => {
      const line = words.join(' ').replace(`-m ${PATH} `, '');
      asked.push(line);
      const answer = answers[line] ?? new Error(`error: unknown ${line}`);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

const looked = async (answers: Readonly<Record<string, string | Error>>, apn?: string) => {
  const { mmcli, asked } = mmcliThat(answers);
  return { sight: await new ManagedDriver(mmcli, { path: PATH, ports: [] }, apn === undefined ? {} : { apn }).look(), asked };
};

describe('a modem that ModemManager has', () => {
  it('is found with its ports; without ModemManager there is none', async () => {
    const { mmcli } = mmcliThat({ '-L -J': JSON.stringify({ 'modem-list': [PATH] }), '-J': described('connected') });
    expect(await managedModems(mmcli)).toEqual([{ path: PATH, ports: ['cdc-wdm0', 'ttyUSB2', 'wwan0'] }]);
    // As mmcli 1.20.4 says it: no program, no bus, nobody on the bus, and nothing found.
    const failed = (text: string): Error => new Error(`Command failed: mmcli --timeout=180 -L -J\n${text}\n`);
    const nobody = [
      Object.assign(new Error('spawn mmcli ENOENT'), { code: 'ENOENT' }),
      failed("error: couldn't get bus: Could not connect: Connection refused"),
      failed("error: couldn't find the ModemManager process in the bus"),
      '{"modem-list":[]}',
    ];
    for (const said of nobody) expect(await managedModems(mmcliThat({ '-L -J': said }).mmcli)).toEqual([]);
  });

  it('is not taken for one that nobody has while ModemManager does not answer', async () => {
    for (const said of [new Error("error: couldn't create manager: Timeout was reached"), 'not JSON']) {
      await expect(managedModems(mmcliThat({ '-L -J': said }).mmcli)).rejects.toThrow(/^ModemManager does not say which modems it has: /);
    }
    const { mmcli } = mmcliThat({ '-L -J': JSON.stringify({ 'modem-list': [PATH] }), '-J': new Error("error: couldn't find modem") });
    await expect(managedModems(mmcli)).rejects.toThrow("couldn't find modem");
  });

  it('shows network, technology and signal', async () => {
    const { sight } = await looked({ '-J': described('connected'), '--signal-setup=30': '', '--signal-get -J': SIGNAL });
    expect(sight).toEqual({ state: 'connected', why: 'data can go', model: 'Quectel RM520N-GL', operator: 'Testnet', registration: 'home', technology: '5G NSA', signal: { rsrp: -85, rsrq: -11, sinr: 15.5 }, address: null, slices: null });
  });

  it('is connected when it is registered, with the access point of the configuration', async () => {
    const { sight, asked } = await looked({ '-J': described('registered'), '--simple-connect=apn=hospital.iot,ip-type=ipv4v6': 'successfully connected' }, 'hospital.iot');
    expect([sight.state, sight.signal]).toEqual(['connected', {}]);
    expect(asked).toContain('--simple-connect=apn=hospital.iot,ip-type=ipv4v6');
    expect((await looked({ '-J': described('registered') })).sight).toMatchObject({ state: 'registered', why: expect.stringMatching(/^the network gives no data session: /) as string });
  });

  it.each([
    [described('failed', { reason: 'sim-missing' }), 'no_sim'],
    [described('locked', { lock: 'sim-pin' }), 'pin_needed'],
    [described('locked', { lock: 'sim-puk' }), 'puk_needed'],
    [described('searching'), 'searching'],
    [described('initializing'), 'starting'],
  ])('is in the state that it says it is in', async (said, state) => {
    expect((await looked({ '-J': said })).sight.state).toBe(state);
  });

  it('is switched on, reset and made to send', async () => {
    expect((await looked({ '-J': described('disabled'), '--enable': '' })).asked).toContain('--enable');
    const { mmcli, asked } = mmcliThat({
      '--simple-disconnect': '', '--disable': '', '--enable': '', '--reset': '',
      "--messaging-create-sms=number='+49151',text='an alarm waits'": 'Successfully created new SMS: /org/freedesktop/ModemManager1/SMS/7',
      '-s /org/freedesktop/ModemManager1/SMS/7 --send': 'successfully sent the SMS',
    });
    const driver = new ManagedDriver(mmcli, { path: PATH, ports: [] }, {});
    for (const rung of ['session', 'radio', 'restart'] as const) await driver.climb(rung);
    expect(asked).toEqual(['--simple-disconnect', '--disable', '--enable', '--reset']);
    expect(await driver.sendSms('+49151', 'an alarm waits')).toEqual({ parts: 1, references: [] });
    expect(asked.at(-1)).toBe('-s /org/freedesktop/ModemManager1/SMS/7 --send');
    await expect(driver.sendSms("1'; reset", 'x')).rejects.toThrow(/is not a telephone number/);
    const refusing = new ManagedDriver(() => Promise.reject(Object.assign(new Error("Command failed: mmcli number='+49151',text='secret'"), { stderr: "\nerror: couldn't send the SMS: no network\n" })), { path: PATH, ports: [] }, {});
    await expect(refusing.sendSms('+49151', 'secret')).rejects.toThrow(/^ModemManager does not send it: error: couldn't send the SMS: no network$/);
  });
});
