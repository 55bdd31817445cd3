/** A simulated modem on a serial port or pseudo-terminal, and what happens to it in the course of time. */

import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../../gateway/errors.ts';
import { formatDuration, type Millis, parseDuration, Seconds } from '../../gateway/quantity.ts';
import { makePseudoTerminal, type SerialEnd } from '../pseudo-terminal.ts';
import type { Random } from '../random.ts';
import { readSubmit, textOf, type ShortMessage } from './short-message.ts';
import { COVERAGES, type Coverage, MAKERS, type Maker, SimulatedModem } from './simulated-modem.ts';

const HAPPENINGS = [...COVERAGES, 'wedge', 'wake', 'restart'] as const;
type Happening = (typeof HAPPENINGS)[number];
export type Story = readonly Readonly<{ at: Millis; what: Happening }>[];

export type ModemRunOptions = Readonly<{
  path: string;
  maker: Maker;
  /** PIN of the SIM; `null`: no SIM. */
  pin?: string | null;
  apns?: readonly string[];
  slices?: readonly string[];
  errors?: number;
  smsErrors?: readonly number[];
  story: Story;
  random: Random;
  signal: AbortSignal;
  log: (line: string) => void;
}>;

export type ModemCounts = Readonly<{ commands: number; sms: readonly string[]; restarts: number }>;

export const MODEM_OPTIONS = {
  modem: { type: 'string', value: 'MAKER', help: `A cellular modem on --serial: ${MAKERS.join(', ')}` },
  story: { type: 'string', value: 'LIST', help: `What happens to the modem: ${HAPPENINGS.join(', ')}, for example 0s:lte,30s:none,40s:5g-sa (default 1s:5g-sa)` },
  pin: { type: 'string', value: 'DIGITS', help: 'PIN that its SIM wants; "no-sim": it has none' },
  apns: { type: 'string', value: 'LIST', help: 'Access points that the network knows (default: all)' },
  slices: { type: 'string', value: 'LIST', help: 'Slices that the network allows, for example 01.010101' },
  errors: { type: 'string', value: 'SHARE', help: 'Share of commands that the modem answers with an error' },
  'sms-errors': { type: 'string', value: 'LIST', help: 'Errors (+CMS ERROR) of the first short messages, for example 42,0,331; 0 is none' },
} as const;

type Word = keyof typeof MODEM_OPTIONS | 'serial';

/** Throws {@link UsageError} that says what is missing or cannot be. */
export function modemRunOf(word: (name: Word) => string | undefined): Omit<ModemRunOptions, 'random' | 'signal' | 'log'> {
  const [maker, path, pin, errors, smsErrors] = [word('modem'), word('serial'), word('pin'), word('errors'), word('sms-errors')];
  if (path === undefined) throw new UsageError('where is the modem? Give --serial PATH, or --serial pty:PATH for a pseudo-terminal of its own');
  const share = Number(errors ?? 0);
  if (!(share >= 0 && share <= 1)) throw new UsageError(`--errors ${errors}: expected a number from 0 to 1`);
  return {
    path,
    maker: oneOf(MAKERS, maker ?? '', '--modem'),
    story: parseStory(word('story') ?? '1s:5g-sa'),
    errors: share,
    ...(pin !== undefined && { pin: pin === 'no-sim' ? null : pin }),
    ...(smsErrors !== undefined && { smsErrors: smsErrors.split(',').map(errorOf) }),
    ...listOf('apns', word('apns')),
    ...listOf('slices', word('slices')),
  };
}

function errorOf(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new UsageError(`--sms-errors: expected numbers of +CMS ERROR, got "${text}"`);
  return Number(text);
}

const listOf = (name: string, text: string | undefined): Record<string, readonly string[]> => (text === undefined ? {} : { [name]: text.split(',') });

/** `0s:lte,30s:none`. */
function parseStory(text: string): Story {
  const story = text.split(',').map((each) => {
    const [at = '', what = ''] = each.split(':');
    return { at: parseDuration(at), what: oneOf(HAPPENINGS, what, `--story ${each}`) };
  });
  return story.toSorted((one, other) => one.at - other.at);
}

function oneOf<T extends string>(all: readonly T[], text: string, where: string): T {
  const found = all.find((each) => each === text);
  if (found === undefined) throw new UsageError(`${where}: expected one of ${all.join(', ')}`);
  return found;
}

const PSEUDO_TERMINAL = 'pty:';

async function openEnd(path: string): Promise<SerialEnd> {
  if (path.startsWith(PSEUDO_TERMINAL)) return await makePseudoTerminal(path.slice(PSEUDO_TERMINAL.length));
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path, baudRate: 115_200, autoOpen: false });
  await new Promise<void>((resolve, reject) => port.open((error) => (error === null ? resolve() : reject(error))));
  // The gateway may close its end first.
  port.on('error', () => undefined);
  return {
    write: (bytes) => void port.write(Buffer.from(bytes)),
    onData: (take) => void port.on('data', take),
    close: () => new Promise<void>((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve())),
  };
}

/** Resolves when the signal is aborted. Rejects when the port cannot be opened. */
export async function runModem({ path, story, signal, log, ...traits }: ModemRunOptions): Promise<ModemCounts> {
  const end = await openEnd(path);
  const sms: string[] = [];
  const parts = new Map<string, ShortMessage[]>();
  let [commands, restarts] = [0, 0];
  const modem = new SimulatedModem(traits, {
    send: end.write,
    onSms: (pdu) => {
      sms.push(pdu);
      log(`sms ${pdu}`);
      tellWhole(readSubmit(pdu), parts, log);
    },
    onRestart: () => void (restarts += 1),
  });
  end.onData((bytes) => {
    commands += bytes.toString('latin1').split('\r').length - 1;
    modem.receive(bytes);
  });
  const walking = setInterval(() => modem.walk(), Seconds(1));
  await live(modem, story, signal, log);
  clearInterval(walking);
  await end.close();
  return { commands, sms, restarts };
}

/** What the telephone at the other end shows, when the last part is there. */
function tellWhole(message: ShortMessage, waiting: Map<string, ShortMessage[]>, log: (line: string) => void): void {
  const key = `${message.to} ${message.reference}`;
  const parts = [...(waiting.get(key) ?? []), message].sort((one, other) => one.part - other.part);
  if (parts.length < message.parts) return void waiting.set(key, parts);
  waiting.delete(key);
  log(`message to ${message.to}: ${JSON.stringify(textOf(parts))}`);
}

async function live(modem: SimulatedModem, story: Story, signal: AbortSignal, log: (line: string) => void): Promise<void> {
  let now = 0;
  for (const { at, what } of story) {
    await delay(at - now, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    now = at;
    log(`${formatDuration(at)}: ${what}`);
    happen(modem, what);
  }
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function happen(modem: SimulatedModem, what: Happening): void {
  if (what === 'wedge' || what === 'wake' || what === 'restart') modem[what]();
  else modem.move(what satisfies Coverage);
}
