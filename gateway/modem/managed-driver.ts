/** A modem that ModemManager has: asked and told with `mmcli`, whose `-J` gives every scalar as a string and `--` for what is not there. */

import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { AtError } from './at-final.ts';
import type { AtModemOptions } from './at-driver.ts';
import type { ModemDriver, ModemState, Sight } from './modem.ts';
import type { Registration, Technology } from './registration.ts';
import type { Rung } from './reset-ladder.ts';
import type { Signal } from './signal.ts';
import { refuseStrange, type SentSms } from './sms.ts';

/** Runs `mmcli` with these words and resolves with what it printed. Rejects with what it said is wrong, and with code ENOENT where there is none. */
export type Mmcli = (...words: readonly string[]) => Promise<string>;

export type ManagedModem = Readonly<{ /** Its path on the bus. */ path: string; ports: readonly string[] }>;

const SIGNAL_EVERY_S = 30;

const list = z.object({ 'modem-list': z.array(z.string()) });
const scalar = z.string().transform((text) => (text === '--' || text === '' ? undefined : text)).optional();
const described = z.object({
  modem: z.object({
    generic: z.object({
      state: scalar,
      'state-failed-reason': scalar,
      'unlock-required': scalar,
      manufacturer: scalar,
      model: scalar,
      ports: z.array(z.string()).catch([]),
      'access-technologies': z.array(z.string()).catch([]),
    }),
    '3gpp': z.object({ 'registration-state': scalar, 'operator-name': scalar, 'operator-code': scalar }).partial().optional(),
  }),
});
const levels = z.object({ rsrp: scalar, rsrq: scalar, snr: scalar }).partial().optional();
const signalled = z.object({ modem: z.object({ signal: z.object({ lte: levels, '5g': levels }).partial() }) });

/** What mmcli 1.20 says where there is no ModemManager, or no bus it could be on. */
const NOBODY = /couldn't (find the ModemManager process|get bus)/;

/**
 * None where there is no ModemManager, or it is not running. Rejects when it is there and does not say what it has: a port that may be its own must
 * not be opened.
 */
export async function managedModems(mmcli: Mmcli): Promise<readonly ManagedModem[]> {
  try {
    const { 'modem-list': paths } = list.parse(JSON.parse(await mmcli('-L', '-J')));
    return await Promise.all(paths.map(async (path) => {
      const { modem } = described.parse(JSON.parse(await mmcli('-m', path, '-J')));
      // "ttyUSB3 (at)"
      return { path, ports: modem.generic.ports.map((port) => port.split(' ', 1)[0] ?? '') };
    }));
  } catch (cause) {
    const isNobody = (cause as NodeJS.ErrnoException).code === 'ENOENT' || NOBODY.test(messageOf(cause));
    if (isNobody) return [];
    throw new Error(`ModemManager does not say which modems it has: ${messageOf(cause).trim()}`, { cause });
  }
}

export class ManagedDriver implements ModemDriver {
  readonly #mmcli: Mmcli;
  readonly #modem: ManagedModem;
  readonly #options: AtModemOptions;
  #isSignalSetUp = false;

  constructor(mmcli: Mmcli, modem: ManagedModem, options: AtModemOptions) {
    this.#mmcli = mmcli;
    this.#modem = modem;
    this.#options = options;
  }

