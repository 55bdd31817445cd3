import { expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { makeNodeCertificate } from '../../gateway/tls/node-certificate.ts';
import { RetrySchedule, systemTime } from '../../gateway/uplink/retry.ts';
import { ChainWriter, GATEWAY, keyOf } from '../upstream/gateway-chain.ts';
import { startHospital } from '../upstream/hospital.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChaosProxy } from './chaos-proxy.ts';
import { clientAt } from './client-at.ts';
import { GatewaySide } from './gateway-side.ts';

const CUTS = 1000;

async function bytesOf(store: BlockStore, writer: ChainWriter): Promise<string[]> {
  const blocks: string[] = [];
  for await (const bytes of store.blocks(writer.id, 0)) blocks.push(toHex(bytes));
  return blocks;
}

it(`after ${CUTS} connections that were cut between persisting and answering, the hospital has what the gateway has, each once`, { timeout: 240_000 }, async () => {
  const random = countingBytes();
  const own = await makeNodeCertificate(GATEWAY, random);
  await using proxy = await ChaosProxy.before(undefined);
  let [cuts, committed] = [0, 0];
  await using hospital = await startHospital('north', {
    tls: await makeNodeCertificate(keyOf('north'), random),
    gateways: [GATEWAY.publicKey],
    onJudged: (outcome) => {
      if (outcome === 'committed') committed += 1;
      if (cuts >= CUTS) return;
      cuts += proxy.reset('127.0.0.1');
    },
  });
  proxy.leadTo(hospital.address);
  const side = await GatewaySide.of(await ChainWriter.of(1));
  const client = clientAt(proxy.url, { peer: keyOf('north').publicKey, certificate: () => Promise.resolve(own) });
  await using relay = await side.relay(proxy.url, 'north', { client, time: systemTime, retry: new RetrySchedule({ base: Millis(1), cap: Millis(1), floor: Millis(1), stableAfter: Seconds(1) }, () => 0, systemTime.now) });
  while (cuts < CUTS) {
    const { height } = side.writer.at(side.writer.blocks.length - 1);
    await side.receipts.until((event) => event.height === height, side.receipts.events.length - 1);
    // Now one block, now several: alone or together, what was cut is offered again or adopted.
    for (let more = 0; more <= cuts % 3; more++) await side.seal();
    relay.wake();
  }
  const last = side.writer.blocks.length - 1;
  await side.receipts.until((event) => event.height === last);

  expect(await bytesOf(hospital.blocks, side.writer)).toEqual(await bytesOf(side.blocks, side.writer));
  expect(committed).toBe(side.writer.blocks.length);
  expect(proxy.connectionsFrom('127.0.0.1')).toBeGreaterThan(cuts);
  expect(side.states.events.some(({ state }) => state === 'forked' || state === 'refused')).toBe(false);
});
