import { readCredentials } from '../../firmware-sim/credentials.ts';
import { Counters } from '../../firmware-sim/counters.ts';
import { parseEpisodes } from '../../firmware-sim/episodes.ts';
import { runLoad } from '../../firmware-sim/load.ts';
import { runFleet } from '../../firmware-sim/run.ts';
import { UsageError } from '../errors.ts';
import { parseDuration } from '../quantity.ts';
import { numberOf, textOf, type Arguments, type Command } from './command.ts';

export const simCommand: Command = {
  name: 'sim',
  summary: 'Simulates patients in their rooms: wearables and room sensors that publish over real MQTT.',
  usage: ['sim --credentials FILE [--broker URL] [--patients N] [--speed N] [--episodes LIST]', 'sim --credentials FILE --load READINGS_PER_SECOND [--total N]'],
  details: 'The credentials file is JSON: {"<device id>": "<password>", …}, as "vitalgate device add --json" printed them.',
  options: {
    credentials: { type: 'string', value: 'FILE', help: 'Device ids and passwords' },
    broker: { type: 'string', value: 'URL', help: 'Where to publish (default mqtt://127.0.0.1:1883)' },
    patients: { type: 'string', value: 'N', help: 'How many patients (default 3)' },
    seed: { type: 'string', value: 'TEXT', help: 'The same seed repeats the run (default 1)' },
    speed: { type: 'string', value: 'N', help: 'Simulated seconds per second (default 1)' },
    'time-of-day': { type: 'string', value: 'DURATION', help: 'Simulated local time at the start, from midnight, for example 2h (default: now)' },
    episodes: { type: 'string', value: 'LIST', help: 'Certain to happen, for example anna:desaturation@30s' },
    counters: { type: 'string', value: 'FILE', help: 'Where message counters survive a restart' },
    load: { type: 'string', value: 'N', help: 'Readings per second from all devices together, instead of patients' },
    total: { type: 'string', value: 'N', help: 'With --load: end after this many' },
  },
  run: async (args, { signal, out, err }) => {
    const credentials = textOf(args, 'credentials');
    if (credentials === undefined) throw new UsageError('which devices? Give --credentials FILE');
    const common = {
      brokerUrl: textOf(args, 'broker') ?? 'mqtt://127.0.0.1:1883',
      credentials: readCredentials(credentials),
      seed: textOf(args, 'seed') ?? '1',
      signal,
      log: err,
      ...optional('counters', textOf(args, 'counters'), (path) => new Counters(path)),
    };
    out(`vitalgate sim: ${common.credentials.size} devices publish to ${common.brokerUrl}`);
    const counts = await (textOf(args, 'load') === undefined ? runFleet({ ...common, ...fleetOptions(args) }) : runLoad({ ...common, ...loadOptions(args) }));
    out(JSON.stringify(counts));
    return 0;
  },
};

function fleetOptions(args: Arguments): Omit<Parameters<typeof runFleet>[0], 'brokerUrl' | 'credentials' | 'seed' | 'signal'> {
  return {
    patients: numberOf(args, 'patients', 3),
    speed: numberOf(args, 'speed', 1),
    ...optional('timeOfDay', textOf(args, 'time-of-day'), parseDuration),
    ...optional('episodes', textOf(args, 'episodes'), parseEpisodes),
  };
}

function loadOptions(args: Arguments): Readonly<{ readingsPerSecond: number; total?: number }> {
  const readingsPerSecond = numberOf(args, 'load', 0);
  return args.values['total'] === undefined ? { readingsPerSecond } : { readingsPerSecond, total: numberOf(args, 'total', 0) };
}

/** `{[name]: parse(text)}`, or nothing when the option was not given. */
function optional<Name extends string, T>(name: Name, text: string | undefined, parse: (text: string) => T): Partial<Record<Name, T>> {
  return text === undefined ? {} : ({ [name]: parse(text) } as Record<Name, T>);
}
