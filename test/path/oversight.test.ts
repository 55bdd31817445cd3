import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import type { StatusAnswer } from '../../gateway/oversight/node-status.ts';
import { keyOf, withBrokenSignature } from '../upstream/gateway-chain.ts';
import { Fleet } from './fleet.ts';
import { until } from './program.ts';

describe('who runs a hospital node', () => {
  let fleet: Fleet;
  beforeEach(() => {
    fleet = new Fleet();
  });
  afterEach(async () => {
    await fleet[Symbol.asyncDispose]();
  });

  async function status(...words: readonly string[]): Promise<StatusAnswer> {
    const { code, stdout, stderr } = await fleet.command('status', '--json', ...words);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as StatusAnswer;
  }

  it('sees every gateway with its newest block, what was refused and why, on the terminal and over HTTP', async () => {
    await fleet.start();
    const [good, bad, split] = ['good', 'bad', 'split'].map((name) => fleet.writer(name));
    if (good === undefined || bad === undefined || split === undefined) throw new Error('no writers');
    await fleet.send('good', good, 3);
    await fleet.send('bad', bad, 1);
    await bad.seal();
    await bad.seal();
    expect((await fleet.offer('bad', bad, 2)).status).toBe(409);
    expect((await fleet.offer('bad', bad, 1, withBrokenSignature(bad.at(1)))).status).toBe(422);
    await fleet.send('split', split, 2);
    const twin = split.copy(1);
    await twin.seal('another story');
    expect((await fleet.offer('split', twin, 1)).json['error']).toBe('fork');

    const seen = await status();
    expect(seen.node).toMatchObject({
      name: 'north', version: '0.1.0', store: { kind: 'RocksDB', state: 'working', fault: null },
      gateways: { known: 3, forked: 1, silent: 0, current: 2, isRead: true }, totals: { blocks: 6, receipts: 6, gaps: 1, forks: 1, failures: { bad_signature: 1, fork: 1 }, releases: 0, payloads: 0 }, outputs: [],
    });
    expect((await until('the disk is measured', async () => (await status()).node.disk ?? undefined)).used).toBeGreaterThan(0);
    const states = Object.fromEntries(seen.gateways.map(({ chain, state, gaps, receipts, failures, lanes }) => [chain, { state, gaps, receipts, failures, height: lanes[0]?.height }]));
    expect(states).toEqual({
      [toHex(good.id.chain)]: { state: 'current', gaps: 0, receipts: 3, failures: {}, height: 2 },
      [toHex(bad.id.chain)]: { state: 'current', gaps: 1, receipts: 1, failures: { bad_signature: 1 }, height: 0 },
      [toHex(split.id.chain)]: { state: 'forked', gaps: 0, receipts: 2, failures: { fork: 1 }, height: 1 },
    });
    expect((await status('--state', 'forked')).matching).toBe(1);
    const first = await status('--limit', '2', '--order', 'gaps');
    expect([first.gateways[0]?.chain, first.gateways.length]).toEqual([toHex(bad.id.chain), 2]);
    expect((await status('--limit', '2', '--order', 'gaps', '--after', first.next ?? '')).gateways).toHaveLength(1);

    const newest = await status('--limit', '2', '--order', 'lag');
    expect((await status('--limit', '2', '--order', 'lag', '--after', newest.next ?? '')).gateways).toHaveLength(1);

    const { stdout } = await fleet.command('status');
    expect(stdout).toMatch(/^hospital north, key [0-9a-f]{32}, version 0\.1\.0, running for .+\nstore {5}RocksDB, working\n/);
    expect(stdout).toContain('gateways  3: 2 current, 0 silent, 1 forked');
    expect(stdout).toContain(`FORKED ${toHex(split.id.chain)}`);

    const token = await fleet.token('otto');
    const { json, status: code } = await fleet.get('/v1/status?limit=1&order=failures', token);
    expect([code, json['matching'], (json['gateways'] as unknown[]).length]).toEqual([200, 3, 1]);
    const one = await fleet.get(`/v1/status/gateways/${toHex(good.id.chain)}`, token);
    expect([one.status, one.json['state']]).toEqual([200, 'current']);
    for (const [path, expected] of [
      ['/v1/status?limit=0', 400], ['/v1/status?order=luck', 400], ['/v1/status?after=x', 400], ['/v1/status?limit=1&limit=2', 400], ['/v1/status?search=%25', 400], ['/v1/status/gateways/x', 400], [`/v1/status/gateways/${'0'.repeat(32)}`, 404],
    ] as const) expect([path, (await fleet.get(path, token)).status]).toEqual([path, expected]);
  });

  it('sees who tried to speak for a gateway without its key', async () => {
    await using strict = new Fleet({ gateways: [toHex(keyOf('good').publicKey)] });
    await strict.start();
    const writer = strict.writer('good');
    await strict.send('good', writer, 1);
    await writer.seal();
    expect((await strict.offer('thief', writer, 1)).status).toBe(403);
    const { json } = await strict.get('/v1/status', await strict.token('otto'));
    expect(json).toMatchObject({ node: { totals: { failures: { not_admitted: 1 } } }, gateways: [{ failures: { not_admitted: 1 } }] });
  });

  it('is an administrator, and nobody else', async () => {
    await fleet.start();
    for (const path of ['/v1/status', `/v1/status/gateways/${'0'.repeat(32)}`]) {
      expect((await fleet.get(path)).json['error']).toBe('no_token');
      expect((await fleet.get(path, await fleet.token('cho'))).json['error']).toBe('not_allowed');
    }
  });

  it('sees the same after a restart, but for what was counted', async () => {
    const first = await fleet.start();
    const writer = fleet.writer('good');
    await fleet.send('good', writer, 3);
    const before = (await status()).gateways[0];
    await first.stop();
    expect((await fleet.command('status')).stderr).toContain('no hospital node runs on');
    await fleet.start();
    const after = await until('what is in the store was read', async () => {
      const answer = await status();
      return answer.node.gateways.isRead && answer.gateways[0];
    });
    expect(after).toMatchObject({ chain: before?.chain, fingerprint: before?.fingerprint, state: 'current', lanes: [{ height: 2, time: before?.lanes[0]?.time, arrived: expect.any(Number), receipts: 0, blocks: 0 }] });
    expect(Math.abs((after.lanes[0]?.arrived ?? 0) - (before?.lanes[0]?.arrived ?? 0))).toBeLessThan(1000);
  });

  it('reads metrics on the machine itself and from elsewhere with a token, and a second node on the same folder is refused', async () => {
    await fleet.start();
    const writer = fleet.writer('good');
    await fleet.send('good', writer, 2);
    await writer.seal();
    await writer.seal();
    await fleet.offer('good', writer, 3);
    const { text } = await fleet.get('/metrics');
    for (const line of [
      'vitalgate_upstream_blocks_total{outcome="committed"} 2', 'vitalgate_upstream_blocks_total{outcome="gap"} 1', 'vitalgate_upstream_rejected_total{reason="gap"} 1',
      'vitalgate_upstream_taken_total{lane="record"} 2', 'vitalgate_upstream_countersignatures_total{lane="record"} 2', 'vitalgate_upstream_verification_seconds_count 2',
      'vitalgate_upstream_append_seconds_count 2', 'vitalgate_upstream_gateways{state="current"} 1', 'vitalgate_upstream_gateways{state="forked"} 0', 'vitalgate_upstream_requests_in_flight 1',
      'vitalgate_upstream_requests_total{status="2xx"} 2', 'vitalgate_upstream_requests_total{status="4xx"} 1', 'vitalgate_upstream_store_healthy 1',
    ]) expect(text.split('\n')).toContain(line);
    expect(text).not.toContain(toHex(writer.id.chain));
    const elsewhere = { 'x-forwarded-for': '203.0.113.5' };
    expect((await fleet.get('/metrics', undefined, elsewhere)).json['error']).toBe('no_token');
    expect((await fleet.get('/metrics', await fleet.token('cho'), elsewhere)).json['error']).toBe('not_allowed');
    expect((await fleet.get('/metrics', await fleet.token('otto'), elsewhere)).text).toContain('vitalgate_upstream_blocks_total');
    const second = await fleet.command();
    expect([second.code, second.stderr]).toEqual([2, expect.stringContaining('is in use by another process') as string]);
  });
});
