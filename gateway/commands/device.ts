import { readFileSync } from 'node:fs';
import { UsageError, messageOf } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import { isDeviceId, isSubjectId, nameOf, type DeviceId, type Subject } from '../reading.ts';
import { administer } from './administer.ts';
import { deviceTable, strangers } from './device-list.ts';
import { textOf, type Arguments, type Command, type Environment } from './command.ts';
import type { AdministrationApi } from '../web/control.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const deviceCommand: Command = {
  name: 'device',
  summary: 'Registers devices, binds them to a patient or a room, lists and removes them.',
  usage: ['device add <id> (--patient ID | --room ID) [--password-file FILE] [--json]', 'device bind <id> (--patient ID | --room ID) [--from TIME] [--until TIME]', 'device list [--json]', 'device discover [--json]', 'device remove <id>'],
  details: 'Works with the running gateway, or on its data folder while none runs. Adding a device that exists gives it a new password.\n' +
    'A device behind another\'s connection (a profile names it) has no password: bind it. What is seen and reaches nobody: discover.\n' +
    'What a device measured before or after its binding is never given to that patient. TIME: 2026-11-23T14:00, local time.',
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'The patient the device measures' },
    room: { type: 'string', value: 'ID', help: 'The room the device measures' },
    from: { type: 'string', value: 'TIME', help: 'bind: since when (default: from now)' },
    until: { type: 'string', value: 'TIME', help: 'bind: until when (default: until something else is decided)' },
    'password-file': { type: 'string', value: 'FILE', help: 'First line is the password (default: a strong one is made and printed)' },
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, id] = args.positionals;
    switch (action) {
      case 'add':
        return await add(args, environment, deviceIn(id), subjectOf(args));
      case 'bind':
        await administer(args, environment, (api) => api.bindDevice(deviceIn(id), subjectOf(args), { ...instantOf(args, 'from'), ...instantOf(args, 'until') }));
        return 0;
      case 'list':
        return await show(args, environment, (api) => api.devices(), (devices) => deviceTable(devices, Date.now()));
      case 'discover':
        return await show(args, environment, (api) => api.discover(), strangers);
      case 'remove':
        await administer(args, environment, (api) => api.removeDevice(deviceIn(id)));
        return 0;
      case undefined:
      default:
        throw new UsageError(`device ${action ?? ''}: expected add, bind, discover, list or remove`);
    }
  },
};

export function deviceIn(text: string | undefined): DeviceId {
  if (text === undefined) throw new UsageError('which device? Give its id');
  if (!isDeviceId(text)) throw new UsageError(`"${text}" is no device id: 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot`);
  return text;
}

function subjectOf(args: Arguments): Subject {
  const patient = textOf(args, 'patient');
  const room = textOf(args, 'room');
  if ((patient === undefined) === (room === undefined)) throw new UsageError('whom does it measure? Give exactly one of --patient and --room');
  const subject: Subject = patient === undefined ? { kind: 'room', id: room ?? '' } : { kind: 'patient', id: patient };
  if (!isSubjectId(subject.id)) throw new UsageError(`"${subject.id}" is no ${subject.kind} id: 1 to 64 characters without "/"`);
  return subject;
}

async function add(args: Arguments, environment: Environment, device: DeviceId, subject: Subject): Promise<number> {
  const added = await administer(args, environment, (api) => api.addDevice(device, subject, passwordIn(textOf(args, 'password-file'))));
  if (args.values['json'] === true) environment.out(JSON.stringify(added));
  else {
    environment.out(`device    ${added.device}`);
    environment.out(`password  ${added.password}   (shown once)`);
    environment.out(`topic     ${added.topic}`);
    environment.out(`subject   ${nameOf(subject)}`);
  }
  return 0;
}

function passwordIn(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const [password = ''] = readFileSync(path, 'utf8').split(/\r?\n/);
    if (password.length >= 12) return password;
  } catch (cause) {
    throw new UsageError(`cannot read the password file: ${messageOf(cause)}`, { cause });
  }
  throw new UsageError(`the password in ${path} is shorter than 12 characters`);
}

async function show<T>(args: Arguments, environment: Environment, ask: (api: AdministrationApi) => Promise<T>, lines: (answer: T) => readonly string[]): Promise<number> {
  const answer = await administer(args, environment, ask);
  for (const line of args.values['json'] === true ? [JSON.stringify(answer)] : lines(answer)) environment.out(line);
  return 0;
}

/** ISO 8601; without an offset it is this machine's local time. */
function instantOf<Name extends 'from' | 'until'>(args: Arguments, name: Name): Partial<Record<Name, UnixMillis>> {
  const text = textOf(args, name);
  if (text === undefined) return {};
  // A date alone would be one in UTC.
  const instant = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  if (Number.isNaN(instant) || !/^\d{4}-\d\d-\d\d/.test(text)) throw new UsageError(`--${name} takes a time such as 2026-11-23T14:00 or 2026-11-23T14:00:00Z, got "${text}"`);
  return { [name]: UnixMillis(instant) } as Record<Name, UnixMillis>;
}
