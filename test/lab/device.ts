/**
 * Devices in a namespace: told on standard input what to publish, one JSON object a line, it says on standard output when it was acknowledged.
 * A process of its own, since a socket is in the namespace of the process that made it.
 */

import { createInterface } from 'node:readline';
import { openBlock } from '../../gateway/ledger/block.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';

export type Order = Readonly<{ port: number; username: string; password: string; topic: string; payloads: readonly string[]; /** Then wait for a high-priority alarm, in a block of this lane that was sealed after this height. */ alarm?: Readonly<{ lane: string; after: number }> }>;
/** Wall clock, which all namespaces share: before the first message was sent, and when the last was acknowledged. */
export type Done = Readonly<{ sent: number; acknowledged: number; taken: boolean; /** The block of the alarm. */ height?: number }>;

async function obey({ port, username, password, topic, payloads, alarm }: Order): Promise<Done> {
  await using client = await RawClient.login(port, { clientId: username, username, password });
  const sent = Date.now();
  let taken = true;
  for (const payload of payloads) taken = (await client.publish({ topic, payload })) && taken;
  const done = { sent, acknowledged: Date.now(), taken };
  return alarm === undefined ? done : { ...done, height: await heightOfAlarm(alarm.lane, alarm.after) };
}

async function heightOfAlarm(lane: string, after: number): Promise<number> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    const response = await fetch(`${lane}/blocks?from=${after + 1}`);
    // Before there is one, there is no such block.
    for await (const block of response.ok ? readBlocks(Buffer.from(await response.arrayBuffer())) : []) {
      const { header, entries } = openBlock(block);
      if (entries.map(decodeEntry).some(({ kind, fields }) => kind === 'event' && fields.get('why') === 'raised' && fields.get('priority') === 'high')) return header.height;
    }
  }
  throw new Error('no alarm was raised');
}

for await (const line of createInterface(process.stdin)) process.stdout.write(`${JSON.stringify(await obey(JSON.parse(line) as Order))}\n`);
