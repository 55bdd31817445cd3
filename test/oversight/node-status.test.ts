import { beforeEach, describe, expect, it } from 'vitest';
import { StoreError, UsageError } from '../../gateway/errors.ts';
import { UpstreamMetrics } from '../../gateway/operations/metrics.ts';
import { GatewayBook } from '../../gateway/oversight/gateway-book.ts';
import { NodeOversight } from '../../gateway/oversight/node-status.ts';
import { everyObserver, observedBlocks } from '../../gateway/oversight/observed-stores.ts';
import { OUTPUT_STATES, type OutputStatus } from '../../gateway/oversight/output-status.ts';
import { formatStatusQuery, readStatusQuery } from '../../gateway/oversight/status-query.ts';
import { Bytes, Millis, UnixMillis } from '../../gateway/quantity.ts';
import { ChainWriter, keyOf } from '../upstream/gateway-chain.ts';
import { memoryBlocks } from '../upstream/hospital.ts';

const ALL = { order: 'chain', limit: 10 } as const;

describe('how a node does', () => {
  let now = 0;
  let disk: () => Promise<{ used: Bytes; free: Bytes }>;
  const outputs: OutputStatus[] = [];
  const blocks = memoryBlocks();
  let node: NodeOversight;

  beforeEach(() => {
    now = 1_800_000_000_000;
    disk = () => Promise.resolve({ used: Bytes(10), free: Bytes(20) });
    node = new NodeOversight({
      node: { name: 'north', key: '02', fingerprint: 'ab', version: '1' }, storeKind: 'memory', outputs: [() => outputs, () => []],
      book: new GatewayBook({ blocks, key: keyOf('north').publicKey, now: () => UnixMillis(now) }),
      measureDisk: () => disk(), now: () => UnixMillis(now), uptime: () => Millis(now),
    });
  });

  it('is the sum of what happened, with the disk as it was measured last', async () => {
    expect(node.status(ALL).node).toMatchObject({ disk: null, gateways: { isRead: false }, uptime: 0 });
    const writer = await ChainWriter.of(3);
    await writer.keepIn(observedBlocks(blocks, node.observer, () => now));
    node.refused(writer.id, 'gap');
    node.refused(writer.id, 'bad_signature');
    node.refused({ ...writer.id, chain: new Uint8Array(16) }, 'unknown_chain');
    now += 5000;
    await node.look(new AbortController().signal);
    expect(node.status(ALL)).toMatchObject({
      node: {
        name: 'north', uptime: 5000, disk: { used: 10, free: 20 }, store: { kind: 'memory', state: 'working', fault: null }, gateways: { known: 1, current: 1, isRead: true },
        totals: { blocks: 3, gaps: 1, failures: { bad_signature: 1, unknown_chain: 1 }, forks: 0, releases: 0 },
      },
      gateways: [{ gaps: 1, failures: { bad_signature: 1 } }], next: null, matching: 1,
    });
    disk = () => Promise.reject(new Error('gone'));
    await node.look(new AbortController().signal);
    expect(node.node().disk).toBeNull();
  });

  it('says that the store fails from the first write that failed to the next that did not', () => {
    node.observer.wrote(new StoreError('VG_STORE_WRITE', 'the disk is full'));
    expect(node.node().store).toEqual({ kind: 'memory', state: 'failing', fault: 'the disk is full' });
    node.observer.wrote(undefined);
    expect(node.node().store.state).toBe('working');
  });

  it('shows what leaves it, to people and to Prometheus', async () => {
    outputs.push({ name: 'engine', kind: 'HL7', state: 'failing', behind: 12, unit: 'messages', lastSuccess: null, lastError: 'refused' }, { name: 'south', kind: 'peer', state: 'working', behind: null, unit: 'blocks', lastSuccess: UnixMillis(now), lastError: null });
    expect(node.node().outputs).toEqual(outputs);
    const metrics = new UpstreamMetrics();
    metrics.showOutputs(node.node().outputs, OUTPUT_STATES);
    metrics.watchQueue(() => 7);
    metrics.answered(429);
    metrics.answered(503);
    metrics.answered(404);
    const lines = (await metrics.registry.metrics()).split('\n');
    for (const line of [
      'vitalgate_upstream_output_behind{output="engine",kind="HL7"} 12', 'vitalgate_upstream_output_state{output="engine",kind="HL7",state="failing"} 1', 'vitalgate_upstream_output_state{output="south",kind="peer",state="failing"} 0',
      'vitalgate_upstream_worker_queue 7', 'vitalgate_upstream_requests_total{status="429"} 1', 'vitalgate_upstream_requests_total{status="503"} 1', 'vitalgate_upstream_requests_total{status="4xx"} 1',
    ]) expect(lines).toContain(line);
    expect(lines.filter((line) => line.startsWith('vitalgate_upstream_output_behind{output="south"'))).toEqual([]);
    metrics.showOutputs([], OUTPUT_STATES);
    expect(await metrics.registry.metrics()).not.toContain('output="engine"');
  });

  it('is counted by Prometheus as by people', async () => {
    const metrics = new UpstreamMetrics();
    const writer = await ChainWriter.of(2, 'alarm');
    const observer = everyObserver(node.observer, metrics.observer);
    const store = observedBlocks(memoryBlocks(), observer, () => (now += 3));
    await writer.keepIn(store);
    await store.putFork({ ...writer.id, height: 1, recorded: writer.at(1).bytes, offered: writer.at(0).bytes });
    observer.released({ chain: writer.id.chain, payloads: 4, keys: 1, erased: 0, bytes: Bytes(900) });
    observer.wrote(new StoreError('VG_STORE_WRITE', 'full'));
    const lines = (await metrics.registry.metrics()).split('\n');
    for (const line of [
      'vitalgate_upstream_taken_total{lane="alarm"} 2', 'vitalgate_upstream_forks_total{lane="alarm"} 1', 'vitalgate_upstream_releases_total 1', 'vitalgate_upstream_payloads_total 4',
      'vitalgate_upstream_taken_bytes_total{what="payloads"} 900', 'vitalgate_upstream_append_seconds_sum 0.006', 'vitalgate_upstream_store_healthy 0',
    ]) expect(lines).toContain(line);
    expect(node.node().totals).toMatchObject({ blocks: 2, forks: 1, releases: 1, payloads: 4 });
  });
});

describe('what is asked of the status', () => {
  it('has defaults, and is read as it was written', () => {
    expect(readStatusQuery({})).toEqual({ order: 'chain', limit: 100 });
    const asked = { order: 'lag', limit: '7', after: `m12_${'0'.repeat(32)}`, state: 'silent', search: 'kit-1' };
    expect(readStatusQuery(Object.fromEntries(new URLSearchParams(formatStatusQuery(asked))))).toEqual({ ...asked, limit: 7 });
    expect(formatStatusQuery({})).toBe('');
  });

  it.each([
    [{ limit: '0' }, '"limit" must be a whole number from 1 to 1000'], [{ limit: '1001' }, '"limit"'], [{ limit: '1e2' }, '"limit"'], [{ limit: ['1', '2'] }, '"limit"'],
    [{ order: 'luck' }, '"order" must be one of chain, lag, quiet, failures, gaps'], [{ state: 'sad' }, '"state" must be one of forked, silent, current'],
    [{ search: '../etc' }, '"search" must be the beginning of a chain, a key or a name'], [{ after: '7' }, '"after" must be what the page before gave'],
  ])('is refused when it is %j', (asked, message) => {
    expect(() => readStatusQuery(asked)).toThrow(UsageError);
    expect(() => readStatusQuery(asked)).toThrow(message);
  });
});
