/** A modem on an AT port (3GPP TS 27.007, 27.005), with what Quectel's and SIMCom's say beyond that. */

import { setTimeout as delayed } from 'node:timers/promises';
import { type Millis, Minutes, Seconds } from '../quantity.ts';
import { AtChannel, type AtPort } from './at-channel.ts';
import { AtError, CME } from './at-final.ts';
import { fieldsOf, numberIn } from './fields.ts';
import type { ModemDriver, ModemState, Sight } from './modem.ts';
import { bestOf, isRegistered, readOperator, readRegistration, type Registered } from './registration.ts';
import type { Rung } from './reset-ladder.ts';
import { readCesq, readCpsi, readCsq, readQeng, type Signal } from './signal.ts';
import { pdusOf, type SentSms } from './sms.ts';

export type AtModemOptions = Readonly<{
  /** Access point (4G) or data network (5G) name. Default: what the modem has. */
  apn?: string;
  /** PDP context, 1 to 15. Default 1. */
  context?: number;
  /** S-NSSAI, `SST` or `SST.SD` in hexadecimal (3GPP TS 23.003 §28.4). Where it is refused, the modem does without. */
  slice?: string;
  /** PIN of the SIM, if it has one. */
  pin?: string;
}>;

type Maker = 'quectel' | 'simcom' | 'other';

const CONTEXT_TYPE = 'IPV4V6';
/** Positions in `AT+CGDCONT` (3GPP TS 27.007 §10.1.1), counted from 0. */
const APN_AT = 2;
const SLICE_AT = 17;
const PIN_TRIES = 3;
const BUSY_TRIES = 3;
const BUSY_PAUSE = Seconds(0.5);
const TIMEOUTS = { activate: Seconds(150), radio: Seconds(20), restart: Seconds(10), sms: Minutes(2), operator: Seconds(10) } satisfies Record<string, Millis>;

/** The PIN was tried once and refused; not again as long as the process lives, since the third time locks the SIM. */
const refusedPins = new Set<string>();

export class AtDriver implements ModemDriver {
  readonly #port: AtPort;
  readonly #channel: AtChannel;
  readonly #options: AtModemOptions;
  readonly #unsupported = new Set<string>();
  #maker: Maker = 'other';
  #model: string | null = null;
  #isSetUp = false;
  #isContextSet = false;
  #slice: string | undefined;

