import { createServer, type AddressInfo } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { startWeb, type Web, type WebOptions } from '../../gateway/web/server.ts';
import { ChainWriter } from '../upstream/gateway-chain.ts';
import { ask } from '../upstream/hospital.ts';

const LISTEN = { host: '127.0.0.1', port: 0 };
let web: Web | undefined;
let logged: object[] = [];

async function start(options: Partial<WebOptions> = {}): Promise<string> {
  const blocks = new StoredBlocks(openMemoryStore(), { removePending: false });
  web = await startWeb({
    listen: LISTEN,
    blocks,
    registry: new Registry(),
    administration: { notReady: () => undefined },
    refresh: () => Promise.resolve(),
    log: { error: (fields) => logged.push(fields) },
    ...options,
  });
  return web.address;
}

afterEach(async () => {
  await web?.close();
  web = undefined;
  logged = [];
});

describe('health', () => {
  it('lives whatever the store does, and is ready only while messages are taken', async () => {
    let fault: StoreError | undefined;
    const address = await start({ administration: { notReady: () => fault } });
    expect((await ask(address, '/readyz')).json).toEqual({ status: 'ready' });
    fault = new StoreError('VG_STORE_WRITE', 'the disk is full');
    expect(await ask(address, '/readyz')).toMatchObject({ status: 503, json: { status: 'not ready', reason: 'the disk is full' } });
    expect(await ask(address, '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
    fault = undefined;
    expect((await ask(address, '/readyz')).status).toBe(200);
  });
});

describe('metrics', () => {
  it('are refreshed before every answer', async () => {
    const registry = new Registry();
    const depth = new Gauge({ name: 'depth', help: 'how deep', registers: [registry] });
    let asked = 0;
    const address = await start({ registry, refresh: async () => depth.set(++asked) });
    expect((await ask(address, '/metrics')).text).toContain('\ndepth 1\n');
    expect((await ask(address, '/metrics')).text).toContain('\ndepth 2\n');
  });
});

describe('the chain', () => {
  it('is read from any height on, block by block and as one sequence', async () => {
    const blocks = new StoredBlocks(openMemoryStore(), { removePending: false });
    const writer = await ChainWriter.of(4);
    await writer.keepIn(blocks);
    const address = await start({ blocks });
    const lane = `/v1/chains/${toHex(writer.id.chain)}/record/blocks`;
    const sealed = writer.blocks.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
    const read = async (path: string): Promise<string[]> =>
      (await Array.fromAsync(readBlocks((await ask(address, path)).bytes))).map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(await read(lane)).toEqual(sealed);
    expect(await read(`${lane}?from=2`)).toEqual(sealed.slice(2));
    expect(await read(`${lane}/1`)).toEqual([sealed[1]]);
    expect((await ask(address, '/v1/chains')).json).toMatchObject({ chains: [{ chain: toHex(writer.id.chain), lanes: [{ lane: 'record', height: 3 }] }] });
  });

  it.each([
    ['/v1/chains/XYZ/record/blocks', 400, 'bad_path'],
    [`/v1/chains/${'0'.repeat(32)}/middle/blocks`, 400, 'bad_path'],
    [`/v1/chains/${'0'.repeat(32)}/record/blocks?from=-1`, 400, 'bad_path'],
    [`/v1/chains/${'0'.repeat(32)}/record/blocks/01`, 400, 'bad_path'],
    [`/v1/chains/${'0'.repeat(32)}/record/blocks`, 404, 'unknown_chain'],
    [`/v1/chains/${'0'.repeat(32)}/record/blocks/0`, 404, 'unknown_block'],
  ])('%s is answered with status %i and the word %s', async (path, status, error) => {
    const address = await start();
    expect(await ask(address, path)).toMatchObject({ status, json: { error, message: expect.any(String) } });
    expect(logged).toEqual([]);
  });

  it('is never answered with the inside of an error', async () => {
    const blocks = new StoredBlocks(openMemoryStore(), { removePending: false });
    blocks.chains = () => Promise.reject(new Error('secret path /var/lib/x'));
    const address = await start({ blocks });
    const answer = await ask(address, '/v1/chains');
    expect(answer).toMatchObject({ status: 500, json: { error: 'internal' } });
    expect(answer.text).not.toContain('secret path');
    expect(logged).toMatchObject([{ error: 'secret path /var/lib/x' }]);
  });
});

describe('the web server', () => {
  it('says which address is taken', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as AddressInfo;
    await expect(start({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({ code: 'VG_CONFIG', message: expect.stringContaining(`127.0.0.1:${port}`) });
    await new Promise((resolve) => squatter.close(resolve));
  });

  it('closes while somebody reads without end', async () => {
    const blocks = new StoredBlocks(openMemoryStore(), { removePending: false });
    const writer = await ChainWriter.of(2);
    await writer.keepIn(blocks);
    blocks.blocks = async function* endless() {
      for (;;) {
        await new Promise(setImmediate);
        yield Buffer.alloc(64 * 1024);
      }
    };
    const address = await start({ blocks });
    const response = await fetch(`${address}/v1/chains/${toHex(writer.id.chain)}/record/blocks`);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await web?.close();
    await expect((async () => {
      while (!(await reader.read()).done);
    })()).rejects.toThrow();
  });
});
