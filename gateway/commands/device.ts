import { UsageError } from '../errors.ts';
import type { AdministrationApi } from '../web/control.ts';
import { administer } from './administer.ts';
import { instantOf, type Arguments, type Command, type Environment } from './command.ts';
import { ADD_OPTIONS, ADD_USAGE, addDevice, revokeDevice } from './device-add.ts';
import { deviceTable, discoveryLines } from './device-list.ts';
import { deviceIn, subjectOf } from './device-words.ts';
import { CONFIG_OPTIONS } from './settings.ts';

export const deviceCommand: Command = {
  name: 'device',
  summary: 'Finds devices, registers them, binds them to a patient or a room, lists and revokes them.',
  usage: [ADD_USAGE, 'device bind <id> (--patient ID | --room ID) [--from TIME] [--until TIME]', 'device list [--json]', 'device discover [--json]', 'device revoke <id>'],
  details: 'Works with the running gateway, or on its data folder while none runs. Adding a device that exists gives it a new password or\n' +
    'certificate, and the old one ends; revoking takes it and the binding away. Either closes the connections of the device at once.\n' +
    'A device behind another\'s connection (a profile names it) has no password: bind it. What is seen and reaches nobody: discover.\n' +
    'What a device measured before or after its binding is never given to that patient. TIME: 2026-11-23T14:00, local time.',
  options: {
    ...CONFIG_OPTIONS,
    patient: { type: 'string', value: 'ID', help: 'The patient the device measures' },
    room: { type: 'string', value: 'ID', help: 'The room the device measures' },
    from: { type: 'string', value: 'TIME', help: 'bind: since when (default: from now)' },
    until: { type: 'string', value: 'TIME', help: 'bind: until when (default: until something else is decided)' },
    ...ADD_OPTIONS,
    json: { type: 'boolean', help: 'Print JSON' },
  },
  run: async (args, environment) => {
    const [action, id] = args.positionals;
    switch (action) {
      case 'add':
        return await addDevice(args, environment, deviceIn(id));
      case 'bind':
        await administer(args, environment, (api) => api.bindDevice(deviceIn(id), subjectOf(args), { ...instantOf(args, 'from'), ...instantOf(args, 'until') }));
        return 0;
      case 'list':
        return await show(args, environment, (api) => api.devices(), (devices) => deviceTable(devices, Date.now()));
      case 'discover':
        return await show(args, environment, (api) => api.discover(), discoveryLines);
      case 'revoke':
        return await revokeDevice(args, environment, deviceIn(id));
      case undefined:
      default:
        throw new UsageError(`device ${action ?? ''}: expected add, bind, discover, list or revoke`);
    }
  },
};

async function show<T>(args: Arguments, environment: Environment, ask: (api: AdministrationApi) => Promise<T>, lines: (answer: T) => readonly string[]): Promise<number> {
  const answer = await administer(args, environment, ask);
  for (const line of args.values['json'] === true ? [JSON.stringify(answer)] : lines(answer)) environment.out(line);
  return 0;
}