  constructor(port: AtPort, options: AtModemOptions, onChange: () => void) {
    this.#port = port;
    this.#options = options;
    this.#slice = options.slice;
    this.#channel = new AtChannel(port, (line) => {
      // It has started again by itself, and knows nothing of what it was told.
      if (line === 'RDY' || line === '*ATREADY: 1') this.#isSetUp = this.#isContextSet = false;
      if (readRegistration(line) !== undefined || /^(RDY|\+CPIN:|\+CGEV:|\*ATREADY)/.test(line)) onChange();
    });
  }

  /** What the modem sent. */
  received(bytes: Uint8Array): void {
    this.#channel.received(bytes);
  }

  /** The line is gone. */
  lost(why: string): void {
    this.#channel.lost(why);
  }

  async look(): Promise<Sight> {
    if (!this.#isSetUp) await this.#setUp();
    const sim = await this.#sim();
    if (sim !== undefined) return { ...sim, model: this.#model, operator: null, registration: null, technology: null, signal: {}, address: null, slices: null };
    if (!this.#isContextSet) await this.#setContext();
    const registered = await this.#registration();
    const { operator = null, technology } = (await this.#maybe('AT+COPS?', TIMEOUTS.operator)).map(readOperator).find((each) => each !== undefined) ?? {};
    const signal = await this.#signal();
    const seen = { model: this.#model, operator, registration: registered.registration, signal, slices: registered.slices ?? null, technology: signal.technology ?? registered.technology ?? technology ?? null };
    if (!isRegistered(registered)) return { ...seen, ...(await this.#notRegistered(registered)), address: null };
    return { ...seen, ...(await this.#session()) };
  }

  async climb(rung: Exclude<Rung, 'usb'>): Promise<void> {
    const { context = 1 } = this.#options;
    switch (rung) {
      case 'session':
        await this.#try(`AT+CGACT=0,${context}`, TIMEOUTS.activate);
        return;
      case 'radio':
        await this.#try('AT+CFUN=4', TIMEOUTS.radio);
        await this.#try('AT+CFUN=1', TIMEOUTS.radio);
        return;
      case 'restart':
        this.#isSetUp = this.#isContextSet = false;
        await this.#try('AT+CFUN=1,1', TIMEOUTS.restart);
    }
  }

  async sendSms(number: string, text: string): Promise<SentSms> {
    const pdus = pdusOf(number, text);
    const references: number[] = [];
    await this.#channel.ask('AT+CMGF=0');
    for (const [at, { hex, octets }] of pdus.entries()) {
      try {
        const [line = ''] = await this.#channel.ask(`AT+CMGS=${octets}`, { text: hex, timeout: TIMEOUTS.sms });
        const reference = numberIn(fieldsOf(line)[0]);
        if (reference !== undefined) references.push(reference);
      } catch (thrown) {
        if (pdus.length === 1 || !(thrown instanceof AtError)) throw thrown;
        throw new AtError(`part ${at + 1} of ${pdus.length}: ${thrown.message}`, thrown.number);
      }
    }
    return { parts: pdus.length, references };
  }

  async close(): Promise<void> {
    this.#channel.lost('the line to the modem was closed');
    await this.#port.close();
  }

  async #setUp(): Promise<void> {
    this.#unsupported.clear();
    await this.#try('ATE0');
    await this.#try('AT+CMEE=1');
    const [maker = ''] = await this.#maybe('AT+CGMI', undefined, []);
    const [model = ''] = await this.#maybe('AT+CGMM', undefined, []);
    this.#model = [maker, model].filter((each) => each !== '').join(' ') || null;
    this.#maker = /quectel/i.test(maker) ? 'quectel' : /simcom/i.test(maker) ? 'simcom' : 'other';
    const [power] = await this.#maybe('AT+CFUN?');
    if (power !== undefined && numberIn(fieldsOf(power)[0]) !== 1) await this.#try('AT+CFUN=1', TIMEOUTS.radio);
    for (const each of ['AT+CEREG=2', 'AT+C5GREG=2']) await this.#try(each);
    this.#isSetUp = true;
  }

  /** Why the SIM cannot be used, or undefined. */
  async #sim(): Promise<Readonly<{ state: ModemState; why: string }> | undefined> {
    try {
      const [line = ''] = await this.#channel.ask('AT+CPIN?');
      const [state = ''] = fieldsOf(line);
      if (state === 'READY') return undefined;
      if (state === 'SIM PIN') return await this.#enterPin();
      if (state.startsWith('SIM PUK')) return { state: 'puk_needed', why: 'the SIM is locked: unlock it with its PUK in a telephone' };
      return { state: 'starting', why: `the SIM says ${state}` };
    } catch (thrown) {
      if (!(thrown instanceof AtError)) throw thrown;
      if (thrown.number === CME.simNotInserted) return { state: 'no_sim', why: 'there is no SIM in the modem' };
      // Modems say so for some seconds after their start, too.
      return { state: 'starting', why: `the SIM is not ready: ${thrown.message}` };
    }
  }

  async #enterPin(): Promise<Readonly<{ state: ModemState; why: string }>> {
    const { pin } = this.#options;
    if (pin === undefined) return { state: 'pin_needed', why: 'the SIM wants its PIN: name it in the configuration, or switch it off in a telephone' };
    const left = await this.#pinTries();
    if (refusedPins.has(pin) || (left !== undefined && left < PIN_TRIES)) return { state: 'pin_needed', why: `the SIM refused a PIN${left === undefined ? '' : `, ${left} tries are left`}: enter the right one in a telephone, so that it is not locked` };
    try {
      await this.#channel.ask(`AT+CPIN="${pin}"`);
      return { state: 'starting', why: 'the SIM has taken its PIN' };
    } catch (thrown) {
      if (!(thrown instanceof AtError)) throw thrown;
      refusedPins.add(pin);
      return { state: 'pin_needed', why: `the SIM refused its PIN: ${thrown.message}` };
    }
  }

  /** 3GPP TS 27.007 §8.65; undefined where the modem does not tell. */
  async #pinTries(): Promise<number | undefined> {
    const lines = await this.#maybe('AT+CPINR="SIM PIN"');
    return lines.map(fieldsOf).filter(([code]) => code === 'SIM PIN').map(([, left]) => numberIn(left))[0];
  }

  async #setContext(): Promise<void> {
    const { apn, context = 1 } = this.#options;
    if (apn !== undefined || this.#slice !== undefined) {
      const known = (await this.#maybe('AT+CGDCONT?')).map(fieldsOf).find(([id]) => numberIn(id) === context);
      // Firmware that knows fewer fields gives the slice elsewhere.
      const isThere = known !== undefined && (apn === undefined || known[APN_AT]?.toLowerCase() === apn.toLowerCase()) && (this.#slice === undefined || known.slice(APN_AT + 1).includes(this.#slice));
      if (!isThere) await this.#defineContext(apn ?? known?.[APN_AT] ?? '', context);
    }
    this.#isContextSet = true;
  }

  async #defineContext(apn: string, context: number): Promise<void> {
    const fields = [String(context), `"${CONTEXT_TYPE}"`, `"${apn}"`];
    if (this.#slice !== undefined) {
      while (fields.length < SLICE_AT) fields.push('');
      if (await this.#try(`AT+CGDCONT=${[...fields, `"${this.#slice}"`].join(',')}`)) return;
      this.#slice = undefined;
    }
    await this.#channel.ask(`AT+CGDCONT=${fields.slice(0, APN_AT + 1).join(',')}`);
  }

  async #registration(): Promise<Registered> {
    const lines: string[] = [];
    for (const each of ['AT+C5GREG?', 'AT+CEREG?']) lines.push(...(await this.#maybe(each)));
    const found = bestOf(lines.flatMap((line) => readRegistration(line) ?? []));
    if (isRegistered(found)) return found;
    const older = (await this.#maybe('AT+CGREG?')).flatMap((line) => readRegistration(line) ?? []);
    return bestOf([found, ...older]);
  }

  async #notRegistered({ registration }: Registered): Promise<Readonly<{ state: ModemState; why: string }>> {
    if (registration !== 'denied') return { state: 'searching', why: registration === 'emergency' ? 'the network lets it call for help only' : 'it looks for a network' };
    if (this.#slice === undefined) return { state: 'denied', why: 'the network does not admit this SIM' };
    const { apn, context = 1 } = this.#options;
    const refused = this.#slice;
    this.#slice = undefined;
    await this.#defineContext(apn ?? '', context);
    return { state: 'denied', why: `the network does not admit it with slice ${refused}: trying without` };
  }

  async #session(): Promise<Readonly<{ state: ModemState; why: string; address: string | null }>> {
    const { context = 1 } = this.#options;
    if (!(await this.#isActive(context))) {
      try {
        await this.#channel.ask(`AT+CGACT=1,${context}`, { timeout: TIMEOUTS.activate });
      } catch (thrown) {
        if (!(thrown instanceof AtError)) throw thrown;
        return { state: 'registered', why: `the network gives no data session: ${thrown.message}`, address: null };
      }
    }
    const address = await this.#address(context);
    if (address === null) return { state: 'registered', why: 'the data session has no address yet', address };
    return { state: 'connected', why: 'data can go', address };
  }

  async #isActive(context: number): Promise<boolean> {
    return (await this.#maybe('AT+CGACT?')).map(fieldsOf).some(([id, active]) => numberIn(id) === context && active === '1');
  }

  async #address(context: number): Promise<string | null> {
    const line = (await this.#maybe(`AT+CGPADDR=${context}`)).find((each) => numberIn(fieldsOf(each)[0]) === context);
    const [, address = ''] = line === undefined ? [] : fieldsOf(line);
    return address === '' || /^0(\.0)+$/.test(address) ? null : address;
  }

  async #signal(): Promise<Signal> {
    const own = await this.#ownSignal();
    if (own?.rsrp !== undefined) return own;
    const standard = (await this.#maybe('AT+CESQ')).map(readCesq).find((each) => each !== undefined);
    if (standard?.rsrp !== undefined) return { ...standard, ...(own?.technology && { technology: own.technology }) };
    return (await this.#maybe('AT+CSQ')).map(readCsq).find((each) => each !== undefined) ?? {};
  }

  async #ownSignal(): Promise<Signal | undefined> {
    switch (this.#maker) {
      case 'quectel': return readQeng(await this.#maybe('AT+QENG="servingcell"'));
      case 'simcom': return readCpsi(await this.#maybe('AT+CPSI?'));
      case 'other': return undefined;
    }
  }

  /** Whether the modem did it. Rejects when it does not answer at all. */
  async #try(command: string, timeout?: Millis): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#channel.ask(command, { ...(timeout !== undefined && { timeout }) });
        return true;
      } catch (thrown) {
        if (!(thrown instanceof AtError)) throw thrown;
        if (thrown.number !== CME.simBusy || attempt === BUSY_TRIES) return false;
        await delayed(BUSY_PAUSE);
      }
    }
  }

  /** The answer; nothing where the modem does not know the command, which it is not asked again. Rejects when it does not answer at all. */
  async #maybe(command: string, timeout?: Millis, answers?: readonly string[]): Promise<readonly string[]> {
    if (this.#unsupported.has(command)) return [];
    try {
      return await this.#channel.ask(command, { ...(timeout !== undefined && { timeout }), ...(answers && { answers }) });
    } catch (thrown) {
      if (!(thrown instanceof AtError)) throw thrown;
      if (thrown.number === undefined || thrown.number === CME.notSupported) this.#unsupported.add(command);
      return [];
    }
  }
}
