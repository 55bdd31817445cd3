import { readCredentials } from '../../firmware-sim/credentials.ts';
import { Counters } from '../../firmware-sim/counters.ts';
import { parseEpisodes } from '../../firmware-sim/episodes.ts';
import { FAMILY_OPTIONS, familyLines, familyRunOf } from '../../firmware-sim/family-options.ts';
import { runFamily } from '../../firmware-sim/family-run.ts';
import { MailSink } from '../../firmware-sim/mail-sink.ts';
import { runLoad } from '../../firmware-sim/load.ts';
import { MODEM_OPTIONS, modemRunOf, runModem } from '../../firmware-sim/modem/modem-run.ts';
import { Random } from '../../firmware-sim/random.ts';
import { runFleet } from '../../firmware-sim/run.ts';
import { UsageError } from '../errors.ts';
import { parseDuration } from '../quantity.ts';
import { numberOf, textOf, type Arguments, type Command, type Environment } from './command.ts';

export const simCommand: Command = {
  name: 'sim',
  summary: 'Simulates patients in their rooms: wearables and room sensors of every family, over real MQTT and serial lines.',
  usage: [
    'sim --credentials FILE [--broker URL] [--patients N] [--speed N] [--episodes LIST]',
    'sim --credentials FILE --load READINGS_PER_SECOND [--total N]',
    'sim --family NAME --device ID --password-file FILE [--broker URL] [--prefix TOPIC] [--every 1s] [--count N] [--faults LIST]',
    'sim --family NAME --serial PATH [--framing line|cobs] [--every 1s] [--count N] [--faults LIST]',
    'sim --modem MAKER --serial PATH [--story LIST] [--pin DIGITS] [--errors SHARE] [--sms-errors LIST]',
    'sim --mail PORT',
    'sim --families',
  ],
  details: 'The credentials file is JSON: {"<device id>": "<password>", …}, as "vitalgate device add --json" printed them.\n' +
    'The last line is JSON: what was sent and acknowledged, and with --family the values told and the faults that happened.',
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
    mail: { type: 'string', value: 'PORT', help: 'A mail server on this machine that carries nothing on and says what came; 0 takes a free port' },
    families: { type: 'boolean', help: 'List the device families and end' },
    ...FAMILY_OPTIONS,
    ...MODEM_OPTIONS,
  },
  run: async (args, environment) => {
    const { signal, out, err } = environment;
    if (args.values['families'] === true) {
      for (const line of familyLines()) out(line);
      return 0;
    }
    if (textOf(args, 'mail') !== undefined) return await simulateMail(args, environment);
    if (textOf(args, 'modem') !== undefined) return await simulateModem(args, environment);
    if (textOf(args, 'family') !== undefined) return await simulateDevice(args, environment);
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

/** One device of a family. */
async function simulateDevice(args: Arguments, { signal, out, err }: Environment): Promise<number> {
  const run = familyRunOf((word) => textOf(args, word));
  out(`vitalgate sim: ${run.who.device} speaks ${run.family.name} ${'path' in run.place ? `on ${run.place.path}` : `to ${run.place.brokerUrl}`}`);
  out(JSON.stringify(await runFamily({ ...run, signal, log: err })));
  return 0;
}

async function simulateModem(args: Arguments, { signal, out, err }: Environment): Promise<number> {
  const run = modemRunOf((word) => textOf(args, word));
  out(`vitalgate sim: a ${run.maker} modem on ${run.path}`);
  out(JSON.stringify(await runModem({ ...run, random: new Random(textOf(args, 'seed') ?? '1'), signal, log: err })));
  return 0;
}

async function simulateMail(args: Arguments, { signal, out, err }: Environment): Promise<number> {
  await using sink = await MailSink.open({ port: numberOf(args, 'mail', 0), onMail: ({ to, subject, text }) => err(`mail to ${to.join(', ')}: ${JSON.stringify(subject)} ${JSON.stringify(text)}`) });
  out(`vitalgate sim: a mail server on 127.0.0.1:${sink.port}`);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  out(JSON.stringify({ mails: sink.mails.length }));
  return 0;
}

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
