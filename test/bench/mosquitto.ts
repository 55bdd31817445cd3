import { accessSync, chmodSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { anonymousDevices, type Broker } from './broker.ts';
import { accepts, Child, freePort } from './child.ts';

/** Debian puts it where only root's PATH looks. */
function findMosquitto(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'mosquitto')).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Mosquitto with its persistence file on and everything else as it comes. Undefined when it is not installed. */
export async function startMosquitto(folder: string, devices: number, signal: AbortSignal): Promise<Broker | undefined> {
  const command = findMosquitto();
  if (command === undefined) return undefined;
  const port = await freePort();
  mkdirSync(folder);
  // Started by root, it becomes another user, who must reach and write this folder.
  chmodSync(folder, 0o777);
  const config = join(folder, 'mosquitto.conf');
  writeFileSync(config, configFor(folder, port), { mode: 0o644 });
  const child = new Child('mosquitto', command, ['-c', config], join(folder, 'mosquitto.log'));
  try {
    await child.until('MQTT port', () => accepts(port), signal);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return {
    name: 'mosquitto',
    pid: child.pid,
    port,
    devices: anonymousDevices(devices),
    sync: 'none: memory, written to its file every 1,800 s (autosave default)',
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

function configFor(folder: string, port: number): string {
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    'log_dest none',
  ];
  return `${lines.join('\n')}\n`;
}
