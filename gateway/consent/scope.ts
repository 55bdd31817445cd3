/**
 * What a grant covers, and which of two that cover the same thing is the more specific.
 *
 * A grant that lists several items, purposes, labels or sources is the same as several grants with one each. Such a single grant is a set of
 * cases, and one is more specific than another when its cases are a part of the other's, never merely when somebody ranked "who" above
 * "what": a permission for one hospital and a denial of one measurement each say something the other does not, and then the denial wins.
 */

import type { UnixMillis } from '../quantity.ts';
import { classOf } from './data-classes.ts';
import { isWithin, type Period } from './fields.ts';
import type { Grant } from './grant.ts';
import { isMeant, namesAllOf, type Recipient } from './recipient.ts';
import { wholeOf } from './vocabulary.ts';

/** One case to be decided. */
export type Case = Readonly<{
  recipient: Recipient;
  purpose: string;
  /** data-classes.ts: an item, not a class. */
  item: string;
  label: string;
  /** Device or person the data comes from; absent: not known. */
  source?: string;
  /** Absent: not known. */
  measuredAt?: UnixMillis;
}>;

/** What a grant says in a case it covers, narrowest words first: ranks among the words that fit the same case. */
type Words = Readonly<{ to: Recipient; /** 0 all, 1 class, 2 item. */ what: number; /** 0 all, 1 code, 2 study. */ purpose: number; /** 0 any, 1 named. */ label: number; source: number; measured: Period | undefined }>;

/** Undefined when the grant does not cover the case. */
export function wordsFor(grant: Limits, question: Case): Words | undefined {
  const what = rank(grant.what, question.item, classOf(question.item));
  const purpose = rank(grant.purposes, question.purpose, wholeOf(question.purpose));
  if (what < 0 || purpose < 0 || !isMeant(grant.to, question.recipient)) return undefined;
  if (grant.labels !== undefined && !grant.labels.includes(question.label)) return undefined;
  if (grant.sources !== undefined && !isOrMayBe(grant, question.source, (source) => grant.sources?.includes(source) === true)) return undefined;
  const { measured } = grant;
  if (measured !== undefined && !isOrMayBe(grant, question.measuredAt, (at) => isWithin(measured, at))) return undefined;
  return { to: grant.to, what, purpose, label: grant.labels === undefined ? 0 : 1, source: grant.sources === undefined ? 0 : 1, measured };
}

export type Limits = Pick<Grant, 'permit' | 'to' | 'what' | 'purposes' | 'labels' | 'sources' | 'measured'>;

/** −1: not covered. A word that is no part of another has two ranks, one that is has three. */
function rank(words: readonly string[] | undefined, exact: string, whole: string | undefined): number {
  if (words === undefined) return 0;
  if (words.includes(exact)) return whole === undefined ? 1 : 2;
  return whole !== undefined && words.includes(whole) ? 1 : -1;
}

/** What nobody knows may be what is denied, and is not what is permitted. */
const isOrMayBe = <T>({ permit }: Limits, value: T | undefined, isSo: (value: T) => boolean): boolean => (value === undefined ? !permit : isSo(value));

/** Whether all cases of `a` are cases of `b`, where both cover one case. */
function isPartOf(a: Words, b: Words): boolean {
  return a.what >= b.what && a.purpose >= b.purpose && a.label >= b.label && a.source >= b.source && namesAllOf(a.to, b.to) && isDuring(a.measured, b.measured);
}

const isDuring = (a: Period | undefined, b: Period | undefined): boolean =>
  b === undefined || (a !== undefined && b.from <= a.from && (b.until === undefined || (a.until !== undefined && a.until <= b.until)));

export const isMoreSpecific = (a: Words, b: Words): boolean => isPartOf(a, b) && !isPartOf(b, a);
