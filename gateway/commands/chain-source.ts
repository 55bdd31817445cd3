import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UnreadableError, messageOf } from '../errors.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import type { ChainState } from '../ledger/state.ts';
import { LANES } from '../reading.ts';
import type { Environment } from './command.ts';
import { nodeFetch } from '../tls/node-fetch.ts';

/** One chain under audit: its name for messages and its blocks, lane after lane. `begun`: lanes that were pruned, as they were before their first block. */
export type AuditedChain = Readonly<{ name: string; blocks: AsyncIterable<Uint8Array>; begun?: readonly ChainState[] }>;

/** Folders inside a data folder: of the store, and of a gateway's journal. */
export const STORE_FOLDER = 'store';
export const JOURNAL_FOLDER = 'journal';
const CHAIN_FILE_SUFFIX = '.chain';
const CONNECT_TIMEOUT_MS = 30_000;
/** Of a stranger's text. */
const MOST_SAID = 300;

/**
 * The chains at an address: a gateway or hospital node (http or https), a data folder, a chain file, or a folder of chain
 * files. Throws {@link UnreadableError} when there is none, or it cannot be read.
 */
export async function* chainsAt(target: string, environment: Environment): AsyncIterable<AuditedChain> {
  if (/^https?:\/\//.test(target)) yield* chainsOfNode(target.replace(/\/+$/, ''));
  else if (!existsSync(target)) throw new UnreadableError(`${target}: there is no such file or folder`);
  else if (!statSync(target).isDirectory()) yield chainFile(target);
  else if (existsSync(join(target, STORE_FOLDER))) yield* chainsOfStore(target, environment);
  else yield* chainFilesIn(target);
}

async function* chainsOfNode(base: string): AsyncIterable<AuditedChain> {
  let found = 0;
  for (let path: string | undefined = '/v1/chains'; path !== undefined; ) {
    const { chains, next } = (await (await get(`${base}${path}`)).json()) as { chains: { chain: string; lanes: { lane: string }[] }[]; next?: string | null };
    found += chains.length;
    for (const { chain, lanes } of chains) {
      yield { name: `${base} chain ${chain}`, blocks: joined(lanes.map(({ lane }) => () => blocksFrom(`${base}/v1/chains/${chain}/${lane}/blocks`))) };
    }
    // A node of before there were pages tells no next one.
    path = typeof next === 'string' ? `/v1/chains?after=${encodeURIComponent(next)}` : undefined;
  }
  if (found === 0) throw new UnreadableError(`${base} has no chain yet`);
}

async function get(url: string): Promise<Awaited<ReturnType<typeof nodeFetch>>> {
  try {
    const response = await nodeFetch(url, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    if (!response.ok) throw new UnreadableError(`${url} answers ${response.status}${await saidIn(response)}`);
    return response;
  } catch (cause) {
    throw cause instanceof UnreadableError ? cause : new UnreadableError(`${url} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** What a node says is wrong; nothing where it is none. */
async function saidIn(response: Awaited<ReturnType<typeof nodeFetch>>): Promise<string> {
  try {
    const { message } = (await response.json()) as { message?: unknown };
    return typeof message === 'string' ? `: ${message.slice(0, MOST_SAID)}` : '';
  } catch {
    return '';
  }
}

async function* blocksFrom(url: string): AsyncIterable<Uint8Array> {
  const { body } = await get(url);
  if (body === null) throw new UnreadableError(`${url} answers without a body`);
  yield* readBlocks(body);
}

async function* chainsOfStore(folder: string, { openBlocks }: Environment): AsyncIterable<AuditedChain> {
  const { blocks, close } = await openBlocks(folder, { readOnly: true });
  try {
    const chains = await blocks.chains();
    if (chains.length === 0) throw new UnreadableError(`${folder} has no chain yet`);
    for (const chain of chains) {
      const pruned = await Promise.all(LANES.map((lane) => blocks.pruned({ chain, lane })));
      const begun = pruned.filter((state) => state !== undefined);
      yield { name: `${folder} chain ${Buffer.from(chain).toString('hex')}`, blocks: joined(LANES.map((lane, index) => () => blocks.blocks({ chain, lane }, (pruned[index]?.height ?? -1) + 1))), begun };
    }
  } finally {
    await close();
  }
}

function* chainFilesIn(folder: string): Iterable<AuditedChain> {
  const files = readdirSync(folder).filter((name) => name.endsWith(CHAIN_FILE_SUFFIX)).sort();
  if (files.length === 0) throw new UnreadableError(`${folder} holds neither a store nor files ending in ${CHAIN_FILE_SUFFIX}`);
  for (const file of files) yield chainFile(join(folder, file));
}

function chainFile(path: string): AuditedChain {
  return { name: path, blocks: fromFile(path) };
}

async function* fromFile(path: string): AsyncIterable<Uint8Array> {
  const stream = createReadStream(path);
  const failed = new Promise<never>((_resolve, reject) => {
    stream.on('error', (cause) => reject(new UnreadableError(`${path} cannot be read: ${cause.message}`, { cause })));
  });
  failed.catch(() => undefined);
  try {
    yield* readBlocks(stream as AsyncIterable<Uint8Array>);
  } catch (error) {
    if (stream.errored !== null) await failed;
    throw error;
  }
}

async function* joined(parts: readonly (() => AsyncIterable<Uint8Array>)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield* part();
}
