/**
 * A cellular modem with its AT commands (3GPP TS 27.007, 27.005), as a Quectel, a SIMCom or one that knows no more than the standard. What
 * happens around it, coverage and troubles, is told from outside; it answers, and says by itself what a modem says by itself.
 */

import type { Random } from '../random.ts';

export const COVERAGES = ['none', 'lte', '5g-nsa', '5g-sa'] as const;
export type Coverage = (typeof COVERAGES)[number];
export const MAKERS = ['quectel', 'simcom', 'other'] as const;
export type Maker = (typeof MAKERS)[number];

export type ModemTraits = Readonly<{
  maker: Maker;
  /** PIN that its SIM wants; undefined: none. `null`: there is no SIM. */
  pin?: string | null;
  /** Access point names that the network knows. Default: all. */
  apns?: readonly string[];
  /** S-NSSAI that the network allows. Default: none. */
  slices?: readonly string[];
  /** Share of commands that are answered with an error of the modem's own, 0 to 1. */
  errors?: number;
  /** What the network answers short messages with, one after the other: an error (3GPP TS 27.005 §3.2.5), or 0 for a good end; then all end well. Default: none. */
  smsErrors?: readonly number[];
  random: Random;
}>;

export type ModemEvents = Readonly<{
  /** Bytes for the line, in the portions in which they are read. */
  send: (bytes: Uint8Array) => void;
  /** A message left, as PDU. */
  onSms: (pdu: string) => void;
  /** Started again. */
  onRestart: () => void;
}>;

const NAMES: Readonly<Record<Maker, readonly [string, string]>> = { quectel: ['Quectel', 'RM520N-GL'], simcom: ['SIMCOM INCORPORATED', 'SIM8262E-M2'], other: ['Generic', 'NR7-EU'] };
const PIN_TRIES = 3;
/** `<AcT>` of 3GPP TS 27.007 §7.3. */
const ACT: Readonly<Record<Exclude<Coverage, 'none'>, number>> = { lte: 7, '5g-nsa': 13, '5g-sa': 11 };
const CELL = { tac: '1A2D', id: '100072000', pci: 538, operator: 'Testnet' } as const;
const ADDRESS = '10.201.80.91';
const LONGEST_COMMAND = 2048;

type Context = { type: string; apn: string; slice: string | undefined; isActive: boolean };
type Said = readonly string[];
/** How a command ends. `wait`: at the prompt. */
type Outcome = Readonly<{ lines?: Said; error?: number | 'plain'; wait?: number }>;

export class SimulatedModem {
  readonly #traits: ModemTraits;
  readonly #events: ModemEvents;
  readonly #random: Random;
  #coverage: Coverage = 'none';
  #echo = true;
  #numericErrors = false;
  #radio = 1;
  #pinTries = PIN_TRIES;
  #isUnlocked: boolean;
  #isWedged = false;
  #urcs = { eps: 0, fiveG: 0 };
  #contexts = new Map<number, Context>();
  #typed = '';
  #awaitsText: number | undefined;
  #rsrp = -90;
  #smsOffered = 0;
  #smsReference = 16;

  constructor(traits: ModemTraits, events: ModemEvents) {
    this.#traits = traits;
    this.#events = events;
    this.#random = traits.random;
    this.#isUnlocked = traits.pin === undefined;
  }

