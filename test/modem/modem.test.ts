import { describe, expect, it } from 'vitest';
import type { SentSms } from '../../gateway/modem/sms.ts';
import { Modem, type ModemDriver, type ModemState, type Sight } from '../../gateway/modem/modem.ts';
import { ResetLadder } from '../../gateway/modem/reset-ladder.ts';
import { Millis, Minutes } from '../../gateway/quantity.ts';
import { LogBook } from '../upstream/hospital.ts';

const minute = (n: number): Millis => Minutes(n);

describe('the ladder of resets', () => {
  /** What is climbed in so many minutes without anything getting through, and when. */
  function climbed(minutes: number, ladder = new ResetLadder(minute(0))): [number, string][] {
    const found: [number, string][] = [];
    for (let at = 0; at <= minutes; at++) {
      const rung = ladder.next(minute(at));
      if (rung !== undefined) found.push([at, rung]);
    }
    return found;
  }

  it('is climbed from the mildest on, each rung once in an hour', () => {
    expect(climbed(80)).toEqual([[2, 'session'], [5, 'radio'], [15, 'restart'], [25, 'usb'], [62, 'session'], [65, 'radio'], [75, 'restart']]);
  });

  it('has one rung for a modem that does not answer, which is climbed sooner, and once in an hour', () => {
    const ladder = new ResetLadder(minute(0));
    const at = Array.from({ length: 70 }, (_, n) => n).filter((n) => ladder.nextOfSilent(minute(n)) === 'usb');
    expect(at).toEqual([4, 64]);
  });

  it('is not climbed while something gets through', () => {
    const ladder = new ResetLadder(minute(0));
    for (let at = 0; at < 600; at++) {
      ladder.worked(minute(at));
      expect(ladder.next(minute(at + 1))).toBeUndefined();
    }
  });
});

const sight = (state: ModemState, why: string): Sight => ({ state, why, model: 'M', operator: null, registration: null, technology: null, signal: {}, address: null, slices: null });

/** A modem that is as the test says. */
class ScriptedDriver implements ModemDriver {
  shown: Sight | Error;
  readonly climbed: string[] = [];
  readonly sent: string[] = [];
  closed = 0;
  looks = 0;
  constructor(shown: Sight | Error) {
    this.shown = shown;
  }
  look(): Promise<Sight> {
    this.looks += 1;
    return this.shown instanceof Error ? Promise.reject(this.shown) : Promise.resolve(this.shown);
  }
  climb(rung: string): Promise<void> {
    this.climbed.push(rung);
    return Promise.resolve();
  }
  sendSms(number: string, text: string): Promise<SentSms> {
    this.sent.push(`${number} ${text}`);
    return Promise.resolve({ parts: 1, references: [] });
  }
  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

describe('a modem that is followed', () => {
  const fast = { lookEvery: Millis(1), reopenAfter: Millis(1) };
  const until = async (holds: () => unknown): Promise<void> => await expect.poll(holds, { timeout: 5000, interval: 1 }).toBeTruthy();

  it('shows how it is, is opened again when it went silent, and looked at when it says that something changed', async () => {
    const drivers = [new ScriptedDriver(new Error('no answer')), new ScriptedDriver(sight('connected', 'data can go'))];
    const [first, second] = drivers as [ScriptedDriver, ScriptedDriver];
    const opened: ModemDriver[] = [];
    let ring = (): void => undefined;
    const log = new LogBook();
    const modem = new Modem({
      open: (onChange) => {
        ring = onChange;
        if (opened.length === 0) return Promise.resolve(opened[opened.push(first) - 1] as ModemDriver);
        return Promise.resolve(opened[opened.push(second) - 1] as ModemDriver);
      },
      isWorking: () => true,
      resetUsb: () => Promise.reject(new Error('not here')),
      now: () => Millis(0),
      log,
      lookEvery: Minutes(10),
      reopenAfter: Millis(1),
    });
    await until(() => modem.status.state === 'connected');
    expect([first.closed, opened.length]).toEqual([1, 2]);
    expect(log.lines.map(({ fields }) => [fields['state'], fields['why']])).toEqual([['silent', 'no answer'], ['connected', 'data can go']]);
    second.shown = sight('searching', 'it looks for a network');
    ring();
    await until(() => modem.status.state === 'searching');
    await modem.sendSms('123', 'hello');
    expect(second.sent).toEqual(['123 hello']);
    await modem.stop();
    expect(second.closed).toBeGreaterThan(0);
  });

  it('is reset when nothing got through for long, never while something does, and never for what a person has to mend', async () => {
    let [now, works, taken] = [0, true, 0];
    const driver = new ScriptedDriver(sight('searching', 'it looks for a network'));
    const resetUsb = (): Promise<void> => Promise.resolve(void (taken += 1));
    const modem = new Modem({ open: () => Promise.resolve(driver), isWorking: () => works, resetUsb, now: () => Millis(now), log: new LogBook(), ...fast });
    await until(() => driver.looks > 0);
    now = minute(20);
    const looks = driver.looks;
    await until(() => driver.looks > looks + 3);
    expect(driver.climbed).toEqual([]);
    works = false;
    now = minute(40);
    await until(() => driver.climbed.length > 0);
    expect(driver.climbed[0]).toBe('restart');
    await until(() => driver.climbed.length === 3);
    expect(modem.status.resets).toEqual({ session: 1, radio: 1, restart: 1, usb: 0 });
    now = minute(46);
    await until(() => taken === 1);

    driver.shown = sight('no_sim', 'there is no SIM in the modem');
    await until(() => modem.status.state === 'no_sim');
    now = minute(200);
    const then = driver.looks;
    await until(() => driver.looks > then + 3);
    expect(driver.climbed).toHaveLength(3);
    await modem.stop();
  });

  it('is taken off the bus and back when it has been silent for long and nothing gets through; what keeps it from that is told', async () => {
    let [now, works, taken] = [0, true, 0];
    const log = new LogBook();
    const driver = new ScriptedDriver(new Error('no answer to AT within 5 s'));
    const resetUsb = (): Promise<void> => {
      taken += 1;
      return Promise.reject(new Error('let the gateway write /sys/…/authorized'));
    };
    const modem = new Modem({ open: () => Promise.resolve(driver), isWorking: () => works, resetUsb, now: () => Millis(now), log, ...fast });
    await until(() => driver.looks > 3);
    now = minute(10);
    await until(() => driver.looks > 6);
    expect(taken).toBe(0);
    works = false;
    now = minute(20);
    await until(() => taken === 1);
    await until(() => log.lines.some(({ fields }) => fields['reason'] === 'let the gateway write /sys/…/authorized'));
    const then = driver.looks;
    await until(() => driver.looks > then + 3);
    expect([taken, driver.climbed, modem.status.resets.usb]).toEqual([1, [], 1]);
    await modem.stop();
  });

  it('says why there is none, and that nothing can be sent', async () => {
    const modem = new Modem({ open: () => Promise.reject(new Error('there is no modem at /dev/ttyUSB3')), isWorking: () => false, resetUsb: () => Promise.resolve(), now: () => Millis(0), log: new LogBook(), ...fast });
    await until(() => modem.status.why.includes('ttyUSB3'));
    expect(modem.status).toMatchObject({ state: 'absent', signal: {} });
    await expect(modem.sendSms('1', 'x')).rejects.toThrow('the modem cannot send: there is no modem at /dev/ttyUSB3');
    await modem.stop();
  });
});
