import { parse } from 'node-pdu';
import { describe, expect, it } from 'vitest';
import { type ModemTraits, SimulatedModem } from '../../firmware-sim/modem/simulated-modem.ts';
import { readSubmit, textOf } from '../../firmware-sim/modem/short-message.ts';
import { Random } from '../../firmware-sim/random.ts';
import { AtDriver, type AtModemOptions } from '../../gateway/modem/at-driver.ts';
import type { Sight } from '../../gateway/modem/modem.ts';

type Pair = Readonly<{ driver: AtDriver; modem: SimulatedModem; sms: string[]; changes: () => number; commands: string[] }>;

/** A driver and a simulated modem with nothing between them. */
function connected(traits: Partial<ModemTraits> = {}, options: AtModemOptions = {}): Pair {
  const [sms, commands]: [string[], string[]] = [[], []];
  let changes = 0;
  const modem = new SimulatedModem({ maker: 'quectel', random: new Random('modem'), ...traits }, {
    send: (bytes) => queueMicrotask(() => driver.received(bytes)),
    onSms: (pdu) => void sms.push(pdu),
    onRestart: () => undefined,
  });
  const driver = new AtDriver({
    write: (bytes) => {
      commands.push(Buffer.from(bytes).toString('latin1').trim());
      modem.receive(bytes);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  }, options, () => void (changes += 1));
  return { driver, modem, sms, commands, changes: () => changes };
}

/** Looks until the modem is in that state. */
async function until(driver: AtDriver, state: Sight['state']): Promise<Sight> {
  for (let look = 0; look < 10; look++) {
    const sight = await driver.look();
    if (sight.state === state) return sight;
  }
  throw new Error(`never ${state}, but ${JSON.stringify(await driver.look())}`);
}

describe('bringing up a modem', () => {
  it.each([
    ['quectel', '5g-sa', '5G SA', 'Quectel RM520N-GL'],
    ['quectel', '5g-nsa', '5G NSA', 'Quectel RM520N-GL'],
    ['quectel', 'lte', 'LTE', 'Quectel RM520N-GL'],
    ['simcom', '5g-sa', '5G SA', 'SIMCOM INCORPORATED SIM8262E-M2'],
    ['simcom', '5g-nsa', '5G NSA', 'SIMCOM INCORPORATED SIM8262E-M2'],
    ['simcom', 'lte', 'LTE', 'SIMCOM INCORPORATED SIM8262E-M2'],
    ['other', '5g-sa', '5G SA', 'Generic NR7-EU'],
    ['other', 'lte', 'LTE', 'Generic NR7-EU'],
  ] as const)('%s on %s: it is connected, and says how good that is', async (maker, coverage, technology, model) => {
    const { driver, modem } = connected({ maker });
    modem.move(coverage);
    const sight = await until(driver, 'connected');
    expect(sight).toMatchObject({ technology, model, operator: 'Testnet', registration: 'home', address: '10.201.80.91' });
    expect(sight.signal.rsrp).toBeCloseTo(-90, 0);
    expect(modem.isConnected).toBe(true);
  });

  it('sets the access point once, and leaves one alone that is right', async () => {
    const { driver, modem, commands } = connected({ apns: ['hospital.iot'] }, { apn: 'hospital.iot' });
    modem.move('lte');
    await until(driver, 'connected');
    await driver.look();
    expect(commands.filter((each) => each.startsWith('AT+CGDCONT='))).toEqual(['AT+CGDCONT=1,"IPV4V6","hospital.iot"']);
  });

  it('says that the network gives no session, and goes on asking', async () => {
    const { driver, modem } = connected({ apns: ['internet'] }, { apn: 'wrong' });
    modem.move('lte');
    expect(await until(driver, 'registered')).toMatchObject({ why: 'the network gives no data session: +CME ERROR: 133', address: null });
  });

  it('asks for a slice where the network has it, and does without where it has not', async () => {
    const able = connected({ slices: ['01.010101'] }, { apn: 'a', slice: '01.010101' });
    able.modem.move('5g-sa');
    expect(await until(able.driver, 'connected')).toMatchObject({ slices: '01.010101' });
    expect(able.commands).toContain('AT+CGDCONT=1,"IPV4V6","a",,,,,,,,,,,,,,,"01.010101"');

    const unable = connected({}, { apn: 'a', slice: '01.010101' });
    unable.modem.move('5g-sa');
    expect(await until(unable.driver, 'connected')).toMatchObject({ slices: null });
    expect(unable.commands).toContain('AT+CGDCONT=1,"IPV4V6","a"');
  });

  it('goes on when one command in five is answered with an error', async () => {
    const { driver, modem } = connected({ errors: 0.2 });
    modem.move('5g-sa');
    expect(await until(driver, 'connected')).toMatchObject({ state: 'connected' });
  });
});

describe('the SIM', () => {
  it('is opened with its PIN', async () => {
    const { driver, modem } = connected({ pin: '4711' }, { pin: '4711' });
    modem.move('lte');
    expect(await until(driver, 'connected')).toMatchObject({ state: 'connected' });
  });

  it('is not tried again with a PIN that it refused: the third time would lock it', async () => {
    const wrong = connected({ pin: '4711' }, { pin: '0815' });
    expect(await until(wrong.driver, 'pin_needed')).toMatchObject({ why: 'the SIM refused its PIN: +CME ERROR: 16' });
    expect((await wrong.driver.look()).why).toBe('the SIM refused a PIN, 2 tries are left: enter the right one in a telephone, so that it is not locked');
    expect(wrong.commands.filter((each) => each.startsWith('AT+CPIN='))).toHaveLength(1);
  });

  it.each([
    [null, undefined, 'no_sim', 'there is no SIM in the modem'],
    ['4711', undefined, 'pin_needed', 'the SIM wants its PIN: name it in the configuration, or switch it off in a telephone'],
  ] as const)('PIN %s, configured %s: %s', async (pin, configured, state, why) => {
    const { driver } = connected({ pin }, configured === undefined ? {} : { pin: configured });
    expect(await driver.look()).toMatchObject({ state, why, signal: {}, operator: null });
  });
});

describe('what happens on the way', () => {
  it('handovers and loss of coverage are told by the modem itself, and show', async () => {
    const { driver, modem, changes } = connected();
    modem.move('5g-sa');
    await until(driver, 'connected');
    const before = changes();
    modem.move('lte');
    expect(await until(driver, 'connected')).toMatchObject({ technology: 'LTE' });
    modem.move('none');
    expect(await driver.look()).toMatchObject({ state: 'searching', why: 'it looks for a network', address: null });
    modem.move('5g-nsa');
    expect(await until(driver, 'connected')).toMatchObject({ technology: '5G NSA' });
    expect(changes()).toBeGreaterThan(before);
  });

  it('a modem that started again is set up again', async () => {
    const { driver, modem } = connected({ pin: '4711' }, { pin: '4711' });
    modem.move('lte');
    await until(driver, 'connected');
    modem.restart();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await until(driver, 'connected')).toMatchObject({ state: 'connected' });
  });

  it.each(['session', 'radio', 'restart'] as const)('the reset "%s" ends connected again', async (rung) => {
    const { driver, modem } = connected();
    modem.move('5g-sa');
    await until(driver, 'connected');
    await driver.climb(rung);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await until(driver, 'connected')).toMatchObject({ state: 'connected' });
  });
});

