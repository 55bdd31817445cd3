import { readFileSync } from 'node:fs';
import { UsageError, messageOf } from '../errors.ts';
import { isDeviceId, isSubjectId, nameOf, type DeviceId, type Subject } from '../reading.ts';
import { administer } from './administer.ts';
import { textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const deviceCommand: Command = {
  name: 'device',
  summary: 'Registers devices, binds them to a patient or a room, lists and removes them.',
  usage: ['device add <id> (--patient ID | --room ID) [--password-file FILE] [--json]', 'device bind <id> (--patient ID | --room ID)', 'device list [--json]', 'device remove <id>'],
  details: 'Works with the running gateway, or on its data folder while none runs. Adding a device that exists gives it a new password.\n' +
    'A device behind another\'s connection (a profile names it) has no password: bind it.',
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'The patient the device measures' },
    room: { type: 'string', value: 'ID', help: 'The room the device measures' },
    'password-file': { type: 'string', value: 'FILE', help: 'First line is the password (default: a strong one is made and printed)' },
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, id] = args.positionals;
    switch (action) {
      case 'add':
        return await add(args, environment, deviceIn(id), subjectOf(args));
      case 'bind':
        await administer(args, environment, (api) => api.bindDevice(deviceIn(id), subjectOf(args)));
        return 0;
      case 'list':
        return await list(args, environment);
      case 'remove':
        await administer(args, environment, (api) => api.removeDevice(deviceIn(id)));
        return 0;
      case undefined:
      default:
        throw new UsageError(`device ${action ?? ''}: expected add, bind, list or remove`);
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

async function list(args: Arguments, environment: Environment): Promise<number> {
  const devices = await administer(args, environment, (api) => api.devices());
  if (args.values['json'] === true) environment.out(JSON.stringify(devices));
  else for (const { device, subject } of devices) environment.out(`${device.padEnd(32)} ${subject === null ? '(not bound)' : nameOf(subject)}`);
  return 0;
}
