/**
 * Devices in a namespace: told on standard input what to publish, one JSON object a line, it says on standard output when it was acknowledged.
 * A process of its own, since a socket is in the namespace of the process that made it.
 */

import { createInterface } from 'node:readline';
import { RawClient } from '../ingest/mqtt-wire.ts';

export type Order = Readonly<{ port: number; username: string; password: string; topic: string; payloads: readonly string[] }>;
/** Wall clock, which all namespaces share: before the first message was sent, and when the last was acknowledged. */
export type Done = Readonly<{ sent: number; acknowledged: number; taken: boolean }>;

async function obey({ port, username, password, topic, payloads }: Order): Promise<Done> {
  await using client = await RawClient.login(port, { clientId: username, username, password });
  const sent = Date.now();
  let taken = true;
  for (const payload of payloads) taken = (await client.publish({ topic, payload })) && taken;
  return { sent, acknowledged: Date.now(), taken };
}

for await (const line of createInterface(process.stdin)) process.stdout.write(`${JSON.stringify(await obey(JSON.parse(line) as Order))}\n`);