describe('a short message', () => {
  const readAll = (sms: readonly string[]): readonly [string, string] => {
    const parts = sms.map(readSubmit);
    return [parts[0]?.to ?? '', textOf(parts)];
  };

  it.each([
    ['plain', 'Vitalgate: an alarm waits. Ref 12/ab12', 1],
    ['with signs of the extension table', 'a[b]{c}~^|\\ done', 1],
    ['with what the 7-bit alphabet lacks', 'Frau Müller ist gestürzt – bitte kommen 🙏', 1],
    ['in another script', 'Пациент упал', 1],
    ['long', 'Please look after her. '.repeat(18), 4],
    ['long and in another script', 'Пациент упал. '.repeat(20), 5],
  ])('leaves as it was said, %s, also from a modem that is asked other things at the same time', async (_, text, parts) => {
    const { driver, modem, sms } = connected();
    modem.move('lte');
    await until(driver, 'connected');
    const [, sent] = await Promise.all([driver.look(), driver.sendSms('+4915112345678', text), driver.look()]);
    expect(readAll(sms)).toEqual(['+4915112345678', text]);
    expect(sent).toEqual({ parts, references: Array.from({ length: parts }, (__, i) => 17 + i) });
    const other = parse(sms[0] ?? '') as unknown as { address: { phone: string } };
    expect(other.address.phone).toContain('4915112345678');
  });

  it('says in words why the network refuses it, and which part of a long one', async () => {
    const { driver, modem, sms } = connected({ smsErrors: [42, 0, 38] });
    modem.move('lte');
    await until(driver, 'connected');
    await expect(driver.sendSms('+49151', 'text')).rejects.toThrow('+CMS ERROR: 42 (the network is overloaded)');
    await expect(driver.sendSms('+49151', 'x'.repeat(300))).rejects.toThrow('part 2 of 3: +CMS ERROR: 38 (the network is out of order)');
    await driver.sendSms('+49151', 'text');
    expect(sms).toHaveLength(2);
  });

  it('is refused by a modem without a network, and before it is sent when it is none', async () => {
    const { driver, sms } = connected();
    await driver.look();
    await expect(driver.sendSms('+49151', 'text')).rejects.toThrow('+CMS ERROR: 331 (there is no network)');
    await expect(driver.sendSms('call me', 'text')).rejects.toThrow(/is not a telephone number/);
    await expect(driver.sendSms('+49151', 'x'.repeat(460))).rejects.toThrow(/at most 459/);
    await expect(driver.sendSms('+49151', '\u001A')).rejects.toThrow(/none that control/);
    expect(sms).toEqual([]);
  });
});
