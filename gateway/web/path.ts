/** Reads the variable parts of paths. Each has one spelling, so that one resource has one address. */

import type { LaneId, Place } from '../ledger/block-store.ts';
import { CHAIN_ID_BYTES } from '../ledger/genesis.ts';
import { LANES } from '../reading.ts';
import { RequestError } from './request-error.ts';

export type LaneParams = Readonly<{ chain: string; lane: string }>;
export type PlaceParams = LaneParams & Readonly<{ height: string }>;

const CHAIN = new RegExp(`^[0-9a-f]{${CHAIN_ID_BYTES * 2}}$`);
const HEIGHT = /^(?:0|[1-9][0-9]*)$/;

function badPath(what: string, found: string, expected: string): RequestError {
  return new RequestError(400, 'bad_path', `${what} ${JSON.stringify(found.slice(0, 80))} in the path: expected ${expected}`);
}

export function readLaneId({ chain, lane }: LaneParams): LaneId {
  const id = readChain(chain);
  const known = LANES.find((name) => name === lane);
  if (known === undefined) throw badPath('lane', lane, LANES.join(' or '));
  return { chain: id, lane: known };
}

export function readHeight(text: string): number {
  const height = Number(text);
  if (!HEIGHT.test(text) || !Number.isSafeInteger(height)) throw badPath('height', text, 'a decimal number from 0 to 2^53 − 1');
  return height;
}

/** How many of a list are wanted, from 1 to `most`, which is the default. */
export function readCount(text: string | readonly string[] | undefined, most: number): number {
  if (text === undefined) return most;
  const count = readHeight(String(text));
  if (count < 1 || count > most) throw badPath('limit', String(text), `a number from 1 to ${most}`);
  return count;
}

export function readChain(text: string): Uint8Array {
  if (!CHAIN.test(text)) throw badPath('chain', text, `${CHAIN_ID_BYTES * 2} hexadecimal digits, lower case`);
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function readPlace(params: PlaceParams): Place {
  return { ...readLaneId(params), height: readHeight(params.height) };
}
