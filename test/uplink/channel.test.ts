import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Millis } from '../../gateway/quantity.ts';
import { makeNodeCertificate, type NodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { Channel, type Reply } from '../../gateway/uplink/channel.ts';
import { GATEWAY, keyOf } from '../upstream/gateway-chain.ts';
import { startHospital } from '../upstream/hospital.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChaosProxy, type Weather } from './chaos-proxy.ts';

const NORTH = keyOf('north');
const HOMES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
const ROUNDS = 250;
const PING = { method: 'GET', path: '/v1/ping' } as const;
const never = new AbortController().signal;
let north: NodeCertificate;
let ours: NodeCertificate;

beforeAll(async () => {
  north = await makeNodeCertificate(NORTH, countingBytes());
  ours = await makeNodeCertificate(GATEWAY, countingBytes());
});

/** Numbers in [0, 1), the same for a seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function weatherFrom(next: () => number): Weather {
  const kind = (['stalled', 'refused', 'half-closed'] as const)[Math.floor(next() * 6)];
  return kind === undefined ? { kind: 'fair', delay: Math.floor(next() * 5) } : { kind };
}

/** Asks, gives up after `patience` ms at most, resets and is reset, at whatever moment. Counts answers, and fails at what is neither an answer nor a PeerError. */
async function maltreat(channel: Channel, proxy: ChaosProxy, home: string, next: () => number, patience: number): Promise<number> {
  let answers = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const giveUp = AbortSignal.timeout(Math.floor(next() * patience));
    const asked = Array.from({ length: 1 + Math.floor(next() * 3) }, () => channel.request({ ...PING, deadline: Millis(1 + Math.floor(next() * 2 * patience)) }, giveUp));
    const settled = Promise.allSettled(asked);
    if (next() < 0.3) {
      await pause(next() * 8);
      if (next() < 0.5) channel.reset();
      else proxy.reset(home);
    }
    for (const each of await settled) {
      if (each.status === 'fulfilled') answers += 1;
      else expect(each.reason).toMatchObject({ code: 'VG_PEER_UNREACHABLE' });
    }
    if (next() < 0.2) proxy.change(home, next() < 0.6 ? { kind: 'fair' } : weatherFrom(next));
  }
  return answers;
}

describe('a connection to a hospital', () => {
  it.each(['https', 'http'])('over %s survives being cut, stalled, given up and reset at any moment, and answers afterwards', async (scheme) => {
    await using hospital = await startHospital('north', scheme === 'https' ? { tls: north } : {});
    await using proxy = await ChaosProxy.before(hospital.address);
    // As long as connecting takes here and now, a few times: on a machine that is busy less would be no try.
    const began = performance.now();
    const calm = new Channel({ url: proxy.url.replace('https', scheme), localAddress: HOMES[0] as string, certificate: () => Promise.resolve(ours) });
    await calm.request(PING, never);
    calm.reset();
    const patience = Math.min(100, Math.max(15, 3 * (performance.now() - began)));
    const answers = await Promise.all(
      HOMES.map(async (home, i) => {
        const channel = new Channel({ url: proxy.url.replace('https', scheme), localAddress: home, certificate: () => Promise.resolve(ours), ...(scheme === 'https' && { peer: NORTH.publicKey }) });
        const count = await maltreat(channel, proxy, home, numbers(i + 1), patience);
        proxy.change(home, { kind: 'fair' });
        proxy.reset(home);
        channel.reset();
        expect((await channel.request(PING, never)).status).toBe(200);
        channel.reset();
        return count;
      }),
    );
    // Some got through, or nothing was tried.
    expect(Math.min(...answers)).toBeGreaterThan(0);
  });

  it.each(['https', 'http'])('over %s takes requests at the same time and keeps the answers apart', async (scheme) => {
    await using hospital = await startHospital('north', scheme === 'https' ? { tls: north } : {});
    const counted = { sent: 0, received: 0 };
    const channel = new Channel({ url: hospital.address, count: (sent, received) => {
      counted.sent += sent;
      counted.received += received;
    } });
    const ask = (path: string): Promise<Reply> => channel.request({ method: 'GET', path }, never);
    const replies = await Promise.all(['/v1/ping', '/v1/key', '/v1/nothing', '/v1/ping'].map(ask));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 404, 200]);
    expect(replies.map(({ body }) => Object.keys(JSON.parse(Buffer.from(body).toString()) as object).includes('from'))).toEqual([true, false, false, true]);
    expect(counted.sent).toBeGreaterThan(0);
    expect(counted.received).toBeGreaterThan(replies.reduce((sum, { body }) => sum + body.length, 0));
    channel.reset();
  });

  it('asks nothing of a node once nobody waits for the answer', async () => {
    await using hospital = await startHospital('north', { tls: north });
    const channel = new Channel({ url: hospital.address, certificate: async () => {
      await pause(50);
      return ours;
    } });
    const stopped = new AbortController();
    const asked = channel.request({ method: 'PUT', path: '/v1/never', body: new Uint8Array(10) }, stopped.signal);
    stopped.abort();
    await expect(asked).rejects.toMatchObject({ code: 'VG_PEER_UNREACHABLE' });
    const { body } = await channel.request({ method: 'GET', path: '/v1/ping' }, never);
    expect(JSON.parse(Buffer.from(body).toString())).toHaveProperty('from');
    channel.reset();
  });
});
