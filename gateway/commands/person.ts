import { UsageError } from '../errors.ts';
import type { ListedToken, MadeToken } from '../people/people.ts';
import { parseDuration, Minutes, type Millis } from '../quantity.ts';
import { administer } from './administer.ts';
import { counted, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { table } from './device-list.ts';
import { CONFIG_OPTIONS } from './settings.ts';

const LONGEST = Minutes(3660 * 24 * 60);

export const personCommand: Command = {
  name: 'person',
  summary: 'Gives people access to alarms and to what is known of patients, lists it and takes it away.',
  usage: ['person token <name> [--expires 90d] [--json]', 'person tokens [--json]', 'person revoke <name | id>'],
  details: 'A person is somebody in alarms.people of the configuration; "access" there says what they may do. The token is for the HTTP API\n' +
    '(Authorization: Bearer …) and for logging in on a page. It is shown once; only its hash is kept. Give every program its own.\n' +
    'Works with the running gateway, or on its data folder while none runs. Revoking ends it, and what was begun with it, at once.',
  options: {
    ...CONFIG_OPTIONS,
    expires: { type: 'string', value: 'DURATION', help: 'token: worth nothing after this time (default: when it is revoked)' },
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, who] = args.positionals;
    switch (action) {
      case 'token':
        return await show(args, environment, await makeToken(args, environment, named(who, 'whose token? Give a name of alarms.people')), tokenLines);
      case 'tokens':
        return await show(args, environment, await administer(args, environment, (api) => api.tokens()), tokenTable);
      case 'revoke':
        return await show(args, environment, await revoke(args, environment, named(who, 'whose tokens, or which one? Give a name or an id')), revokedLines);
      case undefined:
      default:
        throw new UsageError(`person ${action ?? ''}: expected token, tokens or revoke`);
    }
  },
};

async function makeToken(args: Arguments, environment: Environment, person: string): Promise<MadeToken> {
  const expiresAfter = periodOf(args);
  return await administer(args, environment, (api) => api.makeToken(person, expiresAfter));
}

async function revoke(args: Arguments, environment: Environment, nameOrId: string): Promise<readonly ListedToken[]> {
  return await administer(args, environment, (api) => api.revokeTokens(nameOrId));
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

async function show<T>(args: Arguments, { out }: Environment, answer: T, lines: (answer: T) => readonly string[]): Promise<number> {
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

function tokenTable(tokens: readonly ListedToken[]): readonly string[] {
  if (tokens.length === 0) return ['there is no token yet: "vitalgate person token <name>"'];
  const rows = tokens.map(({ id, person, access, made, expires, expired, sessions }) =>
    [id, person, access ?? 'none: not in the configuration', dateOf(made), `${dateOf(expires)}${expired ? ' (expired)' : ''}`, String(sessions)]);
  return table([['ID', 'PERSON', 'ACCESS', 'MADE (UTC)', 'EXPIRES (UTC)', 'BROWSERS'], ...rows]);
}

const revokedLines = (tokens: readonly ListedToken[]): readonly string[] =>
  tokens.map(({ id, person, sessions }) => `revoked ${id} of ${person}${sessions === 0 ? '' : `, and ${counted(sessions, 'session')} begun with it`}`);
