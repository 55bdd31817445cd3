import { UsageError } from '../errors.ts';
import { nameOf } from '../reading.ts';
import { administer } from './administer.ts';
import type { Arguments, Command, Environment } from './command.ts';
import { ADD_OPTIONS, ADD_USAGE, addDevice, revokeDevice } from './device-add.ts';
import { deviceIn, subjectOf } from './device-words.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const deviceCommand: Command = {
  name: 'device',
  summary: 'Registers devices, binds them to a patient or a room, lists and revokes them.',
  usage: [ADD_USAGE, 'device bind <id> (--patient ID | --room ID)', 'device list [--json]', 'device revoke <id>'],
  details: 'Works with the running gateway, or on its data folder while none runs. Adding a device that exists gives it a new password or\n' +
    'certificate, and the old one ends; revoking takes it and the binding away. Either closes the connections of the device at once.\n' +
    'A device behind another\'s connection (a profile names it) has no password: bind it.',
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'The patient the device measures' },
    room: { type: 'string', value: 'ID', help: 'The room the device measures' },
    ...ADD_OPTIONS,
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, id] = args.positionals;
    switch (action) {
      case 'add':
        return await addDevice(args, environment, deviceIn(id));
      case 'bind':
        await administer(args, environment, (api) => api.bindDevice(deviceIn(id), subjectOf(args)));
        return 0;
      case 'list':
        return await list(args, environment);
      case 'revoke':
        return await revokeDevice(args, environment, deviceIn(id));
      case undefined:
      default:
        throw new UsageError(`device ${action ?? ''}: expected add, bind, list or revoke`);
    }
  },
};

async function list(args: Arguments, environment: Environment): Promise<number> {
  const devices = await administer(args, environment, (api) => api.devices());
  if (args.values['json'] === true) environment.out(JSON.stringify(devices));
  else for (const { device, subject } of devices) environment.out(`${device.padEnd(32)} ${subject === null ? '(not bound)' : nameOf(subject)}`);
  return 0;
}
