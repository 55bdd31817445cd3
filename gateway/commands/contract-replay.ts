import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packsNamed } from '../activation.ts';
import { ConfigError, UsageError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import { tryPacks, verifyByReplay, type Comparison, type RaisedAlarm, type ReplayOptions, type ReplaySources, type Verification } from '../replay.ts';
import { counted, textOf, type Arguments, type Environment } from './command.ts';
import { JOURNAL_FOLDER } from './chain-source.ts';
import { gatewayConfig } from './settings.ts';

export const REPLAY_OPTIONS = {
  from: { type: 'string', value: 'TIME', help: 'replay: only what happened from then on, such as 2026-11-16 or 2026-11-16T08:00 (local time), or with Z' },
  to: { type: 'string', value: 'TIME', help: 'replay: only what happened before' },
  with: { type: 'string', value: 'PACK,PACK…', help: 'replay: what these packs would have raised instead' },
} as const;

/** Exit code 1: the chain says something else than the frames give. */
export async function replay(args: Arguments, environment: Environment): Promise<number> {
  const { data } = gatewayConfig(args);
  const packs = textOf(args, 'with');
  const contracts = packs === undefined ? undefined : packsNamed(packs.split(','));
  const options = { from: instantOf(args, 'from') ?? UnixMillis(0), to: instantOf(args, 'to') ?? UnixMillis(Infinity), onProgress: progressOn(environment), signal: environment.signal };
  if (!existsSync(join(data, JOURNAL_FOLDER))) throw new ConfigError(`${data} holds no journal; name the data folder with --data or --config`);
  const stores = await environment.openForReading(data);
  try {
    const sources = { ...stores, keys: stores.keyring.all(), random: (size: number): Uint8Array => randomBytes(size) };
    return contracts === undefined ? await verify(sources, options, environment) : await compare(await tryPacks(sources, contracts, options), environment);
  } finally {
    await stores.close();
  }
}

function instantOf(args: Arguments, name: 'from' | 'to'): UnixMillis | undefined {
  const text = textOf(args, name);
  if (text === undefined) return undefined;
  // Without a time of day the language reads UTC; people mean their own midnight.
  const instant = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  if (Number.isNaN(instant)) throw new UsageError(`--${name} takes a time such as 2026-11-16 or 2026-11-16T08:00, got "${text}"`);
  return UnixMillis(instant);
}

const PROGRESS_EVERY = 1000;

function progressOn({ err }: Environment): ReplayOptions['onProgress'] {
  let last = performance.now();
  return (frame, of) => {
    const now = performance.now();
    if (now - last < PROGRESS_EVERY) return;
    last = now;
    err(`${Math.floor((100 * frame) / of)} % of ${counted(of, 'frame')} …`);
  };
}

async function verify(sources: ReplaySources, options: ReplayOptions, { out }: Environment): Promise<number> {
  const verification = await verifyByReplay(sources, options);
  for (const line of linesOf(verification)) out(line);
  return verification.differences.length === 0 ? 0 : 1;
}

function linesOf({ frames, entries, differences, further }: Verification): string[] {
  const what = `${counted(frames, 'frame')} derived again, ${entries} ${entries === 1 ? 'entry' : 'entries'} compared`;
  if (differences.length === 0) return [`${what}: the chain says what the frames give`];
  return [
    `${what}: the chain says something else`,
    ...differences.map(({ entry, kind, time, what: how }) => `  entry ${entry} (${kind}, ${new Date(time).toISOString()}): ${how}`),
    ...(further === 0 ? [] : [`  and ${further} more`]),
  ];
}

async function compare({ frames, before, after }: Comparison, { out }: Environment): Promise<number> {
  const rules = [...new Set([...before, ...after].map(({ rule }) => ruleOf(rule)))].toSorted();
  const width = Math.max(4, ...rules.map((rule) => rule.length));
  out(`${counted(frames, 'frame')} derived again`);
  out(`${'rule'.padEnd(width)}  as it was  with these packs`);
  const countOf = (alarms: readonly RaisedAlarm[], rule: string): string => String(alarms.filter((each) => ruleOf(each.rule) === rule).length);
  for (const rule of rules) out(`${rule.padEnd(width)}  ${countOf(before, rule).padStart(9)}  ${countOf(after, rule).padStart(16)}`);
  for (const [title, alarms] of [['only as it was', without(before, after)], ['only with these packs', without(after, before)]] as const) {
    if (alarms.length > 0) out(`\n${title}:`);
    for (const { time, subject, rule, priority, message } of alarms) out(`  ${new Date(time).toISOString()}  ${subject}  ${rule}  ${priority}  ${message}`);
  }
  return 0;
}

/** Of rules of packs the rule, of conditions of a device what is wrong with it. */
const ruleOf = (rule: string): string => rule.split(' ')[0] ?? rule;

const nameOf = ({ time, subject, rule }: RaisedAlarm): string => `${time} ${subject} ${rule}`;

function without(alarms: readonly RaisedAlarm[], others: readonly RaisedAlarm[]): readonly RaisedAlarm[] {
  const known = new Set(others.map(nameOf));
  return alarms.filter((alarm) => !known.has(nameOf(alarm)));
}