  /** What it was told: whole commands, or parts of them. */
  receive(bytes: Uint8Array): void {
    if (this.#isWedged) return;
    for (const char of Buffer.from(bytes).toString('latin1')) this.#type(char);
  }

  get isConnected(): boolean {
    return this.#isRegistered && [...this.#contexts.values()].some(({ isActive }) => isActive);
  }

  /** Another coverage: handed over, found or lost. */
  move(coverage: Coverage): void {
    if (coverage === this.#coverage) return;
    const wasRegistered = this.#isRegistered;
    this.#coverage = coverage;
    if (coverage === 'none') for (const context of this.#contexts.values()) context.isActive = false;
    this.#tellRegistration();
    if (wasRegistered && coverage === 'none') this.#say(['+CGEV: NW DETACH']);
  }

  /** Answers nothing more, until {@link wake}. */
  wedge(): void {
    this.#isWedged = true;
    this.#typed = '';
  }

  wake(): void {
    this.#isWedged = false;
  }

  /** Somebody pressed its reset, or its power was away for a moment. */
  restart(): void {
    this.#isWedged = false;
    this.#echo = true;
    this.#numericErrors = false;
    this.#radio = 1;
    this.#urcs = { eps: 0, fiveG: 0 };
    this.#isUnlocked = this.#traits.pin === undefined;
    this.#typed = '';
    this.#awaitsText = undefined;
    for (const context of this.#contexts.values()) context.isActive = false;
    this.#events.onRestart();
    // What a boot loader says at another speed.
    this.#emit(Buffer.from('\0\0\xfe~', 'latin1'));
    this.#say(['RDY']);
  }

  /** The signal of a second later. */
  walk(): void {
    this.#rsrp = Math.round(Math.min(-60, Math.max(-125, this.#rsrp + this.#random.gaussian() * 2)));
  }

  get #isRegistered(): boolean {
    return this.#coverage !== 'none' && this.#radio === 1 && this.#isUnlocked;
  }

  #type(char: string): void {
    if (this.#awaitsText !== undefined) return this.#typeText(char);
    if (char === '\n' || char === '\u001B') return;
    if (char !== '\r') {
      this.#typed = (this.#typed + char).slice(-LONGEST_COMMAND);
      return;
    }
    const command = this.#typed.replace(/^.*?(?=AT)/i, '');
    this.#typed = '';
    if (this.#echo) this.#emit(Buffer.from(`${command}\r`, 'latin1'));
    if (/^AT/i.test(command)) this.#obey(command.slice(2));
  }

  #typeText(char: string): void {
    if (char === '\u001B') {
      this.#awaitsText = undefined;
      return this.#say(['OK']);
    }
    if (char !== '\u001A') {
      this.#typed += char;
      return;
    }
    const [pdu, octets] = [this.#typed.trim(), this.#awaitsText];
    this.#typed = '';
    this.#awaitsText = undefined;
    this.#emit(Buffer.from(`${pdu}\u001A`, 'latin1'));
    if (!/^([0-9A-F]{2})+$/.test(pdu) || pdu.length / 2 - 1 !== octets) return this.#say(['+CMS ERROR: 304']);
    if (!this.#isRegistered) return this.#say(['+CMS ERROR: 331']);
    const error = this.#traits.smsErrors?.[this.#smsOffered++] ?? 0;
    if (error > 0) return this.#say([`+CMS ERROR: ${error}`]);
    this.#events.onSms(pdu);
    this.#smsReference = (this.#smsReference + 1) % 256;
    this.#say([`+CMGS: ${this.#smsReference}`, 'OK']);
  }

  #obey(command: string): void {
    // Something that nobody asked for may come at any moment.
    if (this.#random.chance(0.1)) this.#say([`+QIND: "csq",${Math.max(0, Math.min(31, Math.round((this.#rsrp + 113) / 2)))},99`]);
    const { lines = [], error, wait } = this.#random.chance(this.#traits.errors ?? 0) ? { error: 14 } : this.#answer(command);
    if (wait !== undefined) {
      this.#awaitsText = wait;
      return this.#emit(Buffer.from('\r\n> ', 'latin1'));
    }
    if (error === undefined) return this.#say([...lines, 'OK']);
    this.#say([error === 'plain' || !this.#numericErrors ? 'ERROR' : `+CME ERROR: ${error}`]);
  }

  #answer(command: string): Outcome {
    const [, name = '', rest = ''] = /^([+$^]?[A-Z0-9]*)(.*)$/i.exec(command) ?? [];
    const [maker, model] = NAMES[this.#traits.maker];
    switch (name.toUpperCase()) {
      case '': return {};
      case 'E0': case 'E1': this.#echo = name.endsWith('1'); return {};
      case 'I': return { lines: [maker, model, 'Revision: SIM-1'] };
      case '+CMEE': this.#numericErrors = rest === '=1'; return {};
      case '+CGMI': return { lines: [maker] };
      case '+CGMM': return { lines: [model] };
      case '+CFUN': return this.#power(rest);
      case '+CPIN': return this.#pin(rest);
      case '+CPINR': return typeof this.#traits.pin !== 'string' ? { error: 10 } : { lines: [`+CPINR: SIM PIN,${this.#pinTries},${PIN_TRIES}`] };
      default: return this.#isUnlocked ? this.#ofNetwork(name.toUpperCase(), rest) : { error: 11 };
    }
  }

  #ofNetwork(name: string, rest: string): Outcome {
    const { maker } = this.#traits;
    switch (name) {
      case '+CEREG': case '+CGREG': case '+C5GREG': return this.#registration(name, rest);
      case '+COPS': return { lines: [this.#isRegistered ? `+COPS: 0,0,"${CELL.operator}",${this.#act}` : '+COPS: 0'] };
      case '+CSQ': return { lines: ['+CSQ: 99,99'] };
      case '+CESQ': return { lines: [this.#cesq()] };
      case '+QENG': return maker === 'quectel' ? { lines: this.#qeng() } : { error: 'plain' };
      case '+CPSI': return maker === 'simcom' ? { lines: this.#cpsi() } : { error: 'plain' };
      case '+CGDCONT': return this.#context(rest);
      case '+CGACT': return this.#activation(rest);
      case '+CGPADDR': return { lines: [...this.#contexts].filter(([id]) => rest === '' || rest === `=${id}`).map(([id, { isActive }]) => `+CGPADDR: ${id}${isActive ? `,"${ADDRESS}"` : ',0.0.0.0'}`) };
      case '+CMGF': return rest === '=0' ? {} : { error: 4 };
      case '+CMGS': return /^=\d+$/.test(rest) ? { wait: Number(rest.slice(1)) } : { error: 4 };
      default: return { error: 'plain' };
    }
  }

  #power(rest: string): Outcome {
    if (rest === '?') return { lines: [`+CFUN: ${this.#radio}`] };
    const [, mode, restart] = /^=([014])(,1)?$/.exec(rest) ?? [];
    if (mode === undefined) return { error: 4 };
    if (restart !== undefined) {
      queueMicrotask(() => this.restart());
      return {};
    }
    const before = this.#isRegistered;
    this.#radio = Number(mode);
    if (this.#radio !== 1) for (const context of this.#contexts.values()) context.isActive = false;
    if (before !== this.#isRegistered) queueMicrotask(() => this.#tellRegistration());
    return {};
  }

  #pin(rest: string): Outcome {
    const { pin } = this.#traits;
    if (pin === null) return { error: 10 };
    if (rest === '?') return { lines: [`+CPIN: ${this.#isUnlocked ? 'READY' : this.#pinTries > 0 ? 'SIM PIN' : 'SIM PUK'}`] };
    if (this.#isUnlocked || this.#pinTries === 0) return { error: 3 };
    if (rest !== `="${pin}"`) {
      this.#pinTries -= 1;
      return { error: 16 };
    }
    [this.#pinTries, this.#isUnlocked] = [PIN_TRIES, true];
    queueMicrotask(() => this.#say(['+CPIN: READY', '+QUSIM: 1']));
    return {};
  }

  get #act(): number {
    return this.#coverage === 'none' ? 0 : ACT[this.#coverage];
  }

  #registration(name: string, rest: string): Outcome {
    const set = /^=([0-2])$/.exec(rest)?.[1];
    const key = name === '+C5GREG' ? 'fiveG' : 'eps';
    if (set !== undefined) {
      if (name !== '+CGREG') this.#urcs[key] = Number(set);
      return {};
    }
    if (rest !== '?') return { error: 4 };
    return { lines: [`${name}: ${this.#urcs[key]},${this.#place(name)}`] };
  }

  /** State and place as one of the networks sees them: a modem on standalone 5G is not in the other ones. */
  #place(name: string): string {
    const isHere = this.#isRegistered && (this.#coverage === '5g-sa') === (name === '+C5GREG');
    if (!isHere) return this.#isRegistered || this.#radio !== 1 ? '0' : '2';
    const { slices = [] } = this.#traits;
    return `1,"${CELL.tac}","${CELL.id}",${this.#act}${name === '+C5GREG' && slices.length > 0 ? `,${slices.length},"${slices.join(':')}"` : ''}`;
  }

  #tellRegistration(): void {
    if (this.#urcs.eps > 0) this.#say([`+CEREG: ${this.#place('+CEREG')}`]);
    if (this.#urcs.fiveG > 0) this.#say([`+C5GREG: ${this.#place('+C5GREG')}`]);
  }

  #cesq(): string {
    if (!this.#isRegistered) return '+CESQ: 99,99,255,255,255,255,255,255,255';
    if (this.#coverage === 'lte') return `+CESQ: 99,99,255,255,20,${this.#rsrp + 141},255,255,255`;
    return `+CESQ: 99,99,255,255,255,255,65,${this.#rsrp + 157},77`;
  }

  #qeng(): Said {
    if (!this.#isRegistered) return ['+QENG: "servingcell","SEARCH"'];
    const lte = `"LTE","FDD",262,01,1A2D001,${CELL.pci},1575,3,5,5,${CELL.tac},${this.#rsrp},-10,-60,16,12,150,-`;
    switch (this.#coverage) {
      case '5g-sa': return [`+QENG: "servingcell","NOCONN","NR5G-SA","TDD", 262,01,${CELL.id},${CELL.pci},${CELL.tac},620640,78,12,${this.#rsrp},-11,15,1,-`];
      case '5g-nsa': return ['+QENG: "servingcell","CONNECT"', `+QENG: ${lte}`, `+QENG:"NR5G-NSA",262,01,500,${this.#rsrp},180,-11,620640,78,12,1`];
      default: return [`+QENG: "servingcell","CONNECT",${lte}`];
    }
  }

  #cpsi(): Said {
    if (!this.#isRegistered) return ['+CPSI: NO SERVICE,Online'];
    const lte = `+CPSI: LTE,Online,262-01,0x${CELL.tac},27447297,${CELL.pci},EUTRAN-BAND3,1575,5,5,-110,${this.#rsrp * 10},-600,15`;
    switch (this.#coverage) {
      case '5g-sa': return [`+CPSI: NR5G_SA,Online,262-01,0x${CELL.tac},4295761920,${CELL.pci},NR5G_BAND78,620640,${this.#rsrp * 10},-110,150`];
      case '5g-nsa': return [lte, `+CPSI: NR5G_NSA,500,NR5G_BAND78,620640,${this.#rsrp * 10},-110,180`];
      default: return [lte];
    }
  }

  #context(rest: string): Outcome {
    if (rest === '?') return { lines: [...this.#contexts].map(([id, { type, apn, slice }]) => `+CGDCONT: ${id},"${type}","${apn}","0.0.0.0",0,0,0,0,,,,,,,,,${slice === undefined ? '' : `"${slice}"`}`) };
    const [id = '', type = '', apn = '', ...more] = rest.slice(1).split(',').map((each) => each.replaceAll('"', ''));
    const slice = more[14] ?? '';
    if (slice !== '' && !(this.#traits.slices ?? []).includes(slice)) return { error: 4 };
    this.#contexts.set(Number(id), { type, apn, slice: slice === '' ? undefined : slice, isActive: false });
    return {};
  }

  #activation(rest: string): Outcome {
    if (rest === '?') return { lines: [...this.#contexts].map(([id, { isActive }]) => `+CGACT: ${id},${isActive ? 1 : 0}`) };
    const [, wanted, id] = /^=([01]),(\d+)$/.exec(rest) ?? [];
    // A modem has contexts of its own before anybody defines one.
    const context = this.#contexts.get(Number(id)) ?? { type: 'IPV4V6', apn: '', slice: undefined, isActive: false };
    if (wanted === '1' && !this.#isRegistered) return { error: 30 };
    if (wanted === '1' && this.#traits.apns?.includes(context.apn) === false) return { error: 133 };
    context.isActive = wanted === '1';
    this.#contexts.set(Number(id), context);
    return {};
  }

  #say(lines: Said): void {
    this.#emit(Buffer.from(lines.map((line) => `\r\n${line}\r\n`).join(''), 'latin1'));
  }

  /** In portions: reads of a serial line end anywhere. */
  #emit(bytes: Buffer): void {
    if (this.#isWedged) return;
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(this.#random.between(0, 40));
      this.#events.send(bytes.subarray(at, at + size));
      at += size;
    }
  }
}
