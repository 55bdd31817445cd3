/** What is asked of the status of a node, as it stands in an address. */

import { UsageError } from '../errors.ts';
import { GATEWAY_ORDERS, GATEWAY_STATES, isCursor, type GatewayQuery } from './gateway-book.ts';

/** Gateways on a page, unless something else is asked for, and at most. */
const USUAL_LIMIT = 100;
const MOST = 1000;

export type StatusParams = Readonly<Partial<Record<'order' | 'limit' | 'after' | 'state' | 'search', string | readonly string[]>>>;

/** Throws {@link UsageError} that says what was expected. */
export function readStatusQuery({ order = 'chain', limit = String(USUAL_LIMIT), after, state, search }: StatusParams): GatewayQuery {
  return {
    order: wordIn('order', order, GATEWAY_ORDERS),
    limit: limitIn(limit),
    ...(after === undefined ? {} : { after: textIn('after', after, isCursor, 'what the page before gave as "next"') }),
    ...(state === undefined ? {} : { state: wordIn('state', state, GATEWAY_STATES) }),
    ...(search === undefined || search === '' ? {} : { search: textIn('search', search, (text) => /^[\w.-]{1,64}$/.test(text), 'the beginning of a chain, a key or a name: up to 64 of a-z A-Z 0-9 . _ -') }),
  };
}

/** The same as the query of an address; empty or with its question mark. */
export function formatStatusQuery(params: StatusParams): string {
  const given = Object.entries(params).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as [string, string]] : []));
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function limitIn(value: string | readonly string[]): number {
  const limit = Number(value);
  if (typeof value !== 'string' || !/^\d{1,4}$/.test(value) || limit < 1 || limit > MOST) throw new UsageError(`"limit" must be a whole number from 1 to ${MOST}`);
  return limit;
}

function wordIn<const Word extends string>(name: string, value: string | readonly string[], words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new UsageError(`"${name}" must be one of ${words.join(', ')}`);
  return found;
}

function textIn(name: string, value: string | readonly string[], isGood: (text: string) => boolean, expected: string): string {
  if (typeof value !== 'string' || !isGood(value)) throw new UsageError(`"${name}" must be ${expected}`);
  return value;
}
