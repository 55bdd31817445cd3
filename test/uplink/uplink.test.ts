import { describe, expect, it } from 'vitest';
import { firstAuthority } from '../../gateway/ledger/authority.ts';
import { LANES } from '../../gateway/reading.ts';
import { Seconds } from '../../gateway/quantity.ts';
import { Channel } from '../../gateway/uplink/channel.ts';
import { over, type Way } from '../../gateway/uplink/hospital-client.ts';
import { ALARM_RETRY_CAP, startUplink, type Uplink, type UplinkOptions } from '../../gateway/uplink/uplink.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { startHospital } from '../upstream/hospital.ts';
import { GatewaySide } from './gateway-side.ts';
import { Wire } from './wire.ts';

const PARAMETERS = parametersOf(['north', 'south']);

/** A gateway with both lanes, the record lane's side being the one that is watched. */
async function gateway(recordBlocks: number, alarmBlocks: number): Promise<{ side: GatewaySide; alarm: ChainWriter }> {
  const side = await GatewaySide.of(await ChainWriter.of(recordBlocks, 'record', PARAMETERS));
  const alarm = await ChainWriter.of(alarmBlocks, 'alarm', PARAMETERS);
  await alarm.keepIn(side.blocks);
  return { side, alarm };
}

type OpenUplink = Uplink & AsyncDisposable;

async function uplinkOf(side: GatewaySide, urls: Record<string, string>, { quorum = 2, ...options }: Partial<UplinkOptions> & Readonly<{ quorum?: number }> = {}): Promise<OpenUplink> {
  const { blocks, cursors, time, log, receipts, states, writer } = side;
  const wayTo = (name: string): Way => over(new Channel({ url: urls[name] ?? '' }));
  const uplink = await startUplink({
    chain: writer.id.chain,
    hospitals: Object.keys(urls).map((name) => ({ name, key: keyOf(name).publicKey })),
    ways: { alarms: wayTo, records: wayTo },
    terms: () => [{ from: 0, authority: { ...firstAuthority(PARAMETERS), quorum } }],
    blocks, cursors, time, log,
    random: () => 0.5,
    onReceipt: receipts.add,
    onState: states.add,
    ...options,
  });
  return Object.assign(uplink, { [Symbol.asyncDispose]: () => uplink.stop() });
}

describe('two hospitals and a quorum of two', () => {
  it('relayed is what one has, receipted what both have, in each lane', async () => {
    const { side, alarm } = await gateway(3, 2);
    await using north = await startHospital('north');
    await using wire = await Wire.laid();
    await using uplink = await uplinkOf(side, { north: north.address, south: wire.url });
    for (const [lane, height] of [['record', 2], ['alarm', 1]] as const) {
      await side.receipts.until((event) => event.hospital === 'north' && event.lane === lane && event.height === height);
      expect([uplink.relayedHeight(lane), uplink.receiptedHeight(lane)]).toEqual([height, undefined]);
    }
    await using south = await startHospital('south');
    wire.plug(south.address);
    const passing = Promise.all([side.time.pass(), side.time.pass()]);
    await side.receipts.until((event) => event.hospital === 'south' && event.lane === 'record' && event.height === 2);
    await side.receipts.until((event) => event.hospital === 'south' && event.lane === 'alarm' && event.height === 1);
    await passing;
    expect(LANES.map((lane) => uplink.receiptedHeight(lane))).toEqual([1, 2]);

    await alarm.seal();
    await alarm.keepIn(side.blocks);
    uplink.wake('alarm');
    for (const hospital of ['north', 'south']) {
      await side.receipts.until((event) => event.hospital === hospital && event.lane === 'alarm' && event.height === 2);
    }
    expect(uplink.receiptedHeight('alarm')).toBe(2);
  });

  it('knows what is receipted right after a restart, with both hospitals away', async () => {
    const { side } = await gateway(3, 1);
    await using north = await startHospital('north');
    await using south = await startHospital('south');
    const before = await uplinkOf(side, { north: north.address, south: south.address });
    for (const hospital of ['north', 'south']) {
      await side.receipts.until((event) => event.hospital === hospital && event.lane === 'record' && event.height === 2);
    }
    await before.stop();
    await using wire = await Wire.laid();
    await using after = await uplinkOf(side, { north: wire.url, south: wire.url });
    expect([after.relayedHeight('record'), after.receiptedHeight('record')]).toEqual([2, 2]);
  });

  it('lists state, lag and trouble of every hospital and lane', async () => {
    const { side } = await gateway(3, 1);
    await using north = await startHospital('north');
    await using wire = await Wire.laid();
    await using uplink = await uplinkOf(side, { north: north.address, south: wire.url });
    for (const lane of LANES) {
      await side.states.until((event) => event.hospital === 'north' && event.lane === lane && event.state === 'waiting');
      await side.states.until((event) => event.hospital === 'south' && event.lane === lane && event.state === 'retrying');
    }
    expect(await uplink.status()).toMatchObject([
      { hospital: 'north', lane: 'alarm', state: 'waiting', height: 0, lag: 0, lastError: undefined, nextTryIn: undefined },
      { hospital: 'south', lane: 'alarm', state: 'retrying', height: undefined, lag: 1, lastError: expect.any(String), nextTryIn: 500 },
      { hospital: 'north', lane: 'record', state: 'waiting', height: 2, lag: 0 },
      { hospital: 'south', lane: 'record', state: 'retrying', height: undefined, lag: 3, nextTryIn: 500 },
    ]);
  });
});

