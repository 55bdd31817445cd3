import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Row } from '../backup.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import type { GatewayStores } from '../gateway.ts';
import { UsageError, VitalgateError, messageOf } from '../errors.ts';
import type { HospitalStores } from '../hospital.ts';
import type { Logger } from '../operations/log.ts';
import { parseDuration, UnixMillis, type Millis } from '../quantity.ts';

/** Engines that are filled from a backup. `close`: everything is durable then. */
export type Restoring = Readonly<{ put: (store: string, rows: readonly Row[]) => Promise<void>; close: () => Promise<void> }>;

/** What commands are given instead of reaching for it: the stores main.ts chose, the terminal, and the wish to end. */
export type Environment = Readonly<{
  openGatewayStores: (folder: string, bootId: Uint8Array) => Promise<GatewayStores>;
  /** `store`: where it is. Default: in the folder. */
  openBlocks: (folder: string, options: Readonly<{ readOnly: boolean }> & Partial<Pick<UpstreamConfig, 'store' | 'durability'>>) => Promise<HospitalStores>;
  /** Journal and blocks of a data folder whose gateway may run; nothing is written. */
  openForReading: (folder: string) => Promise<Pick<GatewayStores, 'journal' | 'blocks' | 'keyring' | 'close'>>;
  /** The engines of a data folder that a backup is unpacked into. */
  openRestoring: (folder: string) => Promise<Restoring>;
  /** Frames in the journal of a data folder whose gateway may run. */
  countJournal: (folder: string) => Promise<number>;
  /** Writes a line on standard output. */
  out: (line: string) => void;
  /** Writes a line on standard error. */
  err: (line: string) => void;
  /** Aborted on SIGINT and SIGTERM. */
  signal: AbortSignal;
  /** The node that runs main.ts, its flags and main.ts itself, to start commands as processes of their own. */
  self: Readonly<{ node: string; flags: readonly string[]; main: string }>;
}>;

type OptionDescription = Readonly<{ type: 'string' | 'boolean'; short?: string; value?: string; help: string }>;

export type Arguments = Readonly<{ values: Readonly<Record<string, string | boolean | undefined>>; positionals: readonly string[] }>;

export type Command = Readonly<{
  name: string;
  summary: string;
  /** The call without "vitalgate", for example "trace <device> [--last | --sequence N]". */
  usage: readonly string[];
  /** Further paragraphs of the help. */
  details?: string;
  options: Readonly<Record<string, OptionDescription>>;
  /** Returns the exit code. */
  run: (args: Arguments, environment: Environment) => Promise<number>;
}>;

/** Parses the words after the command's name. Throws {@link UsageError} for an unknown option. */
export function parseArguments(command: Command, words: readonly string[]): Arguments {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [name, { type, short }] of Object.entries(command.options)) options[name] = { type, ...(short === undefined ? {} : { short }) };
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
    return { values: values as Arguments['values'], positionals };
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
}

export function helpOf(command: Command): string {
  const options = [...Object.entries(command.options), ['help', { type: 'boolean', short: 'h', help: 'Show this help' }] as const];
  const rows = options.map(([name, option]): readonly [string, string] => {
    const short = 'short' in option && option.short !== undefined ? `-${option.short}, ` : '';
    const value = option.type === 'string' ? ` ${('value' in option ? option.value : undefined) ?? 'VALUE'}` : '';
    return [`${short}--${name}${value}`, option.help];
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    command.summary,
    '',
    ...command.usage.map((usage, i) => `${i === 0 ? 'Usage: ' : '       '}vitalgate ${usage}`),
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'Options:',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
  ].join('\n');
}

/** The text of an option, or undefined when it was not given. */
export function textOf(args: Arguments, name: string): string | undefined {
  const value = args.values[name];
  return typeof value === 'string' ? value : undefined;
}

/** "1 message", "2 messages". */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** A whole number from an option. Throws {@link UsageError}. */
export function numberOf(args: Arguments, name: string, fallback: number): number {
  const text = textOf(args, name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new UsageError(`--${name} takes a whole number, got "${text}"`);
  return value;
}

/** The words of an option that are separated by commas; none when it was not given. */
export const listOf = (args: Arguments, name: string): readonly string[] => (textOf(args, name) ?? '').split(',').filter((each) => each !== '');

/** From an option: ISO 8601; without an offset it is this machine's local time. Throws {@link UsageError}. */
export function instantOf<Name extends string>(args: Arguments, name: Name): Partial<Record<Name, UnixMillis>> {
  const text = textOf(args, name);
  if (text === undefined) return {};
  // A date alone would be one in UTC.
  const instant = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  if (Number.isNaN(instant) || !/^\d{4}-\d\d-\d\d/.test(text)) throw new UsageError(`--${name} takes a time such as 2026-11-23T14:00 or 2026-11-23T14:00:00Z, got "${text}"`);
  return { [name]: UnixMillis(instant) } as Record<Name, UnixMillis>;
}

/** A time from an option, such as 4h. Throws {@link UsageError}. */
export function timeOf(args: Arguments, name: string): Millis | undefined {
  const text = textOf(args, name);
  if (text === undefined) return undefined;
  try {
    return parseDuration(text);
  } catch (cause) {
    throw new UsageError(`--${name} takes a duration such as 30min, 4h or 7d, got "${text}"`, { cause });
  }
}

/** Exit code that asks the supervisor to start the program again (EX_TEMPFAIL of sysexits.h). */
export const START_AGAIN = 75;

/**
 * Resolves when a program that serves has to end: false when the user or the system asks for it, true when its store must
 * be opened anew.
 */
export async function untilStoppedOrLost(signal: AbortSignal, whatServes: Promise<Error>, log: Logger): Promise<boolean> {
  const lost = await Promise.race([untilAborted(signal), whatServes]);
  if (lost === undefined) log.info({}, 'stopping');
  else log.fatal({ ...(lost instanceof VitalgateError && { code: lost.code }), error: lost.message }, 'ALARM: ending, so that the supervisor starts this program again and opens the store anew');
  return lost !== undefined;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