  async look(): Promise<Sight> {
    const { modem } = described.parse(JSON.parse(await this.#ask('-J')));
    const { generic, '3gpp': network } = modem;
    const seen = {
      model: [generic.manufacturer, generic.model].filter(Boolean).join(' ') || null,
      operator: network?.['operator-name'] ?? network?.['operator-code'] ?? null,
      registration: registrationOf(network?.['registration-state']),
      technology: technologyOf(generic['access-technologies']),
      signal: await this.#signal(),
      address: null,
      slices: null,
    };
    return { ...seen, ...(await this.#further(generic.state, generic['state-failed-reason'], generic['unlock-required'])) };
  }

  async climb(rung: Exclude<Rung, 'usb'>): Promise<void> {
    switch (rung) {
      case 'session': return void (await this.#ask('--simple-disconnect'));
      case 'radio':
        await this.#ask('--disable');
        return void (await this.#ask('--enable'));
      case 'restart': return void (await this.#ask('--reset'));
    }
  }

  /** ModemManager cuts a long text into parts itself, and says of none how the network counts it. */
  async sendSms(number: string, text: string): Promise<SentSms> {
    refuseStrange(number, text);
    try {
      const said = await this.#ask(`--messaging-create-sms=number='${number}',text='${text.replaceAll("'", ' ')}'`);
      const path = /\/org\/freedesktop\/ModemManager1\/SMS\/\d+/.exec(said)?.[0];
      if (path === undefined) throw new AtError(`ModemManager made no message: ${said.trim()}`);
      await this.#mmcli('-s', path, '--send');
    } catch (thrown) {
      // Whoever runs a program is told with what words, and the number and the text are among them.
      const { stderr = '' } = thrown as Readonly<{ stderr?: string }>;
      throw thrown instanceof AtError ? thrown : new AtError(`ModemManager does not send it: ${stderr.trim().split('\n').at(-1) || 'it does not say why'}`);
    }
    return { parts: 1, references: [] };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #further(state: string | undefined, failed: string | undefined, lock: string | undefined): Promise<Readonly<{ state: ModemState; why: string }>> {
    switch (state) {
      case 'connected': return { state: 'connected', why: 'data can go' };
      case 'registered': return await this.#connect();
      case 'locked': return await this.#unlock(lock);
      case 'failed': return failed === 'sim-missing' ? { state: 'no_sim', why: 'there is no SIM in the modem' } : { state: 'starting', why: `ModemManager says ${failed ?? 'failed'}` };
      case 'disabled':
        await this.#ask('--enable');
        return { state: 'starting', why: 'it was switched off' };
      case 'searching': case 'enabled': return { state: 'searching', why: 'it looks for a network' };
      default: return { state: 'starting', why: `ModemManager says ${state ?? 'nothing'}` };
    }
  }

  async #connect(): Promise<Readonly<{ state: ModemState; why: string }>> {
    const { apn } = this.#options;
    try {
      await this.#ask(`--simple-connect=${apn === undefined ? 'ip-type=ipv4v6' : `apn=${apn},ip-type=ipv4v6`}`);
      return { state: 'connected', why: 'data can go' };
    } catch (thrown) {
      return { state: 'registered', why: `the network gives no data session: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
    }
  }

  /** ModemManager enters no PIN by itself, and forgets none: whoever gave it the SIM does. */
  #unlock(lock: string | undefined): Promise<Readonly<{ state: ModemState; why: string }>> {
    const isPuk = lock?.includes('puk') === true;
    return Promise.resolve({
      state: isPuk ? 'puk_needed' : 'pin_needed',
      why: isPuk ? 'the SIM is locked: unlock it with its PUK in a telephone' : `the SIM wants its PIN, which ModemManager must be given: mmcli -m ${this.#modem.path} --pin=…`,
    });
  }

  async #signal(): Promise<Signal> {
    try {
      if (!this.#isSignalSetUp) await this.#ask(`--signal-setup=${SIGNAL_EVERY_S}`);
      this.#isSignalSetUp = true;
      const { signal } = signalled.parse(JSON.parse(await this.#ask('--signal-get', '-J'))).modem;
      const of = [signal['5g'], signal.lte].find((each) => each?.rsrp !== undefined);
      const entries = Object.entries({ rsrp: of?.rsrp, rsrq: of?.rsrq, sinr: of?.snr }).filter(([, text]) => text !== undefined && Number.isFinite(Number(text)));
      return Object.fromEntries(entries.map(([name, text]) => [name, Number(text)]));
    } catch {
      // Not every modem tells.
      return {};
    }
  }

  #ask(...words: readonly string[]): Promise<string> {
    return this.#mmcli('-m', this.#modem.path, ...words);
  }
}

function registrationOf(state: string | undefined): Registration | null {
  switch (state) {
    case 'home': case 'roaming': case 'searching': case 'denied': case 'idle': case 'unknown': return state;
    case 'emergency-only': return 'emergency';
    case 'home-sms-only': case 'roaming-sms-only': return 'sms_only';
    default: return null;
  }
}

function technologyOf(all: readonly string[]): Technology | null {
  if (all.includes('5gnr')) return all.includes('lte') ? '5G NSA' : '5G SA';
  if (all.includes('lte')) return 'LTE';
  if (all.some((each) => /umts|hspa|hsdpa|hsupa/.test(each))) return '3G';
  return all.some((each) => /gsm|gprs|edge/.test(each)) ? '2G' : null;
}