describe('lanes', () => {
  it('do not wait for each other: alarms pass while the record lane gets no answer', async () => {
    const { side, alarm } = await gateway(2, 1);
    const stuck = Promise.withResolvers<void>();
    await using north = await startHospital('north', {
      register: (app) => void app.addHook('onRequest', (request) => {
        if (!request.url.includes('/record/')) return Promise.resolve();
        stuck.resolve();
        return new Promise(() => undefined);
      }),
    });
    await using uplink = await uplinkOf(side, { north: north.address }, { quorum: 1 });
    await stuck.promise;
    await side.receipts.until((event) => event.lane === 'alarm' && event.height === 0);
    for (let height = 1; height <= 20; height++) {
      await alarm.seal();
      await alarm.keepIn(side.blocks);
      uplink.wake('alarm');
      await side.receipts.until((event) => event.lane === 'alarm' && event.height === height);
    }
    expect([uplink.receiptedHeight('alarm'), uplink.receiptedHeight('record')]).toEqual([20, undefined]);
  });

  it('never make an alarm pause longer than five seconds, whatever the record lane may do', async () => {
    const { side } = await gateway(1, 1);
    await using wire = await Wire.laid();
    const options = { quorum: 1, random: () => 1 - Number.EPSILON, retry: { cap: Seconds(40) } };
    await using uplink = await uplinkOf(side, { north: wire.url }, options);
    const delays: number[] = [];
    while (delays.length < 24) delays.push(await side.time.pass());
    expect([ALARM_RETRY_CAP, uplink.relayedHeight('alarm')]).toEqual([5000, undefined]);
    expect(delays).toContain(40_000);
    expect(delays.filter((delay) => delay === 5000).length).toBeGreaterThan(5);
    expect(delays.filter((delay) => ![1000, 2000, 4000, 5000, 8000, 16_000, 32_000, 40_000].includes(delay))).toEqual([]);
  });
});

it('refuses two hospitals with one name or one key', async () => {
  const { side } = await gateway(1, 1);
  const { key, url } = { key: keyOf('north').publicKey, url: 'http://127.0.0.1:1' };
  const twins = [{ name: 'north', key, url }, { name: 'south', key, url }];
  await expect(uplinkOf(side, {}, { hospitals: twins })).rejects.toMatchObject({ code: 'VG_CONFIG' });
  const names = [{ name: 'north', key, url }, { name: 'north', key: keyOf('south').publicKey, url }];
  await expect(uplinkOf(side, {}, { hospitals: names })).rejects.toThrow('name north');
});
