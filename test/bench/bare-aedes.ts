import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { anonymousDevices, type Broker } from './broker.ts';
import { accepts, Child, freePort } from './child.ts';

/** The MQTT library the gateway is built on, alone: no journal, no credentials. What the gateway could do at best. */
export async function startBareAedes(folder: string, devices: number, signal: AbortSignal): Promise<Broker> {
  const port = await freePort();
  const script = fileURLToPath(new URL('./bare-aedes-process.ts', import.meta.url));
  const child = new Child('bare aedes', process.execPath, [script, String(port)], join(folder, 'bare-aedes.log'));
  try {
    await child.until('MQTT port', () => accepts(port), signal);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return {
    name: 'bare aedes',
    pid: child.pid,
    port,
    devices: anonymousDevices(devices),
    sync: 'none: nothing is written',
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
