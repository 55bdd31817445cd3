import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinksReport } from '../../gateway/administration.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { makeNodeCertificate, type NodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { datedCertificate } from '../tls/dated-certificate.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { startHospital } from '../upstream/hospital.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;
type Node = AsyncDisposable & Readonly<{ url: string }>;

const YEAR = 365 * 86_400_000;

async function serve({ certificate: cert, key }: NodeCertificate, answer: Answering): Promise<Node> {
  const server = createSecureServer({ cert, key, allowHTTP1: true, requestCert: true, rejectUnauthorized: false }, answer as never);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

// What comes back of these two depends on the version of HTTP.
function said(response: ServerResponse, status: number, body: string, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

/** A node that knows what a probe is, and lies about all else. */
const lying = (lie: Answering): Answering => (request, response) => {
  if (request.url === '/v1/ping') said(response, 200, '{"from":null}');
  else request.resume().once('end', () => lie(request, response));
};

const LIES: Readonly<Record<string, Answering>> = {
  // What it once had it has no more, and says so for ever.
  'older-head': lying((request, response) => {
    if (request.method === 'GET') said(response, 404, '{"error":"unknown_chain","message":"this chain has no block here"}');
    else said(response, 409, '{"error":"gap","message":"blocks before it are missing"}');
  }),
  'no-receipt': lying((request, response) => {
    if (request.method === 'GET') said(response, 404, '{"error":"unknown_chain","message":"this chain has no block here"}');
    else said(response, 200, '');
  }),
  'slow-loris': lying((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 50);
    response.once('close', () => clearInterval(drip));
  }),
  storm: (request, response) => void request.resume().once('end', () => said(response, 503, '<h1>Service Unavailable</h1>', 'text/html')),
};

describe('hospitals that lie, stall and storm beside one that does its work', () => {
  let site: Site;
  let device: DeviceWithPassword;
  const nodes: AsyncDisposable[] = [];

  beforeAll(async () => {
    const random = countingBytes();
    const certificateOf = (name: string): Promise<NodeCertificate> => makeNodeCertificate(keyOf(name), random);
    site = await Site.prepare();
    const urls = new Map<string, string>();
    for (const [name, lie] of Object.entries(LIES)) {
      const node = await serve(await certificateOf(name), lie);
      nodes.push(node);
      urls.set(name, node.url);
    }
    // Its connection is who it says; what it signs with is not.
    const impostor = await startHospital('impostor', { tls: await certificateOf('wrong-receipt') });
    const late = await startHospital('late', { tls: await certificateOf('late'), now: () => UnixMillis(Date.now() - YEAR) });
    const authority = await datedCertificate('2020-01-01', '2021-01-01');
    const expired = await serve(authority, lying((_request, response) => said(response, 200, '{}')));
    nodes.push(impostor, late, expired);
    for (const [name, url] of [['wrong-receipt', impostor.address], ['late', late.address], ['expired', expired.url]] as const) urls.set(name, url);
    const caFile = join(site.folder, 'authority.pem');
    writeFileSync(caFile, authority.certificate);

    const { stdout: north } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    const { gateway, upstream } = site.sections(north.trim());
    const liars = [...urls].map(([name, url]) => ({ name, url, key: toHex(keyOf(name).publicKey), ...(name === 'expired' && { caFile }) }));
    const hospitals = [...liars, ...(gateway['hospitals'] as object[])];
    site.writeConfig({ gateway: { ...gateway, hospitals, chain: { quorum: 1 }, relay: { retryBase: '50ms', retryCap: '500ms', timeout: '1s' } }, upstream });
    await site.startHospital();
    await site.startGateway();
    device = await site.addDevice('clip', 'anna');
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });

  const report = async (): Promise<LinksReport> => JSON.parse((await vitalgate('links', '--config', site.config, '--json')).stdout) as LinksReport;

  it('keep no alarm and no reading from it', async () => {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    for (const [seq, value] of [97, 70, 97, 71].entries()) {
      expect(await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
    }
    await until('north has countersigned all of both lanes', async () => {
      const { relays, states } = await site.api.status();
      const ofNorth = relays.filter(({ hospital }) => hospital === 'north');
      return states.receipted.through === states.accepted.through && ofNorth.every(({ lag, height }) => lag === 0 && (height ?? 0) > 0);
    });
  });

  it('move no cursor, and show with what is wrong', async () => {
    const wrong: Readonly<Record<string, RegExp>> = {
      'older-head': /blocks before it are missing/,
      'no-receipt': /not the answer of a hospital node, expected (application\/cbor|JSON of the agreed shape)/,
      'slow-loris': /no answer within 1 s/,
      storm: /status 503 with text\/html: not the answer of a hospital node/,
      'wrong-receipt': /does not count: wrong_key/,
      expired: /CERT_HAS_EXPIRED/,
    };
    for (const [name, why] of Object.entries(wrong)) {
      const relays = await until(`${name} shows with ${why}`, async () => {
        const found = (await report()).relays.filter(({ hospital }) => hospital === name);
        return found.every(({ lastError }) => why.test(lastError ?? '')) && found;
      });
      expect(relays.map(({ lane, height, state }) => [name, lane, height, state === 'retrying' || state === 'refused' || state === 'relaying'])).toEqual([[name, 'alarm', undefined, true], [name, 'record', undefined, true]]);
    }
    const { stdout } = await vitalgate('links', '--config', site.config);
    for (const [name, why] of Object.entries(wrong)) expect(stdout).toMatch(new RegExp(`\nhospital ${name}, alarm: \\w+, \\d+ blocks behind \\(.*${why.source}`));
    expect(stdout).toMatch(/\n {2}late: up for .+; its clock is 365 d behind ours\n/);
    expect(stdout).toMatch(/\nhospital north, alarm: waiting, 0 blocks behind\n/);
  });
});
