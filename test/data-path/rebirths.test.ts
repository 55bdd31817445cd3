import { describe, expect, it } from 'vitest';
import type { Resync } from '../../gateway/derive/derive-store.ts';
import { Millis, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId, type FrameSource } from '../../gateway/reading.ts';
import { Rebirths } from '../../gateway/rebirths.ts';

const NOW = UnixMillis(1_790_000_000_000);
const SINCE = 100;

type Asked = Readonly<{ connection: string; topic: string; payload: Uint8Array }>;

function rebirths(options: { maxNodes?: number } = {}): { take: (...resyncs: readonly Resync[]) => Promise<void>; asked: Asked[]; wait: (by: Millis) => void } {
  let uptime = 0;
  const asked: Asked[] = [];
  const tested = new Rebirths({
    clock: { now: () => NOW, uptime: () => Millis(uptime) },
    since: SINCE,
    send: ({ connection }, topic, payload) => asked.push({ connection, topic, payload }),
    ...options,
  });
  const wait = (by: Millis): void => {
    uptime += by;
  };
  return { take: (...resyncs) => tested.take(resyncs), asked, wait };
}

type Part = Readonly<{ sequence?: number; source?: FrameSource; connection?: string }>;
/** A message of a device behind an edge node that could not be understood. */
function missed(node: string, { sequence = SINCE, source = 'mqtt', connection = 'hub' }: Part = {}): Resync {
  const topic = `devices/${connection}/sparkplug/spBv1.0/ward/DDATA/${node}/strap`;
  return { sequence: Sequence(sequence), source, connection: connection as DeviceId, topic, address: `ward/${node}/strap` };
}
const nodesOf = (asked: readonly Asked[]): string[] => asked.map(({ topic }) => topic.slice(topic.lastIndexOf('/') + 1));

describe('a request for births', () => {
  it('goes to the edge node of a device that was not understood, where that listens', async () => {
    const { take, asked } = rebirths();
    await take(missed('node'));
    expect(asked.map(({ connection, topic }) => [connection, topic])).toEqual([['hub', 'devices/hub/sparkplug/spBv1.0/ward/NCMD/node']]);
    expect(Buffer.from(asked[0]?.payload ?? []).toString('latin1')).toContain('Node Control/Rebirth');
  });

  it('is made once a minute at most, for each edge node', async () => {
    const { take, asked, wait } = rebirths();
    await take(missed('a'), missed('a'), missed('b'));
    wait(Millis(Minutes(1) - 1));
    await take(missed('a'), missed('b'));
    expect(nodesOf(asked)).toEqual(['a', 'b']);
    wait(Millis(1));
    await take(missed('a'), missed('a'));
    expect(nodesOf(asked)).toEqual(['a', 'b', 'a']);
  });

  it('is not made for what came before this start', async () => {
    const { take, asked } = rebirths();
    await take(missed('old', { sequence: SINCE - 1 }), missed('new', { sequence: SINCE }));
    expect(nodesOf(asked)).toEqual(['new']);
  });

  it('is not made where nobody listens, or of messages that have no edge node', async () => {
    const { take, asked } = rebirths();
    await take(missed('node', { source: 'serial' }), { ...missed('node'), address: '' }, { ...missed('node'), topic: 'devices/hub/x' });
    expect(asked).toEqual([]);
  });

  it('is made to a bounded number of edge nodes in a minute, and none of another connection waits for that', async () => {
    const { take, asked, wait } = rebirths({ maxNodes: 2 });
    await take(missed('a'), missed('b'));
    wait(Seconds(30));
    await take(missed('c'), missed('c', { connection: 'plant', source: 'bridge' }), missed('c', { connection: 'hub', source: 'bridge' }));
    expect(nodesOf(asked)).toEqual(['a', 'b', 'c', 'c']);
    wait(Seconds(30));
    await take(missed('c'));
    expect(nodesOf(asked)).toEqual(['a', 'b', 'c', 'c', 'c']);
  });
});
