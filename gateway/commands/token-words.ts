import { UsageError } from '../errors.ts';
import type { ListedToken, MadeToken } from '../people/people.ts';
import { parseDuration, Minutes, type Millis } from '../quantity.ts';
import type { TokenApi } from '../web/control-tokens.ts';
import { counted, textOf, type Arguments, type Environment } from './command.ts';
import { table } from './device-list.ts';

const LONGEST = Minutes(3660 * 24 * 60);

export const TOKEN_ACTIONS = ['token', 'tokens', 'revoke'] as const;
export type TokenAction = (typeof TOKEN_ACTIONS)[number];

export const TOKEN_OPTIONS = {
  expires: { type: 'string', value: 'DURATION', help: 'token: worth nothing after this time (default: when it is revoked)' },
  json: { type: 'boolean', help: 'Print JSON' },
} as const;

/** Where tokens are asked for: of the program that runs, or in its folder. */
export type AskTokens = <T>(work: (api: TokenApi) => Promise<T>) => Promise<T>;

/** Where people are in the configuration, and the command that makes them tokens. */
export type TokenWords = Readonly<{ section: string; command: string }>;

/** Makes, lists or ends tokens, and prints what came of it. */
export async function doTokenAction(action: TokenAction, who: string | undefined, args: Arguments, environment: Environment, ask: AskTokens, { section, command }: TokenWords): Promise<number> {
  switch (action) {
    case 'token': {
      const person = named(who, `whose token? Give a name of ${section}`);
      const expiresAfter = periodOf(args);
      return show(args, environment, await ask((api) => api.makeToken(person, expiresAfter)), tokenLines);
    }
    case 'tokens':
      return show(args, environment, await ask((api) => api.tokens()), (tokens) => tokenTable(tokens, command));
    case 'revoke': {
      const nameOrId = named(who, 'whose tokens, or which one? Give a name or an id');
      return show(args, environment, await ask((api) => api.revokeTokens(nameOrId)), revokedLines);
    }
  }
}

function named(text: string | undefined, question: string): string {
  if (text === undefined) throw new UsageError(question);
  return text;
}

function periodOf(args: Arguments): Millis | undefined {
  const text = textOf(args, 'expires');
  if (text === undefined) return undefined;
  const period = parseDuration(text);
  if (period < 1 || period > LONGEST) throw new UsageError(`--expires takes a duration up to ten years such as 90d, got "${text}"`);
  return period;
}

function show<T>(args: Arguments, { out }: Environment, answer: T, lines: (answer: T) => readonly string[]): number {
  for (const line of args.values['json'] === true ? [JSON.stringify(answer)] : lines(answer)) out(line);
  return 0;
}

const dateOf = (instant: number | null): string => (instant === null ? 'never' : new Date(instant).toISOString().slice(0, 16).replace('T', ' '));

const tokenLines = ({ id, person, access, secret, expires }: MadeToken): readonly string[] => [
  `person    ${person} (${access})`,
  `token     ${secret}   (shown once)`,
  `id        ${id}`,
  `expires   ${dateOf(expires)}${expires === null ? '' : ' UTC'}`,
];

function tokenTable(tokens: readonly ListedToken[], command: string): readonly string[] {
  if (tokens.length === 0) return [`there is no token yet: "${command} token <name>"`];
  const rows = tokens.map(({ id, person, access, made, expires, expired, sessions }) =>
    [id, person, access ?? 'none: not in the configuration', dateOf(made), `${dateOf(expires)}${expired ? ' (expired)' : ''}`, String(sessions)]);
  return table([['ID', 'PERSON', 'ACCESS', 'MADE (UTC)', 'EXPIRES (UTC)', 'BROWSERS'], ...rows]);
}

const revokedLines = (tokens: readonly ListedToken[]): readonly string[] =>
  tokens.map(({ id, person, sessions }) => `revoked ${id} of ${person}${sessions === 0 ? '' : `, and ${counted(sessions, 'session')} begun with it`}`);
