/** A hospital node on a free port, and the plain HTTP a gateway would speak to it. */

import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from '../../gateway/upstream/server.ts';
import type { Place } from '../../gateway/ledger/block-store.ts';
import type { UpstreamLog } from '../../gateway/upstream/witness.ts';
import { type ChainWriter, keyOf } from './gateway-chain.ts';

export type LogLine = Readonly<{ level: 'info' | 'warn' | 'error'; fields: Record<string, unknown>; message: string }>;

/** Keeps what was logged. */
export class LogBook implements UpstreamLog {
  readonly lines: LogLine[] = [];
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields: { ...fields }, message });
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields: { ...fields }, message });
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields: { ...fields }, message });
  }
  messages(level: LogLine['level']): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }
}

export type Hospital = Upstream & AsyncDisposable & Readonly<{ name: string; blocks: BlockStore; log: LogBook }>;

export const memoryBlocks = (): BlockStore => new StoredBlocks(openMemoryStore(), { removePending: false });

export async function startHospital(name = 'north', options: Partial<UpstreamOptions> = {}): Promise<Hospital> {
  const blocks = options.blocks ?? memoryBlocks();
  const log = new LogBook();
  let time = 1_800_000_000_000;
  const upstream = await startUpstream({
    listen: { host: '127.0.0.1', port: 0 },
    name,
    key: keyOf(name),
    blocks,
    gateways: 'open',
    log,
    now: () => UnixMillis(time++),
    ...options,
  });
  return { ...upstream, name, blocks, log, [Symbol.asyncDispose]: () => upstream.close() };
}

export type HttpAnswer = Readonly<{ status: number; type: string; bytes: Uint8Array; text: string; json: Record<string, unknown> }>;

export async function ask(address: string, path: string, init: RequestInit = {}): Promise<HttpAnswer> {
  const response = await fetch(address + path, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get('content-type') ?? '';
  const text = Buffer.from(bytes).toString('latin1');
  const json = type.startsWith('application/json') ? JSON.parse(text) as Record<string, unknown> : {};
  return { status: response.status, type, bytes, text, json };
}

export const lanePath = ({ chain, lane }: Pick<Place, 'chain' | 'lane'>): string => `/v1/chains/${toHex(chain)}/${lane}`;

export async function offer(address: string, id: Pick<Place, 'chain' | 'lane'>, height: number, bytes: Uint8Array): Promise<HttpAnswer> {
  const init = { method: 'PUT', headers: { 'content-type': 'application/cbor' }, body: bytes as Uint8Array<ArrayBuffer> };
  return await ask(address, `${lanePath(id)}/blocks/${height}`, init);
}

/** Offers the block this writer sealed at that height. */
export async function offerFrom(address: string, writer: ChainWriter, height: number): Promise<HttpAnswer> {
  return await offer(address, writer.id, height, writer.at(height).bytes);
}

/** Offers every block of the writer in order and expects each to be new. */
export async function offerAll(address: string, writer: ChainWriter): Promise<void> {
  for (const { height } of writer.blocks) {
    const answer = await offerFrom(address, writer, height);
    if (answer.status !== 201) throw new Error(`block ${height}: status ${answer.status} ${answer.text}`);
  }
}
