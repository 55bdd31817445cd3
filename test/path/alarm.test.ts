import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate, type Program } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';

const DEVICE = 'oximeter-of-mrs-example';
const PATIENT = 'Mrs Example, room 12';

describe('an oxygen saturation of 70.25 %', () => {
  let site: Site;
  let gateway: Program;
  let hospital: Program;
  let device: DeviceWithPassword;
  beforeAll(async () => {
    site = await Site.prepare();
    hospital = await site.startHospital();
    gateway = await site.startGateway();
    device = await site.addDevice(DEVICE, PATIENT);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const blocksOf = async (lane: 'alarm' | 'record'): Promise<Uint8Array[]> => {
    const { chain } = await site.api.status();
    const response = await nodeFetch(`${site.hospitalUrl}/v1/chains/${chain}/${lane}/blocks`);
    return await Array.fromAsync(readBlocks(Buffer.from(await response.arrayBuffer())));
  };

  it('is an event in the alarm lane, sealed and countersigned', async () => {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    for (const [seq, value] of [97, 70.25].entries()) {
      expect(await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
    }
    await until('the hospital has the block', async () => (await blocksOf('alarm')).length === 2);
    const [, block] = await blocksOf('alarm');
    const [entry] = openBlock(block as Uint8Array).entries.map(decodeEntry);
    expect([entry?.kind, entry?.fields.get('why'), entry?.fields.get('priority')]).toEqual(['event', 'raised', 'high']);
    expect([entry?.subject?.length, entry?.commit?.length]).toEqual([16, 32]);
  });

  it('is told in words to the people of the house, and to nobody else', async () => {
    const status = await until('the status names it', async () => {
      const found = await site.api.status();
      return found.lastEvent !== null && found;
    });
    expect(status.lastEvent).toBe(`patient/${PATIENT}: SpO2 70.3 % < 92 %, high priority, raised`);
    expect((await vitalgate('status', '--config', site.config)).stdout).toContain(status.lastEvent);
  });

  it('leaves no name and no value in blocks, metrics, answers and logs', async () => {
    const { chain } = await site.settled();
    const answers = ['/metrics', '/healthz', '/readyz', '/v1/chains', `/v1/chains/${chain}/alarm/blocks`, `/v1/chains/${chain}/record/blocks`];
    const seen: [string, Buffer][] = [];
    for (const base of [site.webUrl, site.hospitalUrl]) {
      for (const path of answers) seen.push([base + path, Buffer.from(await (await nodeFetch(base + path)).arrayBuffer())]);
    }
    seen.push(['the gateway\'s log', Buffer.from((await gateway.stop()).stderr)], ['the hospital\'s log', Buffer.from((await hospital.stop()).stderr)]);
    const double = Buffer.alloc(8);
    double.writeDoubleBE(70.25);
    const single = Buffer.alloc(4);
    single.writeFloatBE(70.25);
    for (const [where, bytes] of seen) {
      expect([where, bytes.length > 0]).toEqual([where, true]);
      for (const secret of [DEVICE, PATIENT, 'Example', 'room 12', 'Oxygen', '70.25', double, single, device.password]) {
        expect([where, secret, bytes.includes(secret)]).toEqual([where, secret, false]);
      }
    }
  });
});
